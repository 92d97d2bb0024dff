//! Those who wait.

use super::{Flights, Landing, Permit};
use crate::sync::Mutex;
use fast_cache_core::time::Timestamp;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Poll, Waker};

/// The requests that wait for one leader.
#[derive(Debug)]
pub(super) struct Flight {
    birth: u64,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    landing: Option<Landing>,
    /// A follower has led already, so that the next failure is the last.
    handed_on: bool,
    seats: VecDeque<Arc<Seat>>,
}

/// One who waits.
#[derive(Debug, Default)]
pub(super) struct Seat(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    waker: Option<Waker>,
    news: Option<News>,
    /// Nobody waits here any more.
    left: bool,
}

/// What one who waits is told.
#[derive(Debug)]
pub enum News {
    /// How the leader's request came out.
    Landed(Landing),
    /// The leader has failed, and this one leads now.
    Lead(Permit),
}

/// A place among those who wait. Dropping it gives the place up.
#[derive(Debug)]
pub struct Ticket {
    seat: Arc<Seat>,
    flights: Arc<Flights>,
    flight: Arc<Flight>,
    digest: u128,
}

impl Ticket {
    pub(super) fn of(flights: Arc<Flights>, flight: Arc<Flight>, digest: u128) -> Self {
        let seat = Arc::<Seat>::default();
        let mut waiting = flight.waiting.lock();
        match waiting.landing {
            Some(landing) => seat.0.lock().news = Some(News::Landed(landing)),
            None => waiting.seats.push_back(Arc::clone(&seat)),
        }
        drop(waiting);
        Self {
            seat,
            flights,
            flight,
            digest,
        }
    }

    /// Waits no longer: the leader takes more time than anybody should wait. For a while nobody waits for it, or for
    /// another one under its key.
    pub fn give_up(self, now: Timestamp) {
        self.flights.abandon(self.digest, &self.flight, now);
    }

    /// What there is to tell; `waker` is called once there is something. Tells it once.
    pub fn poll(&self, waker: &Waker) -> Poll<News> {
        let mut state = self.seat.0.lock();
        if let Some(news) = state.news.take() {
            return Poll::Ready(news);
        }
        state.waker = Some(waker.clone());
        Poll::Pending
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.seat.0.lock();
        state.left = true;
        state.waker = None;
        // A permit that nobody took lands when it is dropped, which takes other locks.
        let news = state.news.take();
        drop(state);
        drop(news);
    }
}

impl Flight {
    pub(super) fn new(birth: u64) -> Self {
        Self {
            birth,
            waiting: Mutex::default(),
        }
    }

    /// The store's logical time when its leader began.
    pub(super) fn birth(&self) -> u64 {
        self.birth
    }

    /// Tells everybody.
    pub(super) fn land(&self, landing: Landing) {
        let mut waiting = self.waiting.lock();
        waiting.landing = Some(landing);
        let seats = std::mem::take(&mut waiting.seats);
        drop(waiting);
        for seat in seats {
            seat.tell(News::Landed(landing));
        }
    }

    /// The one that leads next: the first that still waits, unless somebody else has had that chance before.
    pub(super) fn successor(&self) -> Option<Arc<Seat>> {
        let mut waiting = self.waiting.lock();
        if std::mem::replace(&mut waiting.handed_on, true) {
            return None;
        }
        while let Some(seat) = waiting.seats.pop_front() {
            if !seat.0.lock().left {
                return Some(seat);
            }
        }
        None
    }
}

impl Seat {
    /// Makes this one the leader. One that has left meanwhile drops the permit, which then lands as failed.
    pub(super) fn promote(&self, permit: Permit) {
        self.tell(News::Lead(permit));
    }

    fn tell(&self, news: News) {
        let mut state = self.0.lock();
        if state.left {
            drop(state);
            drop(news);
            return;
        }
        state.news = Some(news);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
