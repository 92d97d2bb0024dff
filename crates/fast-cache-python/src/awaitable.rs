//! Awaitables that need no Python frame of their own: send some messages, then return.
//!
//! They are coroutines as far as `asyncio.iscoroutine` and `create_task` can tell (`send`, `throw`, `close`), and
//! nothing happens before they are first driven.

use crate::coroutine::{Coroutine, Stepped, coroutine_class};
use crate::names;
use pyo3::exceptions::{PyRuntimeError, PyStopIteration};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};

/// Sends up to two messages, one after the other, and returns `None`.
///
/// Not frozen: being driven is what it is for, and `PyO3`'s borrow flag refuses a second driver.
#[pyclass(name = "SendMessages", module = "fast_cache_middleware._core")]
pub(crate) struct SendMessages {
    send: Option<Py<PyAny>>,
    messages: [Option<Py<PyAny>>; 2],
    current: Option<Py<PyAny>>,
}

impl SendMessages {
    /// Sends `first` and then `second`, where they are given, through `send`.
    pub(crate) fn new(
        send: Py<PyAny>,
        first: Option<Py<PyDict>>,
        second: Option<Py<PyDict>>,
    ) -> Self {
        Self {
            send: Some(send),
            messages: [first.map(Py::into_any), second.map(Py::into_any)],
            current: None,
        }
    }

    /// Sends `first` and then `second`, whatever that is.
    pub(crate) fn two(send: Py<PyAny>, first: Py<PyDict>, second: Py<PyAny>) -> Self {
        Self {
            send: Some(send),
            messages: [Some(first.into_any()), Some(second)],
            current: None,
        }
    }

    /// Does nothing when awaited.
    pub(crate) fn nothing() -> Self {
        Self {
            send: None,
            messages: [None, None],
            current: None,
        }
    }

    fn next_message(&mut self) -> Option<Py<PyAny>> {
        self.messages[0].take().or_else(|| self.messages[1].take())
    }
}

coroutine_class!(SendMessages);

impl Coroutine for SendMessages {
    fn drive(&mut self, py: Python<'_>, value: Option<&Bound<'_, PyAny>>) -> Stepped {
        let mut value = value;
        loop {
            let current = if let Some(current) = self.current.take() {
                current.into_bound(py)
            } else {
                let Some(message) = self.next_message() else {
                    self.send = None;
                    return Ok(None);
                };
                let Some(send) = &self.send else {
                    return Ok(None);
                };
                value = None;
                iterator_of(&call_with(send.bind(py), message.bind(py))?)?
            };
            match resume(&current, value) {
                Ok(Some(yielded)) => {
                    self.current = Some(current.unbind());
                    return Ok(Some(yielded));
                }
                Ok(None) => value = None,
                Err(error) => {
                    self.messages = [None, None];
                    return Err(error);
                }
            }
        }
    }

    fn throw_in(
        &mut self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        value: Option<&Bound<'_, PyAny>>,
    ) -> Stepped {
        let Some(current) = self.current.take() else {
            self.messages = [None, None];
            return Err(raised(kind, value));
        };
        match throw_into(current.bind(py), kind, value) {
            Ok(Some(yielded)) => {
                self.current = Some(current);
                Ok(Some(yielded))
            }
            // The inner awaitable took the exception and returned: go on with what is left to send.
            Ok(None) => self.drive(py, None),
            Err(error) => {
                self.messages = [None, None];
                Err(error)
            }
        }
    }

    fn end(&mut self, py: Python<'_>) -> PyResult<()> {
        self.messages = [None, None];
        self.send = None;
        match self.current.take() {
            Some(current) => close(current.bind(py)),
            None => Ok(()),
        }
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.send)?;
        visit.call(&self.messages[0])?;
        visit.call(&self.messages[1])?;
        visit.call(&self.current)
    }

    fn clear(&mut self) {
        self.send = None;
        self.messages = [None, None];
        self.current = None;
    }
}

