//! What a layer says that it would do with a request is what it does.

mod support;

use fast_cache_tower::{CacheLayer, Drops, Outcome, Policy, Reason};
use http::{Method, Response};
use http_body_util::Full;
use std::time::Duration;
use support::{ask, cache, counting, get, request};
use tower::Layer;

const MINUTE: Duration = Duration::from_secs(60);

fn policy() -> Policy {
    let policy = Policy::max_age(MINUTE)
        .tag("user:{id}")
        .vary("cookie:tenant");
    policy.stale_while_revalidate(MINUTE)
}

#[tokio::test]
async fn what_is_stored_is_told_with_its_age() {
    let (cache, clock) = cache();
    let layer = CacheLayer::new(cache.clone()).rule("/users/{id}", policy());
    let (service, calls) = counting(|_| Ok(Response::new(Full::new(bytes::Bytes::from("a")))));
    let service = layer.layer(service);
    let asked = || get("/users/7", &[("cookie", "tenant=acme")]);

    let said = service.explain(&asked());
    assert_eq!(
        (said.outcome, said.reason),
        (Some(Outcome::Miss), Some(Reason::Absent))
    );
    assert_eq!((said.age, said.remaining), (None, None));
    assert_eq!(said.tags, ["user:7"]);
    let tenant = said.key.iter().find(|(name, _)| name == "cookie:tenant");
    let (_, tenant) = tenant.expect("a part of the key");
    assert!(tenant.starts_with("hashed:"), "{tenant}");

    ask(&service, asked()).await;
    clock.advance(Duration::from_secs(20), false);
    let said = layer.explain(&asked());
    assert_eq!((said.outcome, said.reason), (Some(Outcome::Hit), None));
    assert_eq!(said.age, Some(Duration::from_secs(20)));
    assert_eq!(said.remaining, Some(Duration::from_secs(40)));

    clock.advance(Duration::from_secs(60), false);
    let said = layer.explain(&asked());
    assert_eq!(said.outcome, Some(Outcome::Stale));
    assert_eq!(said.remaining, Some(Duration::ZERO));
    // Nothing of that has asked the service, or counts.
    assert_eq!(calls.load(std::sync::atomic::Ordering::SeqCst), 1);
    assert_eq!((cache.stats().misses, cache.stats().hits), (1, 0));
}

#[test]
fn what_the_cache_keeps_out_of_is_told_with_the_reason() {
    let (cache, _) = cache();
    let layer = CacheLayer::new(cache)
        .rule("/users/{id}", policy())
        .rule(
            "/keyed",
            Policy::max_age(MINUTE).key(|parts| parts.uri.path().to_owned()),
        )
        .drops([Method::POST], "/users/{id}", Drops::new().tag("user:{id}"))
        .head_from_get();
    let said = |method: &str, path: &str, lines: &[(&str, &str)]| {
        layer.explain(&request(method, path, lines))
    };
    let authorized = said("GET", "/users/7", &[("authorization", "x")]);
    assert_eq!(authorized.outcome, Some(Outcome::Bypass));
    assert_eq!(authorized.reason, Some(Reason::Authorization));
    let reloaded = said("GET", "/users/7", &[("cache-control", "no-store")]);
    assert_eq!(reloaded.reason, Some(Reason::RequestNoStore));
    let offline = said("GET", "/users/7", &[("cache-control", "only-if-cached")]);
    assert_eq!(offline.reason, Some(Reason::OnlyIfCached));
    assert_eq!(said("POST", "/users/7", &[]).outcome, None);
    assert_eq!(said("GET", "/other", &[]).route, None);

    let keyed = said("GET", "/keyed", &[]).key;
    assert_eq!(keyed.len(), 1);
    assert!(keyed[0].1.starts_with("hashed:"), "{keyed:?}");
}

#[test]
fn a_route_says_that_it_does_not_know_a_method() {
    let (cache, _) = cache();
    let layer = cache.store(policy()).template("/users/{id}");
    let said = layer.explain(&request("PUT", "/users/7", &[]));
    assert_eq!(
        (said.outcome, said.reason),
        (Some(Outcome::Bypass), Some(Reason::Method))
    );
    assert_eq!(said.route.as_deref(), Some("/users/{id}"));
}
