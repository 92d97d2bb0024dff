//! The future of a response.

use crate::body::CacheBody;
use crate::exchange::Answer;
use crate::following::{Followed, Following};
use crate::kept::Awaited;
use crate::service::CacheService;
use crate::task::{Held, Next, Task};
use fast_cache_store::Settling;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use std::fmt;
#[cfg(feature = "tokio")]
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tower_service::Service;

pin_project! {
    /// The future of a response that comes from the cache, or through it. Dropping it stores nothing.
    pub struct ResponseFuture<S, A, B>
    where
        S: Service<Request<A>>,
        B: Body,
    {
        #[pin]
        state: State<S, A, B>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, A, B>
    where
        S: Service<Request<A>>,
        B: Body,
    {
        // Answered from the cache.
        Answer { answer: Option<Answer> },
        // Waiting for the service, with whose answer the cache has nothing to do.
        Passing { #[pin] future: S::Future },
        // Waiting for another request's answer, or for those who share the store.
        Following { following: Box<Following<S, A>> },
        // Waiting for the service.
        Asking { #[pin] future: S::Future, task: Option<Box<Task>> },
        // Waiting for drops to hold for everybody who shares the store.
        Settling { settling: Settling, next: Option<Next<B>> },
        // Waiting for the first frame of the body, before the head goes out.
        Holding { held: Option<Held<B>> },
        Over,
    }
}

impl<S, A, B> ResponseFuture<S, A, B>
where
    S: Service<Request<A>>,
    B: Body,
{
    /// An answer from the cache.
    pub(crate) fn answer(answer: Answer) -> Self {
        let answer = Some(answer);
        Self {
            state: State::Answer { answer },
        }
    }

    /// The service's own answer.
    pub(crate) fn passing(future: S::Future) -> Self {
        Self {
            state: State::Passing { future },
        }
    }

    /// The service's own answer, with which `task` is done.
    pub(crate) fn asking(future: S::Future, task: Option<Box<Task>>) -> Self {
        Self {
            state: State::Asking { future, task },
        }
    }

    /// The answer to another request, or the service's own.
    pub(crate) fn following(
        service: CacheService<S>,
        request: Request<A>,
        awaited: Awaited,
        limit: Duration,
    ) -> Self {
        let following = Box::new(Following::new(service, request, awaited, limit));
        Self {
            state: State::Following { following },
        }
    }
}

impl<S, A, B> Future for ResponseFuture<S, A, B>
where
    S: Service<Request<A>, Response = Response<B>>,
    A: Body,
    B: Body,
{
    type Output = Result<Response<CacheBody<B>>, S::Error>;

    /// What most requests need goes where it is called from; the rest is a function of its own.
    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        match state.as_mut().project() {
            StateProjection::Answer { answer } => {
                let answer = answer.take().expect("polled after it was ready");
                Poll::Ready(Ok(answer.into_response(CacheBody::stored)))
            }
            StateProjection::Passing { future } => {
                let answered = ready!(future.poll(context));
                Poll::Ready(answered.map(|it| it.map(CacheBody::passing)))
            }
            _ => poll_task(state, context),
        }
    }
}

/// Goes on where the cache has something to do with the service's answer.
#[inline(never)]
fn poll_task<S, A, B>(
    mut state: Pin<&mut State<S, A, B>>,
    context: &mut Context<'_>,
) -> Poll<Result<Response<CacheBody<B>>, S::Error>>
where
    S: Service<Request<A>, Response = Response<B>>,
    A: Body,
    B: Body,
{
    loop {
        match state.as_mut().project() {
            StateProjection::Following { following } => {
                let followed = ready!(following.poll(context));
                state.set(State::Over);
                match followed {
                    Ok(Followed::Answer(answer)) => {
                        return Poll::Ready(Ok(answer.into_response(CacheBody::stored)));
                    }
                    Ok(Followed::Asking(future, task)) => {
                        state.set(State::Asking { future, task });
                    }
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
            StateProjection::Asking { future, task } => {
                let answered = ready!(future.poll(context));
                let task = task.take();
                state.set(State::Over);
                let Some(task) = task else {
                    return Poll::Ready(answered.map(|it| it.map(CacheBody::passing)));
                };
                let response = match answered {
                    Ok(response) => response,
                    Err(error) => return Poll::Ready(task.stand_in().ok_or(error)),
                };
                let (next, settling) = task.answered_by(response);
                if let Some(settling) = settling {
                    let next = Some(next);
                    state.set(State::Settling { settling, next });
                    continue;
                }
                match next {
                    Next::Ready(response) => return Poll::Ready(Ok(response)),
                    Next::Hold(held) => state.set(State::Holding { held: Some(held) }),
                }
            }
            StateProjection::Settling { settling, next } => {
                ready!(settling.as_mut().poll(context));
                let next = next.take();
                state.set(State::Over);
                match next {
                    Some(Next::Ready(response)) => return Poll::Ready(Ok(response)),
                    Some(Next::Hold(held)) => state.set(State::Holding { held: Some(held) }),
                    None => {}
                }
            }
            StateProjection::Holding { held } => {
                let waiting = held.as_mut().expect("polled after it was ready");
                ready!(waiting.body().poll_first(context));
                let held = held.take();
                state.set(State::Over);
                if let Some(held) = held {
                    return Poll::Ready(Ok(held.into_response()));
                }
            }
            _ => panic!("polled after it was ready"),
        }
    }
}

impl<S, A, B> fmt::Debug for ResponseFuture<S, A, B>
where
    S: Service<Request<A>>,
    B: Body,
{
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Answer { .. } => "Answer",
            State::Passing { .. } => "Passing",
            State::Following { .. } => "Following",
            State::Asking { .. } => "Asking",
            State::Settling { .. } => "Settling",
            State::Holding { .. } => "Holding",
            State::Over => "Over",
        };
        formatter
            .debug_tuple("ResponseFuture")
            .field(&state)
            .finish()
    }
}

/// Drives a refresh: nobody gets its answer, but its body has to be read to be stored.
#[cfg(feature = "tokio")]
pub(crate) async fn refresh<S, A, B>(future: ResponseFuture<S, A, B>)
where
    S: Service<Request<A>, Response = Response<B>>,
    A: Body,
    B: Body,
{
    let body: CacheBody<B> = match future.await {
        Ok(response) => response.into_body(),
        Err(_) => return,
    };
    let mut body = std::pin::pin!(body);
    while let Some(Ok(_)) = poll_fn(|context| body.as_mut().poll_frame(context)).await {}
}
