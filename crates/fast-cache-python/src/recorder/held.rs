//! What was found before the application was asked, and may take part in its answer.

use super::Errand;
use crate::layout::laid_out;
use crate::lines::HeaderLines;
use crate::representation::Representation;
use fast_cache_core::exchange::{Client, Fetch};
use fast_cache_core::request::Method;
use fast_cache_core::stored::Stored;
use fast_cache_engine::held;
use fast_cache_engine::said::Came;
use fast_cache_store::Entry;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::Arc;

/// A stored response that the request found, but could not be answered with.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) entry: Arc<Entry<Representation>>,
    /// The request's method is `HEAD`.
    pub(crate) head: bool,
}

impl Held {
    /// The response.
    pub(super) fn stored(&self) -> Option<&Stored<Representation>> {
        self.entry.response()
    }
}

impl Errand {
    /// Whether what was found is still to be found: no drop has covered it, and nothing took its place.
    pub(super) fn is_current(&self, held: &Held) -> bool {
        let store = self.store.get();
        held::is_current(&store.store, &store.secret, &held.entry)
    }

    /// Removes what was found from the store, unless something took its place.
    pub(super) fn forget(&self, held: &Held) {
        let store = self.store.get();
        held::forget(&store.store, &store.secret, &held.entry);
    }

    /// The messages of an answer with `stored` to what the client asked for.
    pub(super) fn answer_with(
        &self,
        py: Python<'_>,
        stored: &Stored<Representation>,
        came: Came,
    ) -> PyResult<(Py<PyDict>, Py<PyDict>)> {
        let route = &self.application.get().routes[self.route];
        let headers = HeaderLines::from_snapshot(self.headers.bind(py));
        let lines = headers.lines();
        let head = self.held.as_ref().is_some_and(|held| held.head);
        let method = if head { Method::Head } else { Method::Get };
        let policy = route.cached.as_ref().map(|cached| &*cached.policy);
        let default = fast_cache_core::policy::Policy::default();
        let client = Client::of(&lines, method, policy.unwrap_or(&default));
        let store = self.store.get();
        let serve = client.serve(stored, store.now());
        let seed = store.seed();
        let (start, body) = laid_out(py, &self.status_lines, stored, &serve, came, &lines, seed)?;
        // A refresh in the background is nobody's answer.
        if self.refreshing.is_none() {
            self.counters().became(self.outcome, came.outcome(&serve));
        }
        Ok((start.unbind(), body.unbind()))
    }

    /// The messages of a stale answer in place of a failure of the application's, where one may stand in.
    pub(super) fn stand_in(
        &self,
        py: Python<'_>,
        fetch: &Fetch,
        status: Option<u16>,
    ) -> Option<(Py<PyDict>, Py<PyDict>)> {
        let held = self.held.as_ref()?;
        let stored = held.stored()?;
        if !fetch.may_stand_in(stored, self.store.get().now()) || !self.is_current(held) {
            return None;
        }
        let came = Came::InsteadOfFailure(fetch.reason(), status);
        self.answer_with(py, stored, came).ok()
    }
}
