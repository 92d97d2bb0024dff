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
//! | [`Landing::Failed`] | the leader raised, was cancelled, or never answered | one of them leads once more, the others wait on; if that fails too, all go on by themselves |
//!
//! Nobody queues behind a key that is known to be unshared: it is remembered for a while, and requests for it neither
//! lead nor wait. How long a request waits at most is its host's to say: it gives its ticket up and goes on by itself, and
//! nobody else waits for that leader.
//!
//! Where the store is shared with other processes, a leader may hold a [`Lease`] as well, and leads for those who wait
//! there. The lease goes on to whoever leads next, and ends when the permit lands.
//!
//! No lock is held while a waker is called.

mod known;
mod ticket;

pub use ticket::{News, Ticket};

use crate::sync::Mutex;
use fast_cache_core::key::KeyRef;
use fast_cache_core::time::Timestamp;
use fast_cache_store::{Lease, LeaseEnd};
use known::Known;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use ticket::Flight;

/// For how long a key stays known to be unshared.
pub const UNSHARED_FOR: Duration = Duration::from_secs(5);

/// The requests that are under way, by the digest of their key: two keys with one digest would wait for each other, and
/// then look up their own.
#[derive(Debug, Default)]
pub struct Flights {
    under_way: Mutex<HashMap<u128, Arc<Flight>>>,
    unshared: Mutex<Known>,
}

/// What a request does about the others for its key.
#[derive(Debug)]
pub enum Boarding {
    /// It asks the application for all of them.
    Lead(Permit),
    /// It waits for the one that does.
    Follow(Ticket),
    /// It goes on by itself: answers under this key are known to be unshared.
    Alone,
}

/// How the request of a leader came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landing {
    /// Its answer was stored.
    Stored,
    /// It failed, and a stale answer stood in, as one will for others.
    StoodIn,
    /// Its answer is no one else's; with `true`, neither will be the next ones.
    Unshared(bool),
    /// There is no answer.
    Failed,
}

impl Flights {
    /// Joins the requests for `key`. `birth` is the store's logical time now.
    ///
    /// Who comes after a drop does not wait for one that began before it, whose answer that drop may cover: it leads
    /// those who come after it.
    pub fn board(self: &Arc<Self>, key: KeyRef<'_>, birth: u64, now: Timestamp) -> Boarding {
        if self.unshared.lock().holds(key.digest, now) {
            return Boarding::Alone;
        }
        let mut under_way = self.under_way.lock();
        if let Some(flight) = under_way.get(&key.digest)
            && flight.birth() >= birth
        {
            let flight = Arc::clone(flight);
            return Boarding::Follow(Ticket::of(Arc::clone(self), flight, key.digest));
        }
        let flight = Arc::new(Flight::new(birth));
        under_way.insert(key.digest, Arc::clone(&flight));
        Boarding::Lead(Permit::new(Arc::clone(self), key.digest, flight))
    }

    /// Somebody has waited for a flight in vain, and so would others.
    fn abandon(&self, digest: u128, flight: &Arc<Flight>, now: Timestamp) {
        Self::remove(&mut self.under_way.lock(), digest, flight);
        self.unshared.lock().note(digest, now.plus(UNSHARED_FOR));
    }

    /// How many keys are being asked for.
    pub fn under_way(&self) -> usize {
        self.under_way.lock().len()
    }

    /// Forgets which keys are known to be unshared; those who wait go on waiting.
    pub fn forget(&self) {
        self.unshared.lock().clear();
    }

    /// Forgets all requests that are under way: in the child of a fork, they are the parent's.
    pub fn begin_anew(&self) {
        let inherited = std::mem::take(&mut *self.under_way.lock());
        // Those who wait for them are the parent's as well: nobody is told.
        std::mem::forget(inherited);
        self.forget();
    }

    /// Takes a flight off the list, so that nobody joins it any more; a newer one of the same key stays.
    fn remove(under_way: &mut HashMap<u128, Arc<Flight>>, digest: u128, flight: &Arc<Flight>) {
        if under_way
            .get(&digest)
            .is_some_and(|known| Arc::ptr_eq(known, flight))
        {
            under_way.remove(&digest);
        }
    }
}

/// The right to ask the application for all who wait for a key. Dropping it lands it as failed.
#[derive(Debug)]
pub struct Permit {
    flights: Arc<Flights>,
    digest: u128,
    /// Taken when it lands.
    flight: Option<Arc<Flight>>,
    /// With the digest of its key, which may be that of a variant.
    lease: Option<(u128, Lease)>,
}

impl Permit {
    fn new(flights: Arc<Flights>, digest: u128, flight: Arc<Flight>) -> Self {
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

    /// Tells those who wait how it came out.
    pub fn land(mut self, landing: Landing, now: Timestamp) {
        if landing == Landing::Unshared(true) {
            let until = now.plus(UNSHARED_FOR);
            self.flights.unshared.lock().note(self.digest, until);
        }
        self.settle(landing);
    }

    fn settle(&mut self, landing: Landing) {
        let Some(flight) = self.flight.take() else {
            return;
        };
        let lease = self.lease.take();
        if landing == Landing::Failed {
            self.hand_on(flight, lease);
        } else {
            if let Some((_, lease)) = lease {
                lease.end(lease_end(landing));
            }
            Flights::remove(&mut self.flights.under_way.lock(), self.digest, &flight);
            flight.land(landing);
        }
    }

    /// One of those who wait leads once more, if this has not been tried before.
    fn hand_on(&self, flight: Arc<Flight>, lease: Option<(u128, Lease)>) {
        let mut under_way = self.flights.under_way.lock();
        // Under the lock, so that nobody can join a flight that has just been given up.
        let successor = flight.successor();
        if successor.is_none() {
            Flights::remove(&mut under_way, self.digest, &flight);
        }
        drop(under_way);
        match successor {
            Some(successor) => {
                let mut permit = Self::new(Arc::clone(&self.flights), self.digest, flight);
                permit.lease = lease;
                successor.promote(permit);
            }
            None => flight.land(Landing::Failed),
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.settle(Landing::Failed);
    }
}

/// What those who wait in other processes are told.
fn lease_end(landing: Landing) -> LeaseEnd {
    match landing {
        Landing::Stored => LeaseEnd::Stored,
        Landing::Unshared(true) => LeaseEnd::Unshared,
        // A stale answer that stood in did so here alone.
        Landing::Unshared(false) | Landing::StoodIn | Landing::Failed => LeaseEnd::Failed,
    }
}

#[cfg(all(test, shuttle))]
mod orders;
#[cfg(all(test, shuttle))]
mod stored;
#[cfg(all(test, not(shuttle)))]
mod tests;
