//! What must not go wrong, by the numbers of `docs/safety.md`, as far as a tower host has a part in it. What the rules
//! alone decide is in the scenarios.

mod support;

use bytes::Bytes;
use fast_cache_tower::{CacheLayer, Outcome, Policy, Purge, Reads};
use http::{Request, Response};
use http_body_util::Full;
use std::sync::atomic::Ordering;
use std::time::Duration;
use support::{Failure, ask, cache, counting, get, request};
use tower::{Layer, ServiceExt, service_fn};

fn policy() -> Policy {
    Policy::max_age(Duration::from_secs(60))
}

/// What a handler answers that gives back a line of the request.
#[allow(clippy::unnecessary_wraps, reason = "it is a handler's whole answer")]
fn echo(asked: &Request<Full<Bytes>>, name: &str) -> Result<Response<Full<Bytes>>, Failure> {
    let value = asked.headers().get(name);
    let value = value.map(|value| Bytes::copy_from_slice(value.as_bytes()));
    Ok(Response::new(Full::new(value.unwrap_or_default())))
}

#[tokio::test]
async fn safety_02_an_encoded_question_mark_is_no_query() {
    let (service, _) = counting(|asked| {
        let target = asked.uri().to_string();
        Ok(Response::new(Full::new(Bytes::from(target))))
    });
    let service = cache().0.store(policy()).layer(service);
    for path in [
        "/items/x%3Fa=1",
        "/items/x?a=1",
        "/items/x",
        "/items/x?",
        "/items/x?a=1&a=2",
    ] {
        let got = ask(&service, get(path, &[])).await;
        assert!(
            path.starts_with(std::str::from_utf8(&got.body).expect("text")),
            "{path}"
        );
    }
}

#[tokio::test]
async fn safety_03_hosts_and_schemes_stay_apart() {
    let (service, calls) = counting(|asked| echo(asked, "host"));
    let service = cache().0.store(policy()).layer(service);
    for host in ["a", "b", "a:81"] {
        assert_eq!(ask(&service, get("/", &[("host", host)])).await.body, host);
    }
    let mut secure = get("/", &[("host", "a")]);
    secure.extensions_mut().insert(http::uri::Scheme::HTTPS);
    assert!(!ask(&service, secure).await.is_hit());
    assert_eq!(calls.load(Ordering::SeqCst), 4);
    let twice = get("/", &[("host", "a"), ("host", "b")]);
    assert_eq!(
        ask(&service, twice).await.reason(),
        Some("malformed-request")
    );
}

#[tokio::test]
async fn safety_03_a_scheme_that_only_the_target_names_shapes_no_shared_answer() {
    use http::uri::Scheme;
    let (service, _) = counting(|asked| {
        let spoken = asked.extensions().get::<Scheme>().map(Scheme::to_string);
        Ok(Response::new(Full::new(Bytes::from(
            spoken.unwrap_or_default(),
        ))))
    });
    let service = cache().0.store(policy()).layer(service);
    let with = |target: &str, spoken: Scheme| {
        let mut request = get(target, &[("host", "a")]);
        request.extensions_mut().insert(spoken);
        request
    };
    let lying = ask(&service, with("https://a/", Scheme::HTTP)).await;
    assert_eq!(lying.body, "http");
    let reason = lying.reason();
    let secure = ask(&service, with("/", Scheme::HTTPS)).await;
    assert_eq!(secure.body, "https");
    assert_eq!(reason, Some("malformed-request"));
    let same = ask(&service, with("https://a/", Scheme::HTTPS)).await;
    assert!(same.is_hit());
}

#[tokio::test]
async fn safety_09_a_target_in_absolute_form_that_names_another_host_is_bypassed() {
    let (service, _) = counting(|asked| echo(asked, "host"));
    let service = cache().0.store(policy()).layer(service);
    ask(&service, get("/", &[("host", "a")])).await;
    let same = ask(&service, get("http://a/", &[("host", "a")])).await;
    assert!(same.is_hit());
    let other = ask(&service, get("http://a/", &[("host", "evil")])).await;
    assert_eq!(
        (other.outcome(), &other.body[..]),
        (Some(Outcome::Bypass), &b"evil"[..])
    );
    assert_eq!(ask(&service, get("/", &[("host", "a")])).await.body, "a");
}

