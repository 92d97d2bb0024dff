//! One request for a route with a configuration.

use crate::answer::messages;
use crate::application::{Application, Cached, Route};
use crate::client::note;
use crate::drops::DroppingSend;
use crate::exchange::{Asked, Exchange};
use crate::failing::{Awaited, Part};
use crate::following::Following;
use crate::joining::Joined;
use crate::lines::{HeaderLines, MatteringLines};
use crate::names;
use crate::parameters::Parameters;
use crate::recall::parts_of;
use crate::recorder::{Errand, Recorder, RecordingSend};
use crate::representation::Representation;
use crate::resolve::{Installed, Taken};
use crate::scope::{Rest, Target, headers_of};
use crate::sending::send_both;
use fast_cache_core::exchange::{Decision, Outcome, begin, matters};
use fast_cache_core::key::{KeyRef, build_key};
use fast_cache_core::reason::Reason;
use fast_cache_core::request::{Request, route_path};
use fast_cache_engine::find::find_selecting;
use fast_cache_engine::flight::Landing;
use fast_cache_store::{Found, LocalStore};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use std::cell::RefCell;
use std::sync::Arc;

thread_local! {
    /// Where keys are built.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What to do with a request for a cached route.
pub(crate) enum Step<'py> {
    /// Await this: it is the answer.
    Answer(Py<PyAny>),
    /// Call the application with this `send` and scope; watch its `receive` where that says so.
    Forward(Bound<'py, PyAny>, Bound<'py, PyDict>, bool),
    /// Wait for another request's answer, or for the word of those who share the store.
    Wait(Awaited),
    /// Call the application as it was called.
    Pass,
}

/// One request for a route with a configuration.
pub(crate) struct Visit<'v, 'a, 'py> {
    pub(crate) installed: &'v Installed,
    pub(crate) py: Python<'py>,
    pub(crate) application: &'v Py<Application>,
    pub(crate) taken: &'v Taken<'a>,
    pub(crate) scope: &'v Bound<'py, PyDict>,
    pub(crate) target: &'v Target<'py>,
    pub(crate) send: &'v Bound<'py, PyAny>,
    pub(crate) root_path: &'v str,
    /// The digests of the keys that those who share the store were asked for.
    pub(crate) asked: &'v [u128],
}

