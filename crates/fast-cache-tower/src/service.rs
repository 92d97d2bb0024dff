//! The service that the layers make.

use crate::body::CacheBody;
use crate::cache::Cache;
use crate::drops::Pending;
use crate::exchange::{Step, Visit};
use crate::future::ResponseFuture;
use crate::guide::{Guide, Guided, original_uri};
use crate::request::has_body;
use http::{Method, Request, Response};
use http_body::Body;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower_service::Service;

/// A service behind the cache, made by [`StoreLayer`](crate::StoreLayer), [`DropLayer`](crate::DropLayer) or
/// [`CacheLayer`](crate::CacheLayer).
///
/// 1. It is ready when the service inside is, also for requests that will be answered from the cache.
/// 2. The service inside is called at most once for a request, and not at all for a hit.
/// 3. Its errors and those of its bodies pass as they are, unless a stale answer stands in.
pub struct CacheService<S> {
    inner: S,
    cache: Cache,
    guide: Arc<Guide>,
}

impl<S> CacheService<S> {
    pub(crate) fn new(inner: S, cache: Cache, guide: Guide) -> Self {
        Self {
            inner,
            cache,
            guide: Arc::new(guide),
        }
    }

    /// The service inside.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }
}

impl<S: Clone> Clone for CacheService<S> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            cache: self.cache.clone(),
            guide: Arc::clone(&self.guide),
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for CacheService<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("CacheService");
        shown.field("inner", &self.inner);
        shown.field("cache", &self.cache);
        shown.finish_non_exhaustive()
    }
}

impl<S, A, B> Service<Request<A>> for CacheService<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: 'static,
    A: Body,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Send,
{
    type Response = Response<CacheBody<B>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, B>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let shared = &self.cache.shared;
        if request.method() == Method::CONNECT {
            let future = self.inner.call(request);
            return ResponseFuture::asking(future, None, shared, Pending::default());
        }
        let (mut parts, body) = request.into_parts();
        let uri = original_uri(&parts);
        let Guided {
            route,
            only_stored,
            pending,
        } = self.guide.find(shared, &parts, uri);
        let Some(route) = route else {
            let future = self.inner.call(Request::from_parts(parts, body));
            return ResponseFuture::asking(future, None, shared, pending);
        };
        let visit = Visit {
            shared,
            route: &route,
            parts: &parts,
            uri,
            has_body: has_body(&body),
            only_stored,
        };
        let (errand, headers, background) = match visit.step() {
            Step::Answer(replied) => return ResponseFuture::answer(replied),
            Step::Pass => (None, None, None),
            Step::Forward(errand, headers) => (Some(errand), headers, None),
            Step::Stale(replied, refresh) => match visit.refreshed(*refresh, has_runtime()) {
                None => return ResponseFuture::answer(replied),
                Some((errand, headers)) => {
                    (Some(errand), headers, has_runtime().then_some(replied))
                }
            },
        };
        if let Some(headers) = headers {
            parts.headers = headers;
        }
        let future = self.inner.call(Request::from_parts(parts, body));
        let asking = ResponseFuture::asking(future, errand, shared, pending);
        match background {
            None => asking,
            Some(replied) => {
                spawn(asking);
                ResponseFuture::answer(replied)
            }
        }
    }
}

/// Whether something can go on in the background.
fn has_runtime() -> bool {
    #[cfg(feature = "tokio")]
    return tokio::runtime::Handle::try_current().is_ok();
    #[cfg(not(feature = "tokio"))]
    false
}

/// Lets a refresh go on in the background.
#[cfg(feature = "tokio")]
fn spawn<F, B, E: 'static>(asking: ResponseFuture<F, B>)
where
    F: Future<Output = Result<Response<B>, E>> + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Send,
{
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(crate::future::refresh(asking));
    }
}

#[cfg(not(feature = "tokio"))]
fn spawn<F, B: Body>(asking: ResponseFuture<F, B>) {
    drop(asking);
}
