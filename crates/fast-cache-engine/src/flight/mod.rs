//! Requests that wait for each other's answers: concurrent misses of one key make one call of the application.
//!
//! The first request for a key *leads*: it gets a [`Permit`] and asks the application. Those that come meanwhile get a
//! [`Ticket`] and wait. The permit *lands*, at the latest when it is dropped, and the landing says what the others do:
//!
//! | landing | because | the others |
//! |---|---|---|
//! | [`Landing::Stored`] | the answer was stored | look it up |
//! | [`Landing::Unshared`] | the answer is for its own client only, or not for keeping | all go on by themselves, at once |
//! | [`Landing::StoodIn`] | the application failed and a stale answer stood in | take the same stale answer |
//! | [`Landing::Failed`] | the application raised, or answered with a failure | one of them leads once more, the others wait on; if that fails too, all take that failure, or go on by themselves where it is no one else's |
//! | [`Landing::Left`] | the leader was cancelled, or never answered | one of them leads once more; if that one leaves too, all go on by themselves |
//!
//! A key whose failure was shared is known to be failing for a while: the first failure of its next leader is shared at
//! once. So where the application keeps failing, it is asked once at a time, and nobody waits for more than one call. A
//! success ends that.
//!
//! Nobody queues behind a key that is known to be unshared: it is remembered for a while, and requests for it neither
//! lead nor wait. So is one whose failures are no one else's, after two of them in a row. How long a request waits at most
//! is its host's to say: it gives its ticket up and goes on by itself, and nobody else waits for that leader.
//!
//! Where the store is shared with other processes, a leader may hold a [`Lease`] as well, and leads for those who wait
//! there. The lease goes on to whoever leads next, and ends when the permit lands.
//!
//! No lock is held while a waker is called.

mod digests;
mod known;
mod ticket;

pub use ticket::{News, Ticket};

use crate::sync::Mutex;
use digests::Digests;
use fast_cache_core::key::KeyRef;
use fast_cache_core::time::Timestamp;
use fast_cache_store::{Lease, LeaseEnd};
use known::Known;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;
use ticket::Flight;

/// For how long a key stays known to be unshared.
pub const UNSHARED_FOR: Duration = Duration::from_secs(5);

/// For how long a key stays known to be failing, from its last failure on.
pub const FAILING_FOR: Duration = Duration::from_secs(5);

/// The requests that are under way, by the digest of their key: two keys with one digest would wait for each other, and
/// then look up their own. `F` is a failure that may be shared.
#[derive(Debug)]
pub struct Flights<F> {
    under_way: Mutex<Digests<Arc<Flight<F>>>>,
    remembered: Mutex<Remembered>,
}

/// What is known of keys.
#[derive(Debug, Default)]
struct Remembered {
    unshared: Known,
    failing: Known,
}

impl<F> Default for Flights<F> {
    fn default() -> Self {
        Self {
            under_way: Mutex::default(),
            remembered: Mutex::default(),
        }
    }
}

/// What a request does about the others for its key.
#[derive(Debug)]
pub enum Boarding<F> {
    /// It asks the application for all of them.
    Lead(Permit<F>),
    /// It waits for the one that does.
    Follow(Ticket<F>),
    /// It goes on by itself: answers under this key are known to be unshared.
    Alone,
}

/// How the request of a leader came out.
#[derive(Debug, PartialEq, Eq)]
pub enum Landing<F> {
    /// Its answer was stored.
    Stored,
    /// It failed, and a stale answer stood in, as one will for others.
    StoodIn,
    /// Its answer is no one else's; with `true`, neither will be the next ones.
    Unshared(bool),
    /// The application failed; with what others may take of that, if they may.
    Failed(Option<Arc<F>>),
    /// There is no answer, which says nothing of the application.
    Left,
}

impl<F> Flights<F> {
    /// Joins the requests for `key`. `birth` is the store's logical time now.
    ///
    /// Who comes after a drop does not wait for one that began before it, whose answer that drop may cover: it leads
    /// those who come after it.
    pub fn board(self: &Arc<Self>, key: KeyRef<'_>, birth: u64, now: Timestamp) -> Boarding<F> {
        let mut remembered = self.remembered.lock();
        if remembered.unshared.holds(key.digest, now) {
            return Boarding::Alone;
        }
        let is_failing = remembered.failing.holds(key.digest, now);
        drop(remembered);
        let mut under_way = self.under_way.lock();
        let place = under_way.entry(key.digest);
        if let Entry::Occupied(place) = &place
            && place.get().birth() >= birth
        {
            let flight = Arc::clone(place.get());
            return Boarding::Follow(Ticket::of(Arc::clone(self), flight, key.digest));
        }
        let flight = Arc::new(Flight::new(birth, is_failing));
        place.insert_entry(Arc::clone(&flight));
        Boarding::Lead(Permit::new(Arc::clone(self), key.digest, flight))
    }

    /// Somebody has waited for a flight in vain, and so would others.
    fn abandon(&self, digest: u128, flight: &Arc<Flight<F>>, now: Timestamp) {
        Self::remove(&mut self.under_way.lock(), digest, flight);
        self.note_unshared(digest, now);
    }

    fn note_unshared(&self, digest: u128, now: Timestamp) {
        let until = now.plus(UNSHARED_FOR);
        self.remembered.lock().unshared.note(digest, until);
    }

    /// How many keys are being asked for.
    pub fn under_way(&self) -> usize {
        self.under_way.lock().len()
    }

    /// Forgets which keys are known to be unshared or failing; those who wait go on waiting.
    pub fn forget(&self) {
        let mut remembered = self.remembered.lock();
        remembered.unshared.clear();
        remembered.failing.clear();
    }

