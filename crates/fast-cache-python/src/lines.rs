//! ASGI header lists: checked once, then read in place.

use fast_cache_core::fields::Line;
use fast_cache_engine::lines::Unread;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyList, PyMemoryView, PyTuple};
use smallvec::SmallVec;
use std::cell::OnceCell;
use std::marker::PhantomData;

/// Header lines on the stack; more than this many go to the heap.
pub(crate) type LineBuffer<'a> = SmallVec<[Line<'a>; 24]>;

/// A snapshot of a header list: a tuple of pairs of `bytes`. Nobody can change it, so its bytes may be borrowed.
#[derive(Debug)]
pub(crate) struct HeaderLines<'py>(Bound<'py, PyTuple>);

impl<'py> HeaderLines<'py> {
    /// Takes a snapshot of any iterable of pairs of `bytes`; `None` if it is not one, or can be read only once.
    pub(crate) fn from_any(headers: &Bound<'py, PyAny>) -> Option<Self> {
        let tuple = Self::unchecked(headers)?;
        if tuple.iter_borrowed().all(|pair| is_pair(&pair)) {
            return Some(Self(tuple));
        }
        let pairs: Option<Vec<_>> = tuple.iter_borrowed().map(|pair| as_pair(&pair)).collect();
        PyTuple::new(headers.py(), pairs?).ok().map(Self)
    }

    fn unchecked(headers: &Bound<'py, PyAny>) -> Option<Bound<'py, PyTuple>> {
        if let Ok(list) = headers.cast_exact::<PyList>() {
            return Some(list.to_tuple());
        }
        if let Ok(tuple) = headers.cast_exact::<PyTuple>() {
            return Some(tuple.clone());
        }
        if is_one_shot(headers) {
            return None;
        }
        let items = headers.try_iter().ok()?.collect::<PyResult<Vec<_>>>();
        PyTuple::new(headers.py(), items.ok()?).ok()
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

/// The lines of a snapshot, read where somebody asks for them.
pub(crate) struct UnreadLines<'a, 'py> {
    headers: &'a HeaderLines<'py>,
    read: OnceCell<LineBuffer<'a>>,
}

impl<'a, 'py> UnreadLines<'a, 'py> {
    pub(crate) fn of(headers: &'a HeaderLines<'py>) -> Self {
        let read = OnceCell::new();
        Self { headers, read }
    }
}

impl Unread for UnreadLines<'_, '_> {
    fn read(&self) -> &[Line<'_>] {
        self.read.get_or_init(|| self.headers.lines())
    }
}

/// Those lines of a header list whose names matter. No others are read further than their names.
#[derive(Debug)]
pub(crate) struct MatteringLines<'py>(SmallVec<[Bound<'py, PyTuple>; 8]>);

impl<'py> MatteringLines<'py> {
    /// Picks lines out of a list of pairs of `bytes`; `None` if it is not one.
    #[inline]
    pub(crate) fn pick(
        headers: &Bound<'py, PyAny>,
        matters: impl Fn(&[u8]) -> bool,
    ) -> Option<Self> {
        let Ok(list) = headers.cast_exact::<PyList>() else {
            return Self::pick_from_any(headers, matters);
        };
        let mut picked = SmallVec::new();
        let mut index = 0;
        // SAFETY: the list is live, and as nothing in the loop runs Python code, its length stays what it is. An item is
        // borrowed from the list only until its name was looked at; one that matters is then owned.
        unsafe {
            let length = ffi::PyList_Size(list.as_ptr());
            while index < length {
                let pair = ffi::PyList_GetItem(list.as_ptr(), index);
                if ffi::PyTuple_CheckExact(pair) == 0 {
                    return Self::pick_from_any(headers, matters);
                }
                let name = ffi::PyTuple_GetItem(pair, 0);
                if name.is_null() || ffi::PyBytes_CheckExact(name) == 0 {
                    drop(PyErr::take(headers.py()));
                    return Self::pick_from_any(headers, matters);
                }
                if matters(bytes_of(name)) {
                    let pair: Bound<'py, PyAny> = Bound::from_borrowed_ptr(headers.py(), pair);
                    if !is_pair(&pair) {
                        return Self::pick_from_any(headers, matters);
                    }
                    picked.push(pair.cast_into_unchecked());
                }
                index += 1;
            }
        }
        Some(Self(picked))
    }

    #[cold]
    fn pick_from_any(headers: &Bound<'py, PyAny>, matters: impl Fn(&[u8]) -> bool) -> Option<Self> {
        let all = HeaderLines::from_any(headers)?;
        let pairs = all.pairs().iter().zip(all.lines());
        let picked = pairs.filter(|(_, line)| matters(line.name));
        let picked = picked.map(|(pair, _)| pair.cast_into().ok());
        picked.collect::<Option<_>>().map(Self)
    }

