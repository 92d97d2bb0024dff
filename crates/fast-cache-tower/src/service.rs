//! The service that the layers make.

use crate::body::CacheBody;
use crate::cache::{Cache, Shared};
use crate::exchange::{Answer, Step, Visit};
use crate::explanation::Explanation;
use crate::future::ResponseFuture;
use crate::guide::{Guide, Guided};
use crate::kept::{Awaited, Part};
use crate::request::{Head, Passed, has_body};
use crate::runtime;
use crate::task::Task;
use http::request::Parts;
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
///    out to be nobody else's. They wait with a clone of the service inside, which they make ready when they have to, and
///    give back what the service that was called has reserved. A request that comes through one cache twice waits for
///    nobody the second time.
/// 4. Its errors and those of its bodies pass as they are, unless a stale answer stands in.
pub struct CacheService<S> {
    pub(crate) inner: S,
    /// In one piece, as frameworks clone services for every request.
    common: Arc<Common>,
}

/// What all clones of a service have in common.
struct Common {
    cache: Cache,
    guide: Arc<Guide>,
}

/// What is to be done about a request.
pub(crate) enum Called {
    /// This is the answer.
    Answer(Answer),
    /// This is the answer, and the service is to be asked for a new one.
    Refresh(Answer, Option<Box<Task>>),
    /// The service is asked. With its answer the task is done, if there is one.
    Ask(Option<Box<Task>>),
    /// Another request's answer is waited for, or the word of those who share the store, and no longer than that.
    Wait(Awaited, Duration),
}

impl<S> CacheService<S> {
    pub(crate) fn new(inner: S, cache: Cache, guide: Arc<Guide>) -> Self {
        let common = Arc::new(Common { cache, guide });
        Self { inner, common }
    }

    /// The cache.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.common.cache.shared
    }

    /// The service inside.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// What would be done with a request, and why.
    pub fn explain<A: Body>(&self, request: &Request<A>) -> Explanation {
        Explanation::of(self.shared(), &self.common.guide, request)
    }

    /// What the layer has to do with a request; `None` where that is nothing.
    #[inline]
    pub(crate) fn guided<A>(&self, request: &Request<A>) -> Option<Guided<'_>> {
        if request.method() == Method::CONNECT {
            return None;
        }
        let guided = self.common.guide.find(self.shared(), &Head::of(request));
        (guided.route.is_some() || guided.pending.is_some()).then_some(guided)
    }

    /// Looks a request up, when those who share the store were asked for the keys with the digests `asked`. Where the
    /// service is to be asked, the request is made ready for it.
    pub(crate) fn look_up<A: Body>(
        &self,
        guided: Guided<'_>,
        request: &mut Request<A>,
        part: Part,
        asked: &[u128],
    ) -> Called {
        let shared = self.shared();
        let Some(route) = &guided.route else {
            return Called::Ask(Task::of(shared, None, guided.pending));
        };
        let key = route.plan.key.as_ref();
        let custom = key.map(|key| with_parts(request, |parts| key(parts)));
        let visit = Visit {
            shared,
            route,
            head: Head::of(request),
            has_body: has_body(request.body()),
            only_stored: guided.only_stored,
            custom,
            asked,
        };
        let (errand, headers, background) = match visit.step(part) {
            Step::Answer(answer) => {
                return Called::Answer(answer.with_memory_of(request.extensions_mut()));
            }
            Step::Wait(awaited, limit) => return Called::Wait(awaited, limit),
            Step::Pass => (None, None, None),
            Step::Forward(errand, headers) => (Some(errand), headers, None),
            Step::Stale(answer, refresh) => {
                let in_background = runtime::is_there();
                match visit.refreshed(*refresh, in_background) {
                    None => return Called::Answer(answer),
                    Some((errand, headers)) => {
                        (Some(errand), headers, in_background.then_some(answer))
                    }
                }
            }
        };
        if let Some(headers) = headers {
            *request.headers_mut() = headers;
        }
        if errand
            .as_ref()
            .is_some_and(|errand| errand.asking.is_some())
        {
            Passed::note(request.extensions_mut(), shared);
        }
        let task = Task::of(shared, errand, guided.pending);
        match background {
            None => Called::Ask(task),
            Some(answer) => Called::Refresh(answer, task),
        }
    }
}

/// What `read` makes of a request's head, which is taken out for as long.
#[cold]
fn with_parts<A, T>(request: &mut Request<A>, read: impl FnOnce(&Parts) -> T) -> T {
    let mut head = Request::new(());
    swap_heads(&mut head, request);
    let (parts, ()) = head.into_parts();
    let made = read(&parts);
    swap_heads(&mut Request::from_parts(parts, ()), request);
    made
}

fn swap_heads<A, B>(one: &mut Request<A>, other: &mut Request<B>) {
    std::mem::swap(one.method_mut(), other.method_mut());
    std::mem::swap(one.uri_mut(), other.uri_mut());
    std::mem::swap(one.version_mut(), other.version_mut());
    std::mem::swap(one.headers_mut(), other.headers_mut());
    std::mem::swap(one.extensions_mut(), other.extensions_mut());
}

impl<S: Clone> Clone for CacheService<S> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            common: Arc::clone(&self.common),
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for CacheService<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("CacheService");
        shown.field("inner", &self.inner);
        shown.field("cache", &self.common.cache);
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

    // Not inlined, it writes the future to where it is wanted: that is large, and would be moved once more.
    #[inline(never)]
    fn call(&mut self, mut request: Request<A>) -> Self::Future {
        let Some(guided) = self.guided(&request) else {
            return ResponseFuture::passing(self.inner.call(request));
        };
        match self.look_up(guided, &mut request, Part::Board, &[]) {
            Called::Answer(answer) => ResponseFuture::answer(answer),
            Called::Ask(None) => ResponseFuture::passing(self.inner.call(request)),
            Called::Ask(task) => ResponseFuture::asking(self.inner.call(request), task),
            Called::Refresh(answer, task) => {
                let refresh: Self::Future = ResponseFuture::asking(self.inner.call(request), task);
                runtime::spawn(refresh);
                ResponseFuture::answer(answer)
            }
            Called::Wait(awaited, limit) => {
                let waiting = self.clone();
                // What this one has reserved is given back: it is not called, and the one that waits may need it.
                self.inner = waiting.inner.clone();
                ResponseFuture::following(waiting, request, awaited, limit)
            }
        }
    }
}
