//! Whatever is dropped, and whenever: nothing half-done stays.

mod support;

use bytes::Bytes;
use fast_cache_tower::Policy;
use http::Response;
use http_body::Body;
use http_body_util::Full;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use support::Move::{Data, Wait};
use support::{Script, cache, get};
use tower::{Layer, ServiceExt, service_fn};

/// Gives way so many times.
async fn give_way(times: usize) {
    for _ in 0..times {
        let mut has_waited = false;
        std::future::poll_fn(|_| {
            if std::mem::replace(&mut has_waited, true) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

/// Polls an exchange up to `polls` times and drops it there; how many polls it takes to its end, and what was stored.
fn dropped_after(polls: usize, announces: bool) -> (bool, u64) {
    let (cache, _) = cache();
    let service = service_fn(move |_: http::Request<Full<Bytes>>| async move {
        give_way(2).await;
        let script = Script::of(&[Wait, Data("a"), Wait, Data("b"), Wait]);
        let mut response = Response::new(script);
        if announces {
            response.headers_mut().insert("content-length", 2.into());
        }
        Ok::<_, support::Failure>(response)
    });
    let layer = cache.store(Policy::max_age(Duration::from_secs(60)));
    let service = layer.layer(service);
    let mut context = Context::from_waker(Waker::noop());
    let mut left = polls;
    let mut spend = || {
        let is_left = left > 0;
        left = left.saturating_sub(1);
        is_left
    };
    {
        let mut future = pin!(service.oneshot(get("/", &[])));
        let response = loop {
            if !spend() {
                return (false, cache.stats().stores);
            }
            if let Poll::Ready(response) = future.as_mut().poll(&mut context) {
                break response.expect("an answer");
            }
        };
        let mut body = pin!(response.into_body());
        loop {
            if !spend() {
                return (false, cache.stats().stores);
            }
            if let Poll::Ready(None) = body.as_mut().poll_frame(&mut context) {
                break;
            }
        }
    }
    (true, cache.stats().stores)
}

#[test]
fn dropping_an_exchange_anywhere_before_its_last_frame_stores_nothing() {
    for announces in [false, true] {
        let mut has_ended = false;
        let mut seen = Vec::new();
        for polls in 0..20 {
            let (is_over, stores) = dropped_after(polls, announces);
            seen.push(stores);
            assert!(!is_over || stores == 1, "after {polls} polls");
            has_ended |= is_over;
        }
        assert!(has_ended);
        let stored = seen.iter().position(|stores| *stores > 0);
        let stored = stored.expect("stored in the end");
        assert!(stored > 5, "only with the last frame: {seen:?}");
        assert!(seen[stored..].iter().all(|stores| *stores == 1));
    }
}

#[test]
fn safety_31_an_abandoned_exchange_is_in_nobodys_way() {
    let (cache, _) = cache();
    let service = service_fn(|_: http::Request<Full<Bytes>>| async {
        give_way(1).await;
        Ok::<_, support::Failure>(Response::new(Full::new(Bytes::from("a"))))
    });
    let layer = cache.store(Policy::max_age(Duration::from_secs(60)));
    let service = layer.layer(service);
    let mut context = Context::from_waker(Waker::noop());
    {
        let mut abandoned = pin!(service.clone().oneshot(get("/", &[])));
        assert!(abandoned.as_mut().poll(&mut context).is_pending());
    }
    let mut next = pin!(service.oneshot(get("/", &[])));
    assert!(next.as_mut().poll(&mut context).is_pending());
    assert!(next.as_mut().poll(&mut context).is_ready());
}

#[test]
fn a_write_that_is_given_up_before_its_answer_drops_nothing() {
    let (cache, _) = cache();
    let write = || {
        let service = service_fn(|_: http::Request<Full<Bytes>>| async {
            give_way(1).await;
            Ok::<_, support::Failure>(Response::new(Script::of(&[Data("a"), Wait, Data("b")])))
        });
        let layer = cache.drop_on_success().tag("all");
        layer.layer(service).oneshot(get("/", &[]))
    };
    let mut context = Context::from_waker(Waker::noop());
    {
        let mut given_up = pin!(write());
        assert!(given_up.as_mut().poll(&mut context).is_pending());
    }
    assert_eq!(cache.stats().drops, 0);
    let mut answered = pin!(write());
    assert!(answered.as_mut().poll(&mut context).is_pending());
    let Poll::Ready(response) = answered.as_mut().poll(&mut context) else {
        panic!("it has an answer")
    };
    assert_eq!(cache.stats().drops, 1);
    // Whoever stops reading ends the answer, too.
    drop(response);
    assert_eq!(cache.stats().drops, 2);
}

#[test]
fn an_endless_body_passes_and_is_not_stored() {
    let (cache, _) = cache();
    let service = service_fn(|_: http::Request<Full<Bytes>>| async {
        Ok::<_, support::Failure>(Response::new(Endless))
    });
    let layer = cache.store(Policy::max_age(Duration::from_secs(60)));
    let service = layer.layer(service);
    let mut context = Context::from_waker(Waker::noop());
    let mut answered = pin!(service.oneshot(get("/", &[])));
    let Poll::Ready(Ok(response)) = answered.as_mut().poll(&mut context) else {
        panic!("its head waits for nothing")
    };
    let mut body = pin!(response.into_body());
    // More than is stored of any body.
    for _ in 0..(2 << 20) / Endless::FRAME.len() {
        let frame = body.as_mut().poll_frame(&mut context);
        let Poll::Ready(Some(Ok(frame))) = frame else {
            panic!("it goes on for ever")
        };
        assert_eq!(frame.data_ref().map(Bytes::len), Some(Endless::FRAME.len()));
    }
    assert!(!body.is_end_stream());
    assert_eq!(cache.stats().stores, 0);
}

struct Endless;

impl Endless {
    const FRAME: &[u8] = &[b'x'; 4096];
}

impl Body for Endless {
    type Data = Bytes;
    type Error = support::Failure;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, support::Failure>>> {
        let data = Bytes::from_static(Self::FRAME);
        Poll::Ready(Some(Ok(http_body::Frame::data(data))))
    }
}
