//! `strict_inputs`: the handler sees only what the key holds.

use crate::application::Cached;
use crate::names;
use crate::recorder::Errand;
use fast_cache_core::fields::Line;
use fast_cache_core::key::visible_cookies;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

/// Gives the application a copy of the scope whose headers the key holds. `Host` is one of them.
pub(crate) fn hide(
    py: Python<'_>,
    errand: &mut Errand,
    cached: &Cached,
    lines: &[Line<'_>],
) -> PyResult<()> {
    let outer = errand.scope.bind(py).clone();
    let visible = PyList::empty(py);
    for (line, pair) in lines.iter().zip(errand.headers.bind(py).iter_borrowed()) {
        if line.is("host") || cached.inputs.headers.named.iter().any(|name| line.is(name)) {
            visible.append(pair)?;
        } else if line.is("cookie")
            && let Some(cookies) = visible_cookies(line.value, &cached.inputs.cookies)
        {
            visible.append(PyTuple::new(
                py,
                [PyBytes::new(py, b"cookie"), PyBytes::new(py, &cookies)],
            )?)?;
        }
    }
    let inner = outer.copy()?;
    inner.set_item(names::headers(py), visible)?;
    errand.outer_scope = Some(outer.unbind());
    errand.scope = inner.unbind();
    Ok(())
}
