//! Exchanges that wait for each other.

use super::Exchange;
use crate::awaitable::raised;
use crate::visit::Part;
use crate::wait::{Step, Wait};
use fast_cache_engine::flight::Boarding;
use fast_cache_store::LocalStore;
use pyo3::exceptions::PyStopIteration;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};

/// The awaitable of an exchange that waits for another one's answer; it is to look up again after it. Not frozen, as
/// [`SendMessages`](crate::awaitable::SendMessages) is not.
#[pyclass(module = "fast_cache_middleware._core")]
pub(crate) struct ExchangeWait {
    exchange: Py<Exchange>,
    wait: Option<Wait>,
}

impl ExchangeWait {
    fn drive(
        &mut self,
        py: Python<'_>,
        value: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Option<Py<PyAny>>> {
        let Some(mut wait) = self.wait.take() else {
            return Ok(None);
        };
        match wait.step(py, value)? {
            Step::Yield(yielded) => {
                self.wait = Some(wait);
                Ok(Some(yielded))
            }
            Step::Over(part) => {
                if let Part::Lead(permit) = part {
                    self.exchange.get().progress.lock().permit = Some(permit);
                }
                Ok(None)
            }
        }
    }
}

/// Joins the exchanges for the same key: `None` for one that asks the application, for the others or for itself.
pub(super) fn board(exchange: &Bound<'_, Exchange>, limit: f64) -> Option<ExchangeWait> {
    let this = exchange.get();
    let mut progress = this.progress.lock();
    let (forward, _) = progress.forward.as_ref()?;
    if progress.permit.is_some() || !forward.may_be_shared() {
        return None;
    }
    let store = this.store.get();
    let key = progress.key()?.borrow();
    match store.flights.board(key, store.store.birth(), store.now()) {
        Boarding::Lead(permit) => {
            progress.permit = Some(permit);
            None
        }
        Boarding::Alone => None,
        Boarding::Follow(ticket) => Some(ExchangeWait {
            exchange: exchange.clone().unbind(),
            wait: Some(Wait::new(
                ticket,
                this.store.clone_ref(exchange.py()),
                limit,
            )),
        }),
    }
}

#[pymethods]
impl ExchangeWait {
    fn __await__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        self.drive(py, None)
    }

    fn send(&mut self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        self.drive(py, Some(value))?
            .ok_or_else(|| PyStopIteration::new_err(()))
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
        self.close(py);
        Err(raised(kind, value))
    }

    fn close(&mut self, py: Python<'_>) {
        if let Some(wait) = self.wait.take() {
            wait.end(py);
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.exchange)?;
        match &self.wait {
            Some(wait) => wait.traverse(&visit),
            None => Ok(()),
        }
    }

    fn __clear__(&mut self) {
        self.wait = None;
    }
}
