//! The service that the layers make.

use crate::body::CacheBody;
use crate::cache::Cache;
use crate::drops::Pending;
use crate::exchange::{Errand, Part, Replied, Step, Visit};
use crate::future::ResponseFuture;
use crate::guide::{Guide, Guided, original_uri};
use crate::request::has_body;
use crate::runtime;
use fast_cache_engine::flight::Ticket;
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
/// 3. Concurrent requests for one key make one call: the others wait for its answer, up to a limit
///    ([`CacheBuilder::follower_timeout`](crate::CacheBuilder::follower_timeout)), and go on by themselves where it turns
///    out to be nobody else's. They wait with a clone of the service inside, which they make ready when they have to.
/// 4. Its errors and those of its bodies pass as they are, unless a stale answer stands in.
pub struct CacheService<S> {
    pub(crate) inner: S,
    pub(crate) cache: Cache,
    guide: Arc<Guide>,
}

/// What is to be done about a request.
pub(crate) enum Called<A> {
    /// This is the answer.
    Answer(Replied),
    /// This is the answer, and the service is to be asked for a new one.
    Refresh(Replied, Ask<A>),
    /// The service is asked.
    Ask(Ask<A>),
    /// Another request's answer is waited for.
    Follow(Ticket, Request<A>),
}

/// A request for the service inside.
pub(crate) struct Ask<A> {
    pub(crate) request: Request<A>,
    pub(crate) errand: Option<Errand>,
    pub(crate) pending: Pending,
}

impl<S> CacheService<S> {
    pub(crate) fn new(inner: S, cache: Cache, guide: Arc<Guide>) -> Self {
        Self {
            inner,
            cache,
            guide,
        }
    }

    /// The service inside.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Looks a request up.
    pub(crate) fn look_up<A: Body>(&self, request: Request<A>, part: Part) -> Called<A> {
        let shared = &self.cache.shared;
        let ask = |request, errand, pending| Ask {
            request,
            errand,
            pending,
        };
        if request.method() == Method::CONNECT {
            return Called::Ask(ask(request, None, Pending::default()));
        }
        let (mut parts, body) = request.into_parts();
        let uri = original_uri(&parts);
        let Guided {
            route,
            only_stored,
            pending,
        } = self.guide.find(shared, &parts, uri);
        let Some(route) = route else {
            return Called::Ask(ask(Request::from_parts(parts, body), None, pending));
        };
        let in_background = runtime::is_there();
        let visit = Visit {
            shared,
            route: &route,
            parts: &parts,
            uri,
            has_body: has_body(&body),
            only_stored,
            can_wait: in_background && shared.follower_timeout.is_some(),
        };
        let (errand, headers, background) = match visit.step(part) {
            Step::Answer(replied) => return Called::Answer(replied),
            Step::Follow(ticket) => {
                return Called::Follow(ticket, Request::from_parts(parts, body));
            }
            Step::Pass => (None, None, None),
            Step::Forward(errand, headers) => (Some(errand), headers, None),
            Step::Stale(replied, refresh) => match visit.refreshed(*refresh, in_background) {
                None => return Called::Answer(replied),
                Some((errand, headers)) => {
                    (Some(errand), headers, in_background.then_some(replied))
                }
            },
        };
        if let Some(headers) = headers {
            parts.headers = headers;
        }
        let ask = ask(Request::from_parts(parts, body), errand, pending);
        match background {
            None => Called::Ask(ask),
            Some(replied) => Called::Refresh(replied, ask),
        }
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
    S: Service<Request<A>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: 'static,
    A: Body + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Send,
{
    type Response = Response<CacheBody<B>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, A, B>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let shared = Arc::clone(&self.cache.shared);
        match self.look_up(request, Part::Board) {
            Called::Answer(replied) => ResponseFuture::answer(replied),
            Called::Ask(ask) => {
                let future = self.inner.call(ask.request);
                ResponseFuture::asking(future, ask.errand, &shared, ask.pending)
            }
            Called::Refresh(replied, ask) => {
                let future = self.inner.call(ask.request);
                let asking: Self::Future =
                    ResponseFuture::asking(future, ask.errand, &shared, ask.pending);
                runtime::spawn(asking);
                ResponseFuture::answer(replied)
            }
            Called::Follow(ticket, request) => {
                ResponseFuture::following(self.clone(), request, ticket)
            }
        }
    }
}
