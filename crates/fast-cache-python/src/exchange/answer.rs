//! A whole answer that is to be kept.

use crate::lines::HeaderLines;
use crate::metadata;
use crate::recorder::{Finished, Recorder};
use crate::store::HostStore;
use fast_cache_core::fields::values;
use fast_cache_engine::commit::{Commit, commit};
use fast_cache_engine::lines::Lines;
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

/// A whole answer that is to be kept.
#[pyclass(frozen, module = "fast_cache_middleware._core")]
pub(crate) struct Answer {
    written: metadata::Written,
    #[pyo3(get)]
    status: u16,
    #[pyo3(get)]
    headers: Py<PyTuple>,
    #[pyo3(get)]
    body: Py<PyBytes>,
    /// Seconds.
    #[pyo3(get)]
    lifetime: f64,
    #[pyo3(get)]
    storage_key: String,
    path: Box<str>,
    store: Py<HostStore>,
    finished: Mutex<Option<Finished>>,
}

impl Answer {
    /// What the recorder has ready to be kept.
    pub(super) fn ready(recorder: &mut Recorder, py: Python<'_>) -> Option<Self> {
        let finished = recorder.finished.take()?;
        let stored = &finished.stored;
        Some(Self {
            written: metadata::write(&finished),
            status: stored.status,
            headers: stored.representation.lines.clone_ref(py),
            body: stored.representation.body.clone_ref(py),
            lifetime: stored.lifetime.as_secs_f64(),
            storage_key: metadata::storage_key(&finished.storage_key),
            path: recorder.path().into(),
            store: recorder.store(py),
            finished: Mutex::new(Some(finished)),
        })
    }
}

#[pymethods]
impl Answer {
    /// What must be kept beside status, headers and body; plain values that survive JSON.
    fn metadata<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.written.to_dict(py, &self.path)
    }

    /// Counts the answer as kept by a custom storage.
    fn kept(&self) {
        let finished = self.finished.lock().take();
        if let Some(counters) =
            finished.and_then(|finished| finished.stored.representation.counters())
        {
            counters.stored();
        }
    }

    /// Commits the answer to the memory store; whether it was kept.
    fn commit(&self, py: Python<'_>, request_headers: &Bound<'_, PyAny>) -> bool {
        let Some(finished) = self.finished.lock().take() else {
            return false;
        };
        let Some(headers) = HeaderLines::from_any(request_headers) else {
            return false;
        };
        let Finished {
            stored,
            labels,
            birth,
            key,
            varying,
            weight,
            normalize_language,
            ..
        } = finished;
        let counters = stored.representation.counters();
        let store = self.store.get();
        let lines = headers.lines();
        let kept = HeaderLines::from_snapshot(self.headers.bind(py));
        let kept_lines = kept.lines();
        let path = &*self.path;
        let labels = labels.as_slice();
        let varying = varying.as_slice();
        let parts = Commit {
            key,
            birth,
            path,
            labels,
            varying,
            lines: Lines::Read(&lines),
            normalize_language,
            content_language: values(&kept_lines, "content-language").next(),
            stored,
            weight,
        };
        let kept = commit(&store.store, &store.secret, parts).is_ok();
        if let (true, Some(counters)) = (kept, counters) {
            counters.stored();
        }
        kept
    }
}
