//! What makes an awaitable a coroutine, as far as `asyncio` can tell: `send`, `throw` and `close`. Written once, for all
//! that are driven by Rust.

use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};

/// What a step came to: what is yielded to the event loop, or `None` where the coroutine has returned.
pub(crate) type Stepped = PyResult<Option<Py<PyAny>>>;

/// A coroutine that returns `None`. [`coroutine_class!`](crate::coroutine::coroutine_class) makes it one for Python.
///
/// Its class is not frozen: being driven is what it is for, and `PyO3`'s borrow flag refuses a second driver.
pub(crate) trait Coroutine {
    /// Drives on with `value`.
    fn drive(&mut self, py: Python<'_>, value: Option<&Bound<'_, PyAny>>) -> Stepped;

    /// Raises an exception where this waits.
    fn throw_in(
        &mut self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        value: Option<&Bound<'_, PyAny>>,
    ) -> Stepped;

    /// Ends it where it waits.
    fn end(&mut self, py: Python<'_>) -> PyResult<()>;

    /// Shows what it holds to the garbage collector.
    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError>;

    /// Lets go of it.
    fn clear(&mut self);
}

/// Gives a class that is a [`Coroutine`] the methods of one.
macro_rules! coroutine_class {
    ($class:ident) => {
        #[pymethods]
        impl $class {
            fn __await__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
                slf
            }

            fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
                slf
            }

            fn __next__(&mut self, py: Python<'_>) -> $crate::coroutine::Stepped {
                $crate::coroutine::Coroutine::drive(self, py, None)
            }

            fn send(&mut self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
                $crate::coroutine::Coroutine::drive(self, py, Some(value))?
                    .ok_or_else(|| pyo3::exceptions::PyStopIteration::new_err(()))
            }

            #[pyo3(signature = (kind, value=None, traceback=None))]
            fn throw(
                &mut self,
                py: Python<'_>,
                kind: &Bound<'_, PyAny>,
                value: Option<&Bound<'_, PyAny>>,
                traceback: Option<&Bound<'_, PyAny>>,
            ) -> PyResult<Py<PyAny>> {
                let _ = traceback;
                $crate::coroutine::Coroutine::throw_in(self, py, kind, value)?
                    .ok_or_else(|| pyo3::exceptions::PyStopIteration::new_err(()))
            }

            fn close(&mut self, py: Python<'_>) -> PyResult<()> {
                $crate::coroutine::Coroutine::end(self, py)
            }

            fn __traverse__(
                &self,
                visit: pyo3::pyclass::PyVisit<'_>,
            ) -> Result<(), pyo3::pyclass::PyTraverseError> {
                $crate::coroutine::Coroutine::traverse(self, &visit)
            }

            fn __clear__(&mut self) {
                $crate::coroutine::Coroutine::clear(self);
            }
        }
    };
}
pub(crate) use coroutine_class;
