//! Requests that found something which is not the plain answer: it is stale, or another form of it is asked for.

use crate::application::Cached;
use crate::failing::Permit;
use crate::following::Following;
use crate::layout::{gateway_timeout, laid_out};
use crate::lines::HeaderLines;
use crate::receive::is_worth_watching;
use crate::recorder::{Errand, Held, Recorder, RecordingSend};
use crate::refresher::among_others;
use crate::representation::Representation;
use crate::scope::Rest;
use crate::sending::send_both;
use crate::snapshot::Snapshot;
use crate::visit::{Step, Visit};
use fast_cache_core::exchange::{Client, Forward, Outcome, Serve};
use fast_cache_core::fields::Line;
use fast_cache_core::key::Key;
use fast_cache_core::reason::Reason;
use fast_cache_core::request::Method;
use fast_cache_core::stored::Stored;
use fast_cache_engine::find::find_by_search;
use fast_cache_engine::said::Came;
use fast_cache_store::{Entry, Found, LocalStore};
use pyo3::prelude::*;
use std::sync::Arc;

impl<'py> Visit<'_, '_, 'py> {
    /// The awaitable that sends a part of what was found, or a stale answer.
    pub(crate) fn lay_out(
        &self,
        stored: &Stored<Representation>,
        serve: &Serve,
        lines: &[Line<'_>],
    ) -> PyResult<Py<PyAny>> {
        let status_lines = &self.installed.status_lines;
        let seed = self.installed.store.get().seed();
        let came = Came::Found;
        let (start, body) = laid_out(self.py, status_lines, stored, serve, came, lines, seed)?;
        self.taken.route.counters.outcome(came.outcome(serve));
        send_both(self.send, &start, &body).map(Bound::unbind)
    }

    /// What answers the request's query along with others, where nothing is stored for this very one.
    #[cold]
    pub(crate) fn find_by_search(
        &self,
        cached: &Cached,
        headers: &Bound<'py, PyAny>,
    ) -> Option<Found<Representation>> {
        let store = self.installed.store.get();
        let all = HeaderLines::from_any(headers)?;
        let rest = Rest::read(self.scope)?;
        let snapshot = Snapshot::of(cached, self.target, &rest, self.root_path)?;
        let lines = all.lines();
        let request = snapshot.request(&lines);
        let searched = snapshot.searched(cached, &store.secret, &request);
        find_by_search(&store.store, &searched, cached.selecting(&lines))
    }

    /// The answer to a request that takes only what is stored, where nothing is.
    pub(crate) fn unsatisfied(&self) -> PyResult<Step<'py>> {
        self.note_route()?;
        self.taken.route.counters.outcome(Outcome::Miss);
        let (start, body) = gateway_timeout(self.py, &self.installed.status_lines)?;
        send_both(self.send, &start, &body).map(|answer| Step::Answer(answer.unbind()))
    }

    /// The awaitable that sends what was found in place of an answer that has just failed for somebody else, where it may
    /// stand in.
    pub(crate) fn stand_in(
        &self,
        stored: Option<(&Stored<Representation>, bool)>,
        forward: Forward,
        lines: &[Line<'_>],
    ) -> PyResult<Option<Py<PyAny>>> {
        let Some((stored, _)) = stored else {
            return Ok(None);
        };
        let store = self.installed.store.get();
        let now = store.now();
        if !forward
            .fetch(store.store.birth(), 0)
            .may_stand_in(stored, now)
        {
            return Ok(None);
        }
        let cached = self.taken.route.cached.as_ref();
        let Some(policy) = cached.map(|cached| &cached.policy) else {
            return Ok(None);
        };
        let serve = Client::of(lines, Method::Get, policy).serve(stored, now);
        self.note_route()?;
        let came = Came::InsteadOfFailure(forward.reason, None);
        let status_lines = &self.installed.status_lines;
        let (start, body) = laid_out(
            self.py,
            status_lines,
            stored,
            &serve,
            came,
            lines,
            store.seed(),
        )?;
        self.taken.route.counters.outcome(came.outcome(&serve));
        send_both(self.send, &start, &body).map(|answer| Some(answer.unbind()))
    }

    /// Asks the application, with what was found where that may take part in the answer.
    pub(crate) fn ask(
        &self,
        cached: &Cached,
        headers: &Bound<'py, PyAny>,
        forward: Forward,
        (key, entry): (Key, Option<Arc<Entry<Representation>>>),
        permit: Option<Permit>,
    ) -> PyResult<Step<'py>> {
        let Some((mut errand, watched)) = self.asking(cached, headers, forward, entry)? else {
            return self.bypass(Reason::MalformedRequest);
        };
        // What is raised because the client has left is no one else's.
        let watched = watched || permit.as_ref().is_some_and(Permit::shares_failures);
        errand.permit = permit;
        let scope = errand.scope.bind(self.py).clone();
        let outcome = errand.outcome;
        let store = self.installed.store.get();
        let fetch = forward.fetch(store.store.birth(), store.draws.draw());
        let recorder = Recorder::storing(errand, fetch, key);
        self.sender(recorder, outcome)
            .map(|sender| Step::Forward(sender, scope, watched))
    }

