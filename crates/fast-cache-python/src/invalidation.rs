//! Writes to an application whose responses say themselves for how long they are good: what a write has changed is
//! dropped ([RFC 9111 §4.4](https://www.rfc-editor.org/rfc/rfc9111#section-4.4)).

use crate::lines::HeaderLines;
use crate::names;
use crate::resolve::Installed;
use crate::scope::{Details, Target};
use crate::settling::{Settling, send_settled, settling};
use crate::snapshot::host_of;
use crate::store::HostStore;
use fast_cache_core::purge::Purge;
use fast_cache_core::request::Method;
use fast_cache_core::rules::invalidation::{Target as Written, is_unsafe};
use fast_cache_engine::drops::invalidation;
use fast_cache_store::LocalStore;
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::{PyDict, PyString};

/// A `send` that drops what a write has changed, before the client sees a byte of its answer.
#[pyclass(frozen, module = "fast_cache_middleware._core")]
pub(crate) struct InvalidatingSend {
    send: Py<PyAny>,
    store: Py<HostStore>,
    method: String,
    target: Written,
    done: Mutex<Option<Purge>>,
}

impl Installed {
    /// The `send` for a request that may change something; `None` for all others.
    pub(crate) fn invalidating<'py>(
        &self,
        scope: &Bound<'py, PyDict>,
        send: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, InvalidatingSend>>> {
        let py = scope.py();
        let method = scope.get_item(names::method(py))?;
        let method = method.as_ref().and_then(|method| {
            let method = method.cast::<PyString>().ok()?;
            method.to_str().ok()
        });
        let Some(method) = method.filter(|name| is_unsafe(Method::from_name(name))) else {
            return Ok(None);
        };
        let (Some(asked), Some(details)) = (Target::read(scope), Details::read(scope)) else {
            return Ok(None);
        };
        let lines = details.headers.lines();
        let Some(request) = details.request(&asked, "", &lines) else {
            return Ok(None);
        };
        let target = Written::of(&request, host_of(&lines));
        let send = InvalidatingSend {
            send: send.clone().unbind(),
            store: self.store.clone_ref(py),
            method: method.to_owned(),
            target,
            done: Mutex::new(None),
        };
        Bound::new(py, send).map(Some)
    }
}

impl InvalidatingSend {
    /// What a message that starts a response says has changed.
    fn read(&self, message: &Bound<'_, PyAny>) -> Option<Purge> {
        let py = message.py();
        let status = crate::drops::started(message)?;
        let message = message.cast::<PyDict>().ok()?;
        let headers = message.get_item(names::headers(py)).ok().flatten();
        // What cannot be read says nothing, but the target has changed all the same.
        let headers = headers.as_ref().and_then(HeaderLines::from_any);
        let lines = headers.as_ref().map(HeaderLines::lines).unwrap_or_default();
        let method = Method::from_name(&self.method);
        invalidation(&self.target, method, status, &lines)
    }
}

#[pymethods]
impl InvalidatingSend {
    fn __call__(&self, py: Python<'_>, message: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        if let Some(purge) = self.read(message) {
            let _walk = self.store.get().store.purge(&purge);
            *self.done.lock() = Some(purge);
            return send_settled(&self.send, message, &self.store);
        }
        self.send.call1(py, (message,))
    }

    /// Drops once more, as the application call has ended: a dependency may have committed only now. What is to be awaited
    /// until that holds for everybody, if anything.
    fn finish(&self, py: Python<'_>) -> PyResult<Option<Py<Settling>>> {
        let Some(purge) = self.done.lock().take() else {
            return Ok(None);
        };
        let _walk = self.store.get().store.purge(&purge);
        settling(py, &self.store)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.send)?;
        visit.call(&self.store)
    }
}
