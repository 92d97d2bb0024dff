//! Bodies that tell when they end, and do not wait forever.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};

type Polled = Option<Result<Frame<Bytes>, Box<dyn Error + Send + Sync>>>;

/// A request's body. When it is sent, and so dropped, the other end of the channel knows.
pub(crate) struct Upload {
    body: Incoming,
    _sent: oneshot::Sender<()>,
}

impl Upload {
    /// The body, and what resolves when it is sent.
    pub(crate) fn new(body: Incoming) -> (Self, oneshot::Receiver<()>) {
        let (sent, is_sent) = oneshot::channel();
        (Self { body, _sent: sent }, is_sent)
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

pin_project! {
    /// An answer's body, which fails where the origin is silent for too long.
    pub(crate) struct Download {
        body: Incoming,
        timeout: Duration,
        #[pin]
        silence: Option<Sleep>,
    }
}

impl Download {
    pub(crate) fn new(body: Incoming, timeout: Duration) -> Self {
        Self {
            body,
            timeout,
            silence: None,
        }
    }
}

impl Body for Download {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Polled> {
        let mut this = self.project();
        if let Poll::Ready(frame) = Pin::new(this.body).poll_frame(context) {
            this.silence.set(None);
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        if this.silence.is_none() {
            this.silence.set(Some(sleep(*this.timeout)));
        }
        if let Some(silence) = this.silence.as_mut().as_pin_mut() {
            ready!(silence.poll(context));
        }
        let silent = "the origin is silent in the midst of an answer";
        Poll::Ready(Some(Err(silent.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
