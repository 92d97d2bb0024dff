//! The request whose answer is recorded.

use super::Held;
use crate::answer::StatusLines;
use crate::application::{Application, Cached};
use crate::failing::{Failure, Permit};
use crate::lines::{HeaderLines, UnreadLines};
use crate::names;
use crate::snapshot::Snapshot;
use crate::store::{AnyStore, HostStore};
use fast_cache_core::exchange::Outcome;
use fast_cache_core::reason::Reason;
use fast_cache_engine::flight::Landing;
use fast_cache_engine::keeping::Keeping;
use fast_cache_engine::lines::{Lines, Unread};
use fast_cache_engine::observe::RouteCounters;
use fast_cache_engine::refreshes::Refreshing;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use std::sync::Arc;

/// A request on its way to the application, and all that is needed to store its answer.
pub(crate) struct Errand {
    pub(crate) application: Py<Application>,
    pub(crate) route: usize,
    pub(crate) store: Py<HostStore>,
    pub(crate) status_lines: Arc<StatusLines>,
    /// The scope that the application got: the router leaves the endpoint in it.
    pub(crate) scope: Py<PyDict>,
    /// The request's header lines.
    pub(crate) headers: Py<PyTuple>,
    /// The request's path without `root_path`.
    pub(crate) path: Box<str>,
    /// The route's tags, filled.
    pub(crate) tags: Vec<String>,
    pub(crate) outcome: Outcome,
    pub(crate) reason: Reason,
    /// The scope that outer middleware sees, where it is another one.
    pub(crate) outer_scope: Option<Py<PyDict>>,
    /// What was found, where it may take part in the answer.
    pub(crate) held: Option<Held>,
    /// The errand is one in the background, for those who come later.
    pub(crate) refreshing: Option<Refreshing>,
    /// What the request is about, on a route in HTTP mode.
    pub(crate) snapshot: Option<Box<Snapshot>>,
    /// Others wait for the answer.
    pub(crate) permit: Option<Permit>,
    /// A custom storage keeps the entry: it is handed out instead of committed.
    pub(crate) hand_out: bool,
}

impl Errand {
    /// The counters of the request's route.
    pub(super) fn counters(&self) -> &Arc<RouteCounters> {
        &self.application.get().routes[self.route].counters
    }

    /// The configuration of the request's route.
    pub(super) fn cached(&self) -> Option<&Cached> {
        self.application.get().routes[self.route].cached.as_ref()
    }

    /// What keeps the answer, handed to `run`.
    pub(super) fn keeping<T>(
        &self,
        py: Python<'_>,
        cached: &Cached,
        run: impl FnOnce(&Keeping<'_, AnyStore>) -> T,
    ) -> T {
        let store = self.store.get();
        let headers = HeaderLines::from_snapshot(self.headers.bind(py));
        // Where nothing varies, nobody asks for them.
        let lines = UnreadLines::of(&headers);
        let asked = self.snapshot.as_ref();
        let request = asked.map(|asked| asked.request(lines.read()));
        let asked = self.snapshot.as_ref().zip(request.as_ref());
        run(&Keeping {
            store: &store.store,
            secret: &store.secret,
            policy: &cached.policy,
            endpoint: cached.endpoint_label,
            tags: &self.tags,
            path: &self.path,
            lines: Lines::Unread(&lines),
            asked: asked.map(|(asked, request)| asked.searched(cached, &store.secret, request)),
            searches: self.snapshot.as_ref().is_some_and(|asked| asked.searches),
        })
    }

    /// Tells those who wait for the answer what became of it: it was stored, or why not.
    pub(super) fn land(&mut self, kept: Result<(), Reason>) {
        if let Some(permit) = self.permit.take() {
            let landing = match kept {
                Ok(()) => Landing::Stored,
                Err(reason) => Landing::Unshared(!reason.may_be_shared_later()),
            };
            permit.land(&landing, self.store.get().now());
        }
    }

    /// Whether those who wait for the answer would share a failure.
    pub(super) fn shares_failures(&self) -> bool {
        let permit = self.permit.as_ref();
        permit.is_some_and(Permit::shares_failures)
    }

    /// Tells those who wait that the application failed, with what they may take of that.
    pub(super) fn land_failed(&mut self, failure: Option<Failure>) {
        if let Some(permit) = self.permit.take() {
            let landing = Landing::Failed(failure.map(Arc::new));
            permit.land(&landing, self.store.get().now());
        }
    }

    /// Tells those who wait that a stale answer stood in for a failure.
    pub(super) fn land_stood_in(&mut self) {
        if let Some(permit) = self.permit.take() {
            permit.land(&Landing::StoodIn, self.store.get().now());
        }
    }

    /// What the router left in the application's scope, for outer middleware that holds another one.
    pub(super) fn mirror_scope(&self, py: Python<'_>) {
        let Some(outer) = &self.outer_scope else {
            return;
        };
        let (inner, outer) = (self.scope.bind(py), outer.bind(py));
        for name in [
            names::endpoint(py),
            names::route(py),
            names::path_params(py),
        ] {
            if let Ok(Some(value)) = inner.get_item(name) {
                // A plain dictionary with string keys: this cannot fail but for want of memory.
                let _ = outer.set_item(name, value);
            }
        }
    }
}
