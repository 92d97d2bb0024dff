//! Failures that those who wait share: answers, and what the application raised.

use crate::application::Cached;
use crate::layout::laid_out;
use crate::lines::HeaderLines;
use crate::representation::Representation;
use crate::sending::send_both;
use crate::visit::Visit;
use fast_cache_core::exchange::{Forward, Lookup, Outcome};
use fast_cache_core::key::KeyRef;
use fast_cache_engine::failing::{Taken, Waiter};
use fast_cache_engine::said::Came;
use pyo3::prelude::*;

/// A failure, for those who wait for the answer.
pub(crate) type Failure = fast_cache_engine::failing::Failure<Representation, Raised>;
pub(crate) type Flights = fast_cache_engine::flight::Flights<Failure>;
pub(crate) type Boarding = fast_cache_engine::flight::Boarding<Failure>;
pub(crate) type Permit = fast_cache_engine::flight::Permit<Failure>;
pub(crate) type Part = fast_cache_engine::waiting::Part<Failure>;
pub(crate) type Awaited = fast_cache_engine::waiting::Awaited<Failure>;

/// What the application raised, as it was then: an exception that nobody else has, since whoever handles one writes to it.
#[derive(Debug)]
pub(crate) struct Raised(Py<PyAny>);

impl Raised {
    /// # Errors
    ///
    /// Where it cannot be copied.
    pub(crate) fn of(py: Python<'_>, error: &PyErr) -> PyResult<Self> {
        let exception = another(error.value(py))?;
        // Not the value's own, which lacks it where the error has not been raised as one yet.
        let traceback = error.traceback(py);
        let exception = exception.call_method1("with_traceback", (traceback,))?;
        Ok(Self(exception.unbind()))
    }

    /// The same exception for one more.
    pub(crate) fn again(&self, py: Python<'_>) -> PyErr {
        match another(self.0.bind(py)) {
            Ok(exception) => PyErr::from_value(exception),
            Err(error) => error,
        }
    }
}

fn another<'py>(exception: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let module = exception.py().import("fast_cache_middleware.raised")?;
    module.call_method1("another", (exception,))
}

impl Visit<'_, '_, '_> {
    /// What a request takes of the failure of one that it has waited for: the awaitable that sends it, or the exception.
    /// `None` where it goes on by itself.
    #[inline]
    pub(crate) fn share(
        &self,
        part: &Part,
        cached: &Cached,
        headers: &Bound<'_, PyAny>,
        key: KeyRef<'_>,
        asked: (Lookup<'_>, Forward),
    ) -> PyResult<Option<Py<PyAny>>> {
        match part {
            Part::Share(failure) => self.take(failure, cached, headers, key, asked),
            Part::Board | Part::Lead(_) | Part::Alone | Part::StandIn => Ok(None),
        }
    }

    #[cold]
    fn take(
        &self,
        failure: &Failure,
        cached: &Cached,
        headers: &Bound<'_, PyAny>,
        key: KeyRef<'_>,
        (lookup, forward): (Lookup<'_>, Forward),
    ) -> PyResult<Option<Py<PyAny>>> {
        let Some(all) = HeaderLines::from_any(headers) else {
            return Ok(None);
        };
        let (py, lines, store) = (self.py, all.lines(), self.installed.store.get());
        let waiter = Waiter {
            lookup,
            forward,
            key,
            selecting: cached.selecting(&lines),
        };
        let taken = failure.taken_by(waiter, &store.store, &store.secret, store.now());
        let Some(taken) = taken else {
            return Ok(None);
        };
        self.note_route()?;
        self.taken.route.counters.outcome(Outcome::Miss);
        match taken {
            Taken::Raised(raised) => Err(raised.again(py)),
            Taken::Answer(stored, serve) => {
                let came = Came::Shared(forward.reason);
                let (status_lines, seed) = (&self.installed.status_lines, store.seed());
                let (start, body) = laid_out(py, status_lines, stored, &serve, came, &lines, seed)?;
                send_both(self.send, &start, &body).map(|answer| Some(answer.unbind()))
            }
        }
    }
}
