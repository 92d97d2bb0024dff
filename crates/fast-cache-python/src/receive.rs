//! What the application learns through `receive`. A request that was taken for one without a body may turn out to
//! have one, which HTTP/2 and newer need not announce; and an application that sees its client leave may end its
//! answer early, as if it were whole. Neither answer is kept.

use crate::application::Cached;
use crate::names;
use fast_cache_core::reason::Reason;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use std::sync::OnceLock;

/// The first reason that the application was given for which its answer cannot be kept.
///
/// Beside the recorder's lock, because the one who tells must not wait for it.
#[derive(Debug, Default)]
pub(crate) struct Received(OnceLock<Reason>);

impl Received {
    /// Takes note of a message that the application received.
    pub(crate) fn note(&self, message: &Bound<'_, PyAny>) {
        let py = message.py();
        let item = |name| {
            let message = message.cast::<PyDict>().ok()?;
            message.get_item(name).ok().flatten()
        };
        let kind = item(names::type_(py));
        let is = |name: &str| {
            kind.as_ref()
                .is_some_and(|kind| kind.eq(name).unwrap_or(false))
        };
        if is("http.disconnect") {
            self.refuse(Reason::Incomplete);
        } else if !is("http.request")
            || item(names::body(py)).is_some_and(|body| body.is_truthy().unwrap_or(true))
        {
            self.refuse(Reason::RequestBody);
        }
    }

    /// The answer is not to be kept.
    pub(crate) fn refuse(&self, reason: Reason) {
        // The first reason stands.
        let _ = self.0.set(reason);
    }

    /// Why the answer is not to be kept, if it is not.
    pub(crate) fn refusal(&self) -> Option<Reason> {
        self.0.get().copied()
    }
}

/// Whether something in `receive` may bear on the answer: the version lets a body come unannounced, or an endpoint
/// holds the raw request.
pub(crate) fn is_worth_watching(scope: &Bound<'_, PyDict>, cached: &Cached) -> bool {
    if cached.raw {
        return true;
    }
    let version = scope
        .get_item(names::http_version(scope.py()))
        .ok()
        .flatten();
    let version = version
        .as_ref()
        .and_then(|version| version.cast::<PyString>().ok()?.to_str().ok());
    !version.is_some_and(|version| version.starts_with("1."))
}
