//! Bodies: they pass as they come, and are stored when they are whole.

mod support;

use bytes::Bytes;
use fast_cache_tower::{Outcome, Policy};
use http::{Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use support::Move::{Data, Fail, Trailers, Wait};
use support::{Move, Script, ask, cache, counting, get, request};
use tower::{Layer, Service, ServiceExt};

fn policy() -> Policy {
    Policy::max_age(Duration::from_secs(60))
}

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(future)
}

/// Plays a body twice; the body that the first client got, and whether the second one got it from the cache.
fn twice(make: impl Fn() -> Response<Script> + Clone + Send + Sync + 'static) -> (Bytes, bool) {
    block_on(async {
        let (service, _) = counting(move |_| Ok(make()));
        let service = cache().0.store(policy()).layer(service);
        let first = ask(&service, get("/", &[])).await;
        assert_eq!(first.outcome(), Some(Outcome::Miss));
        let second = ask(&service, get("/", &[])).await;
        assert_eq!(first.body, second.body);
        (first.body, second.is_hit())
    })
}

#[test]
fn whole_bodies_are_stored() {
    let scripts: &[&[Move]] = &[
        &[],
        &[Data("a")],
        &[Data("a"), Data("b")],
        &[Wait, Data("a"), Wait, Data("b"), Wait],
        &[Data(""), Data("a"), Data("")],
    ];
    for moves in scripts {
        for tells_end in [false, true] {
            for is_exact in [false, true] {
                let (_, is_hit) = twice(move || {
                    let mut script = Script::of(moves);
                    script.tells_end = tells_end;
                    Response::new(if is_exact { script.exact() } else { script })
                });
                assert!(is_hit, "{moves:?} {tells_end} {is_exact}");
            }
        }
    }
}

#[test]
fn safety_25_another_length_than_announced_is_not_stored() {
    for announced in ["1", "3", "x"] {
        let (body, is_hit) = twice(move || {
            let mut response = Response::new(Script::of(&[Data("a"), Data("b")]));
            let headers = response.headers_mut();
            headers.insert("content-length", announced.parse().expect("a value"));
            response
        });
        assert_eq!((&body[..], is_hit), (&b"ab"[..], false), "{announced}");
    }
}

#[test]
fn safety_24_a_body_that_fails_is_not_stored() {
    block_on(async {
        let (service, calls) = counting(|_| Ok(Response::new(Script::of(&[Data("a"), Fail]))));
        let service = cache().0.store(policy()).layer(service);
        for call in 1..=2 {
            let response = service
                .clone()
                .oneshot(get("/", &[]))
                .await
                .expect("a head");
            let error = response.collect().await.expect_err("the body's own error");
            assert_eq!(error.to_string(), "the body failed");
            assert_eq!(calls.load(Ordering::SeqCst), call);
        }
    });
}

#[test]
fn trailers_pass_and_keep_an_answer_from_being_stored() {
    block_on(async {
        for moves in [&[Data("a"), Trailers][..], &[Data("a"), Wait, Trailers]] {
            let (service, calls) = counting(move |_| Ok(Response::new(Script::of(moves))));
            let service = cache().0.store(policy()).layer(service);
            for call in 1..=2 {
                let got = ask(&service, get("/", &[])).await;
                let trailers = got.trailers.expect("trailers");
                assert_eq!(
                    (&got.body[..], &trailers["x-sum"]),
                    (&b"a"[..], &"7".parse().unwrap())
                );
                assert_eq!(calls.load(Ordering::SeqCst), call);
            }
        }
    });
}

#[test]
fn announced_trailers_are_waited_for() {
    block_on(async {
        let (service, calls) = counting(|_| {
            let mut response = Response::new(Script::of(&[Data("a"), Wait, Trailers]));
            response.headers_mut().insert("content-length", 1.into());
            response
                .headers_mut()
                .insert("trailer", "x-sum".parse().expect("a value"));
            Ok(response)
        });
        let service = cache().0.store(policy()).layer(service);
        for call in 1..=2 {
            assert!(ask(&service, get("/", &[])).await.trailers.is_some());
            assert_eq!(calls.load(Ordering::SeqCst), call);
        }
    });
}

#[test]
fn the_entry_is_there_before_the_last_frame_goes_out() {
    let announced = Response::builder().header("content-length", "2");
    let script = || Script::of(&[Data("a"), Data("b")]);
    for (is_announced, head) in [(false, Response::builder()), (true, announced)] {
        let (cache, _) = cache();
        let parts = head.body(()).expect("a response").into_parts().0;
        let (service, _) = counting(move |_| Ok(Response::from_parts(parts.clone(), script())));
        let service = cache.store(policy()).layer(service);
        let mut future = pin!(service.clone().oneshot(get("/", &[])));
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(Ok(response)) = future.as_mut().poll(&mut context) else {
            panic!("all is ready");
        };
        let mut body = pin!(response.into_body());
        assert_eq!(cache.stats().stores, 0);
        let first = body.as_mut().poll_frame(&mut context);
        assert!(matches!(first, Poll::Ready(Some(Ok(_)))));
        assert_eq!(cache.stats().stores, 0, "{is_announced}");
        let last = body.as_mut().poll_frame(&mut context);
        assert!(matches!(last, Poll::Ready(Some(Ok(frame))) if frame.is_data()));
        assert_eq!(cache.stats().stores, 1, "{is_announced}");
    }
}

