//! A request that waits for another one's answer, or for those who share the store.
//!
//! When the wait is over it is visited anew: by then the answer is in the store, or it takes the other one's failure, or it
//! goes on by itself.

use crate::coroutine::coroutine_class;
use crate::failing::{Awaited, Part};
use crate::resolve::Installed;
use crate::wait::{LIMIT, Wait};
use crate::waiter::{Course, Waiter};
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
    course: Course,
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
            course: Course::Waiting(Wait::new(awaited, store, limit)),
        }
    }
}

coroutine_class!(Follower);

impl Waiter for Follower {
    fn course(&mut self) -> &mut Course {
        &mut self.course
    }

    /// Visits anew.
    fn go_on(&mut self, py: Python<'_>, part: Part) -> PyResult<Option<Py<PyAny>>> {
        let call = self.call.take();
        let call = call.ok_or_else(|| PyRuntimeError::new_err("cannot reuse an awaitable"))?;
        let (scope, receive, send) = (
            call.scope.bind(py),
            call.receive.bind(py),
            call.send.bind(py),
        );
        (call.installed)
            .visit_again(scope, receive, send, part, &call.asked)
            .map(Some)
    }

    fn give_up(&mut self, _: Python<'_>) -> PyResult<()> {
        self.call = None;
        Ok(())
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some(call) = &self.call {
            visit.call(&call.scope)?;
            visit.call(&call.receive)?;
            visit.call(&call.send)?;
        }
        self.course.traverse(visit)
    }
}
