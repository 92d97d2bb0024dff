//! A body that is recorded as it passes.

use super::whole;
use crate::exchange::{Finished, InProgress};
use bytes::Bytes;
use fast_cache_core::reason::Reason;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

type Polled<E> = Option<Result<Frame<Bytes>, E>>;

pin_project! {
    /// A body that is recorded as it passes.
    pub(crate) struct Tee<B: Body> {
        #[pin]
        body: B,
        recorded: Recorded,
        // Frames that were taken from the body and not handed on yet, the first one recorded already.
        ready: Option<Polled<B::Error>>,
        ahead: Option<Polled<B::Error>>,
    }
}

/// What is known of the recording.
enum Recorded {
    Going(Box<InProgress>),
    /// It is known what became of it, and not said yet.
    Ended(Box<Finished>),
    Said,
}

impl<B: Body> Tee<B> {
    pub(crate) fn new(body: B, progress: Box<InProgress>) -> Self {
        Self {
            body,
            recorded: Recorded::Going(progress),
            ready: None,
            ahead: None,
        }
    }

    /// Takes the first frame, for the head that waits for it.
    pub(crate) fn poll_first(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut this = self;
        let frame = ready!(this.as_mut().poll_recorded(context));
        *this.project().ready = Some(frame);
        Poll::Ready(())
    }

    /// Says in the head what is known.
    pub(crate) fn say(self: Pin<&mut Self>, head: &mut http::response::Parts) {
        let recorded = self.project().recorded;
        match std::mem::replace(recorded, Recorded::Said) {
            Recorded::Going(progress) => {
                progress.say(head);
                *recorded = Recorded::Going(progress);
            }
            Recorded::Ended(finished) => finished.say(head),
            Recorded::Said => {}
        }
    }

    fn poll_recorded(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Polled<B::Error>> {
        let mut this = self.project();
        let mut polled = match this.ahead.take() {
            Some(polled) => polled,
            None => ready!(this.body.as_mut().poll_frame(context)).map(whole),
        };
        let before = std::mem::replace(this.recorded, Recorded::Said);
        let Recorded::Going(mut progress) = before else {
            *this.recorded = before;
            return Poll::Ready(polled);
        };
        let end = |recorded: &mut Recorded, finished| {
            *recorded = Recorded::Ended(Box::new(finished));
        };
        match &mut polled {
            None => end(this.recorded, progress.finish()),
            Some(Err(_)) => end(this.recorded, progress.refuse(Reason::Incomplete)),
            Some(Ok(frame)) => match frame.data_ref() {
                None => end(this.recorded, progress.refuse(Reason::Unrepeatable)),
                Some(data) => match progress.push(data) {
                    Err(reason) => end(this.recorded, progress.refuse(reason)),
                    Ok(()) if this.body.is_end_stream() => {
                        end(this.recorded, progress.finish());
                    }
                    Ok(()) => match this.body.as_mut().poll_frame(context) {
                        Poll::Ready(None) => {
                            *this.ahead = Some(None);
                            end(this.recorded, progress.finish());
                        }
                        Poll::Ready(next) => {
                            *this.ahead = Some(next.map(whole));
                            *this.recorded = Recorded::Going(progress);
                        }
                        // Servers that know the length do not ask for the end.
                        Poll::Pending if progress.is_complete() => {
                            end(this.recorded, progress.finish());
                        }
                        Poll::Pending => *this.recorded = Recorded::Going(progress),
                    },
                },
            },
        }
        Poll::Ready(polled)
    }

    fn taken(&self) -> impl Iterator<Item = &Polled<B::Error>> {
        self.ready.iter().chain(&self.ahead)
    }
}

impl<B: Body> Body for Tee<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Polled<B::Error>> {
        match self.as_mut().project().ready.take() {
            Some(frame) => Poll::Ready(frame),
            None => self.poll_recorded(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        // As long as it is recorded, its end has to be seen.
        let is_going = matches!(self.recorded, Recorded::Going(_));
        let mut taken = self.taken();
        match taken.next() {
            Some(Some(_)) => false,
            Some(None) => true,
            None => !is_going && self.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let length = |polled: &Polled<B::Error>| {
            let frame = polled.as_ref().and_then(|frame| frame.as_ref().ok());
            let data = frame.and_then(Frame::data_ref);
            data.map_or(0, |data| data.len() as u64)
        };
        let taken: u64 = self.taken().map(length).sum();
        let mut hint = self.body.size_hint();
        if taken > 0 {
            let lower = hint.lower().saturating_add(taken);
            let upper = hint.upper().map(|upper| upper.saturating_add(taken));
            hint = SizeHint::new();
            if let Some(upper) = upper {
                hint.set_upper(upper);
            }
            hint.set_lower(lower);
        }
        hint
    }
}
