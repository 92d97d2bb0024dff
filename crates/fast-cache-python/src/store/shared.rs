//! The store that all processes of a machine share.

use super::{AnyStore, HostStore, SystemClock};
use crate::patterns::pattern_of;
use crate::representation::Representation;
use fast_cache_core::key::Secret;
use fast_cache_shared::{OpenError, Options, SharedStore};
use fast_cache_store::Limits;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use std::path::Path;
use std::sync::Arc;

/// A store in the directory `path`, of at most so many entries and bytes, and so many bytes near in each process.
/// `warn` is told of trouble.
pub(super) fn open(
    path: &Path,
    (max_entries, max_bytes, near): (usize, usize, Option<usize>),
    longest: Option<f64>,
    clock: Py<SystemClock>,
    warn: Py<PyAny>,
) -> PyResult<HostStore> {
    let shared_clock = Arc::clone(&clock.get().clock);
    let limits = Limits {
        max_entries,
        max_bytes,
    };
    let mut options = Options::new(limits, move || shared_clock.now());
    if let Some(near) = near {
        options.near.max_bytes = near;
    }
    options.host_pattern = Arc::new(pattern_of);
    options.warn = Arc::new(move |text| {
        Python::attach(|py| {
            // Who is told must not break who tells.
            if let Err(error) = warn.call1(py, ("%s", text)) {
                error.write_unraisable(py, None);
            }
        });
    });
    let store =
        SharedStore::<Representation>::open(path, options).map_err(|error| match error {
            OpenError::Refused(words) => PyValueError::new_err(words),
            other => PyOSError::new_err(other.to_string()),
        })?;
    let secret = Secret::from_bytes(store.secret());
    HostStore::over(AnyStore::Shared(Box::new(store)), secret, longest, clock)
}
