//! The same exchange, driven by Python: where a hook, a key function or a custom storage has a say.
//!
//! Python awaits and this class decides; no rule is on the Python side.
//!
//! | file | what |
//! |---|---|
//! | `keys` | the keys of a request |
//! | `deciding` | the answer, or that the application is to be asked |
//! | `found` | what a store, a storage or a hook has found |
//! | `forward` | what asks the application |
//! | `recorder` | records an application's answer for Python |
//! | `sharing` | what an exchange takes of one that it has waited for |
//! | `waiting` | what waits for another exchange |
//! | `answer` | a whole answer that is to be kept |

mod answer;
mod deciding;
mod forward;
mod found;
mod keys;
mod recorder;
mod sharing;
mod waiting;

pub(crate) use answer::Answer;
pub(crate) use recorder::ExchangeRecorder;
pub(crate) use waiting::ExchangeWait;

use crate::answer::StatusLines;
use crate::application::{Application, Cached};
use crate::awaitable::SendMessages;
use crate::client::note;
use crate::drops::DroppingSend;
use crate::failing::{Failure, Permit};
use crate::lines::{HeaderLines, as_bytes};
use crate::metadata;
use crate::representation::Representation;
use crate::resolve::Installed;
use crate::scope::{Details, Target};
use crate::store::HostStore;
use fast_cache_core::exchange::{Forward, Lookup, begin};
use fast_cache_core::key::Key;
use fast_cache_core::key::inputs::{credential_names, freely_varied};
use fast_cache_core::reason::Reason;
use fast_cache_engine::find::find;
use fast_cache_engine::refreshes::Refreshing;
use fast_cache_store::Entry;
use found::FoundResponse;
use parking_lot::Mutex;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::{PyBytesMethods, PyDict};
use std::sync::Arc;

/// A request as it was asked for.
pub(crate) struct Asked {
    pub(crate) scope: Py<PyDict>,
    pub(crate) root_path: String,
    /// The path parameters as text.
    pub(crate) parameters: Vec<(String, String)>,
    /// The path parameters as the router would leave them in the scope.
    pub(crate) path_params: Py<PyDict>,
}

/// One request for a cached route, driven by Python.
#[pyclass(frozen, module = "fast_cache_middleware._core")]
pub(crate) struct Exchange {
    application: Py<Application>,
    route: usize,
    store: Py<HostStore>,
    status_lines: Arc<StatusLines>,
    asked: Asked,
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
    /// What was found in the memory store, where it may take part in the application's answer.
    held: Option<Arc<Entry<Representation>>>,
    /// Others wait for the answer.
    permit: Option<Permit>,
    /// The failure of an exchange that was waited for.
    failure: Option<Arc<Failure>>,
    /// It has joined the others of the same key.
    boarded: bool,
    /// The digests of the keys that those who share the store were asked for.
    asked: Vec<u128>,
    /// What was served is stale, and is to be refreshed in the background.
    refreshing: Option<Refreshing>,
    /// What the application is to see, where that is not the request's own scope.
    inner_scope: Option<Py<PyDict>>,
}

impl Progress {
    /// The key under which the answer is kept.
    fn key(&self) -> Option<&Key> {
        self.variant.as_ref().or(self.primary.as_ref())
    }
}

