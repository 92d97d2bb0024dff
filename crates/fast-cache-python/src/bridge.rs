//! From threads that hold no interpreter lock to an event loop: a queue of futures that are to end, and a socket that
//! wakes the loop. Many futures end with one wake-up.

use parking_lot::Mutex;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use std::sync::Arc;
use std::task::Wake;

#[cfg(unix)]
use std::os::unix::net::UnixStream;

/// The way into one event loop.
#[pyclass(frozen, module = "fast_cache_middleware._core")]
pub(crate) struct Bridge {
    inner: Arc<Inner>,
}

struct Inner {
    /// Futures that are to end.
    queue: Mutex<Vec<Py<PyAny>>>,
    #[cfg(unix)]
    bell: UnixStream,
    #[cfg(unix)]
    listener: UnixStream,
}

#[cfg(unix)]
#[pymethods]
impl Bridge {
    #[new]
    fn new() -> PyResult<Self> {
        let pair = || {
            let (bell, listener) = UnixStream::pair()?;
            bell.set_nonblocking(true)?;
            listener.set_nonblocking(true)?;
            Ok::<_, std::io::Error>((bell, listener))
        };
        let (bell, listener) = pair().map_err(|error| PyOSError::new_err(error.to_string()))?;
        Ok(Self {
            inner: Arc::new(Inner {
                queue: Mutex::default(),
                bell,
                listener,
            }),
        })
    }

    /// What the event loop is to watch for reading.
    fn fileno(&self) -> i32 {
        use std::os::fd::AsRawFd;
        self.inner.listener.as_raw_fd()
    }

    /// Ends the futures of the queue. To be called by the event loop when there is something to read.
    fn drain(&self, py: Python<'_>) -> PyResult<()> {
        use std::io::Read;
        let mut rung = [0; 64];
        while matches!((&self.inner.listener).read(&mut rung), Ok(64)) {}
        // After the reading: who adds to an empty queue rings again.
        let futures = std::mem::take(&mut *self.inner.queue.lock());
        for future in futures {
            let future = future.bind(py);
            if !future.call_method0("done")?.is_truthy()? {
                future.call_method1("set_result", (py.None(),))?;
            }
        }
        Ok(())
    }
}

#[cfg(not(unix))]
#[pymethods]
impl Bridge {
    #[new]
    fn new() -> PyResult<Self> {
        Err(PyOSError::new_err("there is no such way on this system"))
    }

    /// What the event loop is to watch for reading.
    fn fileno(&self) -> i32 {
        -1
    }

    /// Ends the futures of the queue.
    fn drain(&self) {}
}

impl Bridge {
    /// A waker that ends `future`, from whichever thread.
    pub(crate) fn waker(&self, future: Py<PyAny>) -> Arc<impl Wake + Send + Sync + use<>> {
        Arc::new(BridgeWaker {
            bridge: Arc::clone(&self.inner),
            future: Mutex::new(Some(future)),
        })
    }
}

impl Inner {
    fn end(&self, future: Py<PyAny>) {
        let mut queue = self.queue.lock();
        queue.push(future);
        let is_first = queue.len() == 1;
        drop(queue);
        #[cfg(unix)]
        if is_first {
            use std::io::Write;
            // A full socket has rung already; a loop that is gone has nobody who waits.
            let _ = (&self.bell).write(&[1]);
        }
        #[cfg(not(unix))]
        let _ = is_first;
    }
}

/// Ends a future, once.
struct BridgeWaker {
    bridge: Arc<Inner>,
    future: Mutex<Option<Py<PyAny>>>,
}

impl Wake for BridgeWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let future = self.future.lock().take();
        if let Some(future) = future {
            self.bridge.end(future);
        }
    }
}
