//! Coroutines that wait, and then drive what comes of it. Written once, for all that are what they wait for and what they
//! do next.

use crate::awaitable::{close, iterator_of, raised, resume, throw_into};
use crate::coroutine::{Coroutine, Stepped};
use crate::failing::Part;
use crate::wait::{Step, Wait};
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};

/// A coroutine that waits, and goes on when it knows what part it has.
pub(crate) trait Waiter {
    /// How far it is.
    fn course(&mut self) -> &mut Course;

    /// The wait is over: what is to be driven now, if anything.
    fn go_on(&mut self, py: Python<'_>, part: Part) -> PyResult<Option<Py<PyAny>>>;

    /// It is given up before it could go on.
    fn give_up(&mut self, py: Python<'_>) -> PyResult<()>;

    /// Shows what it holds to the garbage collector, its course included.
    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError>;
}

/// How far a [`Waiter`] is.
pub(crate) enum Course {
    Waiting(Wait),
    /// What [`Waiter::go_on`] has returned.
    Going(Py<PyAny>),
    Done,
}

impl Course {
    fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Done)
    }

    /// What came of a step of what is driven.
    fn went(&mut self, going: Py<PyAny>, step: Stepped) -> Stepped {
        let step = step?;
        if step.is_some() {
            *self = Self::Going(going);
        }
        Ok(step)
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Waiting(wait) => wait.traverse(visit),
            Self::Going(going) => visit.call(going),
            Self::Done => Ok(()),
        }
    }
}

impl<T: Waiter> Coroutine for T {
    fn drive(&mut self, py: Python<'_>, value: Option<&Bound<'_, PyAny>>) -> Stepped {
        match self.course().take() {
            Course::Waiting(mut wait) => match wait.step(py, value)? {
                Step::Yield(yielded) => {
                    *self.course() = Course::Waiting(wait);
                    Ok(Some(yielded))
                }
                Step::Over(part) => {
                    drop(wait);
                    let Some(next) = self.go_on(py, part)? else {
                        return Ok(None);
                    };
                    let going = iterator_of(next.bind(py))?;
                    let step = resume(&going, None);
                    self.course().went(going.unbind(), step)
                }
            },
            Course::Going(going) => {
                let step = resume(going.bind(py), value);
                self.course().went(going, step)
            }
            Course::Done => Ok(None),
        }
    }

    fn throw_in(
        &mut self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        value: Option<&Bound<'_, PyAny>>,
    ) -> Stepped {
        match self.course().take() {
            Course::Waiting(wait) => {
                wait.end(py);
                self.give_up(py)?;
                Err(raised(kind, value))
            }
            Course::Going(going) => {
                let step = throw_into(going.bind(py), kind, value);
                self.course().went(going, step)
            }
            Course::Done => Err(raised(kind, value)),
        }
    }

    fn end(&mut self, py: Python<'_>) -> PyResult<()> {
        match self.course().take() {
            Course::Waiting(wait) => {
                wait.end(py);
                self.give_up(py)
            }
            Course::Going(going) => close(going.bind(py)),
            Course::Done => Ok(()),
        }
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        Waiter::traverse(self, visit)
    }

    fn clear(&mut self) {
        *self.course() = Course::Done;
    }
}