/// `callable(argument)`, without a tuple in between.
pub(crate) fn call_with<'py>(
    callable: &Bound<'py, PyAny>,
    argument: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let end: *mut ffi::PyObject = std::ptr::null_mut();
    // SAFETY: all pointers are live for the call, and the arguments end with a null pointer; the result is a new
    // reference, or null with an exception set.
    unsafe {
        let result = ffi::PyObject_CallFunctionObjArgs(callable.as_ptr(), argument.as_ptr(), end);
        Bound::from_owned_ptr_or_err(callable.py(), result)
    }
}

/// What drives an awaitable: a coroutine itself, anything else through `__await__`.
pub(crate) fn iterator_of<'py>(awaitable: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    static COROUTINE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let py = awaitable.py();
    if awaitable.is_exact_instance(COROUTINE.import(py, "types", "CoroutineType")?.as_any()) {
        return Ok(awaitable.clone());
    }
    awaitable.call_method0(names::await_(py))
}

/// Resumes a coroutine or iterator; `None` when it has returned.
pub(crate) fn resume(
    iterator: &Bound<'_, PyAny>,
    value: Option<&Bound<'_, PyAny>>,
) -> PyResult<Option<Py<PyAny>>> {
    let py = iterator.py();
    let value = value.map_or_else(|| py.None(), |value| value.clone().unbind());
    let mut result: *mut ffi::PyObject = std::ptr::null_mut();
    // SAFETY: both pointers are live for the call, and `result` is written before it is read: it is a new reference
    // unless the outcome is PYGEN_ERROR, where it is null.
    let outcome = unsafe { ffi::PyIter_Send(iterator.as_ptr(), value.as_ptr(), &raw mut result) };
    // SAFETY: see above; a null pointer gives `None`.
    let result = unsafe { Bound::from_owned_ptr_or_opt(py, result) };
    match (outcome, result) {
        (ffi::PySendResult::PYGEN_NEXT, Some(yielded)) => Ok(Some(yielded.unbind())),
        (ffi::PySendResult::PYGEN_RETURN, _) => Ok(None),
        _ => Err(PyErr::take(py).unwrap_or_else(|| {
            PyRuntimeError::new_err("an awaitable failed without an exception")
        })),
    }
}

/// Raises an exception in a coroutine or iterator; `None` when it took it and returned. One that has no `throw` is
/// closed, as `await` does it.
pub(crate) fn throw_into(
    iterator: &Bound<'_, PyAny>,
    kind: &Bound<'_, PyAny>,
    value: Option<&Bound<'_, PyAny>>,
) -> PyResult<Option<Py<PyAny>>> {
    let py = iterator.py();
    let error = raised(kind, value);
    let Some(throw) = iterator.getattr_opt(names::throw(py))? else {
        close(iterator)?;
        return Err(error);
    };
    match call_with(&throw, error.into_value(py).bind(py).as_any()) {
        Ok(yielded) => Ok(Some(yielded.unbind())),
        Err(error) if error.is_instance_of::<PyStopIteration>(py) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Closes a coroutine or iterator; one that cannot be closed needs not.
pub(crate) fn close(iterator: &Bound<'_, PyAny>) -> PyResult<()> {
    match iterator.getattr_opt(names::close(iterator.py()))? {
        Some(close) => close.call0().map(drop),
        None => Ok(()),
    }
}

/// The exception that `throw(kind, value)` raises.
pub(crate) fn raised(kind: &Bound<'_, PyAny>, value: Option<&Bound<'_, PyAny>>) -> PyErr {
    match (kind.cast::<PyType>(), value) {
        (Ok(kind), Some(value)) if !value.is_none() => {
            if value.is_instance(kind).unwrap_or(false) {
                PyErr::from_value(value.clone())
            } else {
                PyErr::from_type(kind.clone(), (value.clone().unbind(),))
            }
        }
        (Ok(kind), _) => PyErr::from_type(kind.clone(), ()),
        (Err(_), _) => PyErr::from_value(kind.clone()),
    }
}
