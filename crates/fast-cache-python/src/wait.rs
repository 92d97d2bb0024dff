//! Waiting for another request's answer, for the others who share a store, or for drops to hold everywhere: on a future
//! of the running event loop, and for no longer than a limit.

use crate::awaitable::{iterator_of, resume};
use crate::bridge::Bridge;
use crate::failing::{Awaited, Part};
use crate::store::HostStore;
use fast_cache_store::Settling;
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

/// Seconds for which a request waits for the word of others where none waits for another one's answer.
pub(crate) const LIMIT: f64 = 10.0;

/// A request that waits, until it knows what part it has.
pub(crate) struct Wait {
    /// Taken when it is over.
    subject: Option<Subject>,
    store: Py<HostStore>,
    /// Seconds, from the first step on.
    limit: f64,
    /// The event loop's time at which the limit is reached.
    deadline: Option<f64>,
    timed: Option<Timed>,
}

/// What is waited for.
enum Subject {
    /// Before the next lookup.
    Turn(Alone<Awaited>),
    /// Drops that hold everywhere.
    Settling(Alone<Settling>),
}

/// What one thread at a time has to do with. It is never locked: whoever has it mutably has it alone.
struct Alone<T>(Mutex<T>);

impl<T> Alone<T> {
    fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }
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
    running: Py<PyAny>,
    future: Py<PyAny>,
    iterator: Py<PyAny>,
    timer: Py<PyAny>,
}

impl Wait {
    /// Waits before the next lookup.
    pub(crate) fn new(awaited: Awaited, store: Py<HostStore>, limit: f64) -> Self {
        Self::on(Subject::Turn(Alone::new(awaited)), store, limit)
    }

    /// Waits for drops to hold everywhere.
    pub(crate) fn until(settling: Settling, store: Py<HostStore>) -> Self {
        Self::on(Subject::Settling(Alone::new(settling)), store, LIMIT)
    }

    fn on(subject: Subject, store: Py<HostStore>, limit: f64) -> Self {
        Self {
            subject: Some(subject),
            store,
            limit,
            deadline: None,
            timed: None,
        }
    }

    /// Goes on waiting with what the event loop sent. Not to be called again once it is over.
    pub(crate) fn step(
        &mut self,
        py: Python<'_>,
        value: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Step> {
        let mut value = value;
        loop {
            if self.timed.is_none() {
                match self.begin(py) {
                    Ok(Some(part)) => return Ok(Step::Over(part)),
                    Ok(None) => {}
                    // Another kind of event loop, or none: nobody can be waited for.
                    Err(_) => return Ok(Step::Over(self.give_up())),
                }
            }
            if let Some(timed) = &self.timed
                && let Some(yielded) = resume(timed.iterator.bind(py), value.take())?
            {
                return Ok(Step::Yield(yielded));
            }
            let in_time = self.is_in_time(py);
            self.end(py);
            self.timed = None;
            if let Poll::Ready(part) = self.poll(Waker::noop()) {
                return Ok(Step::Over(part));
            }
            if !in_time {
                // It has waited for long enough.
                return Ok(Step::Over(self.give_up()));
            }
        }
    }

    /// Ends the timer.
    pub(crate) fn end(&self, py: Python<'_>) {
        if let Some(timed) = &self.timed {
            // A timer of the loop's own: cancelling it cannot fail.
            let _ = timed.timer.call_method0(py, "cancel");
        }
    }

    /// Makes the future and looks whether there is news already.
    fn begin(&mut self, py: Python<'_>) -> PyResult<Option<Part>> {
        // Nearly always there is news from a store at once, or from nobody for a while.
        let here = self.is_here();
        if !here && let Poll::Ready(part) = self.poll(Waker::noop()) {
            return Ok(Some(part));
        }
        let running = py.import("asyncio")?.call_method0("get_running_loop")?;
        let future = running.call_method0("create_future")?;
        let waiting = py.import("fast_cache_middleware.waiting")?;
        let wake = waiting.getattr("wake")?;
        let waker = if here {
            None
        } else {
            waiting.call_method1("bridge_of", (&running,))?.extract()?
        };
        let waker = match waker {
            Some(bridge) => {
                let bridge: Bound<'_, Bridge> = bridge;
                Waker::from(bridge.get().waker(future.clone().unbind()))
            }
            None => Waker::from(Arc::new(FutureWaker {
                running: running.clone().unbind(),
                future: future.clone().unbind(),
                wake: wake.clone().unbind(),
            })),
        };
        if let Poll::Ready(part) = self.poll(&waker) {
            return Ok(Some(part));
        }
        let now: f64 = running.call_method0("time")?.extract()?;
        let deadline = *self.deadline.get_or_insert(now + self.limit);
        let timer = running.call_method1("call_at", (deadline, &wake, &future))?;
        self.timed = Some(Timed {
            running: running.unbind(),
            iterator: iterator_of(&future)?.unbind(),
            future: future.unbind(),
            timer: timer.unbind(),
        });
        Ok(None)
    }

    /// Whether the limit is not reached yet.
    fn is_in_time(&self, py: Python<'_>) -> bool {
        let (Some(timed), Some(deadline)) = (&self.timed, self.deadline) else {
            return false;
        };
        let now = timed.running.call_method0(py, "time");
        now.and_then(|now| now.extract::<f64>(py))
            .is_ok_and(|now| now < deadline)
    }

    fn poll(&mut self, waker: &Waker) -> Poll<Part> {
        let mut context = Context::from_waker(waker);
        let polled = match &mut self.subject {
            None => return Poll::Ready(Part::Alone),
            Some(Subject::Turn(awaited)) => awaited.0.get_mut().poll(&mut context),
            Some(Subject::Settling(settling)) => {
                let settled = settling.0.get_mut().as_mut().poll(&mut context);
                settled.map(|()| Part::Alone)
            }
        };
        if polled.is_ready() {
            self.subject = None;
        }
        polled
    }

    fn give_up(&mut self) -> Part {
        match self.subject.take() {
            Some(Subject::Turn(awaited)) => awaited.0.into_inner().give_up(self.store.get().now()),
            Some(Subject::Settling(_)) | None => Part::Alone,
        }
    }

    /// Whether what is waited for is another request of this process, which ends the wait with the interpreter's lock held.
    fn is_here(&mut self) -> bool {
        match &mut self.subject {
            Some(Subject::Turn(awaited)) => matches!(awaited.0.get_mut(), Awaited::Ticket(_)),
            _ => false,
        }
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.store)?;
        if let Some(timed) = &self.timed {
            visit.call(&timed.running)?;
            visit.call(&timed.future)?;
            visit.call(&timed.iterator)?;
            visit.call(&timed.timer)?;
        }
        Ok(())
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
