//! What the tests have in common: scripted bodies, services that count, and a client.
#![allow(dead_code, reason = "no test needs all of it")]

#[cfg(feature = "tokio")]
pub(crate) mod gate;

use bytes::Bytes;
use fast_cache_tower::store::{Clock, Timestamp};
use fast_cache_tower::{Cache, CacheOutcome, Outcome};
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tower::{Service, ServiceExt, service_fn};

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A cache whose clock stands still.
pub(crate) fn cache() -> (Cache, Arc<Clock>) {
    let clock = Arc::new(Clock::manual(Timestamp::from_seconds(1_700_000_000)));
    let builder = Cache::builder().memory(16 << 20).clock(Arc::clone(&clock));
    (builder.build(), clock)
}

/// A body that plays a script.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) moves: VecDeque<Move>,
    pub(crate) exact: Option<u64>,
    /// It says that it is over as soon as nothing is left to play.
    pub(crate) tells_end: bool,
}

/// A move of a scripted body.
#[derive(Clone, Debug)]
pub(crate) enum Move {
    Data(&'static str),
    /// It is not ready, and wakes at once.
    Wait,
    Trailers,
    Fail,
}

impl Script {
    pub(crate) fn of(moves: &[Move]) -> Self {
        Self {
            moves: moves.iter().cloned().collect(),
            ..Self::default()
        }
    }

    /// The same, which tells how long it is.
    pub(crate) fn exact(mut self) -> Self {
        let length = |one: &Move| match one {
            Move::Data(data) => data.len() as u64,
            _ => 0,
        };
        self.exact = Some(self.moves.iter().map(length).sum());
        self
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        Poll::Ready(match self.moves.pop_front() {
            None => None,
            Some(Move::Data(data)) => {
                if let Some(exact) = &mut self.exact {
                    *exact -= data.len() as u64;
                }
                Some(Ok(Frame::data(Bytes::from_static(data.as_bytes()))))
            }
            Some(Move::Wait) => {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(Move::Trailers) => {
                let mut trailers = HeaderMap::new();
                trailers.insert("x-sum", "7".parse().expect("a value"));
                Some(Ok(Frame::trailers(trailers)))
            }
            Some(Move::Fail) => Some(Err("the body failed".into())),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.tells_end && self.moves.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.exact.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

/// A service that answers with what `answer` makes, and counts its calls.
#[allow(clippy::type_complexity, reason = "there is no name for it")]
pub(crate) fn counting<B, F>(
    answer: F,
) -> (
    impl Service<
        Request<Full<Bytes>>,
        Response = Response<B>,
        Error = Failure,
        Future = impl Future<Output = Result<Response<B>, Failure>> + Send + 'static,
    > + Clone,
    Arc<AtomicUsize>,
)
where
    F: Fn(&Request<Full<Bytes>>) -> Result<Response<B>, Failure> + Clone + Send + Sync + 'static,
    B: Send + 'static,
{
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let service = service_fn(move |request: Request<Full<Bytes>>| {
        counter.fetch_add(1, Ordering::SeqCst);
        let answered = answer(&request);
        async move { answered }
    });
    (service, calls)
}

/// `GET` of a path with these header lines.
pub(crate) fn get(path: &str, lines: &[(&str, &str)]) -> Request<Full<Bytes>> {
    request("GET", path, lines)
}

/// A request with these header lines.
pub(crate) fn request(method: &str, path: &str, lines: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut builder = Request::builder().method(method).uri(path);
    if lines.iter().all(|(name, _)| *name != "host") {
        builder = builder.header("host", "testserver");
    }
    for (name, value) in lines {
        builder = builder.header(*name, *value);
    }
    builder.body(Full::default()).expect("a request")
}

/// What a client got, body included.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) head: http::response::Parts,
    pub(crate) body: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
}

impl Got {
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.head
            .extensions
            .get()
            .map(|said: &CacheOutcome| said.outcome())
    }

    pub(crate) fn is_hit(&self) -> bool {
        self.outcome() == Some(Outcome::Hit)
    }

    pub(crate) fn reason(&self) -> Option<&'static str> {
        let said = self.head.extensions.get::<CacheOutcome>()?;
        said.reason().map(fast_cache_tower::Reason::token)
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let values = self.head.headers.get_all(name).iter();
        values.map(|value| value.to_str().expect("text")).collect()
    }
}

/// Asks once and reads the whole answer.
pub(crate) async fn ask<S, A, B>(service: &S, request: Request<A>) -> Got
where
    S: Service<Request<A>, Response = Response<B>> + Clone,
    S::Error: std::fmt::Debug,
    B: Body<Data = Bytes>,
    B::Error: std::fmt::Debug,
{
    let response = service.clone().oneshot(request).await.expect("an answer");
    let (head, body) = response.into_parts();
    let collected = body.collect().await.expect("a whole body");
    Got {
        head,
        trailers: collected.trailers().cloned(),
        body: collected.to_bytes(),
    }
}
