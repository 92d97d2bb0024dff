//! Answers as coroutines of the interpreter's own.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

/// The coroutine that sends both messages. Nothing is sent before it is first driven.
pub(crate) fn send_both<'py>(
    send: &Bound<'py, PyAny>,
    start: &Bound<'py, PyDict>,
    body: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyAny>> {
    static SEND_BOTH: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = send.py();
    let make = || {
        let module = py.import("fast_cache_middleware.sending")?;
        Ok::<_, PyErr>(module.getattr("send_both")?.unbind())
    };
    let function = SEND_BOTH.get_or_try_init(py, make)?;
    let end: *mut ffi::PyObject = std::ptr::null_mut();
    // SAFETY: all pointers are live for the call, and the arguments end with a null pointer; the result is a new
    // reference, or null with an exception set.
    unsafe {
        let coroutine = ffi::PyObject_CallFunctionObjArgs(
            function.as_ptr(),
            send.as_ptr(),
            start.as_ptr(),
            body.as_ptr(),
            end,
        );
        Bound::from_owned_ptr_or_err(py, coroutine)
    }
}
