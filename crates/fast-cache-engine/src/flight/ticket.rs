//! Those who wait.

use super::{Flights, Landing, Permit};
use crate::sync::Mutex;
use fast_cache_core::time::Timestamp;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Poll, Waker};

/// The requests that wait for one leader.
#[derive(Debug)]
pub(super) struct Flight<F> {
    birth: u64,
    /// The key was known to be failing when it began.
    is_failing: bool,
    waiting: Mutex<Waiting<F>>,
}

#[derive(Debug)]
struct Waiting<F> {
    has_landed: bool,
    /// One who waited leads because one before it has left, which is not tried again.
    has_left: bool,
    /// One who waited leads because the application has failed, so that the next failure is the last.
    has_failed: bool,
    seats: VecDeque<Arc<Seat<F>>>,
}

/// One who waits.
#[derive(Debug)]
pub(super) struct Seat<F>(Mutex<State<F>>);

#[derive(Debug)]
struct State<F> {
    waker: Option<Waker>,
    news: Option<News<F>>,
    /// Nobody waits here any more.
    left: bool,
}

impl<F> Default for Seat<F> {
    fn default() -> Self {
        Self(Mutex::new(State {
            waker: None,
            news: None,
            left: false,
        }))
    }
}

/// What one who waits is told.
#[derive(Debug)]
pub enum News<F> {
    /// How the leader's request came out.
    Landed(Landing<F>),
    /// The leader has failed, and this one leads now.
    Lead(Permit<F>),
}

/// A place among those who wait. Dropping it gives the place up.
#[derive(Debug)]
pub struct Ticket<F> {
    seat: Arc<Seat<F>>,
    flights: Arc<Flights<F>>,
    flight: Arc<Flight<F>>,
    digest: u128,
}

impl<F> Ticket<F> {
    pub(super) fn of(flights: Arc<Flights<F>>, flight: Arc<Flight<F>>, digest: u128) -> Self {
        let seat = Arc::<Seat<F>>::default();
        let mut waiting = flight.waiting.lock();
        if waiting.has_landed {
            seat.0.lock().news = Some(News::Landed(Landing::Left));
        } else {
            waiting.seats.push_back(Arc::clone(&seat));
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
    pub fn poll(&self, waker: &Waker) -> Poll<News<F>> {
        let mut state = self.seat.0.lock();
        if let Some(news) = state.news.take() {
            return Poll::Ready(news);
        }
        state.waker = Some(waker.clone());
        Poll::Pending
    }
}

impl<F> Drop for Ticket<F> {
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

impl<F> Flight<F> {
    pub(super) fn new(birth: u64, is_failing: bool) -> Self {
        Self {
            birth,
            is_failing,
            waiting: Mutex::new(Waiting {
                has_landed: false,
                has_left: false,
                has_failed: false,
                seats: VecDeque::new(),
            }),
        }
    }

    /// The store's logical time when its leader began.
    pub(super) fn birth(&self) -> u64 {
        self.birth
    }

    /// Tells everybody, and remembers none of it: whoever waited has it alone.
    pub(super) fn land(&self, landing: &Landing<F>) {
        let mut waiting = self.waiting.lock();
        waiting.has_landed = true;
        let seats = std::mem::take(&mut waiting.seats);
        drop(waiting);
        for seat in seats {
            seat.tell(News::Landed(landing.clone()));
        }
    }

    /// Whether those who wait would share the next failure.
    pub(super) fn shares_failures(&self) -> bool {
        self.is_failing || self.has_failed()
    }

    /// Whether one who waited leads because the application has failed.
    pub(super) fn has_failed(&self) -> bool {
        self.waiting.lock().has_failed
    }

    /// The one that leads next, because the leader `failed` or has left: the first that still waits, unless somebody else
    /// has had that chance before for the same reason.
    pub(super) fn successor(&self, failed: bool) -> Option<Arc<Seat<F>>> {
        let mut waiting = self.waiting.lock();
        let waiting = &mut *waiting;
        let tried = if failed {
            &mut waiting.has_failed
        } else {
            &mut waiting.has_left
        };
        if *tried {
            return None;
        }
        while let Some(seat) = waiting.seats.pop_front() {
            if !seat.0.lock().left {
                *tried = true;
                return Some(seat);
            }
        }
        None
    }
}

impl<F> Seat<F> {
    /// Makes this one the leader. One that has left meanwhile drops the permit, which then lands as left.
    pub(super) fn promote(&self, permit: Permit<F>) {
        self.tell(News::Lead(permit));
    }

    fn tell(&self, news: News<F>) {
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
