//! ASGI header lists: checked once, then read in place.

use fast_cache_core::fields::Line;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};
use smallvec::SmallVec;

/// Header lines on the stack; more than this many go to the heap.
pub(crate) type LineBuffer<'a> = SmallVec<[Line<'a>; 24]>;

/// A snapshot of a header list: a tuple of pairs of `bytes`. Nobody can change it, so its bytes may be borrowed.
#[derive(Debug)]
pub(crate) struct HeaderLines<'py>(Bound<'py, PyTuple>);

impl<'py> HeaderLines<'py> {
    /// Takes a snapshot of any iterable of pairs of `bytes`; `None` if it is not one.
    pub(crate) fn from_any(headers: &Bound<'py, PyAny>) -> Option<Self> {
        let tuple = if let Ok(list) = headers.cast_exact::<PyList>() {
            list.to_tuple()
        } else if let Ok(tuple) = headers.cast_exact::<PyTuple>() {
            tuple.clone()
        } else {
            PyTuple::new(
                headers.py(),
                headers
                    .try_iter()
                    .ok()?
                    .collect::<PyResult<Vec<_>>>()
                    .ok()?,
            )
            .ok()?
        };
        if tuple.iter_borrowed().all(|pair| is_pair(&pair)) {
            return Some(Self(tuple));
        }
        let pairs: Option<Vec<_>> = tuple.iter_borrowed().map(|pair| as_pair(&pair)).collect();
        PyTuple::new(headers.py(), pairs?).ok().map(Self)
    }

    /// A snapshot taken before.
    pub(crate) fn from_snapshot(tuple: &Bound<'py, PyTuple>) -> Self {
        Self(tuple.clone())
    }

    /// The pairs.
    pub(crate) fn pairs(&self) -> &Bound<'py, PyTuple> {
        &self.0
    }

    /// The lines, in order.
    pub(crate) fn lines(&self) -> LineBuffer<'_> {
        let mut lines = LineBuffer::new();
        for pair in self.0.iter_borrowed() {
            // SAFETY: `from_any` made sure that every item is a tuple of two `bytes`. Tuples and `bytes` are immutable,
            // and `self` keeps the outer tuple, and so all of them, alive for as long as the lines are borrowed.
            unsafe {
                let name = ffi::PyTuple_GetItem(pair.as_ptr(), 0);
                let value = ffi::PyTuple_GetItem(pair.as_ptr(), 1);
                lines.push(Line::new(bytes_of(name), bytes_of(value)));
            }
        }
        lines
    }
}

/// The bytes of a `bytes` object.
///
/// # Safety
///
/// `object` must be a `bytes` that outlives `'a`.
unsafe fn bytes_of<'a>(object: *mut ffi::PyObject) -> &'a [u8] {
    // SAFETY: the caller's promise; neither call fails on a `bytes`.
    unsafe {
        let start = ffi::PyBytes_AsString(object).cast::<u8>();
        let length = ffi::PyBytes_Size(object);
        std::slice::from_raw_parts(start, length.unsigned_abs())
    }
}

fn is_pair(pair: &Bound<'_, PyAny>) -> bool {
    let Ok(pair) = pair.cast_exact::<PyTuple>() else {
        return false;
    };
    pair.len() == 2
        && pair
            .iter_borrowed()
            .all(|part| part.is_exact_instance_of::<PyBytes>())
}

/// Any sequence of two byte strings as a tuple of two `bytes`.
fn as_pair<'py>(pair: &Bound<'py, PyAny>) -> Option<Bound<'py, PyTuple>> {
    if is_pair(pair) {
        return pair.clone().cast_into().ok();
    }
    let parts = pair.try_iter().ok()?.collect::<PyResult<Vec<_>>>().ok()?;
    let [name, value] = parts.as_slice() else {
        return None;
    };
    let name = as_bytes(name)?;
    let value = as_bytes(value)?;
    PyTuple::new(pair.py(), [name, value]).ok()
}

/// `bytes`, `bytearray` or `memoryview` as `bytes`.
pub(crate) fn as_bytes<'py>(value: &Bound<'py, PyAny>) -> Option<Bound<'py, PyBytes>> {
    if let Ok(bytes) = value.cast_exact::<PyBytes>() {
        return Some(bytes.clone());
    }
    if value.is_instance_of::<pyo3::types::PyString>()
        || value.is_instance_of::<pyo3::types::PyInt>()
    {
        return None;
    }
    // SAFETY: `PyBytes_FromObject` gives a new reference or null with an exception set, which is taken below.
    let made = unsafe {
        Bound::from_owned_ptr_or_opt(value.py(), ffi::PyBytes_FromObject(value.as_ptr()))
    };
    if made.is_none() {
        drop(PyErr::take(value.py()));
    }
    made?.cast_into().ok()
}
