//! The future of a response.

use crate::body::{CacheBody, Tee};
use crate::cache::Shared;
use crate::drops::{Done, Pending};
use crate::exchange::{Errand, Judgement, Replied};
use crate::following::{Followed, Following};
use crate::outcome::CacheOutcome;
use crate::service::CacheService;
use fast_cache_engine::flight::Ticket;
use http::response::Parts;
use http::{Request, Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;
use std::fmt;
#[cfg(feature = "tokio")]
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
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
        Answer { replied: Option<Box<Replied>> },
        // Waiting for another request's answer.
        Following { following: Box<Following<S, A>> },
        // Waiting for the service.
        Asking { #[pin] future: S::Future, errand: Option<Errand>, ending: Option<Ending> },
        // Waiting for the first frame of the body, before the head goes out.
        Holding { head: Option<Box<Parts>>, tee: Option<Pin<Box<Tee<B>>>>, done: Option<Done> },
        Over,
    }
}

/// What is to be dropped.
struct Ending {
    shared: Arc<Shared>,
    pending: Pending,
}

impl<S, A, B> ResponseFuture<S, A, B>
where
    S: Service<Request<A>>,
    B: Body,
{
    /// An answer from the cache.
    pub(crate) fn answer(replied: Replied) -> Self {
        let replied = Some(Box::new(replied));
        Self {
            state: State::Answer { replied },
        }
    }

    /// The service's own answer, to which `pending` is dropped; it may be kept.
    pub(crate) fn asking(
        future: S::Future,
        errand: Option<Errand>,
        shared: &Arc<Shared>,
        pending: Pending,
    ) -> Self {
        let ending = Ending::of(shared, pending);
        Self {
            state: State::Asking {
                future,
                errand,
                ending,
            },
        }
    }

    /// The answer to another request, or the service's own.
    pub(crate) fn following(service: CacheService<S>, request: Request<A>, ticket: Ticket) -> Self {
        let following = Box::new(Following::new(service, request, ticket));
        Self {
            state: State::Following { following },
        }
    }
}

impl Ending {
    fn of(shared: &Arc<Shared>, pending: Pending) -> Option<Self> {
        (!pending.is_empty()).then(|| Self {
            shared: Arc::clone(shared),
            pending,
        })
    }
}

impl<S, A, B> Future for ResponseFuture<S, A, B>
where
    S: Service<Request<A>, Response = Response<B>>,
    A: Body,
    B: Body,
{
    type Output = Result<Response<CacheBody<B>>, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProjection::Answer { replied } => {
                    let replied = replied.take().expect("polled after it was ready");
                    state.set(State::Over);
                    return Poll::Ready(Ok(replied.into_response(CacheBody::stored)));
                }
                StateProjection::Following { following } => {
                    let followed = ready!(following.poll(context));
                    let shared = Arc::clone(following.shared());
                    state.set(State::Over);
                    match followed {
                        Ok(Followed::Answer(replied)) => {
                            return Poll::Ready(Ok(replied.into_response(CacheBody::stored)));
                        }
                        Ok(Followed::Asking(future, errand, pending)) => {
                            let ending = Ending::of(&shared, pending);
                            state.set(State::Asking {
                                future,
                                errand,
                                ending,
                            });
                        }
                        Err(error) => return Poll::Ready(Err(error)),
                    }
                }
                StateProjection::Asking {
                    future,
                    errand,
                    ending,
                } => {
                    let answered = ready!(future.poll(context));
                    let (errand, ending) = (errand.take(), ending.take());
                    state.set(State::Over);
                    let response = match answered {
                        Ok(response) => response,
                        Err(error) => {
                            let stand_in = errand.and_then(|errand| errand.stand_in(None));
                            return Poll::Ready(match stand_in {
                                Some(replied) => Ok(replied.into_response(CacheBody::stored)),
                                None => Err(error),
                            });
                        }
                    };
                    match answered_by(response, errand, ending) {
                        Next::Ready(response) => return Poll::Ready(Ok(*response)),
                        Next::Hold(head, tee, done) => state.set(State::Holding {
                            head: Some(head),
                            tee: Some(tee),
                            done,
                        }),
                    }
                }
                StateProjection::Holding { head, tee, done } => {
                    let body = tee.as_mut().expect("a head comes with its body");
                    ready!(body.as_mut().poll_first(context));
                    let (Some(mut parts), Some(mut body)) = (head.take(), tee.take()) else {
                        panic!("polled after it was ready");
                    };
                    let done = done.take();
                    state.set(State::Over);
                    body.as_mut().say(&mut parts);
                    let body = CacheBody::recording(body).ending(done);
                    return Poll::Ready(Ok(Response::from_parts(*parts, body)));
                }
                StateProjection::Over => panic!("polled after it was ready"),
            }
        }
    }
}

enum Next<B: Body> {
    Ready(Box<Response<CacheBody<B>>>),
    Hold(Box<Parts>, Pin<Box<Tee<B>>>, Option<Done>),
}

/// What becomes of the service's answer.
fn answered_by<B: Body>(
    response: Response<B>,
    errand: Option<Errand>,
    ending: Option<Ending>,
) -> Next<B> {
    let (mut head, body) = response.into_parts();
    // A cache inside of this one has answered: no handler ran that could have changed anything.
    let was_cached = || {
        let said = head.extensions.get::<CacheOutcome>();
        said.is_some_and(|said| !said.was_forwarded())
    };
    let ending = ending.filter(|_| !was_cached());
    let done = ending.and_then(|Ending { shared, pending }| pending.carry_out(&shared, &head));
    let errand = errand.filter(|_| head.status != StatusCode::SWITCHING_PROTOCOLS);
    let Some(errand) = errand else {
        let body = CacheBody::passing(body).ending(done);
        return Next::Ready(Box::new(Response::from_parts(head, body)));
    };
    match errand.judge(&head, body.size_hint().exact()) {
        Judgement::Instead(replied) => {
            if let Some(done) = done {
                done.settle();
            }
            Next::Ready(Box::new(replied.into_response(CacheBody::stored)))
        }
        Judgement::Pass(errand, reason) => {
            errand.say(&mut head.headers, &mut head.extensions, Err(reason));
            let body = CacheBody::passing(body).ending(done);
            Next::Ready(Box::new(Response::from_parts(head, body)))
        }
        Judgement::Record(progress) if body.is_end_stream() => {
            // Nobody polls it.
            let holds_back = progress.holds_back();
            if holds_back {
                progress.finish().say(&mut head);
            } else {
                progress.say(&mut head);
                drop(progress.finish());
            }
            let body = CacheBody::passing(body).ending(done);
            Next::Ready(Box::new(Response::from_parts(head, body)))
        }
        Judgement::Record(progress) => {
            let holds_back = progress.holds_back();
            let mut tee = Box::pin(Tee::new(body, progress));
            if holds_back {
                return Next::Hold(Box::new(head), tee, done);
            }
            tee.as_mut().say(&mut head);
            let body = CacheBody::recording(tee).ending(done);
            Next::Ready(Box::new(Response::from_parts(head, body)))
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
            State::Following { .. } => "Following",
            State::Asking { .. } => "Asking",
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
