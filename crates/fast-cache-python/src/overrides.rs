//! An application's `dependency_overrides`, and whether they are still what they were.

use crate::names;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::{PyDict, PyString};

/// The overrides of an application at the time of its analysis.
pub(crate) struct Overrides {
    /// The attributes of the application, where the overrides may be replaced as a whole.
    attributes: Py<PyDict>,
    in_force: Py<PyDict>,
    /// Each dependency with what overrides it.
    pairs: Vec<(Py<PyAny>, Py<PyAny>)>,
}

impl Overrides {
    /// The overrides of `application` now; `None` where it has none such.
    pub(crate) fn of(application: &Bound<'_, PyAny>) -> Option<Self> {
        let py = application.py();
        let attributes = application.getattr("__dict__").ok()?;
        let attributes = attributes.cast_into::<PyDict>().ok()?;
        let overrides = attributes
            .get_item(names::dependency_overrides(py))
            .ok()??;
        let overrides = overrides.cast_into::<PyDict>().ok()?;
        let pairs = overrides
            .iter()
            .map(|(dependency, overriding)| (dependency.unbind(), overriding.unbind()));
        Some(Self {
            attributes: attributes.unbind(),
            pairs: pairs.collect(),
            in_force: overrides.unbind(),
        })
    }

    /// Whether others are in force now.
    #[inline]
    pub(crate) fn have_changed(&self, py: Python<'_>) -> bool {
        let name: &Bound<'_, PyString> = names::dependency_overrides(py);
        let now = self.attributes.bind(py).get_item(name);
        let is_same = now.is_ok_and(|now| now.is_some_and(|now| now.is(&self.in_force)));
        let overrides = self.in_force.bind(py);
        !is_same
            || overrides.len() != self.pairs.len()
            || overrides
                .iter()
                .zip(&self.pairs)
                .any(|((dependency, overriding), then)| {
                    !dependency.is(&then.0) || !overriding.is(&then.1)
                })
    }

    pub(crate) fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.attributes)?;
        visit.call(&self.in_force)?;
        for (dependency, overriding) in &self.pairs {
            visit.call(dependency)?;
            visit.call(overriding)?;
        }
        Ok(())
    }
}
