//! What asks the application: a recorder for its answer.

use super::Exchange;
use crate::lines::HeaderLines;
use crate::recorder::{Errand, Held, Recorder};
use crate::scope::{Details, Rest, Target};
use crate::snapshot::Snapshot;
use crate::{strict, validation};
use fast_cache_core::exchange::Outcome;
use fast_cache_core::reason::Reason;
use fast_cache_core::request::route_path;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::sync::Arc;

impl Exchange {
    /// A recorder that stores what it may; with `bypass`, the token of a reason, it stores nothing.
    pub(super) fn recorder(
        &self,
        py: Python<'_>,
        bypass: Option<&str>,
        hand_out: bool,
    ) -> PyResult<Recorder> {
        let mut progress = self.progress.lock();
        let forward = progress.forward.take().filter(|_| bypass.is_none());
        let counters = &self.application.get().routes[self.route].counters;
        let (Some((forward, birth)), Some(key)) = (forward, progress.primary.take()) else {
            let named = Reason::ALL
                .iter()
                .find(|reason| Some(reason.token()) == bypass);
            counters.outcome(Outcome::Bypass);
            let reason = named.copied().unwrap_or(Reason::Hook);
            let errand = self.errand(py, reason, Outcome::Bypass, false)?;
            return Ok(Recorder::passing(errand));
        };
        let outcome = Outcome::of_forward(forward.reason);
        let mut errand = self.errand(py, forward.reason, outcome, hand_out)?;
        errand.refreshing = progress.refreshing.take();
        errand.permit = progress.permit.take();
        let in_background = errand.refreshing.is_some();
        if in_background {
            // The router writes into the scope, which is the client's request's no longer.
            errand.scope = errand.scope.bind(py).copy()?.unbind();
            progress.inner_scope = Some(errand.scope.clone_ref(py));
        } else {
            counters.outcome(outcome);
        }
        let cached = self.cached()?;
        if cached.strict {
            let headers = HeaderLines::from_snapshot(errand.headers.bind(py));
            strict::hide(py, &mut errand, cached, &headers.lines())?;
            progress.inner_scope = Some(errand.scope.clone_ref(py));
        }
        // What a custom storage keeps is not in the store, and cannot be changed there.
        let held = progress.held.take().filter(|_| !hand_out);
        let confirmed = held.as_ref().and_then(|entry| entry.response());
        let confirmed = confirmed.filter(|_| forward.validates);
        if confirmed.is_some() || in_background {
            validation::ask(py, &mut errand, confirmed)?;
            progress.inner_scope = Some(errand.scope.clone_ref(py));
        }
        if let Some(entry) = held {
            let method = Target::read(self.asked.scope.bind(py));
            errand.held = Some(Held {
                entry,
                head: method.is_some_and(|target| target.method() == Some("HEAD")),
            });
        }
        if in_background {
            errand.outer_scope = None;
        }
        Ok(Recorder::storing(
            errand,
            forward.fetch(birth, self.store.get().draws.draw()),
            key,
        ))
    }

    fn errand(
        &self,
        py: Python<'_>,
        reason: Reason,
        outcome: Outcome,
        hand_out: bool,
    ) -> PyResult<Errand> {
        let scope = self.asked.scope.bind(py);
        let headers = Details::read(scope).map(|details| details.headers.pairs().clone());
        let path = Target::read(scope)
            .and_then(|target| Some(route_path(target.path()?, &self.asked.root_path).into()));
        let asked = Target::read(scope).zip(Rest::read(scope));
        let snapshot = asked.and_then(|(target, rest)| {
            let mut snapshot =
                Snapshot::of(self.cached().ok()?, &target, &rest, &self.asked.root_path)?;
            // An author's key, or a custom storage, does not know of other queries.
            snapshot.searches = false;
            Some(snapshot)
        });
        Ok(Errand {
            application: self.application.clone_ref(py),
            route: self.route,
            store: self.store.clone_ref(py),
            status_lines: Arc::clone(&self.status_lines),
            scope: self.asked.scope.clone_ref(py),
            headers: headers.unwrap_or_else(|| PyTuple::empty(py)).unbind(),
            path: path.unwrap_or_default(),
            tags: self.tags()?,
            outcome,
            reason,
            outer_scope: None,
            held: None,
            refreshing: None,
            snapshot,
            permit: None,
            hand_out,
        })
    }

    fn tags(&self) -> PyResult<Vec<String>> {
        Ok(self
            .cached()?
            .tags
            .iter()
            .filter_map(|tag| tag.fill(|name| self.parameter(name)))
            .collect())
    }
}
