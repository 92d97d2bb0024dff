//! Reading an ASGI scope at a glance: without running Python code, and without owning what is read.
//!
//! Servers fill every scope in the same order, under interned names. So a field is looked for where it stood last
//! time, and is found there if the key is the very same object. What is not found in this way is left to those who read
//! a scope as any mapping (`scope.rs`).

use crate::lines::bytes_of;
use crate::names;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use std::sync::atomic::{AtomicIsize, Ordering};

/// A field of a scope.
#[derive(Clone, Copy)]
pub(crate) enum Field {
    Type,
    Method,
    Path,
    RootPath,
    Scheme,
    RawPath,
    Query,
    Headers,
}

const FIELDS: usize = Field::Headers as usize + 1;

impl Field {
    #[inline]
    fn name(self, py: Python<'_>) -> &Bound<'_, PyString> {
        match self {
            Self::Type => names::type_(py),
            Self::Method => names::method(py),
            Self::Path => names::path(py),
            Self::RootPath => names::root_path(py),
            Self::Scheme => names::scheme(py),
            Self::RawPath => names::raw_path(py),
            Self::Query => names::query_string(py),
            Self::Headers => names::headers(py),
        }
    }
}

/// Where the fields stood in the scope that was read last.
#[derive(Debug, Default)]
pub(crate) struct Layout([Position; FIELDS]);

/// Where a name stood in the dictionary that was read last.
#[derive(Debug, Default)]
pub(crate) struct Position(AtomicIsize);

/// What routing needs of a scope.
#[derive(Clone, Copy)]
pub(crate) struct TargetGlance<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) root_path: &'a str,
    objects: [*mut ffi::PyObject; 3],
}

impl TargetGlance<'_> {
    /// Holds on to what was read, so that it outlives whatever Python code runs meanwhile.
    pub(crate) fn owned<'py>(&self, py: Python<'py>) -> [Bound<'py, PyAny>; 3] {
        self.objects
            // SAFETY: the objects are live: no Python code has run since they were read.
            .map(|object| unsafe { Bound::from_borrowed_ptr(py, object) })
    }
}

/// What else a key is made of.
#[derive(Clone, Copy)]
pub(crate) struct RestGlance<'a> {
    pub(crate) scheme: &'a [u8],
    pub(crate) raw_path: &'a [u8],
    pub(crate) query: &'a [u8],
}

impl Layout {
    /// The scope is of type `http`; `None` where a glance does not tell.
    #[inline]
    pub(crate) fn is_http(&self, scope: &Bound<'_, PyDict>) -> Option<()> {
        let kind = self.find(scope, Field::Type)?;
        let http = names::http(scope.py());
        // SAFETY: nothing runs Python code before the text is compared.
        (kind == http.as_ptr() || unsafe { text(kind) }? == "http").then_some(())
    }

    /// Method and paths; `None` where a glance does not tell.
    ///
    /// # Safety
    ///
    /// No Python code may run while what is returned is in use: it is borrowed from a scope that anybody may change.
    #[inline]
    pub(crate) unsafe fn target<'a>(
        &self,
        scope: &'a Bound<'_, PyDict>,
    ) -> Option<TargetGlance<'a>> {
        let objects = [
            self.find(scope, Field::Method)?,
            self.find(scope, Field::Path)?,
            self.find(scope, Field::RootPath)?,
        ];
        // SAFETY: the caller's promise.
        unsafe {
            Some(TargetGlance {
                method: text(objects[0])?,
                path: text(objects[1])?,
                root_path: text(objects[2])?,
                objects,
            })
        }
    }

    /// The rest of the scope but for its headers; `None` where a glance does not tell.
    ///
    /// # Safety
    ///
    /// As for [`Self::target`].
    #[inline]
    pub(crate) unsafe fn rest<'a>(&self, scope: &'a Bound<'_, PyDict>) -> Option<RestGlance<'a>> {
        // SAFETY: the caller's promise.
        unsafe {
            Some(RestGlance {
                scheme: text(self.find(scope, Field::Scheme)?)?.as_bytes(),
                raw_path: bytes(self.find(scope, Field::RawPath)?)?,
                query: bytes(self.find(scope, Field::Query)?)?,
            })
        }
    }

    /// The headers, borrowed: what [`Self::target`] says goes for them as well.
    #[inline]
    pub(crate) fn headers(&self, scope: &Bound<'_, PyDict>) -> Option<*mut ffi::PyObject> {
        self.find(scope, Field::Headers)
    }

    /// The value of a field, borrowed; `None` where its name does not stand there as the same object.
    #[inline]
    fn find(&self, scope: &Bound<'_, PyDict>, field: Field) -> Option<*mut ffi::PyObject> {
        self.0[field as usize].find(scope, field.name(scope.py()))
    }
}

