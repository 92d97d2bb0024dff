//! What an exchange takes of one that it has waited for, and that has failed.

use super::Exchange;
use super::deciding::Messages;
use crate::failing::Failure;
use crate::layout::laid_out;
use crate::lines::HeaderLines;
use crate::representation::Representation;
use fast_cache_core::exchange::{Forward, Lookup, Outcome};
use fast_cache_core::key::KeyRef;
use fast_cache_core::stored::Stored;
use fast_cache_engine::failing::{Taken, Waiter};
use fast_cache_engine::said::Came;
use fast_cache_store::LocalStore;
use pyo3::prelude::*;

impl Exchange {
    /// The messages of the failure, or the exception; `None` where the exchange goes on by itself, as it does where a stale
    /// answer may stand in.
    #[cold]
    pub(super) fn share(
        &self,
        py: Python<'_>,
        failure: &Failure,
        key: KeyRef<'_>,
        (lookup, forward): (Lookup<'_>, Forward),
        stored: Option<&Stored<Representation>>,
        headers: &HeaderLines<'_>,
    ) -> PyResult<Option<Messages>> {
        let (store, lines) = (self.store.get(), headers.lines());
        let now = store.now();
        let fetch = forward.fetch(store.store.birth(), 0);
        if stored.is_some_and(|stored| fetch.may_stand_in(stored, now)) {
            return Ok(None);
        }
        let waiter = Waiter {
            lookup,
            forward,
            key,
            selecting: self.cached()?.selecting(&lines),
        };
        let taken = failure.taken_by(waiter, &store.store, &store.secret, now);
        let Some(taken) = taken else {
            return Ok(None);
        };
        let route = self.note_route(py)?;
        route.counters.outcome(Outcome::Miss);
        match taken {
            Taken::Raised(raised) => Err(raised.again(py)),
            Taken::Answer(stored, serve) => {
                let came = Came::Shared(forward.reason);
                let status_lines = &self.status_lines;
                let (start, body) =
                    laid_out(py, status_lines, stored, &serve, came, &lines, store.seed())?;
                Ok(Some((start.unbind(), body.unbind())))
            }
        }
    }
}
