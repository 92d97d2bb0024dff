//! The body of a response that came through the cache.
//!
//! 1. A body of the service's passes as it comes, frame by frame, with its length and its trailers; one that is not
//!    recorded is not touched.
//! 2. A recorded body is copied as it passes, up to the limit of the policy. Its entry is in the store before its last
//!    frame is handed on.
//! 3. A body that fails, that is dropped before its end, that has trailers or another length than was announced, stores
//!    nothing.
//!
//! To know which frame is the last, one more frame than was asked for is taken from a recorded body where it is ready.

mod tee;

pub(crate) use tee::Tee;

use crate::drops::Done;
use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// The body of a response that came through the cache. `B` is the service's own.
    pub struct CacheBody<B: Body> {
        #[pin]
        kind: Kind<B>,
        // What is dropped once more when the body has ended.
        done: Option<Box<Done>>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<B: Body> {
        Stored { data: Option<Bytes> },
        Passing { #[pin] body: B },
        Recording { tee: Pin<Box<Tee<B>>> },
    }
}

impl<B: Body> CacheBody<B> {
    /// A body from the cache.
    pub(crate) fn stored(data: Bytes) -> Self {
        let data = Some(data).filter(|data| !data.is_empty());
        Self {
            kind: Kind::Stored { data },
            done: None,
        }
    }

    /// The service's own.
    pub(crate) fn passing(body: B) -> Self {
        Self {
            kind: Kind::Passing { body },
            done: None,
        }
    }

    /// The service's own, while it is recorded.
    pub(crate) fn recording(tee: Pin<Box<Tee<B>>>) -> Self {
        Self {
            kind: Kind::Recording { tee },
            done: None,
        }
    }

    /// Drops `done` once more at its end, unless it has ended already.
    pub(crate) fn ending(mut self, done: Option<Box<Done>>) -> Self {
        match done {
            Some(done) if self.is_end_stream() => done.settle(),
            done => self.done = done,
        }
        self
    }
}

impl<B: Body> Body for CacheBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        if this.done.is_some() {
            return poll_to_end(this.kind, this.done, context);
        }
        this.kind.poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.kind.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Stored { data } => {
                SizeHint::with_exact(data.as_ref().map_or(0, |data| data.len() as u64))
            }
            Kind::Passing { body } => body.size_hint(),
            Kind::Recording { tee } => tee.size_hint(),
        }
    }
}

/// A frame; with the last one, `done` is dropped once more.
#[inline(never)]
fn poll_to_end<B: Body>(
    mut kind: Pin<&mut Kind<B>>,
    done: &mut Option<Box<Done>>,
    context: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
    let frame = ready!(kind.as_mut().poll_frame(context));
    if (matches!(frame, None | Some(Err(_))) || kind.is_end_stream())
        && let Some(done) = done.take()
    {
        done.again();
    }
    Poll::Ready(frame)
}

impl<B: Body> Kind<B> {
    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project() {
            KindProjection::Stored { data } => {
                Poll::Ready(data.take().map(|data| Ok(Frame::data(data))))
            }
            KindProjection::Passing { body } => {
                Poll::Ready(ready!(body.poll_frame(context)).map(whole))
            }
            KindProjection::Recording { tee } => tee.as_mut().poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Stored { data } => data.is_none(),
            Self::Passing { body } => body.is_end_stream(),
            Self::Recording { tee } => tee.is_end_stream(),
        }
    }
}

impl<B: Body> fmt::Debug for CacheBody<B> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.kind {
            Kind::Stored { .. } => "Stored",
            Kind::Passing { .. } => "Passing",
            Kind::Recording { .. } => "Recording",
        };
        formatter.debug_tuple("CacheBody").field(&kind).finish()
    }
}

/// The frame with its data in one piece, which costs nothing where it is one.
pub(crate) fn whole<D: Buf, E>(frame: Result<Frame<D>, E>) -> Result<Frame<Bytes>, E> {
    frame.map(|frame| frame.map_data(|mut data| data.copy_to_bytes(data.remaining())))
}
