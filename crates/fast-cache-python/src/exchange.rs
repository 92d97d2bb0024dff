//! The same exchange, driven by Python: where a hook, a key function or a custom storage has a say.
//!
//! Python awaits and this class decides; no rule is on the Python side.

use crate::answer::{StatusLines, messages};
use crate::application::{Application, Cached};
use crate::awaitable::SendMessages;
use crate::drops::DroppingSend;
use crate::lines::{HeaderLines, as_bytes};
use crate::metadata;
use crate::receive::Received;
use crate::recorder::{Errand, Finished, Outgoing, Recorder};
use crate::representation::{Representation, kept_lines};
use crate::scope::{Details, Target};
use crate::store::MemoryStore;
use crate::visit::note_route;
use fast_cache_core::exchange::{Decision, Forward, Lookup, Outcome, begin};
use fast_cache_core::key::{Key, authored_key, build_key, variant_key};
use fast_cache_core::reason::Reason;
use fast_cache_core::request::route_path;
use fast_cache_core::rules::request::Noted;
use fast_cache_core::stored::{Stored, StoredTag, Traits};
use fast_cache_engine::commit::{Commit, commit};
use fast_cache_engine::find::find;
use fast_cache_store::{Content, Entry, LocalStore, Variants};
use parking_lot::Mutex;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};
use std::sync::Arc;
use std::time::Duration;

/// One request for a cached route, driven by Python.
#[pyclass(frozen, module = "fast_cache_middleware._core")]
pub(crate) struct Exchange {
    application: Py<Application>,
    route: usize,
    store: Py<MemoryStore>,
    status_lines: Arc<StatusLines>,
    scope: Py<PyDict>,
    parameters: Vec<(String, String)>,
    /// The path parameters as the router would leave them in the scope.
    path_params: Py<PyDict>,
    root_path: String,
    host: Py<PyAny>,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    primary: Option<Key>,
    /// The key of the variant that the request selects, where its answers are known to vary.
    variant: Option<Key>,
    found: Option<FoundResponse>,
    forward: Option<(Forward, u64)>,
    /// What the application is to see, where that is not the request's own scope.
    inner_scope: Option<Py<PyDict>>,
}

enum FoundResponse {
    Entry(Arc<Entry<Representation>>, bool),
    Restored(Box<Stored<Representation>>, bool),
}

impl FoundResponse {
    fn stored(&self) -> Option<(&Stored<Representation>, bool)> {
        match self {
            Self::Entry(entry, soft) => Some((entry.response()?, *soft)),
            Self::Restored(stored, soft) => Some((stored, *soft)),
        }
    }
}

impl Exchange {
    pub(crate) fn new(
        application: Py<Application>,
        route: usize,
        store: Py<MemoryStore>,
        status_lines: Arc<StatusLines>,
        scope: Py<PyDict>,
        (parameters, path_params): (Vec<(String, String)>, Py<PyDict>),
        root_path: String,
        host: Py<PyAny>,
    ) -> Self {
        Self {
            application,
            route,
            store,
            status_lines,
            scope,
            parameters,
            path_params,
            root_path,
            host,
            progress: Mutex::default(),
        }
    }

