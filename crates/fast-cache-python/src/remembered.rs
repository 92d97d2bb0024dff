//! The messages of recent answers. They change once a second, so they are made once and given out as copies: everybody
//! gets messages of his own, for outer middleware changes them.
//!
//! Mostly, those that were given out last have been let go of by then, as they were: then they are as good as new, and are
//! given out again. Nothing but their number of references tells, so all of this relies on the interpreter's lock.

use crate::attached::Attached;
use crate::names;
use crate::representation::Representation;
use fast_cache_core::exchange::Serve;
use fast_cache_core::stored::Stored;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};

/// Places in the memo.
const PLACES: usize = 256;
/// Messages with a longer body are not given out twice: what others put into them would be kept for too long.
const MAX_BODY: usize = 16 << 10;

/// The start and the body of recent answers, by stored response.
pub(crate) struct RememberedAnswers(Box<[Attached<Option<Remembered>>]>);

/// Both messages of an answer.
#[derive(Debug)]
pub(crate) struct Messages {
    pub(crate) start: Py<PyDict>,
    /// The header lines in `start`.
    pub(crate) lines: Py<PyList>,
    pub(crate) body: Py<PyDict>,
}

/// What goes out of a stored response at one age.
struct Remembered {
    /// What is stored; it is kept alive, so that no other response's can be taken for it.
    kept: (Py<PyTuple>, Py<PyBytes>),
    status: u16,
    age: u64,
    ttl: i64,
    /// Nobody else ever sees these.
    pristine: Messages,
    /// All values in `pristine`, which keeps them alive.
    values: Values,
    /// Those that were given out last.
    last: Option<Messages>,
}

/// Where the values of messages are.
struct Values {
    status: usize,
    lines: Box<[usize]>,
    body: usize,
}

impl Default for RememberedAnswers {
    fn default() -> Self {
        Self((0..PLACES).map(|_| Attached::new(None)).collect())
    }
}

impl RememberedAnswers {
    /// Messages of a plain answer that nobody else has: a start with all header lines, and a body. `make` makes them.
    pub(crate) fn messages<'py>(
        &self,
        py: Python<'py>,
        stored: &Stored<Representation>,
        serve: Serve,
        make: impl FnOnce() -> PyResult<Messages>,
    ) -> PyResult<(Bound<'py, PyDict>, Bound<'py, PyDict>)> {
        let Representation { lines, body, .. } = &stored.representation;
        // Objects are aligned, so the low bits tell nothing.
        let place = &self.0[(lines.as_ptr() as usize >> 4) % PLACES];
        // Never waits: without the memo everything is made anew.
        if let Some(mut place) = place.take(py)
            && let Some(known) = &mut *place
            && known.kept.0.is(lines)
            && known.kept.1.is(body)
            && (known.age, known.ttl, known.status) == (serve.age, serve.ttl, stored.status)
        {
            return known.give_out(py);
        }
        let pristine = make()?;
        let given = pristine.copies(py)?;
        let remembered = Remembered {
            kept: (lines.clone_ref(py), body.clone_ref(py)),
            status: stored.status,
            age: serve.age,
            ttl: serve.ttl,
            values: Values::of(py, &pristine)?,
            pristine,
            last: None,
        };
        let before = place
            .take(py)
            .and_then(|mut place| place.replace(remembered));
        drop(before);
        Ok((given.start.into_bound(py), given.body.into_bound(py)))
    }
}

impl Remembered {
    /// Messages that nobody else has.
    #[inline]
    fn give_out<'py>(
        &mut self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyDict>, Bound<'py, PyDict>)> {
        if let Some(last) = &self.last
            && self.values.are_all_in(py, last)
        {
            return Ok((last.start.bind(py).clone(), last.body.bind(py).clone()));
        }
        let messages = self.pristine.copies(py)?;
        let given = (
            messages.start.bind(py).clone(),
            messages.body.bind(py).clone(),
        );
        if self.kept.1.as_bytes(py).len() <= MAX_BODY {
            self.last = Some(messages);
        }
        Ok(given)
    }
}

