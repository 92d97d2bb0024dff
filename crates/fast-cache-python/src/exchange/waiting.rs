//! Exchanges that wait for each other.

use super::Exchange;
use crate::awaitable::raised;
use crate::coroutine::{Coroutine, Stepped, coroutine_class};
use crate::failing::{Awaited, Boarding, Part};
use crate::wait::{LIMIT, Step, Wait};
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
    wait: Option<Wait>,
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
            wait: Some(Wait::new(awaited, store, limit.unwrap_or(LIMIT))),
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
        wait: Some(Wait::new(
            awaited,
            this.store.clone_ref(exchange.py()),
            LIMIT,
        )),
    })
}

coroutine_class!(ExchangeWait);

impl Coroutine for ExchangeWait {
    fn drive(&mut self, py: Python<'_>, value: Option<&Bound<'_, PyAny>>) -> Stepped {
        let Some(mut wait) = self.wait.take() else {
            return Ok(None);
        };
        match wait.step(py, value)? {
            Step::Yield(yielded) => {
                self.wait = Some(wait);
                Ok(Some(yielded))
            }
            Step::Over(part) => {
                let mut progress = self.exchange.get().progress.lock();
                match part {
                    Part::Lead(permit) => progress.permit = Some(permit),
                    Part::Share(failure) => progress.failure = Some(failure),
                    Part::Board | Part::Alone | Part::StandIn => {}
                }
                Ok(None)
            }
        }
    }

    fn throw_in(
        &mut self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        value: Option<&Bound<'_, PyAny>>,
    ) -> Stepped {
        self.end(py)?;
        Err(raised(kind, value))
    }

    fn end(&mut self, py: Python<'_>) -> PyResult<()> {
        if let Some(wait) = self.wait.take() {
            wait.end(py);
        }
        Ok(())
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.exchange)?;
        match &self.wait {
            Some(wait) => wait.traverse(visit),
            None => Ok(()),
        }
    }

    fn clear(&mut self) {
        self.wait = None;
    }
}
