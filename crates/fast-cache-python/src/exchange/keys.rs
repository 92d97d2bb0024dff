//! The keys of a request.

use super::Exchange;
use crate::scope::{Details, Target};
use fast_cache_core::key::{Key, authored_key, build_key, variant_key};
use fast_cache_core::reason::Reason;
use fast_cache_core::rules::request::Noted;
use fast_cache_store::{Content, LocalStore, Variants};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

impl Exchange {
    /// The request's key, from `custom` where the author makes it; or the reason to keep out of it.
    pub(super) fn make_key(
        &self,
        py: Python<'_>,
        custom: Option<&str>,
    ) -> PyResult<Result<Key, Reason>> {
        let scope = self.asked.scope.bind(py);
        let method = Target::read(scope)
            .and_then(|target| Some(target.method()?.to_owned()))
            .unwrap_or_default();
        let Some(identity) = self.cached()?.identity(&method) else {
            return Ok(Err(Reason::Method));
        };
        let secret = &self.store.get().secret;
        self.with_lookup(py, |_, headers, target, details| {
            let mut buffer = Vec::new();
            let lines = headers.lines();
            if let Some(text) = custom {
                let inputs = &self.cached()?.inputs;
                let request = details.request(target, &self.asked.root_path, &lines);
                let query = request.map(|request| request.query).unwrap_or_default();
                let key = authored_key(identity, inputs, secret, text, query, &lines, &mut buffer);
                return Ok(key.to_owned());
            }
            let host = Noted::from_lines(&lines).host;
            let request = details.request(target, &self.asked.root_path, &lines);
            let request =
                request.ok_or_else(|| PyRuntimeError::new_err("the request is malformed"))?;
            Ok(build_key(
                identity,
                &self.cached()?.inputs,
                secret,
                &request,
                host,
                &mut buffer,
            )
            .to_owned())
        })
    }

    /// The key of the variant that the request selects, where its answers are known to vary.
    pub(super) fn known_variant(&self, py: Python<'_>, primary: &Key) -> Option<Key> {
        let store = self.store.get();
        let known = store.store.get(primary.borrow())?;
        let Content::Variants(Variants { names }) = known.entry.content() else {
            return None;
        };
        let details = Details::read(self.asked.scope.bind(py))?;
        let lines = details.headers.lines();
        Some(
            variant_key(
                primary.borrow().bytes,
                names,
                &store.secret,
                &lines,
                &mut Vec::new(),
            )
            .to_owned(),
        )
    }
}
