//! Between the application and the client: judges the response, records its body, commits it before the last chunk
//! goes out, and says in the headers what happened.

use crate::answer::{StatusLines, empty};
use crate::application::{Application, Cached};
use crate::awaitable::SendMessages;
use crate::lines::{HeaderLines, as_bytes, is_one_shot};
use crate::names;
use crate::receive::Received;
use crate::representation::{Representation, body_weight, kept_lines};
use crate::store::MemoryStore;
use fast_cache_core::exchange::{Fetch, Head, Outcome, Recording};
use fast_cache_core::key::Key;
use fast_cache_core::key::variant_key;
use fast_cache_core::purge::Label;
use fast_cache_core::reason::Reason;
use fast_cache_core::rules::tagging::collect_tags;
use fast_cache_core::stored::Stored;
use fast_cache_engine::commit::{Commit, commit, union};
use fast_cache_store::{Content, LocalStore, Put, Variants};
use parking_lot::Mutex;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::{PyBool, PyBytes, PyDict, PyList, PyString, PyTuple};
use smallvec::SmallVec;
use std::sync::Arc;

/// A request on its way to the application, and all that is needed to store its answer.
pub(crate) struct Errand {
    pub(crate) application: Py<Application>,
    pub(crate) route: usize,
    pub(crate) store: Py<MemoryStore>,
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
    /// A custom storage keeps the entry: it is handed out instead of committed.
    pub(crate) hand_out: bool,
}

/// A response that is being judged or recorded.
enum State {
    /// No response yet. With a fetch and a key, its answer may be stored.
    Waiting(Option<(Fetch, Key)>),
    /// Being recorded.
    Recording(Box<InProgress>),
    /// The body has ended, but only the end of the application's call tells whether it was whole: no length was
    /// announced, and middlewares end the body of a stream that failed before they raise.
    Ended(Box<InProgress>),
    /// Passed on and not kept.
    Passing,
}

struct InProgress {
    key: Key,
    recording: Recording,
    varying: SmallVec<[Box<str>; 4]>,
    labels: Vec<Label>,
    headers: Py<PyTuple>,
    chunks: SmallVec<[Py<PyBytes>; 1]>,
    /// The start message, held back until the first piece of the body has come, so that it can carry an entity tag.
    held: Option<Py<PyDict>>,
    /// Why it will not be kept after all.
    refused: Option<Reason>,
}

/// What goes out for one message of the application's.
pub(crate) enum Outgoing {
    /// Nothing yet.
    Nothing,
    /// The message as it came.
    AsItCame,
    /// Another message instead.
    One(Py<PyDict>),
    /// A start message, and another one after it.
    Two(Py<PyDict>, Py<PyAny>),
}

/// What a custom storage is to keep.
pub(crate) struct Finished {
    pub(crate) stored: Stored<Representation>,
    pub(crate) labels: Vec<Label>,
    pub(crate) birth: u64,
    /// The primary key.
    pub(crate) key: Key,
    /// The key of the variant, where the response varies.
    pub(crate) storage_key: Key,
    pub(crate) varying: SmallVec<[Box<str>; 4]>,
    pub(crate) weight: usize,
}

pub(crate) struct Recorder {
    errand: Errand,
    state: State,
    pub(crate) finished: Option<Finished>,
}

impl Recorder {
    /// A recorder that stores what it may under `key`.
    pub(crate) fn storing(errand: Errand, fetch: Fetch, key: Key) -> Self {
        Self {
            errand,
            state: State::Waiting(Some((fetch, key))),
            finished: None,
        }
    }

    /// A recorder that stores nothing and only says so.
    pub(crate) fn passing(errand: Errand) -> Self {
        Self {
            errand,
            state: State::Waiting(None),
            finished: None,
        }
    }

    /// Keeps nothing from now on, for what the application has learned.
    fn refuse(&mut self, reason: Reason) {
        match &mut self.state {
            State::Waiting(fetch) => {
                if fetch.take().is_some() {
                    (self.errand.reason, self.errand.outcome) = (reason, Outcome::Bypass);
                }
            }
            State::Recording(progress) => progress.refused = Some(reason),
            State::Ended(_) | State::Passing => {}
        }
    }

