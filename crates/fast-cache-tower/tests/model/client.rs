//! The clients of the model, and what they hold their answers to.

use crate::world::{Failure, Gate, ITEMS, Pieces, World};
use bytes::Bytes;
use fast_cache_tower::body::CacheBody;
use fast_cache_tower::store::Timestamp;
use fast_cache_tower::{CacheOutcome, Outcome, Policy};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt;

pub(crate) const LIFETIME: Duration = Duration::from_secs(60);
/// For how long past it an answer may be served stale, or stand in for a failure.
pub(crate) const WINDOW: Duration = Duration::from_secs(20);

pub(crate) type Site =
    tower::util::BoxCloneSyncService<Request<Full<Bytes>>, Response<CacheBody<Pieces>>, Failure>;

/// A request that is under way.
pub(crate) type UnderWay = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(crate) fn policy() -> Policy {
    Policy::max_age(LIFETIME)
        .tag("item:{item}")
        .tag("items")
        .vary("authorization")
        .undeclared_header("x-request")
        .max_body_size(crate::world::LARGEST as u64)
        .stale_while_revalidate(WINDOW)
        .stale_if_error(WINDOW)
}

/// A request for an item, and what was true when it began.
#[derive(Clone)]
pub(crate) struct Read {
    pub(crate) item: usize,
    pub(crate) user: &'static str,
    pub(crate) query: &'static str,
    pub(crate) language: &'static str,
    pub(crate) afresh: bool,
    pub(crate) head: bool,
    /// Where the client waits before it reads the body.
    pub(crate) pause: Option<Gate>,
}

impl Read {
    /// Sends the request, and judges the answer.
    pub(crate) fn send(self, world: &Arc<World>, site: &Site, token: u64) -> UnderWay {
        let (world, site) = (Arc::clone(world), site.clone());
        let path = format!("/items/{}?{}", self.item, self.query);
        let method = if self.head { "HEAD" } else { "GET" };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "testserver")
            .header("x-request", token);
        for (name, value) in [
            ("authorization", self.user),
            ("accept-language", self.language),
            ("cache-control", if self.afresh { "no-cache" } else { "" }),
        ] {
            if !value.is_empty() {
                request = request.header(name, value);
            }
        }
        let request = request.body(Full::default()).expect("a request");
        let (began, tick, least, least_fresh) = {
            let mut state = world.state.lock();
            let (item, now) = (self.item, world.clock.now());
            let tick = state.tick();
            (now, tick, state.least[item], state.least_fresh[item])
        };
        let judge = Judge {
            read: self,
            began,
            tick,
            least,
            least_fresh,
            token,
        };
        Box::pin(async move {
            let answer = site.oneshot(request).await;
            judge.check(&world, answer).await;
        })
    }
}

/// What is to be true of an answer.
struct Judge {
    read: Read,
    began: Timestamp,
    tick: u64,
    least: u64,
    least_fresh: u64,
    token: u64,
}

