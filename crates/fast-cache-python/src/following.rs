//! The application's own coroutine, followed to its end.
//!
//! An application may start a response and end, or raise, without a body: its server is to see the start all the same,
//! so what the recorder still holds back goes out then. And only an end without an exception tells that a body of
//! unknown length was whole.

use crate::awaitable::{SendMessages, close, iterator_of, raised, resume, throw_into};
use crate::coroutine::{Coroutine, Stepped, coroutine_class};
use crate::recorder::RecordingSend;
use fast_cache_core::reason::Reason;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::PyDict;

/// Drives the application, then sends the start message that was held back, if one was, then ends as the application
/// did. Not frozen, as [`SendMessages`] is not.
#[pyclass(name = "Following", module = "fast_cache_middleware._core")]
pub(crate) struct Following {
    stage: Stage,
    sender: Py<RecordingSend>,
}

enum Stage {
    /// What the application returned, not driven yet.
    Called(Py<PyAny>),
    /// The application is running.
    Running(Py<PyAny>),
    /// The application has ended, with this exception if it raised; the start message is on its way.
    Releasing(Box<SendMessages>, Option<PyErr>),
    Done,
}

impl Following {
    pub(crate) fn new(call: Py<PyAny>, sender: Py<RecordingSend>) -> Self {
        let stage = Stage::Called(call);
        Self { stage, sender }
    }

    /// What came of a step of the application's.
    fn run(&mut self, running: &Bound<'_, PyAny>, step: PyResult<Option<Py<PyAny>>>) -> Stepped {
        let py = running.py();
        if let Ok(Some(yielded)) = step {
            self.stage = Stage::Running(running.clone().unbind());
            return Ok(Some(yielded));
        }
        let error = match step {
            Ok(_) => None,
            // Cancelled: whoever did it wants no more waiting.
            Err(error) if !error.is_instance_of::<PyException>(py) => {
                self.sender.get().over();
                return Err(error);
            }
            Err(error) => {
                if let Some(mut messages) = self.sender.get().stand_in(py) {
                    self.sender.get().over();
                    report(py, &error);
                    let driven = messages.drive(py, None);
                    return self.released(Box::new(messages), None, driven);
                }
                self.sender.get().failed(py, &error);
                Some(error)
            }
        };
        let held = self.sender.get().end(py, error.is_none());
        self.sender.get().over();
        match held {
            Some(mut messages) => {
                let driven = messages.drive(py, None);
                self.released(Box::new(messages), error, driven)
            }
            None => error.map_or(Ok(None), Err),
        }
    }

    /// What came of a step of sending what was held back.
    fn released(
        &mut self,
        messages: Box<SendMessages>,
        error: Option<PyErr>,
        driven: PyResult<Option<Py<PyAny>>>,
    ) -> Stepped {
        match driven? {
            Some(yielded) => {
                self.stage = Stage::Releasing(messages, error);
                Ok(Some(yielded))
            }
            None => error.map_or(Ok(None), Err),
        }
    }
}

/// Logs what the application raised, where a stale answer hides it from everybody else.
fn report(py: Python<'_>, error: &PyErr) {
    let log = || {
        let logger = py
            .import("logging")?
            .call_method1("getLogger", ("fast_cache_middleware",))?;
        let named = PyDict::new(py);
        named.set_item("exc_info", error.value(py))?;
        let text = ("the application failed; a stale answer was sent instead",);
        logger.call_method("error", text, Some(&named))
    };
    if let Err(error) = log() {
        error.write_unraisable(py, None);
    }
}

coroutine_class!(Following);

impl Coroutine for Following {
    fn drive(&mut self, py: Python<'_>, value: Option<&Bound<'_, PyAny>>) -> Stepped {
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Called(call) => {
                let running = iterator_of(call.bind(py))?;
                self.run(&running, resume(&running, value))
            }
            Stage::Running(running) => {
                let running = running.into_bound(py);
                self.run(&running, resume(&running, value))
            }
            Stage::Releasing(mut messages, error) => {
                let driven = messages.drive(py, value);
                self.released(messages, error, driven)
            }
            Stage::Done => Ok(None),
        }
    }

    fn throw_in(
        &mut self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        value: Option<&Bound<'_, PyAny>>,
    ) -> Stepped {
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Called(call) => {
                let running = iterator_of(call.bind(py))?;
                let step = throw_into(&running, kind, value);
                self.run(&running, step)
            }
            Stage::Running(running) => {
                // A cancelled application may end its answer early, as if it were whole. Ordinary exceptions come this way
                // too, from whatever the application awaits.
                if !raised(kind, value).is_instance_of::<PyException>(py) {
                    self.sender.get().refuse(Reason::Incomplete);
                }
                let running = running.into_bound(py);
                let step = throw_into(&running, kind, value);
                self.run(&running, step)
            }
            Stage::Releasing(mut messages, error) => {
                let driven = messages.throw_in(py, kind, value);
                self.released(messages, error, driven)
            }
            Stage::Done => Err(raised(kind, value)),
        }
    }

    fn end(&mut self, py: Python<'_>) -> PyResult<()> {
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Called(inner) | Stage::Running(inner) => {
                self.sender.get().over();
                close(inner.bind(py))
            }
            Stage::Releasing(mut messages, _) => messages.end(py),
            Stage::Done => Ok(()),
        }
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.sender)?;
        match &self.stage {
            Stage::Called(inner) | Stage::Running(inner) => visit.call(inner),
            Stage::Releasing(messages, _) => messages.traverse(visit),
            Stage::Done => Ok(()),
        }
    }

    fn clear(&mut self) {
        self.stage = Stage::Done;
    }
}
