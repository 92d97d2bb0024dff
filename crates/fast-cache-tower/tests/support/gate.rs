//! Handlers that wait until they are let on, behind a cache.

use super::{Failure, get};
use bytes::Bytes;
use fast_cache_tower::{Cache, CacheOutcome, CacheService, Outcome, Policy};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt, service_fn};

pub(crate) type Answer = Result<Response<Full<Bytes>>, Failure>;
pub(crate) type Handler = BoxCloneSyncService<Request<Full<Bytes>>, Response<Full<Bytes>>, Failure>;

/// A handler that waits for a permit before it answers.
pub(crate) struct Gate {
    calls: Arc<AtomicUsize>,
    pub(crate) permits: Arc<Semaphore>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self {
            calls: Arc::default(),
            permits: Arc::new(Semaphore::new(0)),
        }
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// The handler behind a cache; `answer` makes the answer of each call, which are counted from 1.
    pub(crate) fn behind(
        &self,
        cache: &Cache,
        answer: impl Fn(usize) -> Answer + Clone + Send + Sync + 'static,
    ) -> CacheService<Handler> {
        let policy = Policy::max_age(Duration::from_secs(60));
        self.behind_policy(cache, policy, answer)
    }

    pub(crate) fn behind_policy(
        &self,
        cache: &Cache,
        policy: Policy,
        answer: impl Fn(usize) -> Answer + Clone + Send + Sync + 'static,
    ) -> CacheService<Handler> {
        let (calls, permits) = (Arc::clone(&self.calls), Arc::clone(&self.permits));
        let handler = service_fn(move |_: Request<Full<Bytes>>| {
            let call = calls.fetch_add(1, Ordering::SeqCst) + 1;
            let (permits, answer) = (Arc::clone(&permits), answer.clone());
            async move {
                permits.acquire().await?.forget();
                answer(call)
            }
        });
        cache.store(policy).layer(Handler::new(handler))
    }
}

/// A request that goes on by itself: its outcome and its body, or its error.
pub(crate) fn start(
    service: &CacheService<Handler>,
) -> tokio::task::JoinHandle<(Option<Outcome>, String)> {
    start_with(service, get("/", &[]))
}

pub(crate) fn start_with(
    service: &CacheService<Handler>,
    request: Request<Full<Bytes>>,
) -> tokio::task::JoinHandle<(Option<Outcome>, String)> {
    type Response = http::Response<fast_cache_tower::body::CacheBody<Full<Bytes>>>;
    type Answered = Pin<Box<dyn Future<Output = Result<Response, Failure>> + Send>>;
    let answered: Answered = Box::pin(service.clone().oneshot(request));
    tokio::spawn(async move {
        match answered.await {
            Ok(response) => {
                let said = response.extensions().get::<CacheOutcome>().copied();
                let body = response.collect().await.expect("a body").to_bytes();
                let text = String::from_utf8_lossy(&body).into_owned();
                (said.map(|said| said.outcome()), text)
            }
            Err(error) => (None, error.to_string()),
        }
    })
}

/// Lets everybody go on until all wait.
pub(crate) async fn settle() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

pub(crate) fn text(text: &str) -> Response<Full<Bytes>> {
    Response::new(Full::new(Bytes::copy_from_slice(text.as_bytes())))
}