impl Judge {
    async fn check(self, world: &World, answer: Result<Response<CacheBody<Pieces>>, Failure>) {
        let calls = || world.state.lock().calls.get(&self.token).copied();
        assert!(calls() <= Some(1), "more calls than one for a request");
        let Ok(response) = answer else {
            assert_eq!(calls(), Some(1), "a failure without a call");
            return;
        };
        let said = response.extensions().get::<CacheOutcome>().copied();
        let outcome = said.expect("the layer says what it did").outcome();
        let forwarded = matches!(outcome, Outcome::Miss | Outcome::Bypass);
        let shared = forwarded && calls().is_none();
        if shared {
            world.state.lock().shared += 1;
            let said = response.headers().get("cache-status");
            let said = said.and_then(|said| said.to_str().ok()).unwrap_or_default();
            assert!(said.contains("; collapsed"), "{outcome:?} without a call");
            assert_eq!(response.status(), 503, "no failure that is shared");
            assert!(!self.read.afresh && !self.read.head, "it did not wait");
            assert!(!response.headers().contains_key("cache-control"));
            assert!(!response.headers().contains_key("age"));
        }
        if self.read.afresh {
            assert!(
                forwarded || outcome == Outcome::Stale,
                "{outcome:?} to no-cache"
            );
        }
        if let Some(gate) = self.read.pause.clone() {
            gate.pass().await;
        }
        let (head, body) = response.into_parts();
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => {
                assert!(forwarded, "{outcome:?} broke off: {error}");
                return;
            }
        };
        if head.status == 503 {
            assert!(forwarded, "a failure from the cache");
            if !shared {
                return;
            }
        } else {
            assert_eq!(head.status, 200);
        }
        if self.read.head {
            assert!(body.is_empty() || forwarded, "a body in the answer to HEAD");
            return;
        }
        let text = String::from_utf8(body.to_vec()).expect("text");
        let parts: Vec<&str> = text.split('|').collect();
        let [item, version, user, query, language, number, _] = parts[..] else {
            panic!("not a whole body: {text:?}");
        };
        let read = &self.read;
        assert_eq!(item, read.item.to_string(), "another item");
        assert_eq!(user, read.user, "another user's answer");
        assert_eq!(query, read.query, "another query's answer");
        let expected = if read.item == 0 { read.language } else { "" };
        assert_eq!(language, expected, "another language's answer");
        let version: u64 = version.parse().expect("a number");
        assert!(
            version >= self.least,
            "{outcome:?} is older than a finished drop"
        );
        let number: u64 = number.parse().expect("a number");
        if shared {
            let state = world.state.lock();
            let ended = state.ended.get(&number).copied();
            assert!(
                ended.is_none_or(|ended| ended > self.tick),
                "a failure of a call that was over already"
            );
        }
        let made = world.state.lock().made[&number];
        let age = self.began.since(made);
        match outcome {
            Outcome::Hit => {
                assert!(age < LIFETIME, "a hit that is stale");
                assert!(version >= self.least_fresh, "a hit after a soft drop");
            }
            Outcome::Stale => assert!(age <= LIFETIME + WINDOW, "too stale"),
            Outcome::Miss | Outcome::Bypass => return,
            Outcome::Revalidated => panic!("nothing gives a validator"),
        }
        let stated = head.headers.get("age").and_then(|age| age.to_str().ok());
        let stated: u64 = stated.and_then(|age| age.parse().ok()).expect("an age");
        assert!(stated >= age.as_secs(), "{stated} is said, {age:?} is true");
    }
}

/// How items are written.
pub(crate) const WAYS: [&str; 6] = ["tag", "path", "prefix", "glob", "route", "soft"];

/// What such a write, or such a purge, covers.
pub(crate) fn covered(way: &str, item: usize) -> std::ops::Range<usize> {
    match way {
        "tag" | "path" | "soft" => item..item + 1,
        _ => 0..ITEMS,
    }
}

/// Changes an item by a request; what that covers is dropped when the client sees the head.
pub(crate) fn write(world: &Arc<World>, site: &Site, way: &'static str, item: usize) -> UnderWay {
    let (world, site) = (Arc::clone(world), site.clone());
    let request = Request::post(format!("/{way}/{item}")).header("host", "testserver");
    let request = request.body(Full::default()).expect("a request");
    Box::pin(async move {
        let response = site.oneshot(request).await.expect("writes do not raise");
        let version = response.headers().get("x-version");
        let version = version.and_then(|version| version.to_str().ok()?.parse().ok());
        if let Some(version) = version {
            world.state.lock().dropped(way, item, version);
        }
        response.into_body().collect().await.expect("a body");
    })
}

impl crate::world::State {
    /// A drop is finished that covers what an item was before `version`.
    pub(crate) fn dropped(&mut self, way: &str, item: usize, version: u64) {
        let before = self.versions;
        for covered in covered(way, item) {
            // Of the other items it covers what they were when it came, which is at least what was dropped before.
            let version = if covered == item {
                version
            } else {
                self.least[covered]
            };
            let least = if way == "soft" {
                &mut self.least_fresh
            } else {
                &mut self.least
            };
            least[covered] = least[covered].max(version).min(before[covered]);
        }
        for covered in 0..ITEMS {
            self.least_fresh[covered] = self.least_fresh[covered].max(self.least[covered]);
        }
    }
}
