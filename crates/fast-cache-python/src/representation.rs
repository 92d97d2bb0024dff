//! How this host keeps a response: Python objects that go out again as they are.

use fast_cache_core::fields::Line;
use fast_cache_core::rules::kept_fields::KeptFields;
use fast_cache_engine::observe::RouteCounters;
use foldhash::fast::RandomState;
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyTuple};
use std::collections::HashMap;
use std::sync::Arc;

/// Header lines as a tuple of pairs of `bytes`, and the body as one `bytes`.
#[derive(Debug)]
pub(crate) struct Representation {
    pub(crate) lines: Py<PyTuple>,
    pub(crate) body: Py<PyBytes>,
    counted: Option<(Arc<RouteCounters>, usize)>,
}

impl Representation {
    /// Keeps `lines` and `body`; `weight` bytes are counted for the route until it is dropped.
    pub(crate) fn new(
        lines: Py<PyTuple>,
        body: Py<PyBytes>,
        counters: Option<Arc<RouteCounters>>,
        weight: usize,
    ) -> Self {
        if let Some(counters) = &counters {
            counters.entry_came(weight);
        }
        Self {
            lines,
            body,
            counted: counters.map(|counters| (counters, weight)),
        }
    }

    /// Counts that it had to make room for another.
    pub(crate) fn evicted(&self) {
        if let Some((counters, _)) = &self.counted {
            counters.evicted();
        }
    }

    /// Bytes that it takes, where they are counted for its route.
    pub(crate) fn weight(&self) -> usize {
        self.counted.as_ref().map_or(0, |(_, weight)| *weight)
    }

    /// The counters of its route.
    pub(crate) fn counters(&self) -> Option<Arc<RouteCounters>> {
        self.counted
            .as_ref()
            .map(|(counters, _)| Arc::clone(counters))
    }
}

impl Drop for Representation {
    fn drop(&mut self) {
        if let Some((counters, weight)) = &self.counted {
            counters.entry_went(*weight);
        }
    }
}

/// The lines that are kept of a response with these `pairs`, which are `lines`, and the bytes they take.
pub(crate) fn kept_lines<'py>(
    py: Python<'py>,
    pairs: &Bound<'py, PyTuple>,
    lines: &[Line<'_>],
    etag: Option<u64>,
) -> PyResult<(Bound<'py, PyTuple>, usize)> {
    let kept = KeptFields::of(lines);
    let mut weight = 64;
    let mut own = Vec::with_capacity(lines.len() + 1);
    for (line, pair) in lines.iter().zip(pairs.iter_borrowed()) {
        if !kept.keeps(line.name) {
            continue;
        }
        weight += 8;
        if let Some(shared) = shared_line(py, line.name, line.value)? {
            own.push(shared);
        } else {
            weight += line.name.len() + line.value.len() + 160;
            own.push(pair.to_owned());
        }
    }
    if let Some(hash) = etag {
        let tag = fast_cache_core::fields::validators::format_generated(hash);
        weight += 8 + 64 + 64;
        own.push(PyTuple::new(py, [etag_name(py).clone(), PyBytes::new(py, &tag)])?.into_any());
    }
    Ok((PyTuple::new(py, own)?, weight))
}

/// The bytes that these lines take, if none of them is shared.
pub(crate) fn weight_of_lines(lines: &[Line<'_>]) -> usize {
    let weigh = |line: &Line<'_>| line.name.len() + line.value.len() + 168;
    64 + lines.iter().map(weigh).sum::<usize>()
}

fn etag_name(py: Python<'_>) -> &Bound<'_, PyBytes> {
    static NAME: PyOnceLock<Py<PyBytes>> = PyOnceLock::new();
    NAME.get_or_init(py, || PyBytes::new(py, b"etag").unbind())
        .bind(py)
}

/// Lines that many responses have in common are kept once. The table is small and never grows past its bound.
fn shared_line<'py>(
    py: Python<'py>,
    name: &[u8],
    value: &[u8],
) -> PyResult<Option<Bound<'py, PyAny>>> {
    const MAX_LINES: usize = 1024;
    const MAX_LENGTH: usize = 96;
    type Table = HashMap<Box<[u8]>, Py<PyTuple>, RandomState>;
    static LINES: Mutex<Option<Table>> = Mutex::new(None);
    let shareable = matches!(
        name,
        b"content-length" | b"content-type" | b"cache-control" | b"vary" | b"content-encoding"
    );
    if !shareable || name.len() + value.len() > MAX_LENGTH {
        return Ok(None);
    }
    let mut key = smallvec::SmallVec::<[u8; 128]>::new();
    key.extend_from_slice(name);
    key.push(b':');
    key.extend_from_slice(value);
    if let Some(pair) = LINES.lock().get_or_insert_default().get(&key[..]) {
        return Ok(Some(pair.bind(py).clone().into_any()));
    }
    // Not under the lock: making objects may collect garbage, which may run Python code.
    let pair = PyTuple::new(py, [PyBytes::new(py, name), PyBytes::new(py, value)])?;
    let mut table = LINES.lock();
    let table = table.get_or_insert_default();
    if table.len() < MAX_LINES {
        table
            .entry(key.into_vec().into())
            .or_insert_with(|| pair.clone().unbind());
    }
    Ok(Some(pair.into_any()))
}

/// Bytes that a body takes beyond its own: the object's header and the allocator's rounding.
pub(crate) fn body_weight(length: usize) -> usize {
    length + 33 + 16
}
