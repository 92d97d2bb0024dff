//! What was found is the answer, or the application is asked.

use super::Exchange;
use super::found::FoundResponse;
use crate::answer::messages;
use crate::application::Route;
use crate::layout::{gateway_timeout, laid_out};
use crate::representation::Representation;
use crate::scope::Details;
use crate::visit::note_route;
use fast_cache_core::exchange::{Decision, Forward, Outcome, Serve};
use fast_cache_core::reason::Reason;
use fast_cache_core::stored::Stored;
use fast_cache_engine::flight::Landing;
use fast_cache_engine::said::Came;
use fast_cache_store::{Entry, LocalStore};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::Arc;

pub(super) type Messages = (Py<PyDict>, Py<PyDict>);

impl Exchange {
    /// Leaves in the scope what the router would; the route.
    pub(super) fn note_route(&self, py: Python<'_>) -> PyResult<&Route> {
        let application = self.application.get();
        let route = &application.routes[self.route];
        let scope = self.asked.scope.bind(py);
        let path_params = || Ok(self.asked.path_params.bind(py).clone());
        note_route(scope, application, route, &self.host, path_params)?;
        Ok(route)
    }

    /// The messages of the answer; `None` where the application is to be asked.
    pub(super) fn answer(&self, py: Python<'_>) -> PyResult<Option<Messages>> {
        let now = self.store.get().now();
        let mut progress = self.progress.lock();
        let found = progress.found.take();
        let stored = found.as_ref().and_then(FoundResponse::stored);
        let draws = &self.store.get().draws;
        let (failure, mut shared) = (progress.failure.take(), None);
        let decided = self.with_lookup(py, |lookup, headers, _, _| {
            let mut decision = lookup.decide(stored, Reason::Absent, now);
            if let (Decision::Serve(serve), Some((stored, _))) = (&mut decision, stored) {
                let early = || lookup.refresh_early(stored, now, || draws.draw());
                serve.refresh = serve.refresh.or_else(early);
            }
            if let (Decision::Forward(forward), Some(failure)) = (&decision, &failure)
                && let Some(key) = &progress.primary
            {
                let stored = stored.map(|(stored, _)| stored);
                let asked = (lookup, *forward);
                shared = self.share(py, failure, key.borrow(), asked, stored, headers)?;
            }
            Ok(decision)
        })?;
        let application = self.application.get();
        let route = &application.routes[self.route];
        match (decided, stored) {
            (Ok(Decision::Serve(serve)), Some((stored, _))) => {
                let (start, body) = if serve.is_plain() {
                    messages(py, &self.status_lines, stored, serve)?
                } else {
                    self.lay_out(py, stored, &serve)?
                };
                self.note_route(py)?;
                route.counters.outcome(Came::Found.outcome(&serve));
                if let Some(permit) = progress.permit.take() {
                    // Somebody who shares the store had the answer.
                    permit.land(&Landing::Stored, now);
                }
                if let Some(forward) = serve.refresh {
                    let store = self.store.get();
                    progress.refreshing = progress
                        .key()
                        .and_then(|key| store.refreshes.begin(&store.secret, key.borrow().bytes));
                    progress.held = held(found.as_ref(), forward);
                    progress.forward = Some((forward, self.store.get().store.birth()));
                }
                Ok(Some((start.unbind(), body.unbind())))
            }
            (Ok(Decision::Unsatisfied), _) => {
                route.counters.outcome(Outcome::Miss);
                let (start, body) = gateway_timeout(py, &self.status_lines)?;
                Ok(Some((start.unbind(), body.unbind())))
            }
            (Ok(Decision::Forward(_)), _) if shared.is_some() => Ok(shared),
            (Ok(Decision::Forward(forward)), _) => {
                progress.held = held(found.as_ref(), forward);
                progress.forward = Some((forward, self.store.get().store.birth()));
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// The messages of an answer other than a whole, fresh one.
    fn lay_out<'py>(
        &self,
        py: Python<'py>,
        stored: &Stored<Representation>,
        serve: &Serve,
    ) -> PyResult<(Bound<'py, PyDict>, Bound<'py, PyDict>)> {
        let details = Details::read(self.asked.scope.bind(py));
        let lines = details.as_ref().map(|details| details.headers.lines());
        let (lines, seed) = (lines.unwrap_or_default(), self.store.get().seed());
        let status_lines = &self.status_lines;
        laid_out(py, status_lines, stored, serve, Came::Found, &lines, seed)
    }
}

/// What was found in the memory store, where it may take part in the application's answer.
fn held(found: Option<&FoundResponse>, forward: Forward) -> Option<Arc<Entry<Representation>>> {
    match found {
        Some(FoundResponse::Entry(entry, _)) if forward.wants_stored() => Some(Arc::clone(entry)),
        _ => None,
    }
}