    /// Takes a message of the application's, and keeps nothing once something received forbids it.
    pub(crate) fn observe_unless_refused(
        &mut self,
        message: &Bound<'_, PyAny>,
        received: &Received,
    ) -> Outgoing {
        if let Some(reason) = received.refusal() {
            self.refuse(reason);
        }
        self.observe(message)
    }

    /// Takes a message of the application's. Whatever is wrong with it, it goes out as it came and nothing is stored.
    fn observe(&mut self, message: &Bound<'_, PyAny>) -> Outgoing {
        let py = message.py();
        let Ok(message) = message.cast::<PyDict>() else {
            return self.give_up(py, message);
        };
        let kind = message.get_item(names::type_(py)).ok().flatten();
        let is = |name: &Bound<'_, PyAny>| {
            kind.as_ref()
                .is_some_and(|kind| kind.eq(name).unwrap_or(false))
        };
        if is(names::response_body(py)) {
            return self.on_body(py, message);
        }
        if is(names::response_start(py)) {
            return self.on_start(py, message);
        }
        // Informational and debugging messages pass; all others are a part of the response that cannot be repeated.
        let harmless = [
            "http.response.debug",
            "http.response.push",
            "http.response.early_hint",
        ]
        .iter()
        .any(|name| {
            kind.as_ref()
                .is_some_and(|kind| kind.eq(name).unwrap_or(false))
        });
        if harmless {
            self.after_held(py, message)
        } else {
            self.give_up(py, message)
        }
    }

    /// The application's call has ended well: a body that has ended by then is whole.
    pub(crate) fn complete(&mut self, py: Python<'_>) {
        match std::mem::replace(&mut self.state, State::Passing) {
            State::Ended(progress) => {
                // Nobody waits for the entity tag, or for why it was not kept.
                let _ = self.finish(py, *progress);
            }
            other => self.state = other,
        }
    }

    /// The start message that is held back, if there is one: the application's call has ended without a body for it.
    pub(crate) fn release(&mut self, py: Python<'_>) -> Option<Py<PyDict>> {
        let State::Recording(progress) = std::mem::replace(&mut self.state, State::Passing) else {
            return None;
        };
        let held = progress.held?;
        let start = self.start_message(py, held.bind(py), None, Err(Reason::Incomplete));
        Some(start.unwrap_or(held))
    }

    /// A message that leaves the recording as it is. A start message that was held back goes out before it.
    fn after_held(&mut self, py: Python<'_>, message: &Bound<'_, PyDict>) -> Outgoing {
        let State::Recording(progress) = &mut self.state else {
            return Outgoing::AsItCame;
        };
        let Some(held) = progress.held.take() else {
            return Outgoing::AsItCame;
        };
        let start = self.start_message(py, held.bind(py), None, Ok(()));
        Outgoing::Two(start.unwrap_or(held), message.clone().into_any().unbind())
    }

    /// Stops recording. A start message that was held back goes out before `message`.
    fn give_up(&mut self, py: Python<'_>, message: &Bound<'_, PyAny>) -> Outgoing {
        let before = std::mem::replace(&mut self.state, State::Passing);
        let State::Recording(progress) = before else {
            return Outgoing::AsItCame;
        };
        let Some(held) = progress.held else {
            return Outgoing::AsItCame;
        };
        let reason = progress.refused.unwrap_or(Reason::Unrepeatable);
        let start = self.start_message(py, held.bind(py), None, Err(reason));
        Outgoing::Two(start.unwrap_or(held), message.clone().unbind())
    }

    fn on_start(&mut self, py: Python<'_>, message: &Bound<'_, PyDict>) -> Outgoing {
        let kept = match std::mem::replace(&mut self.state, State::Passing) {
            State::Waiting(Some((fetch, key))) => self.judge(py, message, fetch, key),
            State::Waiting(None) => Err(self.errand.reason),
            // A second start: nobody can tell which of them counts.
            recording => {
                self.state = recording;
                return self.give_up(py, message);
            }
        };
        self.mirror_scope(py);
        match kept {
            Ok(progress) => {
                // Only a response that says how long it is, and so comes in one piece, is held back.
                let hold_back = progress.recording.wants_etag()
                    && progress.recording.announced_length().is_some();
                let held = hold_back.then(|| message.clone().unbind());
                self.state = State::Recording(Box::new(InProgress { held, ..progress }));
                if hold_back {
                    Outgoing::Nothing
                } else {
                    self.started(py, message, Ok(()))
                }
            }
            Err(reason) => self.started(py, message, Err(reason)),
        }
    }

    fn started(
        &self,
        py: Python<'_>,
        message: &Bound<'_, PyDict>,
        kept: Result<(), Reason>,
    ) -> Outgoing {
        self.start_message(py, message, None, kept)
            .map_or(Outgoing::AsItCame, Outgoing::One)
    }

    /// Judges the head of the response.
    fn judge(
        &self,
        py: Python<'_>,
        message: &Bound<'_, PyDict>,
        fetch: Fetch,
        key: Key,
    ) -> Result<InProgress, Reason> {
        let application = self.errand.application.get();
        let route = &application.routes[self.errand.route];
        let Some(cached) = &route.cached else {
            return Err(Reason::Method);
        };
        if let Some(expected) = &route.endpoint {
            let taken = self
                .errand
                .scope
                .bind(py)
                .get_item(names::endpoint(py))
                .ok()
                .flatten();
            if !taken.is_some_and(|taken| taken.is(expected)) {
                application.distrust(self.errand.route);
                return Err(Reason::RouteMismatch);
            }
        }
        if item(message, names::trailers(py))
            .is_some_and(|trailers| trailers.is_truthy().unwrap_or(true))
        {
            return Err(Reason::Unrepeatable);
        }
        let status =
            item(message, names::status(py)).and_then(|status| status.extract::<u16>().ok());
        let status = status.ok_or(Reason::MalformedResponse)?;
        let headers = match item(message, names::headers(py)) {
            Some(headers) => HeaderLines::from_any(&headers).ok_or(Reason::MalformedResponse)?,
            None => HeaderLines::from_snapshot(&PyTuple::empty(py)),
        };
        let lines = headers.lines();
        let head = Head {
            status,
            lines: &lines,
        };
        let record = fetch.on_response(
            &head,
            &cached.policy,
            &cached.inputs,
            self.errand.store.get().now(),
        )?;
        let labels = self.labels(cached, &lines)?;
        Ok(InProgress {
            key,
            recording: record.recording,
            varying: record.varying,
            labels,
            headers: headers.pairs().clone().unbind(),
            chunks: SmallVec::new(),
            held: None,
            refused: None,
        })
    }

    fn labels(
        &self,
        cached: &Cached,
        lines: &[fast_cache_core::fields::Line<'_>],
    ) -> Result<Vec<Label>, Reason> {
        let tags = collect_tags(self.errand.tags.iter().map(String::as_str), lines)?;
        let mut labels = Vec::with_capacity(tags.len() + 6);
        labels.push(cached.endpoint_label);
        Label::subtrees(&self.errand.path, &mut labels)?;
        labels.extend(tags.iter().map(|tag| Label::tag(tag)));
        Ok(labels)
    }

    fn on_body(&mut self, py: Python<'_>, message: &Bound<'_, PyDict>) -> Outgoing {
        let State::Recording(progress) = &mut self.state else {
            return self.give_up(py, message);
        };
        if progress.refused.is_some() {
            return self.give_up(py, message);
        }
        let body = match item(message, names::body(py)) {
            Some(body) => as_bytes(&body),
            None => Some(empty(py).clone()),
        };
        let more = item(message, names::more_body(py)).is_some_and(|more| {
            more.cast::<PyBool>()
                .map_or_else(|_| more.is_truthy().unwrap_or(true), PyBoolMethods::is_true)
        });
        let Some(body) = body else {
            return self.give_up(py, message);
        };
        if progress.recording.push(body.as_bytes().len()).is_err() {
            return self.give_up(py, message);
        }
        if !body.as_bytes().is_empty() || !more {
            progress.chunks.push(body.unbind());
        }
        if more {
            return self.after_held(py, message);
        }
        let State::Recording(progress) = std::mem::replace(&mut self.state, State::Passing) else {
            return Outgoing::AsItCame;
        };
        if progress.recording.announced_length().is_none() {
            self.state = State::Ended(progress);
            return Outgoing::AsItCame;
        }
        let held = progress.held.as_ref().map(|held| held.clone_ref(py));
        let (etag, kept) = self.finish(py, *progress);
        match held {
            None => Outgoing::AsItCame,
            Some(held) => {
                let start = self
                    .start_message(py, held.bind(py), etag, kept)
                    .unwrap_or(held);
                Outgoing::Two(start, message.clone().into_any().unbind())
            }
        }
    }

    /// Commits a whole response. The entity tag made from it is good for this answer even if it was not kept.
    fn finish(
        &mut self,
        py: Python<'_>,
        progress: InProgress,
    ) -> (Option<u64>, Result<(), Reason>) {
        let InProgress {
            key,
            recording,
            varying,
            labels,
            headers,
            chunks,
            ..
        } = progress;
        let body = whole(py, &chunks);
        let etag = recording
            .wants_etag()
            .then(|| Recording::make_etag(body.as_bytes()));
        let headers = HeaderLines::from_snapshot(headers.bind(py));
        let Ok((lines, line_weight)) = kept_lines(py, &headers, etag) else {
            return (None, Err(Reason::MalformedResponse));
        };
        let weight = line_weight + body_weight(body.as_bytes().len());
        let counters =
            Arc::clone(&self.errand.application.get().routes[self.errand.route].counters);
        let store = self.errand.store.get();
        let representation = Representation::new(
            lines.unbind(),
            body.unbind(),
            Some(Arc::clone(&counters)),
            weight,
        );
        let birth = recording.birth();
        let mut stored = match recording.finish(etag, representation) {
            Ok(stored) => stored,
            Err(reason) => return (None, Err(reason)),
        };
        stored.lifetime = stored.lifetime.min(store.longest);
        if self.errand.hand_out {
            let storage_key = self.storage_key(py, &key, &varying, birth);
            self.finished = Some(Finished {
                stored,
                labels,
                birth,
                key,
                storage_key,
                varying,
                weight,
            });
            return (etag, Ok(()));
        }
        let request = HeaderLines::from_snapshot(self.errand.headers.bind(py));
        let kept = commit(
            &store.store,
            &store.secret,
            Commit {
                key,
                birth,
                path: &self.errand.path,
                labels: &labels,
                varying: &varying,
                lines: &request.lines(),
                stored,
                weight,
            },
        );
        if kept.is_ok() {
            counters.stored();
        }
        (etag, kept)
    }

    /// The key under which a custom storage keeps the response. Which headers select among its variants is remembered
    /// in this process.
    fn storage_key(&self, py: Python<'_>, primary: &Key, varying: &[Box<str>], birth: u64) -> Key {
        let store = self.errand.store.get();
        let known = store.store.get(primary.borrow());
        let known = known
            .as_ref()
            .and_then(|found| match found.entry.content() {
                Content::Variants(variants) => Some(&*variants.names),
                Content::Response(_) => None,
            });
        let names = union(known.unwrap_or_default(), varying);
        if names.is_empty() {
            return primary.clone();
        }
        let request = HeaderLines::from_snapshot(self.errand.headers.bind(py));
        let mut buffer = Vec::new();
        let key = variant_key(
            primary.borrow().bytes,
            &names,
            &store.secret,
            &request.lines(),
            &mut buffer,
        );
        let key = key.to_owned();
        let content = Content::Variants(Variants { names });
        let path = &*self.errand.path;
        // Not remembering only costs a miss.
        let _ = store.store.put(Put {
            key: primary.clone(),
            birth,
            path,
            labels: &[],
            content,
            weight: 0,
        });
        key
    }

    /// The request's path without `root_path`.
    pub(crate) fn path(&self) -> &str {
        &self.errand.path
    }

    /// The store whose generations count.
    pub(crate) fn store(&self, py: Python<'_>) -> Py<MemoryStore> {
        self.errand.store.clone_ref(py)
    }

    /// A copy of a start message that says what happened. The application's own message is never changed.
    fn start_message(
        &self,
        py: Python<'_>,
        message: &Bound<'_, PyDict>,
        etag: Option<u64>,
        kept: Result<(), Reason>,
    ) -> PyResult<Py<PyDict>> {
        let list = match message.get_item(names::headers(py))? {
            Some(headers) => match headers.cast_exact::<PyList>() {
                Ok(list) => list.get_slice(0, list.len()),
                // An iterator can be read once, and that is the server's to do.
                Err(_) if is_one_shot(&headers) => return Err(PyTypeError::new_err("an iterator")),
                Err(_) => PyList::new(py, headers.try_iter()?.collect::<PyResult<Vec<_>>>()?)?,
            },
            None => PyList::empty(py),
        };
        if let Some(hash) = etag {
            let tag = fast_cache_core::fields::validators::format_generated(hash);
            list.append(PyTuple::new(
                py,
                [PyBytes::new(py, b"etag"), PyBytes::new(py, &tag)],
            )?)?;
        }
        let outcome = match kept {
            Err(Reason::Authorization) => Outcome::Bypass,
            _ => self.errand.outcome,
        };
        list.append(self.errand.status_lines.outcome(py, outcome)?)?;
        list.append(
            self.errand
                .status_lines
                .forwarded(py, self.errand.reason, kept)?,
        )?;
        let start = message.copy()?;
        start.set_item(names::headers(py), list)?;
        Ok(start.unbind())
    }

    /// What the router left in the application's scope, for outer middleware that holds another one.
    fn mirror_scope(&self, py: Python<'_>) {
        let Some(outer) = &self.errand.outer_scope else {
            return;
        };
        let (inner, outer) = (self.errand.scope.bind(py), outer.bind(py));
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

/// All chunks in one.
fn whole<'py>(py: Python<'py>, chunks: &[Py<PyBytes>]) -> Bound<'py, PyBytes> {
    match chunks {
        [] => empty(py).clone(),
        [only] => only.bind(py).clone(),
        [first, last] if last.as_bytes(py).is_empty() => first.bind(py).clone(),
        many => PyBytes::new(
            py,
            &many
                .iter()
                .map(|chunk| chunk.as_bytes(py))
                .collect::<Vec<_>>()
                .concat(),
        ),
    }
}

