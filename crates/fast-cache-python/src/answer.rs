//! The messages of an answer from the cache.

use crate::names;
use crate::representation::Representation;
use fast_cache_core::exchange::{Form, Outcome, Serve};
use fast_cache_core::fields::cache_status::{self, CacheName, Forward};
use fast_cache_core::reason::Reason;
use fast_cache_core::stored::Stored;
use parking_lot::Mutex;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

/// Places in the memo of header lists.
const PLACES: usize = 256;

/// Makes the header lines that the cache adds.
pub(crate) struct StatusLines {
    name: CacheName,
    /// `cache-status` of an answer that was stored, by the reason for which the application was asked.
    stored: [PyOnceLock<Py<PyTuple>>; Reason::ALL.len()],
    /// The header lines of recent answers, by response: they change once a second.
    memo: Box<[Mutex<Option<Remembered>>]>,
}

/// What goes out of a stored response at one age, to be copied: nobody else ever sees these.
struct Remembered {
    /// The lines and the body that are stored; they are kept alive, so that no other response's can be taken for them.
    kept: (Py<PyTuple>, Py<PyBytes>),
    age: u64,
    ttl: i64,
    /// All header lines.
    lines: Py<PyList>,
    /// The message with the body.
    body: Py<PyDict>,
}

impl StatusLines {
    /// For a cache of this name.
    pub(crate) fn new(name: CacheName) -> Self {
        Self {
            name,
            stored: [const { PyOnceLock::new() }; Reason::ALL.len()],
            memo: (0..PLACES).map(|_| Mutex::new(None)).collect(),
        }
    }

    /// Copies of all header lines of an answer (those that are stored, and what is said of this answer) and of the message
    /// with its body.
    fn copies<'py>(
        &self,
        py: Python<'py>,
        stored: &Representation,
        serve: Serve,
    ) -> PyResult<(Bound<'py, PyList>, Bound<'py, PyDict>)> {
        let Serve { age, ttl, .. } = serve;
        // Objects are aligned, so the low bits tell nothing.
        let place = &self.memo[(stored.lines.as_ptr() as usize >> 4) % PLACES];
        // Never waits: without the memo everything is made anew.
        if let Some(place) = place.try_lock()
            && let Some(known) = &*place
            && known.kept.0.is(&stored.lines)
            && known.kept.1.is(&stored.body)
            && (known.age, known.ttl) == (age, ttl)
        {
            return Ok((copy_of(known.lines.bind(py))?, known.body.bind(py).copy()?));
        }
        let lines = self.make(stored.lines.bind(py), age, ttl)?;
        let body = body_template(py)?.copy()?;
        body.set_item(names::body(py), stored.body.bind(py))?;
        let made = Remembered {
            kept: (stored.lines.clone_ref(py), stored.body.clone_ref(py)),
            age,
            ttl,
            lines: copy_of(&lines)?.unbind(),
            body: body.copy()?.unbind(),
        };
        let before = place.try_lock().and_then(|mut place| place.replace(made));
        drop(before);
        Ok((lines, body))
    }

    #[cold]
    fn make<'py>(
        &self,
        kept: &Bound<'py, PyTuple>,
        age: u64,
        ttl: i64,
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

    /// `cache-status: name; hit; ttl=…`, negative where the answer is stale.
    pub(crate) fn hit<'py>(&self, py: Python<'py>, ttl: i64) -> PyResult<Bound<'py, PyTuple>> {
        let mut value = Vec::with_capacity(40);
        cache_status::hit(&mut value, &self.name, ttl);
        line(py, b"cache-status", &value)
    }

    /// `cache-status: name; fwd=…; fwd-status=…`, for an answer from the cache about which the application was asked.
    pub(crate) fn asked<'py>(
        &self,
        py: Python<'py>,
        why: Forward,
        status: Option<u16>,
        stored: bool,
        detail: Option<Reason>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let mut value = Vec::with_capacity(64);
        cache_status::forward(&mut value, &self.name, why, status, stored, detail);
        line(py, b"cache-status", &value)
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

/// A list with the same items.
#[inline]
fn copy_of<'py>(list: &Bound<'py, PyList>) -> PyResult<Bound<'py, PyList>> {
    // SAFETY: the list is live, and the bounds are taken for what there is; the result is a new list, or null with an
    // exception set.
    unsafe {
        let copy = ffi::PyList_GetSlice(list.as_ptr(), 0, ffi::Py_ssize_t::MAX);
        Ok(Bound::from_owned_ptr_or_err(list.py(), copy)?.cast_into_unchecked())
    }
}

/// The two messages of a fresh answer from the cache, whole or without its body, in fresh dictionaries with a fresh header list.
pub(crate) fn messages<'py>(
    py: Python<'py>,
    status_lines: &StatusLines,
    stored: &Stored<Representation>,
    serve: Serve,
) -> PyResult<(Bound<'py, PyDict>, Bound<'py, PyDict>)> {
    let (list, mut body) = status_lines.copies(py, &stored.representation, serve)?;
    if serve.form != Form::Full {
        body = body_template(py)?.copy()?;
    }
    let start = start_of(py, stored.status)?;
    start.set_item(names::headers(py), list)?;
    Ok((start, body))
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
