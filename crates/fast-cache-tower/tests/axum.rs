//! With axum: routes, nested routers, path parameters, and the whole of an application's life.
#![cfg(feature = "axum")]

mod support;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use fast_cache_tower::{CacheLayer, Drops, Outcome, Policy, Purge};
use http::{Method, Request, StatusCode};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use support::{Got, ask, cache};

fn policy() -> Policy {
    Policy::max_age(Duration::from_secs(60))
}

async fn send(app: &Router, method: &str, path: &str) -> Got {
    let request = Request::builder().method(method).uri(path);
    let request = request.header("host", "testserver").body(Body::empty());
    ask(app, request.expect("a request")).await
}

/// A handler that says what it is, and which call it is.
fn counted(
    name: &'static str,
) -> impl Fn(Path<String>) -> std::future::Ready<String> + Clone + Send + Sync + 'static {
    let calls = Arc::new(AtomicUsize::new(0));
    move |Path(id)| {
        let call = calls.fetch_add(1, Ordering::SeqCst) + 1;
        std::future::ready(format!("{name} {id} {call}"))
    }
}

#[tokio::test]
async fn tags_are_filled_from_path_parameters() {
    let (cache, _) = cache();
    let app = Router::new()
        .route(
            "/users/{id}",
            get(counted("user")).layer(cache.store(policy().tag("user:{id}"))),
        )
        .route(
            "/users/{id}",
            post(|| async {}).layer(cache.drop_on_success().tag("user:{id}")),
        );
    assert_eq!(send(&app, "GET", "/users/7").await.body, "user 7 1");
    assert_eq!(send(&app, "GET", "/users/8").await.body, "user 8 2");
    assert!(send(&app, "GET", "/users/7").await.is_hit());
    assert_eq!(send(&app, "POST", "/users/7").await.outcome(), None);
    assert_eq!(send(&app, "GET", "/users/7").await.body, "user 7 3");
    assert!(send(&app, "GET", "/users/8").await.is_hit());
    cache.purge(Purge::tag("user:8")).await.expect("a drop");
    assert_eq!(send(&app, "GET", "/users/8").await.body, "user 8 4");
    cache
        .purge(cache.route("/users/{id}"))
        .await
        .expect("a drop");
    assert_eq!(send(&app, "GET", "/users/8").await.body, "user 8 5");
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.stores), (2, 5));
    assert_eq!(stats.by_route["/users/{id}"].hits, 2);
}

#[tokio::test]
async fn a_tag_that_cannot_be_filled_keeps_an_answer_from_being_stored() {
    let (cache, _) = cache();
    let layer = cache.store(policy().tag("user:{user}"));
    let app = Router::new().route("/users/{id}", get(counted("user")).layer(layer));
    for call in 1..=2 {
        let got = send(&app, "GET", "/users/7").await;
        assert_eq!(
            (got.body, got.head.status),
            (format!("user 7 {call}").into(), StatusCode::OK)
        );
    }
    assert_eq!(send(&app, "GET", "/users/7").await.reason(), Some("tags"));
}

#[tokio::test]
async fn every_spelling_of_a_value_is_dropped() {
    let (cache, _) = cache();
    let app = Router::new()
        .route(
            "/users/{id}",
            get(counted("user"))
                .post(|| async {})
                .layer::<_, Infallible>(cache.drop_on_success().tag("user:{id}"))
                .layer(cache.store(policy().tag("user:{id}"))),
        )
        .layer(CacheLayer::new(cache.clone()));
    send(&app, "GET", "/users/007").await;
    send(&app, "POST", "/users/7").await;
    assert!(!send(&app, "GET", "/users/007").await.is_hit());
}

#[tokio::test]
async fn safety_03_nested_routers_stay_apart() {
    let (cache, _) = cache();
    let layer = cache.store(policy());
    let nested = |name| Router::new().route("/{id}", get(counted(name)).layer(layer.clone()));
    let app = Router::new()
        .nest("/a", nested("a"))
        .nest("/b", nested("b"));
    for _ in 0..2 {
        assert_eq!(send(&app, "GET", "/a/7").await.body, "a 7 1");
        assert_eq!(send(&app, "GET", "/b/7").await.body, "b 7 1");
    }
    cache.purge(Purge::subtree("/a")).await.expect("a drop");
    assert!(!send(&app, "GET", "/a/7").await.is_hit());
    assert!(send(&app, "GET", "/b/7").await.is_hit());
}

#[tokio::test]
async fn safety_20_a_rule_is_for_the_route_that_it_names() {
    let (cache, _) = cache();
    let layer = CacheLayer::new(cache)
        .rule("/users/{id}", policy())
        .rule("/files/{*rest}", policy())
        .drops(
            [Method::POST],
            "/users/{id}",
            Drops::new().path("/users/{id}"),
        );
    let me = Arc::new(AtomicUsize::new(0));
    let app = Router::new()
        .route("/users/{id}", get(counted("user")).post(|| async {}))
        .route("/files/{name}", get(counted("file")))
        .route(
            "/users/me",
            get(move || std::future::ready(me.fetch_add(1, Ordering::SeqCst).to_string())),
        )
        .layer(layer);
    for call in 0..2 {
        let got = send(&app, "GET", "/users/me").await;
        assert_eq!(
            (got.outcome(), &got.body[..]),
            (None, call.to_string().as_bytes())
        );
    }
    for path in ["/users/7", "/files/a"] {
        assert_eq!(send(&app, "GET", path).await.outcome(), Some(Outcome::Miss));
        assert!(send(&app, "GET", path).await.is_hit(), "{path}");
    }
    send(&app, "POST", "/users/7").await;
    assert!(!send(&app, "GET", "/users/7").await.is_hit());
    assert!(send(&app, "GET", "/files/a").await.is_hit());
}

#[tokio::test]
async fn head_is_answered_from_get() {
    let (cache, _) = cache();
    let app = Router::new().route("/{id}", get(counted("item")).layer(cache.store(policy())));
    let first = send(&app, "HEAD", "/7").await;
    assert_eq!(
        (first.outcome(), first.body.len()),
        (Some(Outcome::Miss), 0)
    );
    send(&app, "GET", "/7").await;
    let head = send(&app, "HEAD", "/7").await;
    assert!(head.is_hit() && head.body.is_empty());
    assert_eq!(head.all("content-length"), ["8"]);
}

#[tokio::test]
async fn an_answer_of_an_inner_cache_drops_nothing() {
    let (cache, _) = cache();
    let route = get(counted("item"))
        .layer::<_, Infallible>(cache.store(policy()))
        .layer(cache.drop_on_success().path("/"));
    let app = Router::new().route("/{id}", route);
    assert_eq!(send(&app, "GET", "/7").await.body, "item 7 1");
    // The handler ran and the drop came with its answer, before the body was whole.
    assert_eq!(send(&app, "GET", "/7").await.body, "item 7 2");
}

#[tokio::test]
async fn safety_33_a_failed_write_drops_nothing() {
    let (cache, _) = cache();
    for status in [401, 404, 422, 500] {
        let status = StatusCode::from_u16(status).expect("a status");
        let app = Router::new().route(
            "/{id}",
            get(counted("item"))
                .layer(cache.store(policy()))
                .post(move || async move { status.into_response() })
                .layer(
                    cache
                        .drop_on_success()
                        .path("/")
                        .on(|status| status.is_success()),
                ),
        );
        let _ = send(&app, "POST", "/7").await;
        assert_eq!(cache.stats().drops, 0, "{status}");
    }
}