#[tokio::test]
async fn safety_10_a_header_that_the_handler_echoes_joins_the_key() {
    let (service, _) = counting(|asked| echo(asked, "x-forwarded-host"));
    let service = cache().0.store(policy()).layer(service);
    for host in ["a", "b", "a"] {
        let got = ask(&service, get("/", &[("x-forwarded-host", host)])).await;
        assert_eq!(got.body, host);
    }
    assert_eq!(ask(&service, get("/", &[])).await.body, "");
}

#[tokio::test]
async fn safety_10_strict_inputs_hide_what_the_key_does_not_hold() {
    let (service, _) = counting(|asked| echo(asked, "x-forwarded-host"));
    let layer = cache().0.store(policy().strict_inputs().vary("x-tenant"));
    let service = layer.layer(service);
    let lines = [("x-forwarded-host", "evil"), ("x-tenant", "a")];
    assert_eq!(ask(&service, get("/", &lines)).await.body, "");
    assert!(ask(&service, get("/", &lines[1..])).await.is_hit());
}

#[tokio::test]
async fn safety_16_credentials_are_not_shared() {
    for name in ["authorization", "cookie"] {
        let (service, calls) = counting(move |asked| echo(asked, name));
        let service = cache().0.store(policy()).layer(service);
        for (call, user) in ["a", "b", "a"].iter().enumerate() {
            let got = ask(&service, get("/", &[(name, user)])).await;
            assert_eq!(
                (got.outcome(), &got.body[..]),
                (Some(Outcome::Bypass), user.as_bytes())
            );
            assert_eq!(calls.load(Ordering::SeqCst), call + 1);
        }
        let reads = policy().reads(Reads::nothing().authorization().cookie("a"));
        let (service, _) = counting(move |asked| echo(asked, name));
        let service = cache().0.store(reads).layer(service);
        for user in ["a=1", "a=2", "a=1"] {
            assert_eq!(ask(&service, get("/", &[(name, user)])).await.body, user);
        }
        assert!(ask(&service, get("/", &[(name, "a=2")])).await.is_hit());
    }
}

#[tokio::test]
async fn safety_17_set_cookie_is_never_replayed_and_several_stay_several() {
    let (service, calls) = counting(|_| {
        let response = Response::builder().header("set-cookie", "a=1");
        Ok(response
            .header("set-cookie", "b=2")
            .body(Full::new(Bytes::from("x")))?)
    });
    let service = cache().0.store(policy()).layer(service);
    for call in 1..=2 {
        let got = ask(&service, get("/", &[])).await;
        assert_eq!(got.all("set-cookie"), ["a=1", "b=2"]);
        assert_eq!(calls.load(Ordering::SeqCst), call);
    }
}

#[tokio::test]
async fn safety_20_a_path_that_is_passed_stays_uncached_however_it_is_written() {
    let (service, calls) = counting(|asked| echo(asked, "host"));
    let layer = CacheLayer::new(cache().0)
        .pass("/users/me")
        .rule("/users/{id}", policy());
    let service = layer.layer(service);
    for (call, path) in ["/users/me", "/users/%6De", "/users/m%65"]
        .iter()
        .enumerate()
    {
        assert_eq!(
            ask(&service, get(path, &[])).await.outcome(),
            None,
            "{path}"
        );
        assert_eq!(calls.load(Ordering::SeqCst), call + 1);
    }
}