    /// The lines, in order.
    pub(crate) fn lines(&self) -> SmallVec<[Line<'_>; 8]> {
        let mut lines = SmallVec::new();
        for pair in &self.0 {
            // SAFETY: `pick` made sure that the pair is a tuple of two `bytes`; both are immutable, and `self` keeps
            // them alive for as long as the line is borrowed.
            unsafe {
                let name = ffi::PyTuple_GetItem(pair.as_ptr(), 0);
                let value = ffi::PyTuple_GetItem(pair.as_ptr(), 1);
                lines.push(Line::new(bytes_of(name), bytes_of(value)));
            }
        }
        lines
    }
}

/// Looks at the lines of a header list, one after the other, for as long as `look` says so; `None` where it said no, and
/// where this is no plain list of pairs whose names are `bytes`.
///
/// # Safety
///
/// `headers` must be live, and no Python code may run while it is looked at, or while what was read is in use: anybody
/// may change the list.
#[inline]
pub(crate) unsafe fn glance_at_lines<'a>(
    headers: *mut ffi::PyObject,
    mut look: impl FnMut(&'a [u8], ValueGlance<'a>) -> Option<()>,
) -> Option<()> {
    // SAFETY: the caller's promise. Types and lengths are checked before anything is read.
    unsafe {
        if ffi::PyList_CheckExact(headers) == 0 {
            return None;
        }
        for index in 0..ffi::PyList_Size(headers) {
            let pair = ffi::PyList_GetItem(headers, index);
            if ffi::PyTuple_CheckExact(pair) == 0 || ffi::Py_SIZE(pair) != 2 {
                return None;
            }
            let name = ffi::PyTuple_GetItem(pair, 0);
            if ffi::PyBytes_CheckExact(name) == 0 {
                return None;
            }
            look(bytes_of(name), ValueGlance(pair, PhantomData))?;
        }
    }
    Some(())
}

/// The value of a line that is looked at.
pub(crate) struct ValueGlance<'a>(*mut ffi::PyObject, PhantomData<&'a [u8]>);

impl<'a> ValueGlance<'a> {
    /// Reads it; `None` where it is not `bytes`.
    #[inline]
    pub(crate) fn read(&self) -> Option<&'a [u8]> {
        // SAFETY: only `glance_at_lines` makes these, of tuples of two, and hands them to its caller, who has promised that they
        // stay alive for as long as what was read is in use.
        unsafe {
            let value = ffi::PyTuple_GetItem(self.0, 1);
            (ffi::PyBytes_CheckExact(value) != 0).then(|| bytes_of(value))
        }
    }
}

/// The bytes of a `bytes` object.
///
/// # Safety
///
/// `object` must be a `bytes` that outlives `'a`.
#[inline]
pub(crate) unsafe fn bytes_of<'a>(object: *mut ffi::PyObject) -> &'a [u8] {
    // SAFETY: the caller's promise; neither can fail on a `bytes`.
    unsafe {
        let length = ffi::Py_SIZE(object).unsigned_abs();
        std::slice::from_raw_parts(ffi::PyBytes_AsString(object).cast::<u8>(), length)
    }
}

#[inline]
fn is_pair(pair: &Bound<'_, PyAny>) -> bool {
    // SAFETY: the checks read the type of a live object; the items are borrowed from a tuple of that length.
    unsafe {
        let pair = pair.as_ptr();
        ffi::PyTuple_CheckExact(pair) != 0
            && ffi::Py_SIZE(pair) == 2
            && ffi::PyBytes_CheckExact(ffi::PyTuple_GetItem(pair, 0)) != 0
            && ffi::PyBytes_CheckExact(ffi::PyTuple_GetItem(pair, 1)) != 0
    }
}

/// Any sequence of two byte strings as a tuple of two `bytes`.
fn as_pair<'py>(pair: &Bound<'py, PyAny>) -> Option<Bound<'py, PyTuple>> {
    if is_pair(pair) {
        return pair.clone().cast_into().ok();
    }
    if is_one_shot(pair) {
        return None;
    }
    let parts = pair.try_iter().ok()?.collect::<PyResult<Vec<_>>>().ok()?;
    let [name, value] = parts.as_slice() else {
        return None;
    };
    let name = as_bytes(name)?;
    let value = as_bytes(value)?;
    PyTuple::new(pair.py(), [name, value]).ok()
}

/// Whether reading an iterable uses it up: then it is left to whoever it was meant for.
pub(crate) fn is_one_shot(iterable: &Bound<'_, PyAny>) -> bool {
    // SAFETY: the check reads the type of a live object.
    unsafe { ffi::PyIter_Check(iterable.as_ptr()) != 0 }
}

/// `bytes`, `bytearray` or `memoryview` as `bytes`.
pub(crate) fn as_bytes<'py>(value: &Bound<'py, PyAny>) -> Option<Bound<'py, PyBytes>> {
    if let Ok(bytes) = value.cast_exact::<PyBytes>() {
        return Some(bytes.clone());
    }
    let has_bytes = value.is_instance_of::<PyBytes>()
        || value.is_instance_of::<PyByteArray>()
        || value.is_instance_of::<PyMemoryView>();
    if !has_bytes {
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
