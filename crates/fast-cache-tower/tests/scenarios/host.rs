//! An application behind the layers, and its client.

use crate::corpus::{Drop, Ends, Options, Origin, Route, Step, bytes, line};
use crate::policies::{drops, method, policy, purge, status_code};
use crate::wire::{Answer, OwnedLine};
use ::bytes::Bytes;
use fast_cache_core::route::{Resolution, Table, TableBuilder};
use fast_cache_tower::store::{Clock, Timestamp};
use fast_cache_tower::{Cache, CacheLayer, CacheOutcome, Outcome};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::uri::Scheme;
use http::{Request, Response, Uri};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tower::util::BoxCloneService;
use tower::{Layer, ServiceExt, service_fn};

/// Tue, 14 Nov 2023 22:13:20 GMT.
const START: Timestamp = Timestamp::from_seconds(1_700_000_000);

type Raised = Box<dyn std::error::Error + Send + Sync>;
type Asked = Request<Full<Bytes>>;
type BoxBody = http_body_util::combinators::BoxBody<Bytes, Raised>;
type App = BoxCloneService<Asked, Response<BoxBody>, Raised>;

/// How the layers stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrangement {
    /// One layer with rules.
    Rules,
    /// A layer around each route.
    Routes,
}

/// A call of an endpoint.
#[derive(Debug)]
pub(crate) struct Call {
    /// The name of the route.
    pub(crate) route: String,
    /// The header lines of the request as the endpoint saw them.
    pub(crate) lines: Vec<OwnedLine>,
}

/// The application behind the layers, and what it is about to answer.
pub(crate) struct Host {
    pub(crate) cache: Cache,
    clock: Arc<Clock>,
    routes: Arc<Vec<Route>>,
    state: Arc<Mutex<State>>,
    app: App,
}

#[derive(Default)]
struct State {
    origin: Option<Origin>,
    calls: Vec<Call>,
}

impl Host {
    pub(crate) fn new(routes: &[Route], options: &Options, arrangement: Arrangement) -> Self {
        let clock = Arc::new(Clock::manual(START));
        let cache = Cache::builder()
            .memory(16 << 20)
            .clock(Arc::clone(&clock))
            .build();
        let mut host = Self {
            cache,
            clock,
            routes: Arc::new(routes.to_vec()),
            state: Arc::default(),
            app: BoxCloneService::new(service_fn(|_| async { Err("not there yet".into()) })),
        };
        host.app = match arrangement {
            Arrangement::Rules => host.with_rules(options),
            Arrangement::Routes => host.with_layers(options),
        };
        host
    }

    /// The endpoint of a route.
    fn endpoint(&self, route: usize) -> App {
        let (state, clock) = (Arc::clone(&self.state), Arc::clone(&self.clock));
        let (routes, cache) = (Arc::clone(&self.routes), self.cache.clone());
        BoxCloneService::new(service_fn(move |request: Asked| {
            let (state, clock) = (Arc::clone(&state), Arc::clone(&clock));
            let (routes, cache) = (Arc::clone(&routes), cache.clone());
            async move {
                let origin = {
                    let mut state = state.lock().expect("a lock");
                    let lines = lines_of(request.headers());
                    let route = routes[route].name.clone();
                    state.calls.push(Call { route, lines });
                    state.origin.clone()
                };
                // Nobody expects a call without an answer, and whoever compares will say so.
                let origin = origin.unwrap_or_default();
                advance(&clock, origin.takes);
                if let Some(drop) = &origin.meanwhile {
                    let purge = purge(drop, &routes, |template| cache.route(template));
                    cache.purge(purge).await?;
                }
                answer(&origin)
            }
        }))
    }

    /// All endpoints behind one layer with rules.
    fn with_rules(&self, options: &Options) -> App {
        let mut layer = CacheLayer::new(self.cache.clone());
        for route in &*self.routes {
            let methods = || route.methods.iter().map(|name| method(name));
            layer = match &route.config {
                Some(config) => {
                    layer.rule_for(methods(), &route.path, policy(route, config, options))
                }
                None => layer.pass_for(methods(), &route.path),
            };
            for drop in &route.drops {
                layer = layer.drops(methods(), &route.path, drops(drop, &self.routes));
            }
        }
        if options.head_from_get {
            layer = layer.head_from_get();
        }
        let endpoints = (0..self.routes.len()).map(|route| self.endpoint(route));
        let router = router(&self.routes, endpoints.collect());
        BoxCloneService::new(layer.layer(router).map_response(boxed))
    }

