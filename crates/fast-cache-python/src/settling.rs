//! Drops that are to hold for everybody who shares the store, before their writer's client is answered.

use crate::awaitable::raised;
use crate::coroutine::{Coroutine, Stepped, coroutine_class};
use crate::failing::Awaited;
use crate::store::MemoryStore;
use crate::wait::{LIMIT, Step, Wait};
use fast_cache_store::{Elsewhere, LocalStore};
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};

/// The awaitable of drops that are on their way. Not frozen, as [`SendMessages`](crate::awaitable::SendMessages) is not.
#[pyclass(module = "fast_cache_middleware._core")]
pub(crate) struct Settling {
    wait: Option<Wait>,
}

/// What is to be awaited until the drops made so far hold for everybody; `None` where they do already.
pub(crate) fn settling(py: Python<'_>, store: &Py<MemoryStore>) -> PyResult<Option<Py<Settling>>> {
    let elsewhere = store.get().store.elsewhere();
    let Some(settling) = elsewhere.and_then(Elsewhere::settled) else {
        return Ok(None);
    };
    let wait = Wait::until(settling, store.clone_ref(py));
    Py::new(py, Settling { wait: Some(wait) }).map(Some)
}

/// Sends a message once the drops made so far hold for everybody.
pub(crate) fn send_settled(
    send: &Py<PyAny>,
    message: &Bound<'_, PyAny>,
    store: &Py<MemoryStore>,
) -> PyResult<Py<PyAny>> {
    let py = message.py();
    match settling(py, store)? {
        None => send.call1(py, (message,)),
        Some(settling) => {
            let waiting = py.import("fast_cache_middleware.waiting")?;
            let call = waiting.call_method1("send_settled", (settling, send, message))?;
            Ok(call.unbind())
        }
    }
}

impl Settling {
    /// What is to be awaited before a lookup.
    pub(crate) fn before_a_lookup(
        py: Python<'_>,
        awaited: Awaited,
        store: Py<MemoryStore>,
    ) -> PyResult<Py<Self>> {
        let wait = Some(Wait::new(awaited, store, LIMIT));
        Py::new(py, Self { wait })
    }
}

coroutine_class!(Settling);

impl Coroutine for Settling {
    fn drive(&mut self, py: Python<'_>, value: Option<&Bound<'_, PyAny>>) -> Stepped {
        let Some(mut wait) = self.wait.take() else {
            return Ok(None);
        };
        match wait.step(py, value)? {
            Step::Yield(yielded) => {
                self.wait = Some(wait);
                Ok(Some(yielded))
            }
            Step::Over(_) => Ok(None),
        }
    }

    fn throw_in(
        &mut self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        value: Option<&Bound<'_, PyAny>>,
    ) -> Stepped {
        self.end(py)?;
        Err(raised(kind, value))
    }

    fn end(&mut self, py: Python<'_>) -> PyResult<()> {
        if let Some(wait) = self.wait.take() {
            wait.end(py);
        }
        Ok(())
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match &self.wait {
            Some(wait) => wait.traverse(visit),
            None => Ok(()),
        }
    }

    fn clear(&mut self) {
        self.wait = None;
    }
}
