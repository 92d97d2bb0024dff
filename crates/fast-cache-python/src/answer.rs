//! The messages of an answer from the cache.

use crate::names;
use crate::representation::Representation;
use fast_cache_core::exchange::{Form, Outcome, Serve};
use fast_cache_core::fields::cache_status::{self, CacheName, Forward};
use fast_cache_core::reason::Reason;
use fast_cache_core::rules::conditional::stands_in_not_modified;
use fast_cache_core::stored::Stored;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

const MEMO: usize = 1024;

/// The header lines that every answer gets, made once per value.
pub(crate) struct StatusLines {
    name: CacheName,
    ages: Box<[PyOnceLock<Py<PyTuple>>]>,
    ttls: Box<[PyOnceLock<Py<PyTuple>>]>,
}

impl StatusLines {
    /// For a cache of this name.
    pub(crate) fn new(name: CacheName) -> Self {
        let memo = || (0..MEMO).map(|_| PyOnceLock::new()).collect();
        Self {
            name,
            ages: memo(),
            ttls: memo(),
        }
    }

    /// `age: seconds`
    fn age<'py>(&self, py: Python<'py>, seconds: u64) -> PyResult<Bound<'py, PyTuple>> {
        // RFC 9111 §1.2.2: a number that is too large is sent as 2^31.
        let make = || line(py, b"age", seconds.min(1 << 31).to_string().as_bytes());
        memoised(py, &self.ages, seconds, make)
    }

    /// `cache-status: name; hit; ttl=seconds`
    fn hit<'py>(&self, py: Python<'py>, ttl: u64) -> PyResult<Bound<'py, PyTuple>> {
        memoised(py, &self.ttls, ttl, || {
            let mut value = Vec::with_capacity(40);
            cache_status::hit(
                &mut value,
                &self.name,
                i64::try_from(ttl).unwrap_or(i64::MAX),
            );
            line(py, b"cache-status", &value)
        })
    }

    /// `cache-status: name; fwd=…`
    pub(crate) fn forwarded<'py>(
        &self,
        py: Python<'py>,
        why: Reason,
        kept: Result<(), Reason>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let mut value = Vec::with_capacity(64);
        let forward = cache_status::forward_for(why);
        let detail = kept
            .err()
            .or(matches!(forward, Forward::Bypass | Forward::Request).then_some(why));
        cache_status::forward(&mut value, &self.name, forward, None, kept.is_ok(), detail);
        line(py, b"cache-status", &value)
    }

    /// `x-cache-status: WORD`
    pub(crate) fn outcome<'py>(
        &self,
        py: Python<'py>,
        outcome: Outcome,
    ) -> PyResult<Bound<'py, PyTuple>> {
        static LINES: [PyOnceLock<Py<PyTuple>>; 5] = [const { PyOnceLock::new() }; 5];
        memoised(py, &LINES, outcome as u64, || {
            line(py, b"x-cache-status", outcome.word().as_bytes())
        })
    }
}

fn memoised<'py>(
    py: Python<'py>,
    memo: &[PyOnceLock<Py<PyTuple>>],
    number: u64,
    make: impl FnOnce() -> PyResult<Bound<'py, PyTuple>>,
) -> PyResult<Bound<'py, PyTuple>> {
    let Some(cell) = usize::try_from(number)
        .ok()
        .and_then(|index| memo.get(index))
    else {
        return make();
    };
    cell.get_or_try_init(py, || make().map(Bound::unbind))
        .map(|line| line.bind(py).clone())
}

fn line<'py>(py: Python<'py>, name: &[u8], value: &[u8]) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(py, [PyBytes::new(py, name), PyBytes::new(py, value)])
}

/// The two messages of an answer from the cache, in fresh dictionaries with a fresh header list.
pub(crate) fn messages<'py>(
    py: Python<'py>,
    status_lines: &StatusLines,
    stored: &Stored<Representation>,
    serve: Serve,
) -> PyResult<(Bound<'py, PyDict>, Bound<'py, PyDict>)> {
    let representation = &stored.representation;
    let kept = representation.lines.bind(py);
    let list = if serve.form == Form::NotModified {
        let stands = |pair: &Bound<'py, PyAny>| {
            let name = pair
                .get_item(0)
                .and_then(|name| Ok(name.cast_into::<PyBytes>()?));
            name.is_ok_and(|name| stands_in_not_modified(name.as_bytes()))
        };
        PyList::new(py, kept.iter().filter(stands).collect::<Vec<_>>())?
    } else {
        kept.to_list()
    };
    list.append(status_lines.outcome(py, Outcome::Hit)?)?;
    list.append(status_lines.age(py, serve.age)?)?;
    list.append(status_lines.hit(py, serve.ttl)?)?;

    let status = if serve.form == Form::NotModified {
        304
    } else {
        stored.status
    };
    let start = PyDict::new(py);
    start.set_item(names::type_(py), names::response_start(py))?;
    start.set_item(names::status(py), status)?;
    start.set_item(names::headers(py), list)?;

    let body = PyDict::new(py);
    body.set_item(names::type_(py), names::response_body(py))?;
    match serve.form {
        Form::Full => body.set_item(names::body(py), representation.body.bind(py))?,
        Form::WithoutBody | Form::NotModified => body.set_item(names::body(py), empty(py))?,
    }
    Ok((start, body))
}

/// `b""`
pub(crate) fn empty(py: Python<'_>) -> &Bound<'_, PyBytes> {
    static EMPTY: PyOnceLock<Py<PyBytes>> = PyOnceLock::new();
    EMPTY
        .get_or_init(py, || PyBytes::new(py, b"").unbind())
        .bind(py)
}
