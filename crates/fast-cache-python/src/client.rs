//! What a scope tells of the client beside its headers: outer middleware and the server leave it there.

use crate::application::Cached;
use crate::names;
use fast_cache_core::fields::Line;
use fast_cache_core::rules::request::Noted;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

/// What a request's header lines and its scope say of it.
#[inline]
pub(crate) fn note<'a>(
    scope: &Bound<'_, PyDict>,
    cached: &Cached,
    lines: &[Line<'a>],
) -> Noted<'a> {
    let mut noted = Noted::from_lines(lines);
    noted.authorization |= cached.raw && has_certificate(scope);
    noted.identified = cached.strict && is_identified(scope);
    noted
}

/// Whether the scope says of the client what [`note`] would add to what the header lines say.
#[inline]
pub(crate) fn is_told(scope: &Bound<'_, PyDict>, cached: &Cached) -> bool {
    (cached.raw && has_certificate(scope)) || (cached.strict && is_identified(scope))
}

/// Whether the client's session holds anything.
pub(crate) fn has_session(scope: &Bound<'_, PyDict>) -> bool {
    item(scope, names::session(scope.py()))
        .is_some_and(|session| session.is_truthy().unwrap_or(true))
}

/// Whether outer middleware has said who the client is.
fn is_identified(scope: &Bound<'_, PyDict>) -> bool {
    let is_user = |user: Bound<'_, PyAny>| {
        let authenticated = user.getattr("is_authenticated");
        authenticated.is_ok_and(|said| said.is_truthy().unwrap_or(true))
    };
    has_session(scope) || item(scope, names::user(scope.py())).is_some_and(is_user)
}

/// Whether the client has shown a certificate (the TLS extension of ASGI).
fn has_certificate(scope: &Bound<'_, PyDict>) -> bool {
    let py = scope.py();
    let tls = item(scope, names::extensions(py)).and_then(|extensions| {
        // Servers give a `dict`; asking one for what it lacks costs no exception.
        match extensions.cast_exact::<PyDict>() {
            Ok(extensions) => item(extensions, names::tls(py)),
            Err(_) => extensions.get_item(names::tls(py)).ok(),
        }
    });
    tls.is_some_and(|tls| {
        ["client_cert_name", "client_cert_chain"]
            .iter()
            .any(|name| {
                let shown = tls.get_item(name);
                shown.is_ok_and(|shown| shown.is_truthy().unwrap_or(true))
            })
    })
}

/// The exception from whose handler the code that is running was called.
pub(crate) fn handled_exception(py: Python<'_>) -> Option<Bound<'_, PyAny>> {
    // SAFETY: gives a new reference to the exception being handled, or null.
    let handled = unsafe { Bound::from_owned_ptr_or_opt(py, ffi::PyErr_GetHandledException()) };
    handled.filter(|handled| !handled.is_none())
}

fn item<'py>(scope: &Bound<'py, PyDict>, name: &Bound<'py, PyString>) -> Option<Bound<'py, PyAny>> {
    scope.get_item(name).ok()?
}
