//! The start message that goes out.

use super::Errand;
use crate::lines::is_one_shot;
use crate::names;
use fast_cache_core::exchange::Outcome;
use fast_cache_core::reason::Reason;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

/// A start message that is held back, as it is now: the application may change its own before it goes out.
pub(super) fn held_back(message: &Bound<'_, PyDict>, lines: &Py<PyTuple>) -> Py<PyDict> {
    let copy = || {
        let copy = message.copy()?;
        copy.set_item(names::headers(message.py()), lines)?;
        Ok::<_, PyErr>(copy)
    };
    copy().unwrap_or_else(|_| message.clone()).unbind()
}

impl Errand {
    /// A copy of a start message that says what happened. The application's own message is never changed.
    pub(super) fn start_message(
        &self,
        py: Python<'_>,
        message: &Bound<'_, PyDict>,
        etag: Option<&Bound<'_, PyTuple>>,
        kept: Result<(), Reason>,
    ) -> PyResult<Py<PyDict>> {
        let list = match message.get_item(names::headers(py))? {
            Some(headers) => match headers.cast_exact::<PyList>() {
                Ok(list) => list.get_slice(0, list.len()),
                Err(_) if headers.is_exact_instance_of::<PyTuple>() => {
                    headers.cast_exact::<PyTuple>()?.to_list()
                }
                // An iterator can be read once, and that is the server's to do.
                Err(_) if is_one_shot(&headers) => return Err(PyTypeError::new_err("an iterator")),
                Err(_) => PyList::new(py, headers.try_iter()?.collect::<PyResult<Vec<_>>>()?)?,
            },
            None => PyList::empty(py),
        };
        if let Some(etag) = etag {
            list.append(etag)?;
        }
        let (outcome, reason) = self.outcome.settled(self.reason, kept);
        if (self.outcome, outcome) == (Outcome::Bypass, Outcome::Miss) {
            self.counters().became(self.outcome, outcome);
        }
        list.append(self.status_lines.outcome(py, outcome)?)?;
        // Whether a custom storage keeps it is not known yet.
        let is_known = !(self.hand_out && kept.is_ok());
        let line = self.status_lines.forwarded(py, reason, kept, is_known)?;
        list.append(line)?;
        let start = message.copy()?;
        start.set_item(names::headers(py), list)?;
        Ok(start.unbind())
    }
}