impl Exchange {
    pub(crate) fn new(
        py: Python<'_>,
        installed: &Installed,
        application: Py<Application>,
        route: usize,
        asked: Asked,
    ) -> Self {
        Self {
            application,
            route,
            store: installed.store.clone_ref(py),
            status_lines: Arc::clone(&installed.status_lines),
            asked,
            host: installed.host.clone_ref(py),
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
        self.asked
            .parameters
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, text)| text.as_str())
    }

    /// Runs `step` with the request's lookup, unless the request is turned away.
    fn with_lookup<T>(
        &self,
        py: Python<'_>,
        step: impl FnOnce(Lookup<'_>, &HeaderLines<'_>, &Target<'_>, &Details<'_>) -> PyResult<T>,
    ) -> PyResult<Result<T, Reason>> {
        let scope = self.asked.scope.bind(py);
        let (Some(target), Some(details)) = (Target::read(scope), Details::read(scope)) else {
            return Ok(Err(Reason::MalformedRequest));
        };
        let cached = self.cached()?;
        let lines = details.headers.lines();
        let noted = note(scope, cached, &lines);
        let Some(request) = details.request(&target, &self.asked.root_path, &lines) else {
            return Ok(Err(Reason::MalformedRequest));
        };
        match begin(
            request.method,
            request.lines,
            &noted,
            &cached.policy,
            |name| self.parameter(name),
        ) {
            Ok(lookup) => step(lookup, &details.headers, &target, &details).map(Ok),
            Err(reason) => Ok(Err(reason)),
        }
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
            .unwrap_or(&self.asked.scope)
            .clone_ref(py)
    }

    /// The request's headers that are or may be credentials: those the key names, and where the endpoint takes the
    /// raw request or its author makes the key, all that are not varied freely.
    #[getter]
    fn secret_headers(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let cached = self.cached()?;
        let declared = cached.inputs.headers.named.iter();
        let mut names: Vec<String> = declared.map(ToString::to_string).collect();
        if cached.raw || cached.key_func.is_some() {
            let details = Details::read(self.asked.scope.bind(py));
            for line in details.iter().flat_map(|details| details.headers.lines()) {
                if !freely_varied(line.name) {
                    names.push(String::from_utf8_lossy(line.name).into_owned());
                }
            }
        }
        Ok(names)
    }

    /// The request's query parameters that are or may be credentials, likewise.
    #[getter]
    fn secret_query(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let cached = self.cached()?;
        let declared = cached.inputs.query.secret.iter();
        let mut names: Vec<String> = declared.map(ToString::to_string).collect();
        if cached.raw || cached.key_func.is_some() {
            let query = self
                .asked
                .scope
                .bind(py)
                .get_item(crate::names::query_string(py))?;
            let query = query.and_then(|query| as_bytes(&query));
            if let Some(query) = query {
                names.extend(credential_names(query.as_bytes()));
            }
        }
        Ok(names)
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
        self.asked.parameters.clone()
    }

    /// Begins: makes the key, from `custom` where the author makes it. `None`, or the reason to keep out of it.
    #[pyo3(signature = (custom=None))]
    fn begin(&self, py: Python<'_>, custom: Option<&str>) -> PyResult<Option<&'static str>> {
        let key = match self.make_key(py, custom)? {
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
        self.progress.lock().key().map(metadata::storage_key)
    }

    /// Looks into the memory store.
    fn look_up(&self, py: Python<'_>) {
        let Some(key) = self.progress.lock().primary.clone() else {
            return;
        };
        let (Some(details), Ok(cached)) = (Details::read(self.asked.scope.bind(py)), self.cached())
        else {
            return;
        };
        let store = self.store.get();
        let found = find(
            &store.store,
            key.borrow(),
            &store.secret,
            cached.selecting(&details.headers.lines()),
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
        let Some(key) = self.progress.lock().key().cloned() else {
            return false;
        };
        let store = self.store.get();
        let Some(found) = FoundResponse::restored(store, &key, status, headers, body, kept) else {
            return false;
        };
        self.progress.lock().found = Some(found);
        true
    }

    /// Takes what a hook of the author's returned, on the author's word: it is fresh now.
    fn trust(&self, status: u16, headers: &Bound<'_, PyAny>, body: &Bound<'_, PyAny>) -> bool {
        let now = self.store.get().now();
        let Some(found) = FoundResponse::trusted(now, status, headers, body) else {
            return false;
        };
        self.progress.lock().found = Some(found);
        true
    }

    /// Decides: an awaitable that sends the answer, or `None` where the application is to be asked.
    fn decide(&self, py: Python<'_>, send: Py<PyAny>) -> PyResult<Option<SendMessages>> {
        let messages = self.answer(py)?;
        Ok(messages.map(|(start, body)| SendMessages::new(send, Some(start), Some(body))))
    }

    /// What is to be awaited before the next lookup; `None` where this one is to ask the application.
    fn wait(slf: &Bound<'_, Self>) -> Option<ExchangeWait> {
        waiting::board(slf)
    }

    /// What is to be awaited before the first lookup, if anything.
    fn ask_first(slf: &Bound<'_, Self>) -> Option<ExchangeWait> {
        waiting::ask_first(slf)
    }

    /// The exchange is over, however it ended.
    fn leave(&self) {
        self.progress.lock().permit = None;
    }

    /// Whether the application is to be asked for a new answer in the background, for what was served is stale.
    #[getter]
    fn refreshes(&self) -> bool {
        self.progress.lock().refreshing.is_some()
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
        let recorder = self.recorder(py, bypass, hand_out)?;
        Ok(ExchangeRecorder::new(recorder))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.application)?;
        visit.call(&self.store)?;
        visit.call(&self.asked.path_params)?;
        visit.call(&self.host)?;
        visit.call(&self.asked.scope)
    }
}