#[test]
fn a_head_does_not_wait_for_a_body_of_unknown_length() {
    let (service, _) = counting(|_| Ok(Response::new(Script::of(&[Wait, Data("a")]))));
    let service = cache().0.store(policy()).layer(service);
    let mut context = Context::from_waker(Waker::noop());
    let mut future = pin!(service.oneshot(get("/", &[])));
    assert!(future.as_mut().poll(&mut context).is_ready());
}

#[test]
fn an_answer_in_one_piece_gets_its_tag_at_once() {
    block_on(async {
        let (service, calls) = counting(|_| Ok(Response::new(Full::new(Bytes::from("hello")))));
        let service = cache().0.store(policy()).layer(service);
        let first = ask(&service, get("/", &[])).await;
        let [tag] = first.all("etag")[..] else {
            panic!("one tag: {first:?}");
        };
        let second = ask(&service, get("/", &[("if-none-match", tag)])).await;
        assert_eq!(second.head.status, StatusCode::NOT_MODIFIED);
        assert_eq!((second.body.len(), calls.load(Ordering::SeqCst)), (0, 1));
    });
}

#[test]
fn what_is_too_large_passes() {
    block_on(async {
        let (service, calls) =
            counting(|_| Ok(Response::new(Script::of(&[Data("abc"), Data("def")]))));
        let service = cache().0.store(policy().max_body_size(5)).layer(service);
        for call in 1..=2 {
            assert_eq!(ask(&service, get("/", &[])).await.body, "abcdef");
            assert_eq!(calls.load(Ordering::SeqCst), call);
        }
    });
}

#[test]
fn lengths_and_ends_are_told_as_the_body_tells_them() {
    block_on(async {
        let (service, _) = counting(|asked| {
            let script = Script::of(&[Data("ab"), Data("c")]);
            let is_exact = asked.uri().path() == "/exact";
            Ok(Response::new(if is_exact {
                script.exact()
            } else {
                script
            }))
        });
        let service = cache().0.store(policy()).layer(service);
        for (path, exact) in [("/exact", Some(3)), ("/", None)] {
            for is_cached in [false, true] {
                let response = service.clone().oneshot(get(path, &[])).await.expect("one");
                let mut body = response.into_body();
                let hint = body.size_hint();
                assert_eq!(hint.exact(), exact.or(is_cached.then_some(3)), "{path}");
                assert!(hint.lower() <= 3);
                let mut length = 0;
                while !body.is_end_stream() {
                    match body.frame().await {
                        Some(frame) => {
                            let data = frame.expect("a frame").into_data();
                            length += data.expect("data").len();
                        }
                        None => break,
                    }
                }
                assert_eq!(length, 3);
            }
        }
    });
}

#[test]
fn upgrades_pass_untouched() {
    block_on(async {
        let (service, _) = counting(|_| {
            let response = Response::builder().status(101).extension(7_u8);
            Ok(response.body(Script::of(&[]))?)
        });
        let service = cache().0.store(policy()).layer(service);
        let got = ask(
            &service,
            get("/", &[("connection", "upgrade"), ("upgrade", "x")]),
        )
        .await;
        assert_eq!(got.head.extensions.get(), Some(&7_u8));
        assert!(got.head.headers.is_empty(), "{got:?}");
        let (service, calls) = counting(|_| Ok(Response::new(Script::of(&[]))));
        let service = cache().0.store(policy()).layer(service);
        for call in 1..=2 {
            let got = ask(&service, request("CONNECT", "example.com:443", &[])).await;
            assert!(got.head.headers.is_empty() && got.outcome().is_none());
            assert_eq!(calls.load(Ordering::SeqCst), call);
        }
    });
}

#[test]
fn safety_11_a_request_with_a_body_is_not_answered_from_the_cache() {
    block_on(async {
        let (service, calls) = counting(|_| Ok(Response::new(Script::of(&[Data("a")]))));
        let service = cache().0.store(policy()).layer(service);
        for call in 1..=2 {
            let (parts, _) = get("/", &[]).into_parts();
            // Without a header line that says so, as in HTTP/2.
            let asked = http::Request::from_parts(parts, Full::new(Bytes::from("x")));
            let got = ask(&service, asked).await;
            assert_eq!(got.reason(), Some("request-body"));
            assert_eq!(calls.load(Ordering::SeqCst), call);
        }
    });
}

#[test]
fn readiness_is_that_of_the_service_inside() {
    #[derive(Clone)]
    struct Never;
    impl Service<http::Request<Full<Bytes>>> for Never {
        type Response = Response<Script>;
        type Error = support::Failure;
        type Future = std::future::Ready<Result<Response<Script>, support::Failure>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            Poll::Pending
        }

        fn call(&mut self, _: http::Request<Full<Bytes>>) -> Self::Future {
            panic!("it was never ready")
        }
    }
    let mut service = cache().0.store(policy()).layer(Never);
    let mut context = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut context).is_pending());
}

#[test]
fn as_many_header_lines_as_there_may_be_are_passed_on_and_few_are_kept() {
    for (number, is_same, is_kept) in [
        (8192, true, true),
        (8193, true, false),
        (30_000, true, false),
        (24_000, false, false),
        (24_575, false, false),
    ] {
        let (_, is_hit) = twice(move || {
            let mut response = Response::new(Script::of(&[Data("a")]));
            for line in 0..number {
                let name = if is_same { 0 } else { line };
                let name = http::HeaderName::try_from(format!("x-{name}"));
                let value = http::HeaderValue::from(line);
                let headers = response.headers_mut();
                headers.append(name.expect("a name"), value);
            }
            response
        });
        assert_eq!(is_hit, is_kept, "{number} {is_same}");
    }
}
