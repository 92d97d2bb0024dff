//! Answers from the cache other than a whole, fresh one: parts, `304`, stale and confirmed ones.

use crate::answer::{StatusLines, empty, line, start_of};
use crate::lines::HeaderLines;
use crate::names;
use crate::representation::Representation;
use fast_cache_core::exchange::{BodyOf, Layout, LineOf, Outcome, Piece, Serve, compose};
use fast_cache_core::fields::Line;
use fast_cache_core::stored::Stored;
use fast_cache_engine::said::Came;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

/// The two messages of an answer. `request` are the request's lines; `seed` is a number that clients cannot know.
pub(crate) fn laid_out<'py>(
    py: Python<'py>,
    status_lines: &StatusLines,
    stored: &Stored<Representation>,
    serve: &Serve,
    came: Came,
    request: &[Line<'_>],
    seed: u64,
) -> PyResult<(Bound<'py, PyDict>, Bound<'py, PyDict>)> {
    let representation = &stored.representation;
    let kept = HeaderLines::from_snapshot(representation.lines.bind(py));
    let layout = compose(serve.form, stored, &kept.lines(), request, seed);
    let list = header_list(py, &layout, kept.pairs())?;
    list.append(status_lines.outcome(py, came.outcome(serve))?)?;
    if let Some(age) = came.age(serve, stored.initial_age) {
        list.append(line(py, b"age", age.to_string().as_bytes())?)?;
    }
    list.append(status_lines.came(py, came, serve)?)?;
    let start = start_of(py, layout.status)?;
    start.set_item(names::headers(py), list)?;
    let body = PyDict::new(py);
    body.set_item(names::type_(py), names::response_body(py))?;
    body.set_item(names::body(py), body_of(py, &layout.body, representation))?;
    Ok((start, body))
}

/// The messages of a `504 Gateway Timeout` to a request that takes only what is stored.
pub(crate) fn gateway_timeout<'py>(
    py: Python<'py>,
    status_lines: &StatusLines,
) -> PyResult<(Bound<'py, PyDict>, Bound<'py, PyDict>)> {
    let lines = [
        line(py, b"content-length", b"0")?,
        status_lines.outcome(py, Outcome::Miss)?,
        status_lines.unsatisfied(py)?,
    ];
    let start = start_of(py, 504)?;
    start.set_item(names::headers(py), PyList::new(py, lines)?)?;
    let body = PyDict::new(py);
    body.set_item(names::type_(py), names::response_body(py))?;
    body.set_item(names::body(py), empty(py))?;
    Ok((start, body))
}

fn header_list<'py>(
    py: Python<'py>,
    layout: &Layout,
    kept: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for source in &layout.lines {
        match source {
            LineOf::Stored(index) => list.append(kept.get_item(*index)?)?,
            LineOf::Made(name, value) => list.append(line(py, name.as_bytes(), value)?)?,
        }
    }
    Ok(list)
}

fn body_of<'py>(
    py: Python<'py>,
    body: &BodyOf,
    representation: &Representation,
) -> Bound<'py, PyBytes> {
    let stored = representation.body.bind(py);
    let pieces = match body {
        BodyOf::Nothing => return empty(py).clone(),
        BodyOf::Whole => return stored.clone(),
        BodyOf::Pieces(pieces) => pieces,
    };
    let bytes = stored.as_bytes();
    let mut whole = Vec::new();
    for part in pieces {
        match part {
            Piece::Made(made) => whole.extend_from_slice(made),
            Piece::Stored(range) => {
                let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX);
                let slice = bytes.get(at(range.start)..at(range.end));
                whole.extend_from_slice(slice.unwrap_or_default());
            }
        }
    }
    PyBytes::new(py, &whole)
}
