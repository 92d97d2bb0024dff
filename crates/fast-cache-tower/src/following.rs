//! A request that waits for another one's answer, and then is looked up anew: by then the answer is in the store, or it
//! goes on by itself.

use crate::cache::Shared;
use crate::exchange::{Part, Replied};
use crate::runtime::Timer;
use crate::service::{Ask, CacheService, Called};
use crate::task::Task;
use fast_cache_engine::flight::{News, Ticket};
use http::Request;
use http_body::Body;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tower_service::Service;

/// A request that waits.
pub(crate) struct Following<S, A> {
    service: CacheService<S>,
    stage: Stage<A>,
}

#[allow(clippy::large_enum_variant, reason = "it is boxed as a whole")]
enum Stage<A> {
    Waiting(Ticket, Timer, Request<A>),
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
        ticket: Ticket,
        limit: Duration,
    ) -> Self {
        Self {
            service,
            stage: Stage::Waiting(ticket, Timer::after(limit), request),
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
        match self.service.look_up(guided, request, part) {
            // What is stale by then, somebody else will refresh.
            Called::Answer(replied) | Called::Refresh(replied, _) => Err(Box::new(replied)),
            Called::Ask(ask) => Ok(Stage::Readying(ask)),
            // Who does not board does not follow; were it so, it would not wait again.
            Called::Follow(ticket, _, request) => {
                let timer = Timer::after(Duration::ZERO);
                Ok(Stage::Waiting(ticket, timer, request))
            }
        }
    }

    pub(crate) fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Followed<S::Future>, S::Error>> {
        loop {
            match std::mem::replace(&mut self.stage, Stage::Over) {
                Stage::Waiting(ticket, mut timer, request) => {
                    let part = match ticket.poll(context.waker()) {
                        Poll::Ready(News::Lead(permit)) => Part::Lead(permit),
                        Poll::Ready(News::Landed(_)) => Part::Alone,
                        Poll::Pending if Pin::new(&mut timer).poll(context).is_ready() => {
                            let now = self.shared().clock.now();
                            ticket.give_up(now);
                            self.stage = match self.look_up(request, Part::Alone) {
                                Ok(stage) => stage,
                                Err(replied) => {
                                    return Poll::Ready(Ok(Followed::Answer(*replied)));
                                }
                            };
                            continue;
                        }
                        Poll::Pending => {
                            self.stage = Stage::Waiting(ticket, timer, request);
                            return Poll::Pending;
                        }
                    };
                    drop(ticket);
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