    fn cached(&self) -> PyResult<&Cached> {
        let cached = self
            .application
            .get()
            .routes
            .get(self.route)
            .and_then(|route| route.cached.as_ref());
        cached.ok_or_else(|| PyRuntimeError::new_err("the route is not cached"))
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, text)| text.as_str())
    }

    fn tags(&self) -> PyResult<Vec<String>> {
        Ok(self
            .cached()?
            .tags
            .iter()
            .filter_map(|tag| tag.fill(|name| self.parameter(name)))
            .collect())
    }

    /// Runs `step` with the request's lookup, unless the request is turned away.
    fn with_lookup<T>(
        &self,
        py: Python<'_>,
        step: impl FnOnce(Lookup<'_>, &HeaderLines<'_>, &Target<'_>, &Details<'_>) -> PyResult<T>,
    ) -> PyResult<Result<T, Reason>> {
        let scope = self.scope.bind(py);
        let (Some(target), Some(details)) = (Target::read(scope), Details::read(scope)) else {
            return Ok(Err(Reason::MalformedRequest));
        };
        let cached = self.cached()?;
        let lines = details.headers.lines();
        let noted = Noted::from_lines(&lines);
        let Some(request) = details.request(&target, &self.root_path, &lines) else {
            return Ok(Err(Reason::MalformedRequest));
        };
        match begin(&request, &noted, &cached.policy, |name| {
            self.parameter(name)
        }) {
            Ok(lookup) => step(lookup, &details.headers, &target, &details).map(Ok),
            Err(reason) => Ok(Err(reason)),
        }
    }

    fn errand(
        &self,
        py: Python<'_>,
        reason: Reason,
        outcome: Outcome,
        hand_out: bool,
    ) -> PyResult<Errand> {
        let scope = self.scope.bind(py);
        let headers = Details::read(scope).map(|details| details.headers.pairs().clone());
        let path = Target::read(scope)
            .and_then(|target| Some(route_path(target.path()?, &self.root_path).into()));
        Ok(Errand {
            application: self.application.clone_ref(py),
            route: self.route,
            store: self.store.clone_ref(py),
            status_lines: Arc::clone(&self.status_lines),
            scope: self.scope.clone_ref(py),
            headers: headers.unwrap_or_else(|| PyTuple::empty(py)).unbind(),
            path: path.unwrap_or_default(),
            tags: self.tags()?,
            outcome,
            reason,
            outer_scope: None,
            hand_out,
        })
    }
}

#[pymethods]
impl Exchange {
    /// The route's key function, if its author gave one.
    #[getter]
    fn key_func(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        Ok(self
            .cached()?
            .key_func
            .as_ref()
            .map(|function| function.clone_ref(py)))
    }

    /// The number of the route in the analysed application.
    #[getter]
    fn route(&self) -> usize {
        self.route
    }

    /// Whether the route drops as well.
    #[getter]
    fn drops(&self) -> bool {
        self.application
            .get()
            .routes
            .get(self.route)
            .is_some_and(|route| !route.drops.is_empty())
    }

    /// The scope that the application is to get.
    #[getter]
    fn scope(&self, py: Python<'_>) -> Py<PyDict> {
        self.progress
            .lock()
            .inner_scope
            .as_ref()
            .unwrap_or(&self.scope)
            .clone_ref(py)
    }

    /// Declared headers that are credentials.
    #[getter]
    fn secret_headers(&self) -> PyResult<Vec<&str>> {
        Ok(self
            .cached()?
            .inputs
            .headers
            .named
            .iter()
            .map(|name| &**name)
            .collect())
    }

    /// Declared query parameters that are credentials.
    #[getter]
    fn secret_query(&self) -> PyResult<Vec<&str>> {
        Ok(self
            .cached()?
            .inputs
            .query
            .secret
            .iter()
            .map(|name| &**name)
            .collect())
    }

    /// A `send` that drops what the route says, once the handler is known to have succeeded.
    fn dropping(&self, py: Python<'_>, send: Py<PyAny>) -> DroppingSend {
        let (application, store) = (self.application.clone_ref(py), self.store.clone_ref(py));
        DroppingSend::new(send, application, self.route, store, |name| {
            self.parameter(name)
        })
    }

    /// The path parameters as text.
    #[getter]
    fn parameters(&self) -> Vec<(String, String)> {
        self.parameters.clone()
    }

