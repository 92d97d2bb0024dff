//! Records an application's answer for Python.

use super::Answer;
use crate::receive::Received;
use crate::recorder::{Outgoing, Recorder};
use fast_cache_core::reason::Reason;
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

/// Records an application's answer for Python.
#[pyclass(frozen, module = "fast_cache_middleware._core")]
pub(crate) struct ExchangeRecorder {
    recorder: Mutex<Recorder>,
    received: Received,
}

impl ExchangeRecorder {
    pub(super) fn new(recorder: Recorder) -> Self {
        Self {
            recorder: Mutex::new(recorder),
            received: Received::default(),
        }
    }
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
        Answer::ready(&mut recorder, py)
    }

    /// The answer that was handed out was kept, or it was not: others may wait for it.
    fn kept(&self, well: bool) {
        if let Some(mut recorder) = self.recorder.try_lock() {
            recorder.kept(well);
        }
    }

    /// The application has raised: those who wait are told.
    fn failed(&self, py: Python<'_>, error: Bound<'_, PyAny>) {
        if let Some(mut recorder) = self.recorder.try_lock() {
            recorder.failed(py, &PyErr::from_value(error), &self.received);
        }
    }

    /// The application's call is over, however it ended: another refresh of the key may begin.
    fn over(&self) {
        if let Some(mut recorder) = self.recorder.try_lock() {
            recorder.over();
        }
    }

    /// The messages of a stale answer, where the application has raised before it answered and one may stand in.
    fn stand_in<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyList>>> {
        let messages = self
            .recorder
            .try_lock()
            .and_then(|mut recorder| recorder.stand_in(py));
        messages
            .map(|(start, body)| PyList::new(py, [start, body]))
            .transpose()
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
        let answer = Answer::ready(&mut recorder, py);
        Ok((out, answer))
    }
}
