//! Between the application and the client: judges the response, records its body, commits it before the last chunk
//! goes out, and says in the headers what happened.
//!
//! | file | what |
//! |---|---|
//! | `errand` | the request, and what is needed to store its answer |
//! | `judging` | the head of a response: kept or not |
//! | `held` | what was found before the application was asked |
//! | `freshening` | a confirmation of what was found |
//! | `keeping` | a whole response: committed, or handed out |
//! | `failing` | a failure: a stale answer stands in, or it is given to those who wait |
//! | `start` | the start message that says what happened |
//! | `sending` | the `send` that the application gets |

mod errand;
mod failing;
mod freshening;
mod held;
mod judging;
mod keeping;
mod sending;
mod start;

pub(crate) use errand::Errand;
pub(crate) use held::Held;
pub(crate) use keeping::Finished;
pub(crate) use sending::RecordingSend;

use crate::answer::empty;
use crate::lines::as_bytes;
use crate::names;
use crate::receive::Received;
use crate::store::HostStore;
use fast_cache_core::exchange::{Fetch, Outcome, Recording};
use fast_cache_core::key::Key;
use fast_cache_core::purge::Label;
use fast_cache_core::reason::Reason;
use judging::{Judgement, Why};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyString, PyTuple};
use smallvec::SmallVec;

/// Follows one response, message by message.
pub(crate) struct Recorder {
    errand: Errand,
    state: State,
    /// Why nothing is to be kept, for what the application has learned before it answered.
    refused: Option<Reason>,
    pub(crate) finished: Option<Finished>,
}

impl Recorder {
    /// A recorder that stores what it may under `key`.
    pub(crate) fn storing(errand: Errand, fetch: Fetch, key: Key) -> Self {
        Self {
            errand,
            state: State::Waiting(Some((fetch, key))),
            refused: None,
            finished: None,
        }
    }

    /// A recorder that stores nothing and only says so.
    pub(crate) fn passing(errand: Errand) -> Self {
        Self {
            errand,
            state: State::Waiting(None),
            refused: None,
            finished: None,
        }
    }

    /// Keeps nothing from now on, for what the application has learned.
    fn refuse(&mut self, reason: Reason) {
        match &mut self.state {
            State::Waiting(Some(_)) if self.refused.is_none() => {
                self.refused = Some(reason);
                self.errand
                    .counters()
                    .became(self.errand.outcome, Outcome::Bypass);
                (self.errand.reason, self.errand.outcome) = (reason, Outcome::Bypass);
            }
            State::Recording(progress) => progress.refused = Some(reason),
            State::Waiting(_) | State::Ended(_) | State::Passing | State::Answered => {}
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
        if matches!(self.state, State::Answered) {
            return Outgoing::Nothing;
        }
        let Ok(message) = message.cast::<PyDict>() else {
            return self.give_up(py, message);
        };
        let kind = message.get_item(names::type_(py)).ok().flatten();
        let text = kind.as_ref();
        let text = text.and_then(|kind| kind.cast_exact::<PyString>().ok()?.to_str().ok());
        let is = |name: &str| match text {
            Some(text) => text == name,
            None => kind
                .as_ref()
                .is_some_and(|kind| kind.eq(name).unwrap_or(false)),
        };
        // What is to be expected first: comparing takes time.
        let is_start = || is("http.response.start");
        if matches!(self.state, State::Waiting(_)) && is_start() {
            return self.on_start(py, message);
        }
        if is("http.response.body") {
            return self.on_body(py, message);
        }
        if is_start() {
            return self.on_start(py, message);
        }
        // Informational and debugging messages pass; all others are a part of the response that cannot be repeated.
        let harmless = [
            "http.response.debug",
            "http.response.push",
            "http.response.early_hint",
        ]
        .iter()
        .any(|name| is(name));
        if harmless {
            self.after_held(py, message)
        } else {
            self.give_up(py, message)
        }
    }

    /// Whether there is nothing left to do: messages pass as they come.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self.state, State::Passing)
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
        let start = self
            .errand
            .start_message(py, held.bind(py), None, Err(Reason::Incomplete));
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
        let start = self.errand.start_message(py, held.bind(py), None, Ok(()));
        Outgoing::Two(start.unwrap_or(held), message.clone().into_any().unbind())
    }

    /// Stops recording. A start message that was held back goes out before `message`.
    fn give_up(&mut self, py: Python<'_>, message: &Bound<'_, PyAny>) -> Outgoing {
        let before = std::mem::replace(&mut self.state, State::Passing);
        let State::Recording(progress) = before else {
            return Outgoing::AsItCame;
        };
        let reason = progress.refused.unwrap_or(Reason::Unrepeatable);
        match progress.failure {
            Some(_) => self.errand.land_failed(None),
            None => self.errand.land(Err(reason)),
        }
        let Some(held) = progress.held else {
            return Outgoing::AsItCame;
        };
        let start = self
            .errand
            .start_message(py, held.bind(py), None, Err(reason));
        Outgoing::Two(start.unwrap_or(held), message.clone().unbind())
    }

