//! A list of routes, and whether it is still what it was.

use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::PyList;

/// A list of routes at the time of the analysis.
pub(crate) struct Watched {
    /// Whose `routes` the list is, where it is a plain attribute.
    owner: Option<Py<PyAny>>,
    list: Py<PyList>,
    length: usize,
    last: Option<Py<PyAny>>,
}

impl Watched {
    /// Remembers what `routes` holds, and that it is the `routes` of `owner`.
    pub(crate) fn new(owner: &Bound<'_, PyAny>, routes: &Bound<'_, PyList>) -> Self {
        let is_its = owner.getattr("routes").is_ok_and(|its| its.is(routes));
        let length = routes.len();
        let index = length.checked_sub(1);
        Self {
            owner: is_its.then(|| owner.clone().unbind()),
            list: routes.clone().unbind(),
            length,
            last: index.and_then(|index| routes.get_item(index).map(Bound::unbind).ok()),
        }
    }

    /// Whether routes came or went, as far as a glance tells.
    #[inline]
    pub(crate) fn has_changed(&self, py: Python<'_>) -> bool {
        self.list.bind(py).len() != self.length
    }

    /// Whether routes came, went or were exchanged at the end, or the list itself was.
    pub(crate) fn has_changed_at_all(&self, py: Python<'_>) -> bool {
        if self.has_changed(py) {
            return true;
        }
        let list = self.list.bind(py);
        let is_last = |last: &Py<PyAny>| {
            let now = list.get_item(self.length - 1);
            now.is_ok_and(|now| now.is(last))
        };
        let is_its = |owner: &Py<PyAny>| {
            let now = owner.bind(py).getattr("routes");
            now.is_ok_and(|now| now.is(list))
        };
        !self.last.as_ref().is_none_or(is_last) || !self.owner.as_ref().is_none_or(is_its)
    }

    pub(crate) fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.owner)?;
        visit.call(&self.list)?;
        visit.call(&self.last)
    }
}