impl Position {
    /// The value under a name, borrowed, so that the caller must hold it before Python code runs; `None` where the name does
    /// not stand there as this very object. Runs no Python code.
    #[inline]
    pub(crate) fn find(
        &self,
        dictionary: &Bound<'_, PyDict>,
        name: &Bound<'_, PyString>,
    ) -> Option<*mut ffi::PyObject> {
        let name = name.as_ptr();
        let mut position = self.0.load(Ordering::Relaxed);
        let mut entry = Entry::at(dictionary, &mut position);
        if entry.key != name {
            (entry, position) = search(dictionary, name)?;
            self.0.store(position, Ordering::Relaxed);
        }
        Some(entry.value)
    }
}

/// An entry of a dictionary, borrowed; both are null past its end.
struct Entry {
    key: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
}

impl Entry {
    /// The entry at a position, or the next there is. Moves the position on.
    #[inline]
    fn at(scope: &Bound<'_, PyDict>, position: &mut isize) -> Self {
        let mut entry = Self {
            key: std::ptr::null_mut(),
            value: std::ptr::null_mut(),
        };
        // SAFETY: the dictionary is live; any position will do, for it is compared with the bounds. Both pointers stay
        // null where there is no such entry.
        unsafe {
            ffi::PyDict_Next(
                scope.as_ptr(),
                position,
                &raw mut entry.key,
                &raw mut entry.value,
            );
        }
        entry
    }
}

/// The entry with this very key, and its position.
#[cold]
fn search(scope: &Bound<'_, PyDict>, name: *mut ffi::PyObject) -> Option<(Entry, isize)> {
    let mut next = 0;
    loop {
        let position = next;
        let entry = Entry::at(scope, &mut next);
        if entry.key == name {
            return Some((entry, position));
        }
        if entry.key.is_null() {
            return None;
        }
    }
}

/// The text of a `str`; `None` for anything else, subclasses included, and where it is not valid.
///
/// # Safety
///
/// `object` must be live, and outlive `'a`.
#[inline]
unsafe fn text<'a>(object: *mut ffi::PyObject) -> Option<&'a str> {
    // SAFETY: the caller's promise; the type is checked first. The text is kept by the object itself, and a null
    // pointer comes with an exception set, which is cleared.
    unsafe {
        if ffi::PyUnicode_CheckExact(object) == 0 {
            return None;
        }
        let mut length = 0;
        let start = ffi::PyUnicode_AsUTF8AndSize(object, &raw mut length);
        if start.is_null() {
            ffi::PyErr_Clear();
            return None;
        }
        let bytes = std::slice::from_raw_parts(start.cast::<u8>(), length.unsigned_abs());
        // The interpreter has made this UTF-8.
        Some(std::str::from_utf8_unchecked(bytes))
    }
}

/// The bytes of a `bytes`; `None` for anything else, subclasses included.
///
/// # Safety
///
/// `object` must be live, and outlive `'a`.
#[inline]
unsafe fn bytes<'a>(object: *mut ffi::PyObject) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise; the type is checked first.
    unsafe { (ffi::PyBytes_CheckExact(object) != 0).then(|| bytes_of(object)) }
}
