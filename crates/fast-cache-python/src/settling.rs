//! Drops that are to hold for everybody who shares the store, before their writer's client is answered.

use crate::coroutine::coroutine_class;
use crate::failing::{Awaited, Part};
use crate::store::HostStore;
use crate::wait::{LIMIT, Wait};
use crate::waiter::{Course, Waiter};
use fast_cache_store::{Elsewhere, LocalStore};
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};

/// The awaitable of drops that are on their way. Not frozen, as [`SendMessages`](crate::awaitable::SendMessages) is not.
#[pyclass(module = "fast_cache_middleware._core")]
pub(crate) struct Settling {
    course: Course,
}

/// What is to be awaited until the drops made so far hold for everybody; `None` where they do already.
pub(crate) fn settling(py: Python<'_>, store: &Py<HostStore>) -> PyResult<Option<Py<Settling>>> {
    let elsewhere = store.get().store.elsewhere();
    let Some(settling) = elsewhere.and_then(Elsewhere::settled) else {
        return Ok(None);
    };
    let course = Course::Waiting(Wait::until(settling, store.clone_ref(py)));
    Py::new(py, Settling { course }).map(Some)
}

/// Sends a message once the drops made so far hold for everybody.
pub(crate) fn send_settled(
    send: &Py<PyAny>,
    message: &Bound<'_, PyAny>,
    store: &Py<HostStore>,
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
        store: Py<HostStore>,
    ) -> PyResult<Py<Self>> {
        let course = Course::Waiting(Wait::new(awaited, store, LIMIT));
        Py::new(py, Self { course })
    }
}

coroutine_class!(Settling);

impl Waiter for Settling {
    fn course(&mut self) -> &mut Course {
        &mut self.course
    }

    fn go_on(&mut self, _: Python<'_>, _: Part) -> PyResult<Option<Py<PyAny>>> {
        Ok(None)
    }

    fn give_up(&mut self, _: Python<'_>) -> PyResult<()> {
        Ok(())
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.course.traverse(visit)
    }
}
