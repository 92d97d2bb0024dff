//! A request that differs from a recent one in anything gets an answer of its own, however well the recent one is known.

mod support;

use bytes::Bytes;
use fast_cache_tower::{Outcome, Policy, Purge};
use http::uri::Scheme;
use http::{Request, Response};
use http_body_util::Full;
use std::time::Duration;
use support::{ask, cache, counting, get};
use tower::Layer;

type Asked = Request<Full<Bytes>>;

fn known() -> Asked {
    get("/x?a=1", &[("host", "a.test"), ("user-agent", "one")])
}

fn policy() -> Policy {
    Policy::max_age(Duration::from_secs(60)).tag("x")
}

fn https(mut request: Asked) -> Asked {
    request.extensions_mut().insert(Scheme::HTTPS);
    request
}

fn without_host(mut request: Asked) -> Asked {
    request.headers_mut().remove("host");
    request
}

/// All that a handler may read of a request.
fn seen(request: &Asked) -> String {
    let scheme = request.extensions().get::<Scheme>();
    let (uri, headers) = (request.uri(), request.headers());
    let header = |name: &str| headers.get(name).map(|value| value.as_bytes().to_vec());
    let read = ["host", "x-api-key", "origin"].map(header);
    format!("{} {uri} {scheme:?} {read:?}", request.method())
}

#[tokio::test]
async fn what_differs_from_a_recent_request_has_an_answer_of_its_own() {
    let (service, _) = counting(|asked| Ok(Response::new(Full::new(Bytes::from(seen(asked))))));
    let service = cache().0.store(policy()).layer(service);
    let host = ("host", "a.test");
    let others = [
        get("/x?a=2", &[host]),
        get("/x?a=1&", &[host]),
        get("/x", &[host]),
        get("/%78?a=1", &[host]),
        get("/x%3Fa=1", &[host]),
        get("/x?a=1", &[("host", "b.test")]),
        get("/x?a=1", &[("host", "a.test:81")]),
        without_host(get("/x?a=1", &[])),
        without_host(get("http://d.test/x?a=1", &[])),
        https(known()),
        without_host(get("https://c.test/x?a=1", &[])),
        get("/x?a=1", &[host, ("x-api-key", "1")]),
        get("/x?a=1", &[host, ("x-api-key", "2")]),
        get("/x?a=1", &[host, ("origin", "http://c.test")]),
    ];
    for other in others {
        for _ in 0..3 {
            ask(&service, known()).await;
        }
        let told = ask(&service, known()).await;
        assert_eq!(
            (told.outcome(), &told.body),
            (Some(Outcome::Hit), &Bytes::from(seen(&known())))
        );
        let expected = seen(&other);
        for outcome in [Outcome::Miss, Outcome::Hit, Outcome::Hit] {
            let got = ask(&service, other.clone()).await;
            assert_eq!(
                (got.outcome(), &*got.body),
                (Some(outcome), expected.as_bytes())
            );
        }
    }
}

#[tokio::test]
async fn what_is_asked_of_a_recent_answer_is_asked_each_time() {
    let (service, _) = counting(|_| Ok(Response::new(Full::new(Bytes::from("0123456789")))));
    let (cache, clock) = cache();
    let service = cache.store(policy()).layer(service);
    for _ in 0..3 {
        ask(&service, known()).await;
    }
    let with = |name: &str, value: &str| {
        let mut request = known();
        let name = http::HeaderName::from_bytes(name.as_bytes()).expect("a name");
        request
            .headers_mut()
            .insert(name, value.parse().expect("a value"));
        request
    };
    let etag = ask(&service, known()).await.head.headers["etag"].clone();
    let etag = etag.to_str().expect("text");
    assert_eq!(
        ask(&service, with("if-none-match", etag)).await.head.status,
        304
    );
    let part = ask(&service, with("range", "bytes=2-3")).await;
    assert_eq!((part.head.status.as_u16(), &*part.body), (206, &b"23"[..]));
    let mut head = known();
    *head.method_mut() = http::Method::HEAD;
    let head = ask(&service, head).await;
    assert_eq!((head.is_hit(), head.body.len()), (true, 0));
    for (name, value) in [
        ("cache-control", "no-cache"),
        ("cookie", "a=1"),
        ("authorization", "b"),
    ] {
        assert!(!ask(&service, with(name, value)).await.is_hit(), "{name}");
        assert!(ask(&service, known()).await.is_hit());
    }
    cache.purge(Purge::tag("x")).await.expect("dropped");
    assert_eq!(ask(&service, known()).await.outcome(), Some(Outcome::Miss));
    assert!(ask(&service, known()).await.is_hit());
    clock.advance(Duration::from_secs(61), false);
    assert_eq!(ask(&service, known()).await.outcome(), Some(Outcome::Miss));
}

#[tokio::test]
async fn caches_know_nothing_of_each_others_recent_requests() {
    let (one, other) = (cache().0, cache().0);
    for (cache, body) in [(&one, "one"), (&other, "other")] {
        let (service, _) = counting(move |_| Ok(Response::new(Full::new(Bytes::from(body)))));
        let service = cache.store(policy()).layer(service);
        for outcome in [Outcome::Miss, Outcome::Hit, Outcome::Hit] {
            let got = ask(&service, known()).await;
            assert_eq!(
                (got.outcome(), &*got.body),
                (Some(outcome), body.as_bytes())
            );
        }
    }
}