/// A `send` that records what passes through it.
#[pyclass(frozen, module = "fast_cache_middleware._core")]
pub(crate) struct RecordingSend {
    send: Py<PyAny>,
    recorder: Mutex<Recorder>,
    received: Received,
}

impl RecordingSend {
    pub(crate) fn new(send: Py<PyAny>, recorder: Recorder) -> Self {
        Self {
            send,
            recorder: Mutex::new(recorder),
            received: Received::default(),
        }
    }

    /// Keeps nothing of what comes from now on.
    pub(crate) fn refuse(&self, reason: Reason) {
        self.received.refuse(reason);
    }

    /// The application's call has ended well.
    pub(crate) fn complete(&self, py: Python<'_>) {
        if let Some(mut recorder) = self.recorder.try_lock() {
            recorder.complete(py);
        }
    }

    /// Sends the start message that is held back, if one is.
    pub(crate) fn release(&self, py: Python<'_>) -> Option<SendMessages> {
        let held = self.recorder.try_lock()?.release(py)?;
        Some(SendMessages::new(self.send.clone_ref(py), Some(held), None))
    }
}

#[pymethods]
impl RecordingSend {
    fn __call__(&self, py: Python<'_>, message: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        // Never waits: a second message in the midst of the first passes by unrecorded, and so nothing is kept.
        let outgoing = if let Some(mut recorder) = self.recorder.try_lock() {
            recorder.observe_unless_refused(message, &self.received)
        } else {
            self.received.refuse(Reason::Incomplete);
            Outgoing::AsItCame
        };
        match outgoing {
            Outgoing::AsItCame => self.send.call1(py, (message,)),
            Outgoing::One(message) => self.send.call1(py, (message,)),
            Outgoing::Nothing => Ok(Py::new(py, SendMessages::nothing())?.into_any()),
            Outgoing::Two(first, second) => {
                let messages = SendMessages::two(self.send.clone_ref(py), first, second);
                Ok(Py::new(py, messages)?.into_any())
            }
        }
    }

    /// Takes note of a message that the application received.
    fn received(&self, message: &Bound<'_, PyAny>) {
        self.received.note(message);
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.send)?;
        let Some(recorder) = self.recorder.try_lock() else {
            return Ok(());
        };
        let errand = &recorder.errand;
        visit.call(&errand.application)?;
        visit.call(&errand.store)?;
        visit.call(&errand.scope)?;
        visit.call(&errand.outer_scope)
    }
}

fn item<'py>(
    message: &Bound<'py, PyDict>,
    name: &Bound<'py, PyString>,
) -> Option<Bound<'py, PyAny>> {
    message.get_item(name).ok().flatten()
}
