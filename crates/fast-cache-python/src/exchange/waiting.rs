//! Exchanges that wait for each other.

use super::Exchange;
use crate::coroutine::coroutine_class;
use crate::failing::{Awaited, Boarding, Part};
use crate::wait::{LIMIT, Wait};
use crate::waiter::{Course, Waiter};
use fast_cache_engine::waiting::was_asked;
use fast_cache_store::LocalStore;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use std::time::Duration;

/// The awaitable of an exchange that waits for another one's answer; it is to look up again after it. Not frozen, as
/// [`SendMessages`](crate::awaitable::SendMessages) is not.
#[pyclass(module = "fast_cache_middleware._core")]
pub(crate) struct ExchangeWait {
    exchange: Py<Exchange>,
    course: Course,
}

/// What is to be awaited before the next lookup: the exchange that asks the application for all of the same key, or the
/// word of those who share the store. `None` for one that asks the application.
pub(super) fn board(exchange: &Bound<'_, Exchange>) -> Option<ExchangeWait> {
    let (py, this) = (exchange.py(), exchange.get());
    let route = &this.application.get().routes[this.route];
    let limit = route.cached.as_ref()?.policy.follower_timeout;
    let limit = limit.as_ref().map(Duration::as_secs_f64);
    let mut progress = this.progress.lock();
    let (forward, _) = *progress.forward.as_ref()?;
    let store = this.store.get();
    let key = progress.key()?.clone();
    let waits = |awaited| {
        let store = this.store.clone_ref(py);
        Some(ExchangeWait {
            exchange: exchange.clone().unbind(),
            course: Course::Waiting(Wait::new(awaited, store, limit.unwrap_or(LIMIT))),
        })
    };
    if limit.is_some() && forward.may_be_shared() && !std::mem::replace(&mut progress.boarded, true)
    {
        let flights = &store.flights;
        match flights.board(key.borrow(), store.store.birth(), store.now()) {
            Boarding::Lead(permit) => progress.permit = Some(permit),
            Boarding::Alone => {}
            Boarding::Follow(ticket) => return waits(Awaited::Ticket(ticket)),
        }
    }
    let elsewhere = store.store.elsewhere()?;
    let permit = progress.permit.as_ref();
    if !forward.looked_up() || was_asked(&progress.asked, key.borrow(), permit, elsewhere) {
        return None;
    }
    progress.asked.push(key.borrow().digest);
    let part = progress.permit.take().map_or(Part::Alone, Part::Lead);
    waits(Awaited::inquire(elsewhere, key, part))
}

/// What is to be awaited before the first lookup, where those who share the store are always asked.
pub(super) fn ask_first(exchange: &Bound<'_, Exchange>) -> Option<ExchangeWait> {
    let this = exchange.get();
    let elsewhere = this.store.get().store.elsewhere()?;
    let mut progress = this.progress.lock();
    if !elsewhere.asks_always() || !progress.asked.is_empty() {
        return None;
    }
    let key = progress.key()?.clone();
    progress.asked.push(key.borrow().digest);
    let awaited = Awaited::inquire(elsewhere, key, Part::Board);
    Some(ExchangeWait {
        exchange: exchange.clone().unbind(),
        course: Course::Waiting(Wait::new(
            awaited,
            this.store.clone_ref(exchange.py()),
            LIMIT,
        )),
    })
}

coroutine_class!(ExchangeWait);

impl Waiter for ExchangeWait {
    fn course(&mut self) -> &mut Course {
        &mut self.course
    }

    fn go_on(&mut self, _: Python<'_>, part: Part) -> PyResult<Option<Py<PyAny>>> {
        let mut progress = self.exchange.get().progress.lock();
        match part {
            Part::Lead(permit) => progress.permit = Some(permit),
            Part::Share(failure) => progress.failure = Some(failure),
            Part::Board | Part::Alone | Part::StandIn => {}
        }
        Ok(None)
    }

    fn give_up(&mut self, _: Python<'_>) -> PyResult<()> {
        Ok(())
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.exchange)?;
        self.course.traverse(visit)
    }
}
