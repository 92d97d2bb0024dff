//! The service that the layers make.

use crate::body::CacheBody;
use crate::cache::Cache;
use crate::exchange::{Replied, Step, Visit};
use crate::explanation::Explanation;
use crate::future::ResponseFuture;
use crate::guide::{Guide, Guided};
use crate::kept::{Awaited, Part};
use crate::request::{Head, has_body};
use crate::runtime;
use crate::task::Task;
use http::{Method, Request, Response};
use http_body::Body;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
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
#[allow(
    clippy::large_enum_variant,
    reason = "it is taken apart where it is made"
)]
pub(crate) enum Called<A> {
    /// This is the answer.
    Answer(Replied),
    /// This is the answer, and the service is to be asked for a new one.
    Refresh(Replied, Ask<A>),
    /// The service is asked.
    Ask(Ask<A>),
    /// Another request's answer is waited for, or the word of those who share the store, and no longer than that.
    Wait(Awaited, Duration, Request<A>),
}

/// A request for the service inside, and what is to be done about its answer, if anything is.
pub(crate) struct Ask<A> {
    pub(crate) request: Request<A>,
    pub(crate) task: Option<Box<Task>>,
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

    /// What would be done with a request, and why.
    pub fn explain<A: Body>(&self, request: &Request<A>) -> Explanation {
        Explanation::of(&self.cache.shared, &self.guide, request)
    }

    /// What the layer has to do with a request; `None` where that is nothing.
    pub(crate) fn guided<A>(&self, request: &Request<A>) -> Option<Guided<'_>> {
        if request.method() == Method::CONNECT {
            return None;
        }
        let guided = self.guide.find(&self.cache.shared, &Head::of(request));
        (guided.route.is_some() || guided.pending.is_some()).then_some(guided)
    }

    /// Looks a request up, when those who share the store were asked for the keys with the digests `asked`.
    pub(crate) fn look_up<A: Body>(
        &self,
        guided: Guided<'_>,
        mut request: Request<A>,
        part: Part,
        asked: &[u128],
    ) -> Called<A> {
        let shared = &self.cache.shared;
        let Some(route) = &guided.route else {
            let task = Task::of(shared, None, guided.pending);
            return Called::Ask(Ask { request, task });
        };
        let mut custom = None;
        if let Some(key) = &route.plan.key {
            let (parts, body) = request.into_parts();
            custom = Some(key(&parts));
            request = Request::from_parts(parts, body);
        }
        let visit = Visit {
            shared,
            route,
            head: Head::of(&request),
            has_body: has_body(request.body()),
            only_stored: guided.only_stored,
            custom,
            asked,
        };
        let (errand, headers, background) = match visit.step(part) {
            Step::Answer(replied) => {
                return Called::Answer(replied.with(request.extensions_mut()));
            }
            Step::Wait(awaited, limit) => return Called::Wait(awaited, limit, request),
            Step::Pass => (None, None, None),
            Step::Forward(errand, headers) => (Some(errand), headers, None),
            Step::Stale(replied, refresh) => {
                let in_background = runtime::is_there();
                match visit.refreshed(*refresh, in_background) {
                    None => return Called::Answer(replied),
                    Some((errand, headers)) => {
                        (Some(errand), headers, in_background.then_some(replied))
                    }
                }
            }
        };
        if let Some(headers) = headers {
            *request.headers_mut() = headers;
        }
        let task = Task::of(shared, errand, guided.pending);
        let ask = Ask { request, task };
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
        let Some(guided) = self.guided(&request) else {
            return ResponseFuture::asking(self.inner.call(request), None);
        };
        match self.look_up(guided, request, Part::Board, &[]) {
            Called::Answer(replied) => ResponseFuture::answer(replied),
            Called::Ask(Ask { request, task }) => {
                ResponseFuture::asking(self.inner.call(request), task)
            }
            Called::Refresh(replied, Ask { request, task }) => {
                let refresh: Self::Future = ResponseFuture::asking(self.inner.call(request), task);
                runtime::spawn(refresh);
                ResponseFuture::answer(replied)
            }
            Called::Wait(awaited, limit, request) => {
                ResponseFuture::following(self.clone(), request, awaited, limit)
            }
        }
    }
}