#[tokio::test]
async fn safety_26_other_methods_and_statuses_are_never_a_get_of_200() {
    let (service, calls) = counting(|asked| {
        let status = asked.uri().path().trim_start_matches('/').parse::<u16>()?;
        Ok(Response::builder()
            .status(status)
            .body(Full::new(Bytes::from("x")))?)
    });
    let service = cache().0.store(policy()).layer(service);
    for path in ["/204", "/206", "/304", "/404", "/500", "/302"] {
        let before = calls.load(Ordering::SeqCst);
        ask(&service, get(path, &[])).await;
        ask(&service, get(path, &[])).await;
        assert_eq!(calls.load(Ordering::SeqCst), before + 2, "{path}");
    }
    let before = calls.load(Ordering::SeqCst);
    for method in ["HEAD", "POST", "PUT", "OPTIONS", "GET"] {
        assert!(
            !ask(&service, request(method, "/200", &[])).await.is_hit(),
            "{method}"
        );
    }
    assert_eq!(calls.load(Ordering::SeqCst), before + 5);
    assert!(ask(&service, request("HEAD", "/200", &[])).await.is_hit());
}

#[tokio::test]
async fn safety_29_binary_bodies_come_back_byte_for_byte() {
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let body = Bytes::from(bytes);
    let sent = body.clone();
    let (service, _) = counting(move |_| Ok(Response::new(Full::new(sent.clone()))));
    let service = cache().0.store(policy()).layer(service);
    for is_hit in [false, true] {
        let got = ask(&service, get("/", &[])).await;
        assert_eq!((got.is_hit(), &got.body), (is_hit, &body));
    }
}

#[tokio::test]
async fn safety_32_a_drop_during_a_fill_wins() {
    let (cache, _) = cache();
    let (start, mut started) = tokio::sync::mpsc::unbounded_channel();
    let (finish, finished) = tokio::sync::watch::channel(false);
    let service = service_fn(move |_: Request<Full<Bytes>>| {
        let (start, mut finished) = (start.clone(), finished.clone());
        async move {
            start.send(())?;
            finished.wait_for(|finished| *finished).await?;
            Ok::<_, Failure>(Response::new(Full::new(Bytes::from("old"))))
        }
    });
    let service = cache.store(policy().tag("a")).layer(service);
    let dropping = async {
        started.recv().await.expect("the handler runs");
        cache.purge(Purge::tag("a")).await.expect("a drop");
        finish.send(true).expect("the handler waits");
    };
    let (got, ()) = tokio::join!(ask(&service, get("/", &[])), dropping);
    assert_eq!(
        (&got.body[..], got.reason()),
        (&b"old"[..], Some("dropped"))
    );
    assert!(!ask(&service, get("/", &[])).await.is_hit());
}

#[tokio::test]
async fn safety_34_an_error_of_the_service_passes_and_it_is_called_once() {
    let (service, calls) =
        counting(|_| Err::<Response<Full<Bytes>>, Failure>("no".to_owned().into()));
    let service = cache().0.store(policy()).layer(service);
    for call in 1..=2 {
        let error = service
            .clone()
            .oneshot(get("/", &[]))
            .await
            .expect_err("its error");
        assert_eq!(
            (error.to_string(), calls.load(Ordering::SeqCst)),
            ("no".to_owned(), call)
        );
    }
}

#[tokio::test]
async fn safety_35_a_flood_of_queries_keeps_the_bound() {
    let cache = fast_cache_tower::Cache::memory(1 << 20);
    let (service, _) = counting(|_| Ok(Response::new(Full::new(Bytes::from(vec![7; 4096])))));
    let service = cache.store(policy()).layer(service);
    for number in 0..2_000 {
        ask(&service, get(&format!("/?q={number}"), &[])).await;
        assert!(cache.stats().bytes <= 1 << 20);
    }
    assert!(cache.stats().evictions > 1_000);
}

#[tokio::test]
async fn safety_41_a_clock_that_goes_back_makes_nothing_long_lived() {
    let (cache, clock) = cache();
    let (service, _) = counting(|_| Ok(Response::new(Full::new(Bytes::from("a")))));
    let service = cache.store(policy()).layer(service);
    ask(&service, get("/", &[])).await;
    assert!(clock.advance(Duration::from_secs(3600), true));
    let got = ask(&service, get("/", &[])).await;
    assert_eq!(
        (got.outcome(), got.reason()),
        (Some(Outcome::Miss), Some("expired"))
    );
}