    /// Forgets all requests that are under way: in the child of a fork, they are the parent's.
    pub fn begin_anew(&self) {
        let inherited = std::mem::take(&mut *self.under_way.lock());
        // Those who wait for them are the parent's as well: nobody is told.
        std::mem::forget(inherited);
        self.forget();
    }

    /// Takes a flight off the list, so that nobody joins it any more; a newer one of the same key stays.
    fn remove(under_way: &mut Digests<Arc<Flight<F>>>, digest: u128, flight: &Arc<Flight<F>>) {
        if let Entry::Occupied(place) = under_way.entry(digest)
            && Arc::ptr_eq(place.get(), flight)
        {
            place.remove();
        }
    }
}

impl<F> Clone for Landing<F> {
    fn clone(&self) -> Self {
        match self {
            Self::Stored => Self::Stored,
            Self::StoodIn => Self::StoodIn,
            Self::Unshared(is_known) => Self::Unshared(*is_known),
            Self::Failed(failure) => Self::Failed(failure.clone()),
            Self::Left => Self::Left,
        }
    }
}

/// The right to ask the application for all who wait for a key. Dropping it lands it as left.
#[derive(Debug)]
pub struct Permit<F> {
    flights: Arc<Flights<F>>,
    digest: u128,
    /// Taken when it lands.
    flight: Option<Arc<Flight<F>>>,
    /// With the digest of its key, which may be that of a variant.
    lease: Option<(u128, Lease)>,
}

impl<F> Permit<F> {
    fn new(flights: Arc<Flights<F>>, digest: u128, flight: Arc<Flight<F>>) -> Self {
        Self {
            flights,
            digest,
            flight: Some(flight),
            lease: None,
        }
    }

    /// The same right, for those too who wait in other processes for the key with this digest.
    #[must_use]
    pub fn with_lease(mut self, digest: u128, lease: Lease) -> Self {
        self.lease = Some((digest, lease));
        self
    }

    /// Whether it leads for other processes too, which wait for the key with this digest.
    pub fn has_lease_of(&self, digest: u128) -> bool {
        matches!(&self.lease, Some((leased, _)) if *leased == digest)
    }

    /// Whether those who wait would share a failure. Where they would not, one of them leads once more, so that nothing of
    /// the failure need be kept.
    pub fn shares_failures(&self) -> bool {
        let flight = self.flight.as_ref();
        flight.is_some_and(|flight| flight.shares_failures())
    }

    /// Tells those who wait how it came out.
    pub fn land(mut self, landing: &Landing<F>, now: Timestamp) {
        self.settle(landing, Some(now));
    }

    fn settle(&mut self, landing: &Landing<F>, now: Option<Timestamp>) {
        let Some(flight) = self.flight.take() else {
            return;
        };
        let lease = self.lease.take();
        match landing {
            Landing::Failed(Some(_)) if flight.shares_failures() => {}
            Landing::Left => return self.hand_on(flight, lease, None),
            Landing::Failed(_) => return self.hand_on(flight, lease, now),
            Landing::Stored | Landing::StoodIn | Landing::Unshared(_) => {}
        }
        if let Some(now) = now {
            self.remember(landing, now);
        }
        if let Some((_, lease)) = lease {
            lease.end(lease_end(landing));
        }
        Flights::remove(&mut self.flights.under_way.lock(), self.digest, &flight);
        flight.land(landing);
    }

    fn remember(&self, landing: &Landing<F>, now: Timestamp) {
        let mut remembered = self.flights.remembered.lock();
        match landing {
            Landing::Stored => remembered.failing.forget(self.digest),
            Landing::Unshared(is_known) => {
                remembered.failing.forget(self.digest);
                if *is_known {
                    let until = now.plus(UNSHARED_FOR);
                    remembered.unshared.note(self.digest, until);
                }
            }
            Landing::Failed(_) => {
                let until = now.plus(FAILING_FOR);
                remembered.failing.note(self.digest, until);
            }
            Landing::StoodIn | Landing::Left => {}
        }
    }

    /// One of those who wait leads once more, if this has not been tried before for the same reason. `failed` is when the application failed,
    /// if it did.
    fn hand_on(
        &self,
        flight: Arc<Flight<F>>,
        lease: Option<(u128, Lease)>,
        failed: Option<Timestamp>,
    ) {
        let had_failed = flight.has_failed();
        let mut under_way = self.flights.under_way.lock();
        // Under the lock, so that nobody can join a flight that has just been given up.
        let successor = flight.successor(failed.is_some());
        if successor.is_none() {
            Flights::remove(&mut under_way, self.digest, &flight);
        }
        drop(under_way);
        if let Some(successor) = successor {
            let mut permit = Self::new(Arc::clone(&self.flights), self.digest, flight);
            permit.lease = lease;
            return successor.promote(permit);
        }
        if let Some(now) = failed.filter(|_| had_failed) {
            // Waiting for the next one would be in vain as well.
            self.flights.note_unshared(self.digest, now);
        }
        flight.land(&Landing::Left);
    }
}

impl<F> Drop for Permit<F> {
    fn drop(&mut self) {
        self.settle(&Landing::Left, None);
    }
}

/// What those who wait in other processes are told.
fn lease_end<F>(landing: &Landing<F>) -> LeaseEnd {
    match landing {
        Landing::Stored => LeaseEnd::Stored,
        Landing::Unshared(true) => LeaseEnd::Unshared,
        // A stale answer that stood in did so here alone, and a failure is shared here alone.
        Landing::Unshared(false) | Landing::StoodIn | Landing::Failed(_) | Landing::Left => {
            LeaseEnd::Failed
        }
    }
}

#[cfg(all(test, shuttle))]
mod orders;
#[cfg(all(test, shuttle))]
mod stored;
#[cfg(all(test, not(shuttle)))]
mod tests;
