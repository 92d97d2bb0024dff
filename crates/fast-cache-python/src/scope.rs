//! An ASGI scope, read in place.

use crate::glance::Layout;
use crate::lines::HeaderLines;
use crate::names;
use fast_cache_core::fields::Line;
use fast_cache_core::request::{Method, Request};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

/// The parts of an HTTP scope that routing needs.
pub(crate) struct Target<'py> {
    method: Bound<'py, PyString>,
    path: Bound<'py, PyString>,
    root_path: Option<Bound<'py, PyString>>,
}

impl<'py> Target<'py> {
    /// Reads method and paths; `None` where one is missing or is not text.
    pub(crate) fn read(scope: &Bound<'py, PyDict>) -> Option<Self> {
        let py = scope.py();
        let text = |name| scope.get_item(name).ok()??.cast_into::<PyString>().ok();
        Some(Self {
            method: text(names::method(py))?,
            path: text(names::path(py))?,
            root_path: text(names::root_path(py)),
        })
    }

    /// The same of a scope that is mostly laid out as the last one was.
    pub(crate) fn read_at(layout: &Layout, scope: &Bound<'py, PyDict>) -> Option<Self> {
        // SAFETY: what was found is owned before anything else is done.
        let found = unsafe { layout.target(scope) }.map(|found| found.owned(scope.py()));
        let Some([method, path, root_path]) = found else {
            return Self::read(scope);
        };
        Some(Self {
            method: method.cast_into().ok()?,
            path: path.cast_into().ok()?,
            root_path: root_path.cast_into().ok(),
        })
    }

    /// The method's name.
    pub(crate) fn method(&self) -> Option<&str> {
        self.method.to_str().ok()
    }

    /// The decoded path; `None` where it is not valid text.
    pub(crate) fn path(&self) -> Option<&str> {
        self.path.to_str().ok()
    }

    /// The prefix under which the application is served.
    pub(crate) fn root_path(&self) -> Option<&str> {
        self.root_path
            .as_ref()
            .map_or(Some(""), |root_path| root_path.to_str().ok())
    }
}

/// The rest of a scope but for its headers, for routes that are cached.
pub(crate) struct Rest<'py> {
    scheme: Option<Bound<'py, PyString>>,
    raw_path: Option<Bound<'py, PyBytes>>,
    query: Option<Bound<'py, PyBytes>>,
}

impl<'py> Rest<'py> {
    /// Reads it; `None` where something is malformed.
    pub(crate) fn read(scope: &Bound<'py, PyDict>) -> Option<Self> {
        let py = scope.py();
        let bytes = |name| match scope.get_item(name).ok()? {
            Some(value) if !value.is_none() => Some(Some(value.cast_into::<PyBytes>().ok()?)),
            _ => Some(None),
        };
        let scheme = match scope.get_item(names::scheme(py)).ok()? {
            Some(scheme) => Some(scheme.cast_into::<PyString>().ok()?),
            None => None,
        };
        Some(Self {
            scheme,
            raw_path: bytes(names::raw_path(py))?,
            query: bytes(names::query_string(py))?,
        })
    }

    /// The request as the core sees it.
    pub(crate) fn request<'a>(
        &'a self,
        target: &'a Target<'_>,
        root_path: &'a str,
        lines: &'a [Line<'a>],
    ) -> Option<Request<'a>> {
        Some(Request {
            method: Method::from_name(target.method()?),
            scheme: self
                .scheme
                .as_ref()
                .map_or(Some("http"), |scheme| scheme.to_str().ok())?
                .as_bytes(),
            path: target.path()?,
            raw_path: self.raw_path.as_ref().map(PyBytesMethods::as_bytes),
            root_path,
            query: self
                .query
                .as_ref()
                .map(PyBytesMethods::as_bytes)
                .unwrap_or_default(),
            lines,
        })
    }
}

/// The rest of a scope with all of its headers.
pub(crate) struct Details<'py> {
    rest: Rest<'py>,
    pub(crate) headers: HeaderLines<'py>,
}

impl<'py> Details<'py> {
    /// Reads it; `None` where something is malformed.
    pub(crate) fn read(scope: &Bound<'py, PyDict>) -> Option<Self> {
        Some(Self {
            rest: Rest::read(scope)?,
            headers: HeaderLines::from_any(&headers_of(scope)?)?,
        })
    }

    /// The request as the core sees it.
    pub(crate) fn request<'a>(
        &'a self,
        target: &'a Target<'_>,
        root_path: &'a str,
        lines: &'a [Line<'a>],
    ) -> Option<Request<'a>> {
        self.rest.request(target, root_path, lines)
    }
}

/// The headers of a scope as they stand in it.
pub(crate) fn headers_of<'py>(scope: &Bound<'py, PyDict>) -> Option<Bound<'py, PyAny>> {
    scope.get_item(names::headers(scope.py())).ok()?
}
