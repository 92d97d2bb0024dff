//! Patterns over paths, and Python's regular expressions among them.

use fast_cache_core::purge::{HostPattern, PathPattern};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use std::fmt;
use std::sync::Arc;

/// A path pattern from its kind and text.
pub(crate) fn path_pattern(
    kind: &str,
    text: &str,
    pattern: Option<Py<PyAny>>,
) -> PyResult<PathPattern> {
    match (kind, pattern) {
        ("prefix", _) => Ok(PathPattern::prefix(text)),
        ("glob", _) => Ok(PathPattern::glob(text)),
        ("regex", Some(pattern)) => Python::attach(|py| {
            let flags: u32 = pattern.bind(py).getattr("flags")?.extract()?;
            let compiled = PyOnceLock::new();
            // It is new: nothing was set before.
            let _ = compiled.set(py, Some(pattern));
            Ok(PathPattern::host(Arc::new(PythonPattern {
                identity: format!("{flags}:{text}"),
                compiled,
            })))
        }),
        _ => Err(PyValueError::new_err(format!(
            "unknown kind of path pattern {kind:?}"
        ))),
    }
}

/// The regular expression with this identity, by which another process has dropped. It is compiled when it is first
/// tried on a path: whoever tells of a drop must not wait for the interpreter.
pub(crate) fn pattern_of(identity: &str) -> Option<PathPattern> {
    let (flags, _) = identity.split_once(':')?;
    flags.parse::<u32>().ok()?;
    Some(PathPattern::host(Arc::new(PythonPattern {
        identity: identity.to_owned(),
        compiled: PyOnceLock::new(),
    })))
}

/// A Python regular expression, matched from the start of the path as `re.match` does.
struct PythonPattern {
    /// Flags and text.
    identity: String,
    /// `None` inside for one that cannot be compiled here.
    compiled: PyOnceLock<Option<Py<PyAny>>>,
}

impl fmt::Debug for PythonPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PythonPattern({:?})", self.identity)
    }
}

impl PythonPattern {
    fn compile(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let (flags, text) = self.identity.split_once(':')?;
        let flags: u32 = flags.parse().ok()?;
        let compiled = py.import("re").ok()?.call_method1("compile", (text, flags));
        Some(compiled.ok()?.unbind())
    }
}

impl HostPattern for PythonPattern {
    fn matches(&self, path: &str) -> bool {
        // An expression that fails covers: a miss is the safe side.
        Python::attach(|py| {
            let Some(compiled) = self.compiled.get_or_init(py, || self.compile(py)) else {
                return true;
            };
            compiled
                .bind(py)
                .call_method1("match", (path,))
                .map_or(true, |found| !found.is_none())
        })
    }

    fn identity(&self) -> &str {
        &self.identity
    }
}
