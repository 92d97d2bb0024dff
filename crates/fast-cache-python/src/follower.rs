//! A request that waits for another one's answer.
//!
//! It waits on a future of the running event loop, for no longer than the limit that the middleware was given, and then
//! is visited anew: by then the answer is in the store, or it goes on by itself.

use crate::awaitable::{close, iterator_of, raised, resume, throw_into};
use crate::resolve::Installed;
use crate::visit::Part;
use fast_cache_engine::flight::{News, Ticket};
use pyo3::exceptions::{PyRuntimeError, PyStopIteration};
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::PyDict;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};

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
}

enum Stage {
    Boarded(Ticket),
    Waiting(Ticket, Wait),
    /// What the visit has returned.
    Visiting(Py<PyAny>),
    Done,
}

/// Waiting on a future, with a timer that ends it.
struct Wait {
    future: Py<PyAny>,
    iterator: Py<PyAny>,
    timer: Py<PyAny>,
}

impl Follower {
    pub(crate) fn new(
        installed: Arc<Installed>,
        ticket: Ticket,
        scope: &Bound<'_, PyDict>,
        receive: &Bound<'_, PyAny>,
        send: &Bound<'_, PyAny>,
    ) -> Self {
        let call = Call {
            installed,
            scope: scope.clone().unbind(),
            receive: receive.clone().unbind(),
            send: send.clone().unbind(),
        };
        Self {
            call: Some(call),
            stage: Stage::Boarded(ticket),
        }
    }

    fn drive(
        &mut self,
        py: Python<'_>,
        value: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Option<Py<PyAny>>> {
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Boarded(ticket) => {
                // Another kind of event loop, or none: nobody can be waited for.
                let Ok((news, wait)) = self.begin(py, &ticket) else {
                    drop(ticket);
                    return self.go_on(py, Part::Alone);
                };
                self.wait(py, ticket, news, wait)
            }
            Stage::Waiting(ticket, wait) => {
                if let Some(yielded) = resume(wait.iterator.bind(py), value)? {
                    self.stage = Stage::Waiting(ticket, wait);
                    return Ok(Some(yielded));
                }
                wait.end(py);
                let part = match ticket.poll(Waker::noop()) {
                    Poll::Ready(News::Lead(permit)) => Part::Lead(permit),
                    // Landed, or waited for long enough.
                    Poll::Ready(News::Landed(_)) | Poll::Pending => Part::Alone,
                };
                drop(ticket);
                self.go_on(py, part)
            }
            Stage::Visiting(inner) => {
                let step = resume(inner.bind(py), value);
                self.visited(inner, step)
            }
            Stage::Done => Ok(None),
        }
    }

    /// Makes the future and looks whether there is news already.
    fn begin(&self, py: Python<'_>, ticket: &Ticket) -> PyResult<(Option<News>, Wait)> {
        let limit = self.call()?.installed.follower_timeout.unwrap_or_default();
        let running = py.import("asyncio")?.call_method0("get_running_loop")?;
        let future = running.call_method0("create_future")?;
        let expire = py
            .import("fast_cache_middleware.waiting")?
            .getattr("wake")?;
        let timer = running.call_method1("call_later", (limit, &expire, &future))?;
        let waker = Arc::new(FutureWaker {
            running: running.unbind(),
            future: future.clone().unbind(),
            wake: expire.unbind(),
        });
        let news = match ticket.poll(&Waker::from(waker)) {
            Poll::Ready(news) => Some(news),
            Poll::Pending => None,
        };
        let wait = Wait {
            iterator: iterator_of(&future)?.unbind(),
            future: future.unbind(),
            timer: timer.unbind(),
        };
        Ok((news, wait))
    }

    fn wait(
        &mut self,
        py: Python<'_>,
        ticket: Ticket,
        news: Option<News>,
        wait: Wait,
    ) -> PyResult<Option<Py<PyAny>>> {
        let Some(news) = news else {
            self.stage = Stage::Waiting(ticket, wait);
            return self.drive(py, None);
        };
        wait.end(py);
        drop(ticket);
        match news {
            News::Lead(permit) => self.go_on(py, Part::Lead(permit)),
            News::Landed(_) => self.go_on(py, Part::Alone),
        }
    }

    /// Visits anew; what comes of the first step of that.
    fn go_on(&mut self, py: Python<'_>, part: Part) -> PyResult<Option<Py<PyAny>>> {
        let call = self.call()?;
        let (scope, receive, send) = (
            call.scope.bind(py),
            call.receive.bind(py),
            call.send.bind(py),
        );
        let answer = call.installed.visit_again(scope, receive, send, part)?;
        self.call = None;
        let inner = iterator_of(answer.bind(py))?;
        let step = resume(&inner, None);
        self.visited(inner.unbind(), step)
    }

    fn visited(
        &mut self,
        inner: Py<PyAny>,
        step: PyResult<Option<Py<PyAny>>>,
    ) -> PyResult<Option<Py<PyAny>>> {
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

impl Wait {
    fn end(&self, py: Python<'_>) {
        // A timer of the loop's own: cancelling it cannot fail.
        let _ = self.timer.call_method0(py, "cancel");
    }
}

/// Ends the wait on a future, from whichever thread.
struct FutureWaker {
    running: Py<PyAny>,
    future: Py<PyAny>,
    wake: Py<PyAny>,
}

impl Wake for FutureWaker {
    fn wake(self: Arc<Self>) {
        Python::attach(|py| {
            let here = || {
                let current = py.import("asyncio")?.call_method0("_get_running_loop")?;
                Ok::<_, PyErr>(current.is(&self.running))
            };
            // A loop that is closed has nobody who waits.
            let _ = if here().unwrap_or(false) {
                self.wake.call1(py, (&self.future,))
            } else {
                let arguments = (&self.wake, &self.future);
                self.running
                    .call_method1(py, "call_soon_threadsafe", arguments)
            };
        });
    }
}

#[pymethods]
impl Follower {
    fn __await__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        self.drive(py, None)
    }

    fn send(&mut self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        self.drive(py, Some(value))?
            .ok_or_else(|| PyStopIteration::new_err(()))
    }

    #[pyo3(signature = (kind, value=None, traceback=None))]
    fn throw(
        &mut self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        value: Option<&Bound<'_, PyAny>>,
        traceback: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let _ = traceback;
        let yielded = match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Visiting(inner) => {
                let step = throw_into(inner.bind(py), kind, value);
                self.visited(inner, step)
            }
            Stage::Waiting(_, wait) => {
                wait.end(py);
                Err(raised(kind, value))
            }
            Stage::Boarded(_) | Stage::Done => Err(raised(kind, value)),
        };
        yielded?.ok_or_else(|| PyStopIteration::new_err(()))
    }

    fn close(&mut self, py: Python<'_>) -> PyResult<()> {
        self.call = None;
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Visiting(inner) => close(inner.bind(py)),
            Stage::Waiting(_, wait) => {
                wait.end(py);
                Ok(())
            }
            Stage::Boarded(_) | Stage::Done => Ok(()),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some(call) = &self.call {
            visit.call(&call.scope)?;
            visit.call(&call.receive)?;
            visit.call(&call.send)?;
        }
        match &self.stage {
            Stage::Waiting(_, wait) => {
                visit.call(&wait.future)?;
                visit.call(&wait.iterator)?;
                visit.call(&wait.timer)
            }
            Stage::Visiting(inner) => visit.call(inner),
            Stage::Boarded(_) | Stage::Done => Ok(()),
        }
    }

    fn __clear__(&mut self) {
        self.call = None;
        self.stage = Stage::Done;
    }
}
