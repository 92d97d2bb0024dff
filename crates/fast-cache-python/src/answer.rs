//! The messages of an answer from the cache.

use crate::names;
use crate::remembered::{Messages, RememberedAnswers};
use crate::representation::Representation;
use fast_cache_core::exchange::{Form, Outcome, Serve};
use fast_cache_core::fields::cache_status::{self, CacheName, Forward};
use fast_cache_core::reason::Reason;
use fast_cache_core::stored::Stored;
use fast_cache_engine::said::Came;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

/// Makes the header lines that the cache adds.
pub(crate) struct StatusLines {
    name: CacheName,
    /// `cache-status` of an answer that was stored, by the reason for which the application was asked.
    stored: [PyOnceLock<Py<PyTuple>>; Reason::ALL.len()],
    answers: RememberedAnswers,
}

impl StatusLines {
    /// For a cache of this name.
    pub(crate) fn new(name: CacheName) -> Self {
        Self {
            name,
            stored: [const { PyOnceLock::new() }; Reason::ALL.len()],
            answers: RememberedAnswers::default(),
        }
    }

    /// All header lines of an answer: those that are stored, and what is said of this answer.
    fn lines_of<'py>(
        &self,
        kept: &Bound<'py, PyTuple>,
        Serve { age, ttl, .. }: Serve,
    ) -> PyResult<Bound<'py, PyList>> {
        let py = kept.py();
        let mut status = Vec::with_capacity(40);
        cache_status::hit(&mut status, &self.name, ttl);
        // RFC 9111 §1.2.2: a number that is too large is sent as 2^31.
        let age = age.min(1 << 31).to_string();
        let ours = [
            self.outcome(py, Outcome::Hit)?,
            line(py, b"age", age.as_bytes())?,
            line(py, b"cache-status", &status)?,
        ];
        let ours = ours.into_iter().map(Bound::into_any);
        PyList::new(py, kept.iter().chain(ours).collect::<Vec<_>>())
    }

    /// `cache-status: name; fwd=…`; says `stored` only where that is known.
    pub(crate) fn forwarded<'py>(
        &self,
        py: Python<'py>,
        why: Reason,
        kept: Result<(), Reason>,
        is_known: bool,
    ) -> PyResult<Bound<'py, PyTuple>> {
        if kept.is_ok() && is_known {
            let make = || self.make_forwarded(py, why, kept, is_known);
            let line =
                self.stored[why as usize].get_or_try_init(py, || make().map(Bound::unbind))?;
            return Ok(line.bind(py).clone());
        }
        self.make_forwarded(py, why, kept, is_known)
    }

    fn make_forwarded<'py>(
        &self,
        py: Python<'py>,
        why: Reason,
        kept: Result<(), Reason>,
        is_known: bool,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let mut value = Vec::with_capacity(64);
        let forward = cache_status::forward_for(why);
        let detail = kept
            .err()
            .or(matches!(forward, Forward::Bypass | Forward::Request).then_some(why));
        cache_status::forward(
            &mut value,
            &self.name,
            forward,
            None,
            kept.is_ok() && is_known,
            detail,
        );
        line(py, b"cache-status", &value)
    }

    /// `cache-status: name; …`, for an answer that came about like this.
    pub(crate) fn came<'py>(
        &self,
        py: Python<'py>,
        came: Came,
        serve: &Serve,
    ) -> PyResult<Bound<'py, PyTuple>> {
        line(py, b"cache-status", &came.cache_status(&self.name, serve))
    }

    /// `cache-status: name; detail=only-if-cached`
    pub(crate) fn unsatisfied<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let mut value = Vec::with_capacity(64);
        cache_status::neither(&mut value, &self.name, Reason::OnlyIfCached);
        line(py, b"cache-status", &value)
    }

    /// `x-cache-status: WORD`
    #[allow(clippy::unused_self, reason = "a line of this cache like the others")]
    pub(crate) fn outcome<'py>(
        &self,
        py: Python<'py>,
        outcome: Outcome,
    ) -> PyResult<Bound<'py, PyTuple>> {
        static LINES: [PyOnceLock<Py<PyTuple>>; 5] = [const { PyOnceLock::new() }; 5];
        let make = || line(py, b"x-cache-status", outcome.word().as_bytes()).map(Bound::unbind);
        Ok(LINES[outcome as usize]
            .get_or_try_init(py, make)?
            .bind(py)
            .clone())
    }
}

pub(crate) fn line<'py>(
    py: Python<'py>,
    name: &[u8],
    value: &[u8],
) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(py, [PyBytes::new(py, name), PyBytes::new(py, value)])
}

/// The two messages of a fresh answer from the cache, whole or without its body, in fresh dictionaries with a fresh header list.
pub(crate) fn messages<'py>(
    py: Python<'py>,
    status_lines: &StatusLines,
    stored: &Stored<Representation>,
    serve: Serve,
) -> PyResult<(Bound<'py, PyDict>, Bound<'py, PyDict>)> {
    let make = || make_messages(py, status_lines, stored, serve);
    let (start, body) = status_lines.answers.messages(py, stored, serve, make)?;
    if serve.form == Form::Full {
        Ok((start, body))
    } else {
        Ok((start, body_template(py)?.copy()?))
    }
}

#[cold]
fn make_messages(
    py: Python<'_>,
    status_lines: &StatusLines,
    stored: &Stored<Representation>,
    serve: Serve,
) -> PyResult<Messages> {
    let representation = &stored.representation;
    let lines = status_lines.lines_of(representation.lines.bind(py), serve)?;
    let start = start_of(py, stored.status)?;
    start.set_item(names::headers(py), &lines)?;
    let body = body_template(py)?.copy()?;
    body.set_item(names::body(py), representation.body.bind(py))?;
    Ok(Messages {
        start: start.unbind(),
        lines: lines.unbind(),
        body: body.unbind(),
    })
}

/// A fresh start message without headers; for 200, a copy of one that is made once.
pub(crate) fn start_of(py: Python<'_>, status: u16) -> PyResult<Bound<'_, PyDict>> {
    static OK: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    let make = |status: u16| {
        let start = PyDict::new(py);
        start.set_item(names::type_(py), names::response_start(py))?;
        start.set_item(names::status(py), status)?;
        start.set_item(names::headers(py), py.None())?;
        Ok::<_, PyErr>(start)
    };
    if status == 200 {
        OK.get_or_try_init(py, || make(200).map(Bound::unbind))?
            .bind(py)
            .copy()
    } else {
        make(status)
    }
}

/// A body message without a body.
fn body_template(py: Python<'_>) -> PyResult<&Bound<'_, PyDict>> {
    static TEMPLATE: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    let make = || {
        let body = PyDict::new(py);
        body.set_item(names::type_(py), names::response_body(py))?;
        body.set_item(names::body(py), empty(py))?;
        Ok::<_, PyErr>(body.unbind())
    };
    Ok(TEMPLATE.get_or_try_init(py, make)?.bind(py))
}

/// `b""`
pub(crate) fn empty(py: Python<'_>) -> &Bound<'_, PyBytes> {
    static EMPTY: PyOnceLock<Py<PyBytes>> = PyOnceLock::new();
    EMPTY
        .get_or_init(py, || PyBytes::new(py, b"").unbind())
        .bind(py)
}