impl Messages {
    fn copies(&self, py: Python<'_>) -> PyResult<Self> {
        let (start, lines) = (self.start.bind(py).copy()?, copy_of(self.lines.bind(py))?);
        start.set_item(names::headers(py), &lines)?;
        let body = self.body.bind(py).copy()?;
        Ok(Self {
            start: start.unbind(),
            lines: lines.unbind(),
            body: body.unbind(),
        })
    }
}

impl Values {
    fn of(py: Python<'_>, messages: &Messages) -> PyResult<Self> {
        let status = messages
            .start
            .bind(py)
            .as_any()
            .get_item(names::status(py))?;
        let body = messages.body.bind(py).as_any().get_item(names::body(py))?;
        let lines = messages.lines.bind(py).iter();
        Ok(Self {
            status: status.as_ptr() as usize,
            lines: lines.map(|line| line.as_ptr() as usize).collect(),
            body: body.as_ptr() as usize,
        })
    }

    /// Whether messages that were given out hold just these, and nobody holds them any more.
    #[inline]
    fn are_all_in(&self, py: Python<'_>, messages: &Messages) -> bool {
        let Messages { start, lines, body } = messages;
        // SAFETY: the objects are live, and the interpreter's lock is held.
        let references = |object| unsafe { ffi::Py_REFCNT(object) };
        // The list has two owners, for the start message is one.
        let let_go = references(start.as_ptr()) == 1
            && references(lines.as_ptr()) == 2
            && references(body.as_ptr()) == 1;
        let_go
            && holds(
                start.bind(py),
                [
                    (
                        names::type_(py),
                        names::response_start(py).as_ptr() as usize,
                    ),
                    (names::status(py), self.status),
                    (names::headers(py), lines.as_ptr() as usize),
                ],
            )
            && holds(
                body.bind(py),
                [
                    (names::type_(py), names::response_body(py).as_ptr() as usize),
                    (names::body(py), self.body),
                ],
            )
            && consists_of(lines.bind(py), &self.lines)
    }
}

/// Whether a dictionary holds these entries, each the very same object, in this order, and no others.
#[inline]
fn holds<const N: usize>(
    dictionary: &Bound<'_, PyDict>,
    entries: [(&Bound<'_, PyString>, usize); N],
) -> bool {
    let (mut position, mut key, mut value) = (0, std::ptr::null_mut(), std::ptr::null_mut());
    let mut is_next = |name: &Bound<'_, PyString>, expected: usize| {
        // SAFETY: the dictionary is live, and nothing changes it meanwhile; key and value are only compared.
        let found = unsafe {
            let dictionary = dictionary.as_ptr();
            ffi::PyDict_Next(dictionary, &raw mut position, &raw mut key, &raw mut value)
        };
        found != 0 && key == name.as_ptr() && value as usize == expected
    };
    dictionary.len() == N && entries.iter().all(|(name, value)| is_next(name, *value))
}

/// Whether a list consists of these objects, in this order.
#[inline]
fn consists_of(list: &Bound<'_, PyList>, items: &[usize]) -> bool {
    let is_at = |(index, expected): (usize, &usize)| {
        // SAFETY: the list is live; the item is only compared, and null where there is none.
        let item = unsafe { ffi::PyList_GetItem(list.as_ptr(), index.cast_signed()) };
        item as usize == *expected
    };
    list.len() == items.len() && items.iter().enumerate().all(is_at)
}

/// A list with the same items.
fn copy_of<'py>(list: &Bound<'py, PyList>) -> PyResult<Bound<'py, PyList>> {
    // SAFETY: the list is live, and the bounds are taken for what there is; the result is a new list, or null with an
    // exception set.
    unsafe {
        let copy = ffi::PyList_GetSlice(list.as_ptr(), 0, ffi::Py_ssize_t::MAX);
        Ok(Bound::from_owned_ptr_or_err(list.py(), copy)?.cast_into_unchecked())
    }
}
