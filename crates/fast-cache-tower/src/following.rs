//! A request that waits for another one's answer, or for the word of those who share the store, and then is looked up
//! anew: by then the answer is in the store, or it goes on by itself.

use crate::cache::Shared;
use crate::exchange::Answer;
use crate::kept::{Awaited, Part};
use crate::runtime::Timer;
use crate::service::{CacheService, Called};
use crate::task::Task;
use http::Request;
use http_body::Body;
use smallvec::SmallVec;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tower_service::Service;

/// A request that waits.
pub(crate) struct Following<S, A> {
    service: CacheService<S>,
    stage: Stage<A>,
    /// The digests of the keys that those who share the store were asked for.
    asked: SmallVec<[u128; 2]>,
}

#[allow(clippy::large_enum_variant, reason = "it is boxed as a whole")]
enum Stage<A> {
    Waiting(Awaited, Timer, Request<A>),
    /// It asks the service, once that is ready.
    Readying(Request<A>, Option<Box<Task>>),
    Over,
}

/// How a wait ended.
pub(crate) enum Followed<F> {
    /// This is the answer.
    Answer(Answer),
    /// The service was called.
    Asking(F, Option<Box<Task>>),
}

impl<S, A> Following<S, A> {
    pub(crate) fn new(
        service: CacheService<S>,
        request: Request<A>,
        awaited: Awaited,
        limit: Duration,
    ) -> Self {
        let asked = awaited.asked().into_iter().collect();
        let timer = Timer::after(limit);
        Self {
            service,
            stage: Stage::Waiting(awaited, timer, request),
            asked,
        }
    }
}

impl<S, A> Following<S, A>
where
    S: Service<Request<A>>,
    A: Body,
{
    /// The cache.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        self.service.shared()
    }

    /// What comes next, or the answer.
    fn look_up(&mut self, mut request: Request<A>, part: Part) -> Result<Stage<A>, Answer> {
        let Some(guided) = self.service.guided(&request) else {
            return Ok(Stage::Readying(request, None));
        };
        let called = self
            .service
            .look_up(guided, &mut request, part, &self.asked);
        match called {
            // What is stale by then, somebody else will refresh.
            Called::Answer(answer) | Called::Refresh(answer, _) => Err(answer),
            Called::Ask(task) => Ok(Stage::Readying(request, task)),
            Called::Wait(awaited, limit) => {
                self.asked.extend(awaited.asked());
                Ok(Stage::Waiting(awaited, Timer::after(limit), request))
            }
        }
    }

    pub(crate) fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Followed<S::Future>, S::Error>> {
        loop {
            match std::mem::replace(&mut self.stage, Stage::Over) {
                Stage::Waiting(mut awaited, mut timer, request) => {
                    let part = match awaited.poll(context) {
                        Poll::Ready(part) => part,
                        Poll::Pending if Pin::new(&mut timer).poll(context).is_ready() => {
                            awaited.give_up(self.shared().clock.now())
                        }
                        Poll::Pending => {
                            self.stage = Stage::Waiting(awaited, timer, request);
                            return Poll::Pending;
                        }
                    };
                    self.stage = match self.look_up(request, part) {
                        Ok(stage) => stage,
                        Err(answer) => return Poll::Ready(Ok(Followed::Answer(answer))),
                    };
                }
                Stage::Readying(request, task) => {
                    match self.service.inner.poll_ready(context) {
                        Poll::Ready(Ok(())) => {}
                        Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                        Poll::Pending => {
                            self.stage = Stage::Readying(request, task);
                            return Poll::Pending;
                        }
                    }
                    let future = self.service.inner.call(request);
                    return Poll::Ready(Ok(Followed::Asking(future, task)));
                }
                Stage::Over => panic!("polled after it was ready"),
            }
        }
    }
}