    /// The errand to the application, which may be asked to confirm what was found, and whether its `receive` is to be
    /// watched; `None` where the request's headers are none.
    pub(crate) fn asking(
        &self,
        cached: &Cached,
        headers: &Bound<'py, PyAny>,
        forward: Forward,
        entry: Option<Arc<Entry<Representation>>>,
    ) -> PyResult<Option<(Errand, bool)>> {
        let py = self.py;
        let Some(all) = HeaderLines::from_any(headers) else {
            return Ok(None);
        };
        let outcome = Outcome::of_forward(forward.reason);
        let mut errand = self.errand(forward.reason, outcome, all.pairs());
        if cached.strict {
            crate::strict::hide(py, &mut errand, cached, &all.lines())?;
        }
        if cached.policy.is_http() {
            let rest = Rest::read(self.scope);
            errand.snapshot =
                rest.and_then(|rest| Snapshot::of(cached, self.target, &rest, self.root_path));
        }
        if let Some(entry) = entry.filter(|_| forward.wants_stored()) {
            if forward.unconditional {
                let stored = entry.response().filter(|_| forward.validates);
                crate::validation::ask(py, &mut errand, stored)?;
            }
            let head = self.target.method() == Some("HEAD");
            errand.held = Some(Held { entry, head });
        }
        let watched = is_worth_watching(errand.scope.bind(py), cached);
        Ok(Some((errand, watched)))
    }

    /// Asks the application for a new answer in the background, unless that is being done already.
    pub(crate) fn refresh(
        &self,
        cached: &Cached,
        headers: &Bound<'py, PyAny>,
        forward: Forward,
        key: Key,
        entry: Arc<Entry<Representation>>,
    ) -> PyResult<()> {
        let (py, store) = (self.py, self.installed.store.get());
        let Some(refreshing) = store.refreshes.begin(&store.secret, entry.key()) else {
            return Ok(());
        };
        let stale = Arc::clone(&entry);
        let Some((mut errand, _)) = self.asking(cached, headers, forward, Some(entry))? else {
            return Ok(());
        };
        // The router writes into the scope, which is the client's request's no longer.
        errand.scope = errand.scope.bind(py).copy()?.unbind();
        errand.outer_scope = None;
        errand.refreshing = Some(refreshing);
        let scope = errand.scope.clone_ref(py);
        let fetch = forward.fetch(store.store.birth(), store.draws.draw());
        let recorder = Recorder::storing(errand, fetch, key);
        let host = self.installed.host.bind(py);
        let discard = host.getattr("discard")?.unbind();
        let sender = Bound::new(py, RecordingSend::new(discard, recorder))?;
        let receive = host.call_method0("nothing_to_receive")?;
        let call = if self.taken.route.drops.is_empty() {
            let sender = sender.clone();
            self.installed.app.call1(py, (scope, receive, sender))
        } else {
            let dropping = self.dropping(sender.clone().into_any().unbind())?;
            self.call_and_drop(scope.bind(py), &receive, dropping)
        }?;
        let following = Following::new(call, sender.clone().unbind());
        let refreshed = among_others(py, &self.installed.store, &stale, following, &sender)?;
        match refreshed {
            Some(refreshed) => host.call_method1("refresh", (refreshed,)).map(drop),
            None => Ok(()),
        }
    }
}