impl<'py> Visit<'_, '_, 'py> {
    /// Answers from the cache, or says how to ask the application.
    pub(crate) fn answer(&self, cached: &Cached, method: &str, part: Part) -> PyResult<Step<'py>> {
        let py = self.py;
        let bypass = |reason| self.bypass(reason);
        let Some(identity) = cached.identity(method) else {
            return bypass(Reason::Method);
        };
        let (Some(rest), Some(headers)) = (Rest::read(self.scope), headers_of(self.scope)) else {
            return bypass(Reason::MalformedRequest);
        };
        let mattering = MatteringLines::pick(&headers, |name| matters(&cached.inputs, name));
        let Some(mattering) = mattering else {
            return bypass(Reason::MalformedRequest);
        };
        let lines = mattering.lines();
        let noted = note(self.scope, cached, &lines);
        let Some(request) = rest.request(self.target, self.root_path, &lines) else {
            return bypass(Reason::MalformedRequest);
        };
        let parameter = |name: &str| self.taken.parameters.get(name);
        let lookup = match begin(request.method, &lines, &noted, &cached.policy, parameter) {
            Ok(lookup) => lookup,
            Err(reason) => return bypass(reason),
        };
        let store = self.installed.store.get();
        BUFFER.with(|buffer| {
            let Ok(mut primary) = buffer.try_borrow_mut() else {
                return bypass(Reason::StoreFailed);
            };
            let key = build_key(
                identity,
                &cached.inputs,
                &store.secret,
                &request,
                noted.host,
                &mut primary,
            );
            let elsewhere = store.store.elsewhere();
            let elsewhere =
                elsewhere.filter(|_| lookup.wants_stored() && !self.taken.head_from_get);
            if let Some(wait) = elsewhere.and_then(|elsewhere| self.ask_first(elsewhere, key)) {
                return Ok(wait);
            }
            let (found, absent) = if lookup.wants_stored() {
                self.look_up(cached, &headers, key)
            } else {
                (None, Reason::Absent)
            };
            let stored = found
                .as_ref()
                .and_then(|found| Some((found.entry.response()?, found.soft)));
            let now = store.now();
            match lookup.decide(stored, absent, now) {
                Decision::Serve(serve) => {
                    let Some((stored, _)) = stored else {
                        return bypass(Reason::StoreFailed);
                    };
                    self.note_route()?;
                    if let Part::Lead(permit) = part {
                        // Somebody who shares the store had the answer.
                        permit.land(&Landing::Stored, store.now());
                    }
                    let early = lookup.refresh_early(stored, now, || store.draws.draw());
                    if !serve.is_plain() || early.is_some() {
                        let answer = self.lay_out(stored, &serve, &lines)?;
                        if let (Some(forward), Some(found)) = (serve.refresh.or(early), &found) {
                            let (key, entry) = (key.to_owned(), Arc::clone(&found.entry));
                            drop(primary);
                            self.refresh(cached, &headers, forward, key, entry)?;
                        }
                        return Ok(Step::Answer(answer));
                    }
                    let (start, body) = messages(py, &self.installed.status_lines, stored, serve)?;
                    self.taken.route.counters.outcome(Outcome::Hit);
                    // Where others must be asked before each lookup, a glance would not ask them.
                    let is_near = self.asked.is_empty();
                    if is_near && found.is_some_and(|found| found.entry.key() == key.bytes) {
                        self.remember(cached, &request, key);
                    }
                    send_both(self.send, &start, &body).map(|answer| Step::Answer(answer.unbind()))
                }
                Decision::Forward(_) if self.taken.head_from_get => Ok(Step::Pass),
                Decision::Unsatisfied => self.unsatisfied(),
                Decision::Forward(forward) => {
                    if matches!(part, Part::StandIn | Part::Share(_))
                        && let Some(answer) = self.stand_in(stored, forward, &lines)?
                    {
                        return Ok(Step::Answer(answer));
                    }
                    let asked = (lookup, forward);
                    if let Some(answer) = self.share(&part, cached, &headers, key, asked)? {
                        return Ok(Step::Answer(answer));
                    }
                    let (key, entry) = (key.to_owned(), found.map(|found| found.entry));
                    drop(primary);
                    match self.join(cached, &headers, &forward, (key.borrow(), absent), part) {
                        Joined::Asks(permit) => {
                            self.ask(cached, &headers, forward, (key, entry), permit)
                        }
                        Joined::Waits(awaited) => Ok(Step::Wait(awaited)),
                    }
                }
            }
        })
    }

    /// What the store holds for a key, or why it holds nothing.
    #[inline]
    fn look_up(
        &self,
        cached: &Cached,
        headers: &Bound<'py, PyAny>,
        key: KeyRef<'_>,
    ) -> (Option<Found<Representation>>, Reason) {
        let store = self.installed.store.get();
        let finding = find_selecting(&store.store, key, |primary, names| {
            let all = HeaderLines::from_any(headers);
            let lines = all.as_ref().map(HeaderLines::lines).unwrap_or_default();
            let selecting = cached.selecting(&lines);
            selecting.candidates(primary, names, &store.secret)
        });
        let found = match finding.found {
            None if cached.policy.is_http() => self.find_by_search(cached, headers),
            found => found,
        };
        (found, finding.absent)
    }

    /// Remembers the key of a request, so that the next one like it costs less.
    fn remember(&self, cached: &Cached, request: &Request<'_>, key: KeyRef<'_>) {
        if self.taken.head_from_get || !matches!(self.taken.parameters, Parameters::Captured(_)) {
            return;
        }
        let target = [request.method.name(), request.path, request.root_path];
        let recent = &self.application.get().recent;
        recent.remember_hit(self.py, target, request.query, || {
            let parts = parts_of(&cached.inputs, request)?;
            Some((parts, key.to_owned(), self.path_params().ok()?.unbind()))
        });
    }

    /// The cache keeps out of it, and says so.
    pub(crate) fn bypass(&self, reason: Reason) -> PyResult<Step<'py>> {
        if self.taken.head_from_get {
            return Ok(Step::Pass);
        }
        let errand = self.errand(reason, Outcome::Bypass, &PyTuple::empty(self.py));
        let sender = self.sender(Recorder::passing(errand), Outcome::Bypass)?;
        Ok(Step::Forward(sender, self.scope.clone(), false))
    }

    pub(crate) fn sender(
        &self,
        recorder: Recorder,
        outcome: Outcome,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.taken.route.counters.outcome(outcome);
        let send = RecordingSend::new(self.send.clone().unbind(), recorder);
        Ok(Bound::new(self.py, send)?.into_any())
    }

    pub(crate) fn errand(
        &self,
        reason: Reason,
        outcome: Outcome,
        headers: &Bound<'py, PyTuple>,
    ) -> Errand {
        let tags = self
            .taken
            .route
            .cached
            .iter()
            .flat_map(|cached| cached.tags.iter());
        let parameter = |name: &str| self.taken.parameters.get(name);
        Errand {
            application: self.application.clone_ref(self.py),
            route: self.taken.index,
            store: self.installed.store.clone_ref(self.py),
            status_lines: Arc::clone(&self.installed.status_lines),
            scope: self.scope.clone().unbind(),
            headers: headers.clone().unbind(),
            path: self.route_path(),
            tags: tags.filter_map(|tag| tag.fill(parameter)).collect(),
            outcome,
            reason,
            outer_scope: None,
            held: None,
            refreshing: None,
            snapshot: None,
            permit: None,
            hand_out: false,
        }
    }

    fn route_path(&self) -> Box<str> {
        self.target
            .path()
            .map_or_else(Box::default, |path| route_path(path, self.root_path).into())
    }

    /// Leaves in the scope what the router would.
    pub(crate) fn note_route(&self) -> PyResult<()> {
        let (application, route) = (self.application.get(), self.taken.route);
        note_route(self.scope, application, route, &self.installed.host, || {
            self.path_params()
        })
    }

    fn path_params(&self) -> PyResult<Bound<'py, PyDict>> {
        let names = &self.taken.route.parameters;
        self.taken.parameters.to_dict(self.py, names)
    }

    /// Calls the application; where the route drops as well, around it.
    pub(crate) fn forward(
        &self,
        scope: &Bound<'py, PyDict>,
        receive: &Bound<'py, PyAny>,
        sender: Bound<'py, PyAny>,
        watched: bool,
    ) -> PyResult<Py<PyAny>> {
        let watching;
        let receive = if watched {
            let host = self.installed.host.bind(self.py);
            watching = host.call_method1("watch", (receive, &sender))?;
            &watching
        } else {
            receive
        };
        let recording = sender.cast::<RecordingSend>()?.clone().unbind();
        let call = if self.taken.route.drops.is_empty() {
            self.installed.app.call1(self.py, (scope, receive, sender))
        } else {
            let sender = self.dropping(sender.unbind())?;
            self.call_and_drop(scope, receive, sender)
        }?;
        let limited = self.installed.handler_timeout.is_some() && recording.get().holds_stored();
        let sender = limited.then(|| recording.clone_ref(self.py));
        let following = Following::new(call, recording);
        match (sender, self.installed.handler_timeout) {
            (Some(sender), Some(limit)) => {
                let arguments = (following, sender, limit);
                self.installed
                    .host
                    .call_method1(self.py, "limit", arguments)
            }
            _ => Ok(Py::new(self.py, following)?.into_any()),
        }
    }

    pub(crate) fn drop_after(&self, receive: &Bound<'py, PyAny>) -> PyResult<Py<PyAny>> {
        let sender = self.dropping(self.send.clone().unbind())?;
        self.call_and_drop(self.scope, receive, sender)
    }

    pub(crate) fn call_and_drop(
        &self,
        scope: &Bound<'py, PyDict>,
        receive: &Bound<'py, PyAny>,
        sender: Bound<'py, DroppingSend>,
    ) -> PyResult<Py<PyAny>> {
        let (route, parameters) = (self.taken.index, self.taken.parameters.to_texts());
        self.installed.host.call_method1(
            self.py,
            "drop_after",
            (scope, receive, sender, route, parameters),
        )
    }

    pub(crate) fn dropping(&self, send: Py<PyAny>) -> PyResult<Bound<'py, DroppingSend>> {
        let store = self.installed.store.clone_ref(self.py);
        let parameter = |name: &str| self.taken.parameters.get(name);
        let application = self.application.clone_ref(self.py);
        Bound::new(
            self.py,
            DroppingSend::new(send, application, self.taken.index, store, parameter),
        )
    }

    /// Lets Python take over: a hook, a key function or a custom storage has a say.
    pub(crate) fn hand_over(&self, receive: &Bound<'py, PyAny>) -> PyResult<Py<PyAny>> {
        let asked = Asked {
            scope: self.scope.clone().unbind(),
            root_path: self.root_path.to_owned(),
            parameters: self.taken.parameters.to_texts(),
            path_params: self.path_params()?.unbind(),
        };
        let exchange = Exchange::new(
            self.py,
            self.installed,
            self.application.clone_ref(self.py),
            self.taken.index,
            asked,
        );
        let exchange = Bound::new(self.py, exchange)?;
        self.installed.host.call_method1(
            self.py,
            "respond",
            (exchange, self.scope, receive, self.send),
        )
    }
}

/// Leaves in the scope of a hit what the router would.
pub(crate) fn note_route<'py>(
    scope: &Bound<'py, PyDict>,
    application: &Application,
    route: &Route,
    host: &Py<PyAny>,
    path_params: impl FnOnce() -> PyResult<Bound<'py, PyDict>>,
) -> PyResult<()> {
    let py = scope.py();
    let Some(endpoint) = &route.endpoint else {
        return Ok(());
    };
    scope.set_item(names::endpoint(py), endpoint)?;
    scope.set_item(names::path_params(py), path_params()?)?;
    if let Some(in_scope) = &route.scope_route {
        scope.set_item(names::route(py), in_scope)?;
    }
    if application.has_telemetry && scope.contains(names::telemetry(py))? {
        host.call_method1(py, "route_selected", (scope, &*route.template))?;
    }
    Ok(())
}
