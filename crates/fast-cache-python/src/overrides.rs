//! An application's `dependency_overrides`, and whether they are still what they were.

use crate::glance::Position;
use crate::names;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::{PyDict, PyString};

/// The overrides of an application at the time of its analysis.
pub(crate) struct Overrides {
    /// The attributes of the application, where the overrides may be replaced as a whole.
    attributes: Py<PyDict>,
    /// Where they stand among the attributes.
    position: Position,
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
            position: Position::default(),
            pairs: pairs.collect(),
            in_force: overrides.unbind(),
        })
    }

    /// Whether others are in force now.
    #[inline]
    pub(crate) fn have_changed(&self, py: Python<'_>) -> bool {
        let name: &Bound<'_, PyString> = names::dependency_overrides(py);
        let attributes = self.attributes.bind(py);
        let is_same = match self.position.find(attributes, name) {
            Some(now) => now == self.in_force.as_ptr(),
            None => attributes
                .get_item(name)
                .is_ok_and(|now| now.is_some_and(|now| now.is(&self.in_force))),
        };
        let overrides = self.in_force.bind(py);
        if !is_same || overrides.len() != self.pairs.len() {
            return true;
        }
        // Mostly there are none.
        !self.pairs.is_empty()
            && overrides
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