    /// Begins: makes the key, from `custom` where the author makes it. `None`, or the reason to keep out of it.
    #[pyo3(signature = (custom=None))]
    fn begin(&self, py: Python<'_>, custom: Option<&str>) -> PyResult<Option<&'static str>> {
        let scope = self.scope.bind(py);
        let method = Target::read(scope)
            .and_then(|target| Some(target.method()?.to_owned()))
            .unwrap_or_default();
        let Some(identity) = self.cached()?.identity(&method) else {
            return Ok(Some(Reason::Method.token()));
        };
        let secret = &self.store.get().secret;
        let made = self.with_lookup(py, |_, headers, target, details| {
            let mut buffer = Vec::new();
            let lines = headers.lines();
            if let Some(text) = custom {
                let inputs = &self.cached()?.inputs;
                let key = authored_key(identity, inputs, secret, text, &lines, &mut buffer);
                return Ok(key.to_owned());
            }
            let host = Noted::from_lines(&lines).host;
            let request = details.request(target, &self.root_path, &lines);
            let request =
                request.ok_or_else(|| PyRuntimeError::new_err("the request is malformed"))?;
            Ok(build_key(
                identity,
                &self.cached()?.inputs,
                secret,
                &request,
                host,
                &mut buffer,
            )
            .to_owned())
        })?;
        let key = match made {
            Ok(key) => key,
            Err(reason) => return Ok(Some(reason.token())),
        };
        let mut progress = self.progress.lock();
        progress.variant = self.known_variant(py, &key);
        progress.primary = Some(key);
        Ok(None)
    }

    /// The key under which a custom storage keeps the answer.
    #[getter]
    fn storage_key(&self) -> Option<String> {
        let progress = self.progress.lock();
        progress
            .variant
            .as_ref()
            .or(progress.primary.as_ref())
            .map(metadata::storage_key)
    }

    /// Looks into the memory store.
    fn look_up(&self, py: Python<'_>) {
        let Some(key) = self.progress.lock().primary.clone() else {
            return;
        };
        let Some(details) = Details::read(self.scope.bind(py)) else {
            return;
        };
        let store = self.store.get();
        let found = find(
            &store.store,
            key.borrow(),
            &store.secret,
            &details.headers.lines(),
            &mut Vec::new(),
        )
        .found;
        self.progress.lock().found =
            found.map(|found| FoundResponse::Entry(found.entry, found.soft));
    }

    /// Takes what a custom storage returned; `False` where it is foreign, damaged, or covered by a drop.
    fn restore(
        &self,
        status: u16,
        headers: &Bound<'_, PyAny>,
        body: &Bound<'_, PyAny>,
        kept: &Bound<'_, PyDict>,
    ) -> bool {
        let py = headers.py();
        let (Some(headers), Some(body)) = (HeaderLines::from_any(headers), as_bytes(body)) else {
            return false;
        };
        let Ok((lines, _)) = kept_lines(py, &headers, None) else {
            return false;
        };
        let Some(read) = metadata::read(kept) else {
            return false;
        };
        let mut progress = self.progress.lock();
        let Some(key) = progress.variant.as_ref().or(progress.primary.as_ref()) else {
            return false;
        };
        if read.key != key.borrow().bytes
            || read.body_length != body.as_bytes().len() as u64
            || read.status != status
        {
            return false;
        }
        let birth = if read.epoch == metadata::epoch() {
            read.birth
        } else {
            0
        };
        let standing = self
            .store
            .get()
            .store
            .standing(birth, &read.path, &read.labels);
        let Some(soft) = standing else { return false };
        let representation = Representation::new(lines.unbind(), body.unbind(), None, 0);
        progress.found = Some(FoundResponse::Restored(
            Box::new(read.stored(representation)),
            soft,
        ));
        true
    }

    /// Takes what a hook of the author's returned, on the author's word: it is fresh now.
    fn trust(
        &self,
        status: u16,
        headers: &Bound<'_, PyAny>,
        body: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let py = headers.py();
        let (Some(headers), Some(body)) = (HeaderLines::from_any(headers), as_bytes(body)) else {
            return Ok(false);
        };
        let (lines, _) = kept_lines(py, &headers, None)?;
        let body_length = body.as_bytes().len() as u64;
        let stored = Stored {
            received: self.store.get().now(),
            initial_age: 0,
            lifetime: Duration::MAX,
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            status,
            traits: Traits {
                shared_with_credentials: true,
                must_revalidate: false,
            },
            etag: StoredTag::None,
            last_modified: None,
            body_length,
            representation: Representation::new(lines.unbind(), body.unbind(), None, 0),
        };
        self.progress.lock().found = Some(FoundResponse::Restored(Box::new(stored), false));
        Ok(true)
    }

    /// Decides: an awaitable that sends the answer, or `None` where the application is to be asked.
    fn decide(&self, py: Python<'_>, send: Py<PyAny>) -> PyResult<Option<SendMessages>> {
        let now = self.store.get().now();
        let mut progress = self.progress.lock();
        let found = progress.found.take();
        let stored = found.as_ref().and_then(FoundResponse::stored);
        let decided = self.with_lookup(py, |lookup, _, _, _| {
            Ok(lookup.decide(stored, Reason::Absent, now))
        })?;
        let application = self.application.get();
        let route = &application.routes[self.route];
        match (decided, stored) {
            (Ok(Decision::Serve(serve)), Some((stored, _))) => {
                let (start, body) = messages(py, &self.status_lines, stored, serve)?;
                note_route(self.scope.bind(py), application, route, &self.host, || {
                    Ok(self.path_params.bind(py).clone())
                })?;
                route.counters.outcome(Outcome::Hit);
                Ok(Some(SendMessages::new(
                    send,
                    Some(start.unbind()),
                    Some(body.unbind()),
                )))
            }
            (Ok(Decision::Forward(forward)), _) => {
                progress.forward = Some((forward, self.store.get().store.birth()));
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// A recorder for the application's answer. With `bypass`, the token of a reason, it stores nothing; with
    /// `hand_out`, whole answers are handed out instead of committed.
    #[pyo3(signature = (bypass=None, hand_out=false))]
    fn record(
        &self,
        py: Python<'_>,
        bypass: Option<&str>,
        hand_out: bool,
    ) -> PyResult<ExchangeRecorder> {
        let mut progress = self.progress.lock();
        let forward = progress.forward.take().filter(|_| bypass.is_none());
        let counters = &self.application.get().routes[self.route].counters;
        let recorder = match (forward, progress.primary.take()) {
            (Some((forward, birth)), Some(key)) => {
                let outcome = Outcome::of_forward(forward.reason);
                counters.outcome(outcome);
                let mut errand = self.errand(py, forward.reason, outcome, hand_out)?;
                let cached = self.cached()?;
                if cached.strict {
                    let headers = HeaderLines::from_snapshot(errand.headers.bind(py));
                    crate::strict::hide(py, &mut errand, cached, &headers.lines())?;
                    progress.inner_scope = Some(errand.scope.clone_ref(py));
                }
                Recorder::storing(errand, forward.fetch(birth), key)
            }
            _ => {
                let named = Reason::ALL
                    .iter()
                    .find(|reason| Some(reason.token()) == bypass);
                counters.outcome(Outcome::Bypass);
                let reason = named.copied().unwrap_or(Reason::Hook);
                Recorder::passing(self.errand(py, reason, Outcome::Bypass, false)?)
            }
        };
        Ok(ExchangeRecorder {
            recorder: Mutex::new(recorder),
            received: Received::default(),
        })
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.application)?;
        visit.call(&self.store)?;
        visit.call(&self.path_params)?;
        visit.call(&self.host)?;
        visit.call(&self.scope)
    }
}

impl Exchange {
    /// The key of the variant that the request selects, where its answers are known to vary.
    fn known_variant(&self, py: Python<'_>, primary: &Key) -> Option<Key> {
        let store = self.store.get();
        let known = store.store.get(primary.borrow())?;
        let Content::Variants(Variants { names }) = known.entry.content() else {
            return None;
        };
        let details = Details::read(self.scope.bind(py))?;
        let lines = details.headers.lines();
        Some(
            variant_key(
                primary.borrow().bytes,
                names,
                &store.secret,
                &lines,
                &mut Vec::new(),
            )
            .to_owned(),
        )
    }
}

/// Records an application's answer for Python.
#[pyclass(frozen, module = "fast_cache_middleware._core")]
pub(crate) struct ExchangeRecorder {
    recorder: Mutex<Recorder>,
    received: Received,
}

#[pymethods]
impl ExchangeRecorder {
    /// Takes note of a message that the application received.
    fn received(&self, message: &Bound<'_, PyAny>) {
        self.received.note(message);
    }

    /// The application's call has ended well: the whole answer, if only that tells that it is whole.
    fn complete(&self, py: Python<'_>) -> Option<Answer> {
        let mut recorder = self.recorder.try_lock()?;
        recorder.complete(py);
        whole_answer(&mut recorder, py)
    }

    /// The start message that is still held back, if one is: the application's call has ended.
    fn release(&self, py: Python<'_>) -> Option<Py<PyDict>> {
        self.recorder.try_lock()?.release(py)
    }

    /// Takes a message: the messages that go out for it, and the whole answer once there is one to keep.
    fn observe<'py>(
        &self,
        py: Python<'py>,
        message: &Bound<'py, PyAny>,
    ) -> PyResult<(Bound<'py, PyList>, Option<Answer>)> {
        let Some(mut recorder) = self.recorder.try_lock() else {
            self.received.refuse(Reason::Incomplete);
            return Ok((PyList::new(py, [message])?, None));
        };
        let out = match recorder.observe_unless_refused(message, &self.received) {
            Outgoing::Nothing => PyList::empty(py),
            Outgoing::AsItCame => PyList::new(py, [message])?,
            Outgoing::One(message) => PyList::new(py, [message])?,
            Outgoing::Two(first, second) => PyList::new(py, [first.into_any(), second])?,
        };
        let answer = whole_answer(&mut recorder, py);
        Ok((out, answer))
    }
}

/// What the recorder has ready to be kept.
fn whole_answer(recorder: &mut Recorder, py: Python<'_>) -> Option<Answer> {
    recorder.finished.take().map(|finished| Answer {
        written: metadata::write(&finished),
        status: finished.stored.status,
        headers: finished.stored.representation.lines.clone_ref(py),
        body: finished.stored.representation.body.clone_ref(py),
        lifetime: finished.stored.lifetime.as_secs_f64(),
        storage_key: metadata::storage_key(&finished.storage_key),
        path: recorder.path().into(),
        store: recorder.store(py),
        finished: Mutex::new(Some(finished)),
    })
}

/// A whole answer that is to be kept.
#[pyclass(frozen, module = "fast_cache_middleware._core")]
pub(crate) struct Answer {
    written: metadata::Written,
    #[pyo3(get)]
    status: u16,
    #[pyo3(get)]
    headers: Py<PyTuple>,
    #[pyo3(get)]
    body: Py<PyBytes>,
    /// Seconds.
    #[pyo3(get)]
    lifetime: f64,
    #[pyo3(get)]
    storage_key: String,
    path: Box<str>,
    store: Py<MemoryStore>,
    finished: Mutex<Option<Finished>>,
}

#[pymethods]
impl Answer {
    /// What must be kept beside status, headers and body; plain values that survive JSON.
    fn metadata<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.written.to_dict(py, &self.path)
    }

    /// Counts the answer as kept by a custom storage.
    fn kept(&self) {
        let finished = self.finished.lock().take();
        if let Some(counters) =
            finished.and_then(|finished| finished.stored.representation.counters())
        {
            counters.stored();
        }
    }

    /// Commits the answer to the memory store; whether it was kept.
    fn commit(&self, request_headers: &Bound<'_, PyAny>) -> bool {
        let Some(finished) = self.finished.lock().take() else {
            return false;
        };
        let Some(headers) = HeaderLines::from_any(request_headers) else {
            return false;
        };
        let Finished {
            stored,
            labels,
            birth,
            key,
            varying,
            weight,
            ..
        } = finished;
        let counters = stored.representation.counters();
        let store = self.store.get();
        let lines = headers.lines();
        let path = &*self.path;
        let labels = labels.as_slice();
        let varying = varying.as_slice();
        let parts = Commit {
            key,
            birth,
            path,
            labels,
            varying,
            lines: &lines,
            stored,
            weight,
        };
        let kept = commit(&store.store, &store.secret, parts).is_ok();
        if let (true, Some(counters)) = (kept, counters) {
            counters.stored();
        }
        kept
    }
}
