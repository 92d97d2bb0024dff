//! The `send` that the application gets.

use super::{Outgoing, Recorder};
use crate::awaitable::SendMessages;
use crate::failing::Permit;
use crate::receive::Received;
use fast_cache_core::reason::Reason;
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::sync::PyOnceLock;

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

    /// The application's call has ended, `well` or not. Sends the start message that is held back, if one is.
    pub(crate) fn end(&self, py: Python<'_>, well: bool) -> Option<SendMessages> {
        let mut recorder = self.recorder.try_lock()?;
        if recorder.is_passing() {
            return None;
        }
        if well {
            recorder.complete(py);
        }
        let held = recorder.release(py)?;
        Some(SendMessages::new(self.send.clone_ref(py), Some(held), None))
    }
}

impl RecordingSend {
    /// Whether something stored may yet take part in the answer.
    pub(crate) fn holds_stored(&self) -> bool {
        let recorder = self.recorder.try_lock();
        recorder.is_some_and(|recorder| recorder.holds_stored())
    }

    /// Lets the answer be one for those who wait.
    pub(crate) fn lead(&self, permit: Permit) {
        if let Some(mut recorder) = self.recorder.try_lock() {
            recorder.errand.permit = Some(permit);
        }
    }

    /// The application has raised: those who wait are told.
    pub(crate) fn failed(&self, py: Python<'_>, error: &PyErr) {
        if let Some(mut recorder) = self.recorder.try_lock() {
            recorder.failed(py, error, &self.received);
        }
    }

    /// The application's call is over, however it ended.
    pub(crate) fn over(&self) {
        if let Some(mut recorder) = self.recorder.try_lock() {
            recorder.over();
        }
    }

    /// What sends a stale answer, where the application has raised before it answered and one may stand in.
    pub(crate) fn stand_in(&self, py: Python<'_>) -> Option<SendMessages> {
        let (start, body) = self.recorder.try_lock()?.stand_in(py)?;
        let send = self.send.clone_ref(py);
        Some(SendMessages::new(send, Some(start), Some(body)))
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
            Outgoing::Nothing => nothing(py),
            Outgoing::Two(first, second) => {
                let messages = SendMessages::two(self.send.clone_ref(py), first, second);
                Ok(Py::new(py, messages)?.into_any())
            }
        }
    }

    /// What sends a stale answer instead of the one that is not there yet, where one may stand in.
    fn instead(&self, py: Python<'_>) -> Option<SendMessages> {
        self.stand_in(py)
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

/// An awaitable that does nothing. It holds nothing that being driven could change, so one is enough for all.
fn nothing(py: Python<'_>) -> PyResult<Py<PyAny>> {
    static NOTHING: PyOnceLock<Py<SendMessages>> = PyOnceLock::new();
    let nothing = NOTHING.get_or_try_init(py, || Py::new(py, SendMessages::nothing()))?;
    Ok(nothing.clone_ref(py).into_any())
}
