//! Waiting for another request's answer: on a future of the running event loop, and for no longer than a limit.

use crate::awaitable::{iterator_of, resume};
use crate::store::MemoryStore;
use crate::visit::Part;
use fast_cache_engine::flight::{Landing, News, Ticket};
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};

/// A request that waits, until it knows what part it has.
pub(crate) struct Wait {
    /// Taken when it is given up.
    ticket: Option<Ticket>,
    store: Py<MemoryStore>,
    /// Seconds, from the first step on.
    limit: f64,
    timed: Option<Timed>,
}

/// What a step of waiting came to.
pub(crate) enum Step {
    /// Yield this to the event loop, and go on later.
    Yield(Py<PyAny>),
    /// The wait is over.
    Over(Part),
}

/// A future, and the timer that ends it.
struct Timed {
    future: Py<PyAny>,
    iterator: Py<PyAny>,
    timer: Py<PyAny>,
}

impl Wait {
    pub(crate) fn new(ticket: Ticket, store: Py<MemoryStore>, limit: f64) -> Self {
        Self {
            ticket: Some(ticket),
            store,
            limit,
            timed: None,
        }
    }

    /// Goes on waiting with what the event loop sent. Not to be called again once it is over.
    pub(crate) fn step(
        &mut self,
        py: Python<'_>,
        value: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Step> {
        if self.timed.is_none() {
            match self.begin(py) {
                Ok(Some(news)) => return Ok(Step::Over(part(news))),
                Ok(None) => {}
                // Another kind of event loop, or none: nobody can be waited for.
                Err(_) => return Ok(Step::Over(Part::Alone)),
            }
        }
        if let Some(timed) = &self.timed
            && let Some(yielded) = resume(timed.iterator.bind(py), value)?
        {
            return Ok(Step::Yield(yielded));
        }
        self.end(py);
        let Some(ticket) = self.ticket.take() else {
            return Ok(Step::Over(Part::Alone));
        };
        Ok(Step::Over(match ticket.poll(Waker::noop()) {
            Poll::Ready(news) => part(news),
            // It has waited for long enough.
            Poll::Pending => {
                ticket.give_up(self.store.get().now());
                Part::Alone
            }
        }))
    }

    /// Ends the timer.
    pub(crate) fn end(&self, py: Python<'_>) {
        if let Some(timed) = &self.timed {
            // A timer of the loop's own: cancelling it cannot fail.
            let _ = timed.timer.call_method0(py, "cancel");
        }
    }

    /// Makes the future and looks whether there is news already.
    fn begin(&mut self, py: Python<'_>) -> PyResult<Option<News>> {
        let running = py.import("asyncio")?.call_method0("get_running_loop")?;
        let future = running.call_method0("create_future")?;
        let wake = py
            .import("fast_cache_middleware.waiting")?
            .getattr("wake")?;
        let waker = Arc::new(FutureWaker {
            running: running.clone().unbind(),
            future: future.clone().unbind(),
            wake: wake.clone().unbind(),
        });
        let Some(ticket) = &self.ticket else {
            return Ok(Some(News::Landed(Landing::Failed)));
        };
        if let Poll::Ready(news) = ticket.poll(&Waker::from(waker)) {
            return Ok(Some(news));
        }
        let timer = running.call_method1("call_later", (self.limit, &wake, &future))?;
        self.timed = Some(Timed {
            iterator: iterator_of(&future)?.unbind(),
            future: future.unbind(),
            timer: timer.unbind(),
        });
        Ok(None)
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.store)?;
        if let Some(timed) = &self.timed {
            visit.call(&timed.future)?;
            visit.call(&timed.iterator)?;
            visit.call(&timed.timer)?;
        }
        Ok(())
    }
}

/// What one who waited does: it leads, or looks for itself.
fn part(news: News) -> Part {
    match news {
        News::Lead(permit) => Part::Lead(permit),
        News::Landed(Landing::StoodIn) => Part::StandIn,
        News::Landed(_) => Part::Alone,
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
