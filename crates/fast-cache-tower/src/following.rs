//! A request that waits for another one's answer, or for the word of those who share the store, and then is looked up
//! anew: by then the answer is in the store, or it goes on by itself.

use crate::cache::Shared;
use crate::exchange::Replied;
use crate::kept::{Awaited, Part};
use crate::runtime::Timer;
use crate::service::{Ask, CacheService, Called};
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
    Readying(Ask<A>),
    Over,
}

/// How a wait ended.
pub(crate) enum Followed<F> {
    /// This is the answer.
    Answer(Replied),
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
        &self.service.cache.shared
    }

    /// What comes next, or the answer.
    fn look_up(&mut self, request: Request<A>, part: Part) -> Result<Stage<A>, Box<Replied>> {
        let Some(guided) = self.service.guided(&request) else {
            let task = None;
            return Ok(Stage::Readying(Ask { request, task }));
        };
        match self.service.look_up(guided, request, part, &self.asked) {
            // What is stale by then, somebody else will refresh.
            Called::Answer(replied) | Called::Refresh(replied, _) => Err(Box::new(replied)),
            Called::Ask(ask) => Ok(Stage::Readying(ask)),
            Called::Wait(awaited, limit, request) => {
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
                        Err(replied) => return Poll::Ready(Ok(Followed::Answer(*replied))),
                    };
                }
                Stage::Readying(ask) => {
                    match self.service.inner.poll_ready(context) {
                        Poll::Ready(Ok(())) => {}
                        Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                        Poll::Pending => {
                            self.stage = Stage::Readying(ask);
                            return Poll::Pending;
                        }
                    }
                    let future = self.service.inner.call(ask.request);
                    return Poll::Ready(Ok(Followed::Asking(future, ask.task)));
                }
                Stage::Over => panic!("polled after it was ready"),
            }
        }
    }
}