    /// Each endpoint behind layers of its own, and one without rules around all of them.
    fn with_layers(&self, options: &Options) -> App {
        let behind = self.routes.iter().enumerate().map(|(number, route)| {
            let mut endpoint = self.endpoint(number);
            for drop in &route.drops {
                let rules = drops(drop, &self.routes);
                let layer = self
                    .cache
                    .drop_on_success()
                    .drops(rules)
                    .template(&route.path);
                endpoint = BoxCloneService::new(layer.layer(endpoint).map_response(boxed));
            }
            if let Some(config) = &route.config {
                let store = self.cache.store(policy(route, config, options));
                let layer = store.template(&route.path);
                endpoint = BoxCloneService::new(layer.layer(endpoint).map_response(boxed));
            }
            endpoint
        });
        let layer = CacheLayer::new(self.cache.clone());
        let router = router(&self.routes, behind.collect());
        BoxCloneService::new(layer.layer(router).map_response(boxed))
    }

    /// Moves the clock.
    pub(crate) fn advance(&self, seconds: f64) {
        advance(&self.clock, seconds);
    }

    /// Drops, to the end.
    pub(crate) async fn drop(&self, drop: &Drop) {
        let purge = purge(drop, &self.routes, |template| self.cache.route(template));
        self.cache.purge(purge).await.expect("a drop");
    }

    /// The calls of endpoints since somebody last asked.
    pub(crate) fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.state.lock().expect("a lock").calls)
    }

    /// Answers a request; `origin` is what the endpoint answers, if it is to be called.
    pub(crate) async fn exchange(
        &mut self,
        step: &Step,
        etag: &str,
        origin: Option<&Origin>,
    ) -> Result<Answer, String> {
        self.state.lock().expect("a lock").origin = origin.cloned();
        let answered = self.app.clone().oneshot(request(step, etag)?).await;
        let answer = match answered {
            Ok(response) => received(response).await?,
            Err(_) => Answer::of_exception(),
        };
        // What goes on in the background waits for nothing.
        for _ in 0..16 {
            tokio::task::yield_now().await;
        }
        Ok(answer)
    }
}

fn advance(clock: &Clock, seconds: f64) {
    let by = Duration::from_secs_f64(seconds.abs());
    assert!(clock.advance(by, seconds < 0.0), "a manual clock");
}

/// The first route that fits takes a request.
fn router(routes: &[Route], endpoints: Vec<App>) -> App {
    let mut table = TableBuilder::new();
    for (number, route) in (0..).zip(routes) {
        let methods: Vec<&str> = route.methods.iter().map(String::as_str).collect();
        let added = table.route(&route.path, Some(&methods), number);
        added.expect("a path that the table can hold");
    }
    let table: Arc<Table> = Arc::new(table.build());
    BoxCloneService::new(service_fn(move |request: Asked| {
        let path = decoded(request.uri().path());
        let matched = |method: &str| match table.resolve(method, &path) {
            Resolution::Route(matched) => Some(matched.target as usize),
            _ => None,
        };
        let endpoint = matched(request.method().as_str()).map(|number| endpoints[number].clone());
        let status = matched("GET").map_or(404, |_| 405);
        async move {
            match endpoint {
                Some(endpoint) => endpoint.oneshot(request).await,
                None => Ok(plain(status)),
            }
        }
    }))
}

fn plain(status: u16) -> Response<BoxBody> {
    let mut response = Response::new(Full::default().map_err(Into::into).boxed());
    *response.status_mut() = status_code(status);
    response
}

fn boxed<B>(response: Response<B>) -> Response<BoxBody>
where
    B: Body<Data = Bytes, Error = Raised> + Send + Sync + 'static,
{
    response.map(BodyExt::boxed)
}

