//! Asking the application for the sake of what is stored: it gets a copy of the scope with other conditions in its
//! headers than the client's, or none.

use crate::lines::HeaderLines;
use crate::names;
use crate::recorder::Errand;
use crate::representation::Representation;
use fast_cache_core::fields::Line;
use fast_cache_core::rules::validation::{Validators, replaced};
use fast_cache_core::stored::Stored;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

/// Gives the application a copy of the scope whose headers ask whether `stored`, if there is one, is still good.
pub(crate) fn ask(
    py: Python<'_>,
    errand: &mut Errand,
    stored: Option<&Stored<Representation>>,
) -> PyResult<()> {
    let scope = errand.scope.bind(py).clone();
    let Some(headers) = scope.get_item(names::headers(py))? else {
        return Ok(());
    };
    let Some(headers) = HeaderLines::from_any(&headers) else {
        return Ok(());
    };
    let asking = PyList::empty(py);
    for (line, pair) in headers.lines().iter().zip(headers.pairs().iter_borrowed()) {
        if !replaced(line.name) {
            asking.append(pair)?;
        }
    }
    if let Some(stored) = stored {
        let kept = HeaderLines::from_snapshot(stored.representation.lines.bind(py));
        for Line { name, value } in Validators::of(stored, &kept.lines()).lines() {
            let pair = [PyBytes::new(py, name), PyBytes::new(py, value)];
            asking.append(PyTuple::new(py, pair)?)?;
        }
    }
    let inner = scope.copy()?;
    inner.set_item(names::headers(py), asking)?;
    if errand.outer_scope.is_none() {
        errand.outer_scope = Some(scope.unbind());
    }
    errand.scope = inner.unbind();
    Ok(())
}
