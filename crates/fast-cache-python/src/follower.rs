//! A request that waits for another one's answer, or for those who share the store.
//!
//! When the wait is over it is visited anew: by then the answer is in the store, or it takes the other one's failure, or it
//! goes on by itself.

use crate::awaitable::{close, iterator_of, raised, resume, throw_into};
use crate::coroutine::{Coroutine, Stepped, coroutine_class};
use crate::failing::{Awaited, Part};
use crate::resolve::Installed;
use crate::wait::{LIMIT, Step, Wait};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::PyDict;
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::Duration;

/// The awaitable of a request that waits. Not frozen, as [`SendMessages`](crate::awaitable::SendMessages) is not.
#[pyclass(module = "fast_cache_middleware._core")]
pub(crate) struct Follower {
    call: Option<Call>,
    stage: Stage,
}

/// What the middleware was called with.
struct Call {
    installed: Arc<Installed>,
    scope: Py<PyDict>,
    receive: Py<PyAny>,
    send: Py<PyAny>,
    /// The digests of the keys that those who share the store were asked for.
    asked: SmallVec<[u128; 2]>,
}

enum Stage {
    Waiting(Wait),
    /// What the visit has returned.
    Visiting(Py<PyAny>),
    Done,
}

impl Follower {
    pub(crate) fn new(
        installed: Arc<Installed>,
        awaited: Awaited,
        limit: Option<Duration>,
        asked: SmallVec<[u128; 2]>,
        scope: &Bound<'_, PyDict>,
        receive: &Bound<'_, PyAny>,
        send: &Bound<'_, PyAny>,
    ) -> Self {
        let limit = limit.map_or(LIMIT, |limit| limit.as_secs_f64());
        let store = installed.store.clone_ref(scope.py());
        let call = Call {
            installed,
            scope: scope.clone().unbind(),
            receive: receive.clone().unbind(),
            send: send.clone().unbind(),
            asked,
        };
        Self {
            call: Some(call),
            stage: Stage::Waiting(Wait::new(awaited, store, limit)),
        }
    }

    /// Visits anew; what comes of the first step of that.
    fn go_on(&mut self, py: Python<'_>, part: Part) -> Stepped {
        let call = self.call()?;
        let (scope, receive, send) = (
            call.scope.bind(py),
            call.receive.bind(py),
            call.send.bind(py),
        );
        let answer = (call.installed).visit_again(scope, receive, send, part, &call.asked)?;
        self.call = None;
        let inner = iterator_of(answer.bind(py))?;
        let step = resume(&inner, None);
        self.visited(inner.unbind(), step)
    }

    fn visited(&mut self, inner: Py<PyAny>, step: Stepped) -> Stepped {
        let step = step?;
        if step.is_some() {
            self.stage = Stage::Visiting(inner);
        }
        Ok(step)
    }

    fn call(&self) -> PyResult<&Call> {
        self.call
            .as_ref()
            .ok_or_else(|| PyRuntimeError::new_err("cannot reuse an awaitable"))
    }
}

coroutine_class!(Follower);

impl Coroutine for Follower {
    fn drive(&mut self, py: Python<'_>, value: Option<&Bound<'_, PyAny>>) -> Stepped {
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Waiting(mut wait) => match wait.step(py, value)? {
                Step::Yield(yielded) => {
                    self.stage = Stage::Waiting(wait);
                    Ok(Some(yielded))
                }
                Step::Over(part) => {
                    drop(wait);
                    self.go_on(py, part)
                }
            },
            Stage::Visiting(inner) => {
                let step = resume(inner.bind(py), value);
                self.visited(inner, step)
            }
            Stage::Done => Ok(None),
        }
    }

    fn throw_in(
        &mut self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        value: Option<&Bound<'_, PyAny>>,
    ) -> Stepped {
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Visiting(inner) => {
                let step = throw_into(inner.bind(py), kind, value);
                self.visited(inner, step)
            }
            Stage::Waiting(wait) => {
                wait.end(py);
                Err(raised(kind, value))
            }
            Stage::Done => Err(raised(kind, value)),
        }
    }

    fn end(&mut self, py: Python<'_>) -> PyResult<()> {
        self.call = None;
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Visiting(inner) => close(inner.bind(py)),
            Stage::Waiting(wait) => {
                wait.end(py);
                Ok(())
            }
            Stage::Done => Ok(()),
        }
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some(call) = &self.call {
            visit.call(&call.scope)?;
            visit.call(&call.receive)?;
            visit.call(&call.send)?;
        }
        match &self.stage {
            Stage::Waiting(wait) => wait.traverse(visit),
            Stage::Visiting(inner) => visit.call(inner),
            Stage::Done => Ok(()),
        }
    }

    fn clear(&mut self) {
        self.call = None;
        self.stage = Stage::Done;
    }
}
