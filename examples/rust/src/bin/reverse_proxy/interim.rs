//! Interim (1xx) responses, which a proxy has to pass on
//! ([RFC 9110 §15.2](https://www.rfc-editor.org/rfc/rfc9110#section-15.2)): hyper tells of them as a client and has no words
//! for them as a server, so they are put on the wire beside it.
//!
//! That is safe while an HTTP/1.1 request waits for the head of its answer and all that came before has been written. So
//! nothing is put there before hyper has flushed, and nothing once an answer has come.

use http::{HeaderMap, StatusCode};
use hyper::rt::{Read, ReadBufCursor, Write};
use std::io::{Error, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

tokio::task_local! {
    /// Where the connection that this task serves takes interim responses.
    pub(crate) static INTERIM: Interim;
}

/// Where a connection takes interim responses.
#[derive(Clone, Default)]
pub(crate) struct Interim(Arc<Mutex<State>>);

/// The request that an interim response is for.
#[derive(Clone)]
pub(crate) struct Asked(Interim, u64);

#[derive(Default)]
struct State {
    /// How many requests there were, and whether the last one waits.
    requests: u64,
    is_waiting: bool,
    /// Hyper has written since it flushed.
    is_dirty: bool,
    queued: Vec<u8>,
    waker: Option<Waker>,
}

impl Interim {
    /// A request has come.
    pub(crate) fn begin(&self) {
        let mut state = self.state();
        state.requests += 1;
        state.is_waiting = true;
    }

    /// Its answer has come, which goes out behind what is queued; that is too late where hyper has not flushed.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.is_waiting = false;
        if state.is_dirty {
            state.queued.clear();
        }
    }

    /// The request that is served now.
    pub(crate) fn asked(&self) -> Asked {
        Asked(self.clone(), self.state().requests)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked {
    /// Passes on an interim response, unless nobody waits for it any more.
    pub(crate) fn send(&self, status: StatusCode, headers: &HeaderMap) {
        let mut state = self.0.state();
        if state.requests != self.1 || !state.is_waiting {
            return;
        }
        let reason = status.canonical_reason().unwrap_or_default();
        let line = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16());
        state.queued.extend_from_slice(line.as_bytes());
        for (name, value) in headers {
            let pieces = [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"];
            state.queued.extend_from_slice(&pieces.concat());
        }
        state.queued.extend_from_slice(b"\r\n");
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }
}

/// A connection on which interim responses go out too.
pub(crate) struct Wire<T> {
    pub(crate) io: T,
    pub(crate) interim: Interim,
}

impl<T: Write + Unpin> Wire<T> {
    /// Writes what is queued, where nothing of hyper's is half written.
    fn poll_queued(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let mut state = self.interim.state();
        while !state.queued.is_empty() && !state.is_dirty {
            let io = Pin::new(&mut self.io);
            let written = ready!(io.poll_write(context, &state.queued))?;
            if written == 0 {
                return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
            }
            state.queued.drain(..written);
        }
        Poll::Ready(Ok(()))
    }

    fn note_written(&self, written: Poll<Result<usize, Error>>) -> Poll<Result<usize, Error>> {
        if let Poll::Ready(Ok(1..)) = written {
            self.interim.state().is_dirty = true;
        }
        written
    }
}

impl<T: Read + Write + Unpin> Read for Wire<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<Result<(), Error>> {
        // Hyper reads while it waits, to notice when the client leaves.
        {
            let mut state = self.interim.state();
            if state.is_waiting {
                state.waker = Some(context.waker().clone());
            }
        }
        if let Poll::Ready(Err(error)) = self.poll_queued(context) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<T: Write + Unpin> Write for Wire<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, Error>> {
        ready!(self.poll_queued(context))?;
        let written = Pin::new(&mut self.io).poll_write(context, bytes);
        self.note_written(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<Result<usize, Error>> {
        ready!(self.poll_queued(context))?;
        let written = Pin::new(&mut self.io).poll_write_vectored(context, pieces);
        self.note_written(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        ready!(Pin::new(&mut self.io).poll_flush(context))?;
        // Hyper flushes once all that it had is written.
        self.interim.state().is_dirty = false;
        self.poll_queued(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