    fn on_start(&mut self, py: Python<'_>, message: &Bound<'_, PyDict>) -> Outgoing {
        let judgement = match std::mem::replace(&mut self.state, State::Passing) {
            State::Waiting(Some((fetch, key))) => {
                self.errand.judge(py, message, fetch, key, self.refused)
            }
            State::Waiting(None) => Judgement::Pass(self.errand.reason),
            // A second start: nobody can tell which of them counts.
            recording => {
                self.state = recording;
                return self.give_up(py, message);
            }
        };
        self.errand.mirror_scope(py);
        match judgement {
            Judgement::Record(mut progress) => {
                if progress.is_event_stream {
                    self.errand.land(Err(Reason::Unrepeatable));
                }
                // Only a response that says how long it is, and so comes in one piece, is held back.
                let hold_back = progress.recording.wants_etag()
                    && progress.recording.announced_length().is_some();
                progress.held = hold_back.then(|| start::held_back(message, &progress.headers));
                self.state = State::Recording(progress);
                if hold_back {
                    Outgoing::Nothing
                } else {
                    self.started(py, message, Ok(()))
                }
            }
            Judgement::Instead(start, body, why) => {
                match why {
                    Why::Confirmed(kept) => self.errand.land(kept),
                    Why::Failed => self.errand.land_stood_in(),
                }
                self.state = State::Answered;
                Outgoing::Two(start, body.into_any())
            }
            Judgement::Failed(reason, shared) => {
                match shared {
                    Some(mut progress) => {
                        progress.failure = Some(reason);
                        self.state = State::Recording(progress);
                    }
                    None => self.errand.land_failed(None),
                }
                self.started(py, message, Err(reason))
            }
            Judgement::Pass(reason) => {
                self.errand.land(Err(reason));
                self.started(py, message, Err(reason))
            }
        }
    }

    /// Whether something stored may yet take part in the answer.
    pub(crate) fn holds_stored(&self) -> bool {
        matches!(self.state, State::Waiting(Some(_))) && self.errand.held.is_some()
    }

    /// The answer that was handed out was kept, or it was not.
    pub(crate) fn kept(&mut self, well: bool) {
        self.errand
            .land(if well { Ok(()) } else { Err(Reason::Hook) });
    }

    /// The application's call is over, however it ended: another refresh of the key may begin, and who waits for an
    /// answer waits no more. Somebody may hold on to the call's frames long after that, say to report an exception.
    pub(crate) fn over(&mut self) {
        self.errand.refreshing = None;
        self.errand.permit = None;
    }

    fn started(
        &self,
        py: Python<'_>,
        message: &Bound<'_, PyDict>,
        kept: Result<(), Reason>,
    ) -> Outgoing {
        self.errand
            .start_message(py, message, None, kept)
            .map_or(Outgoing::AsItCame, Outgoing::One)
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
        if let Err(reason) = progress.recording.push(body.as_bytes().len()) {
            progress.refused = Some(reason);
            return self.give_up(py, message);
        }
        if !body.as_bytes().is_empty() || !more {
            progress.chunks.push(body.unbind());
        }
        if more {
            return self.after_held(py, message);
        }
        let State::Recording(mut progress) = std::mem::replace(&mut self.state, State::Passing)
        else {
            return Outgoing::AsItCame;
        };
        if progress.recording.announced_length().is_none() {
            self.state = State::Ended(progress);
            return Outgoing::AsItCame;
        }
        let held = progress.held.take();
        let (etag, kept) = self.finish(py, *progress);
        match held {
            None => Outgoing::AsItCame,
            Some(held) => {
                let start = self
                    .errand
                    .start_message(py, held.bind(py), etag.as_ref(), kept)
                    .unwrap_or(held);
                Outgoing::Two(start, message.clone().into_any().unbind())
            }
        }
    }

    /// The request's path without `root_path`.
    pub(crate) fn path(&self) -> &str {
        &self.errand.path
    }

    /// The store whose generations count.
    pub(crate) fn store(&self, py: Python<'_>) -> Py<HostStore> {
        self.errand.store.clone_ref(py)
    }
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
    /// Answered with a stored response instead: what else comes is nobody's.
    Answered,
}

/// A response on its way to being whole.
struct InProgress {
    key: Key,
    recording: Recording,
    varying: SmallVec<[Box<str>; 4]>,
    labels: Vec<Label>,
    is_event_stream: bool,
    headers: Py<PyTuple>,
    chunks: SmallVec<[Py<PyBytes>; 1]>,
    /// The start message, held back until the first piece of the body has come, so that it can carry an entity tag.
    held: Option<Py<PyDict>>,
    /// Why it will not be kept after all.
    refused: Option<Reason>,
    /// It is a failure, recorded for those who wait alone, and this is why it is not kept.
    failure: Option<Reason>,
    /// The body that a failure must have to be shared.
    only: Option<&'static [u8]>,
}

fn item<'py>(
    message: &Bound<'py, PyDict>,
    name: &Bound<'py, PyString>,
) -> Option<Bound<'py, PyAny>> {
    message.get_item(name).ok().flatten()
}