/// The endpoint's answer.
fn answer(origin: &Origin) -> Result<Response<BoxBody>, Raised> {
    if origin.body.is_none() && origin.chunks.is_none() {
        return Ok(plain(200));
    }
    let pieces: VecDeque<Bytes> = origin.pieces().into_iter().map(Bytes::from).collect();
    if origin.ends == Ends::Raises && pieces.is_empty() {
        return Err("raised before the head".into());
    }
    let body = Pieces {
        pieces,
        is_whole: origin.ends == Ends::Whole,
    };
    let mut response = Response::new(body.boxed());
    *response.status_mut() = status_code(origin.status.unwrap_or(200));
    for text in &origin.headers {
        let (name, value) = line(text);
        let name = HeaderName::from_bytes(&name)?;
        let headers = response.headers_mut();
        headers.append(name, HeaderValue::from_bytes(&value)?);
    }
    Ok(response)
}

/// A body in pieces that does not tell how long it is.
struct Pieces {
    pieces: VecDeque<Bytes>,
    is_whole: bool,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Raised;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Raised>>> {
        Poll::Ready(match self.pieces.pop_front() {
            Some(piece) => Some(Ok(Frame::data(piece))),
            None if self.is_whole => None,
            None => Some(Err("raised in the midst of the body".into())),
        })
    }
}

/// The request of a step. `etag` is the last entity tag that the client saw.
fn request(step: &Step, etag: &str) -> Result<Asked, String> {
    let text = step.request.as_deref().expect("a request");
    let (name, target) = text.split_once(' ').expect("a method and a target");
    let sends = Bytes::from(step.sends.clone());
    let uri = Uri::from_maybe_shared(Bytes::from(bytes(target)))
        .map_err(|error| format!("{target:?}: {error}"))?;
    let mut request = Request::new(Full::new(sends));
    *request.method_mut() = method(name);
    *request.uri_mut() = uri;
    for text in &step.headers {
        let (name, value) = line(&text.replace("$etag", etag));
        let name = HeaderName::from_bytes(&name).map_err(|error| error.to_string())?;
        let value = HeaderValue::from_bytes(&value).map_err(|error| error.to_string())?;
        request.headers_mut().append(name, value);
    }
    let headers = request.headers_mut();
    if !headers.contains_key("host") {
        headers.insert("host", HeaderValue::from_static("testserver"));
    }
    if !step.sends.is_empty() && !headers.contains_key("content-length") {
        headers.insert("content-length", HeaderValue::from(step.sends.len()));
    }
    if let Some(scheme) = &step.scheme {
        let scheme: Scheme = scheme.parse().expect("a scheme");
        request.extensions_mut().insert(scheme);
    }
    Ok(request)
}

/// What the client got.
async fn received(response: Response<BoxBody>) -> Result<Answer, String> {
    let (parts, mut body) = response.into_parts();
    let said = parts.extensions.get::<CacheOutcome>();
    let outcome = said.map(CacheOutcome::outcome);
    let word = parts.headers.get("x-cache-status");
    let word = word.map(|word| word.to_str().expect("a word"));
    if word != outcome.map(Outcome::word) {
        return Err(format!(
            "{outcome:?} in the extensions, {word:?} in the head"
        ));
    }
    let mut lines = lines_of(&parts.headers);
    let ours = |line: &OwnedLine| line.0 == b"cache-status";
    let last = lines.iter().rposition(ours).filter(|_| outcome.is_some());
    let mut answer = Answer {
        status: parts.status.as_u16(),
        cache_status: last.map(|last| lines.remove(last).1).unwrap_or_default(),
        lines,
        outcome,
        ..Answer::default()
    };
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                let data = frame.into_data().unwrap_or_default();
                answer.body.extend_from_slice(&data);
            }
            Err(_) => break,
        }
    }
    Ok(answer)
}

fn lines_of(headers: &HeaderMap) -> Vec<OwnedLine> {
    let lines = headers.iter();
    lines
        .map(|(name, value)| (name.as_str().as_bytes().to_vec(), value.as_bytes().to_vec()))
        .collect()
}

/// A path without its percent-encoding, as the frameworks of the scenarios read it.
fn decoded(path: &str) -> String {
    let mut decoded = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let byte = (first == b'%')
            .then(|| std::str::from_utf8(after.get(..2)?).ok())
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        rest = if byte.is_some() { &after[2..] } else { after };
        decoded.push(byte.unwrap_or(first));
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
