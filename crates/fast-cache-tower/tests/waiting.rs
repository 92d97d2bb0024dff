//! Those who wait for another request's answer: that they may go away at any moment, and that they ask no service that
//! is not ready.
#![cfg(feature = "tokio")]

mod support;

use bytes::Bytes;
use fast_cache_tower::Policy;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use std::future::{Ready, ready};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use support::{Failure, Move, Script, cache, get};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::{Layer, Service, ServiceExt};

/// A service that is ready when it is told so, must be ready when it is called, and answers when it is told what.
#[derive(Clone, Default)]
struct Told {
    shared: Arc<Shared>,
    was_ready: bool,
}

#[derive(Default)]
struct Shared {
    is_ready: AtomicBool,
    calls: AtomicUsize,
    answer: Mutex<Option<Result<&'static str, &'static str>>>,
}

type Answered = Result<Response<Full<Bytes>>, Failure>;

impl Told {
    fn ready(&self, is_ready: bool) {
        self.shared.is_ready.store(is_ready, Ordering::SeqCst);
    }

    fn calls(&self) -> usize {
        self.shared.calls.load(Ordering::SeqCst)
    }

    fn answer(&self, answer: Result<&'static str, &'static str>) {
        *self.shared.answer.lock().expect("nobody panicked") = Some(answer);
    }
}

impl Service<Request<Full<Bytes>>> for Told {
    type Response = Response<Full<Bytes>>;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Answered> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.was_ready = self.shared.is_ready.load(Ordering::SeqCst);
        if self.was_ready {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }

    fn call(&mut self, _: Request<Full<Bytes>>) -> Self::Future {
        assert!(std::mem::take(&mut self.was_ready), "it was not ready");
        self.shared.calls.fetch_add(1, Ordering::SeqCst);
        let shared = Arc::clone(&self.shared);
        Box::pin(std::future::poll_fn(move |_| {
            match shared.answer.lock().expect("nobody panicked").take() {
                None => Poll::Pending,
                Some(answer) => Poll::Ready(match answer {
                    Ok(body) => Ok(Response::new(Full::from(body))),
                    Err(error) => Err(error.into()),
                }),
            }
        }))
    }
}

/// Polls once.
fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// A cached service, and what begins a request to a clone of it.
macro_rules! behind {
    ($told:ident, $cache:ident, $begin:ident) => {
        let $told = Told::default();
        let ($cache, _) = cache();
        let layer = $cache.store(Policy::max_age(Duration::from_secs(60)));
        let service = layer.layer($told.clone());
        let $begin = || {
            let mut service = service.clone();
            let mut context = Context::from_waker(Waker::noop());
            assert!(service.poll_ready(&mut context).is_ready());
            Box::pin(service.call(get("/", &[])))
        };
        $told.ready(true);
    };
}

async fn body(
    response: Result<Response<fast_cache_tower::body::CacheBody<Full<Bytes>>>, Failure>,
) -> Bytes {
    let response = response.expect("an answer");
    let collected = pin!(response.into_body().collect()).await;
    collected.expect("a whole body").to_bytes()
}

#[tokio::test(start_paused = true)]
async fn one_who_takes_over_asks_no_service_that_is_not_ready() {
    behind!(told, cache, begin);
    let mut leader = begin();
    let mut follower = begin();
    assert!(poll(&mut leader).is_pending() && poll(&mut follower).is_pending());
    assert_eq!(told.calls(), 1);
    told.ready(false);
    told.answer(Err("the first call failed"));
    assert!(matches!(poll(&mut leader), Poll::Ready(Err(_))));
    // It leads now, and waits for the service.
    assert!(poll(&mut follower).is_pending());
    assert_eq!(told.calls(), 1);
    told.ready(true);
    assert!(poll(&mut follower).is_pending());
    assert_eq!(told.calls(), 2);
    told.answer(Ok("good"));
    let Poll::Ready(answered) = poll(&mut follower) else {
        panic!("it has an answer")
    };
    assert_eq!(body(answered).await, "good");
    assert_eq!(cache.stats().stores, 1);
}

#[tokio::test(start_paused = true)]
async fn safety_31_one_who_goes_away_while_waiting_is_in_nobodys_way() {
    behind!(told, cache, begin);
    let mut leader = begin();
    let mut gone = begin();
    let mut follower = begin();
    assert!(poll(&mut leader).is_pending());
    assert!(poll(&mut gone).is_pending() && poll(&mut follower).is_pending());
    drop(gone);
    told.answer(Ok("good"));
    let Poll::Ready(answered) = poll(&mut leader) else {
        panic!("it has an answer")
    };
    assert_eq!(body(answered).await, "good");
    let Poll::Ready(answered) = poll(&mut follower) else {
        panic!("it is stored")
    };
    assert_eq!(body(answered).await, "good");
    assert_eq!((told.calls(), cache.stats().hits), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn safety_31_one_who_goes_away_after_taking_over_hands_on() {
    behind!(told, cache, begin);
    let mut leader = begin();
    let mut second = begin();
    let mut third = begin();
    for request in [&mut leader, &mut second, &mut third] {
        assert!(poll(request).is_pending());
    }
    told.ready(false);
    drop(leader);
    // It leads now, waits for the service, and goes away before that is ready.
    assert!(poll(&mut second).is_pending());
    drop(second);
    assert_eq!((told.calls(), cache.stats().stores), (1, 0));
    assert!(poll(&mut third).is_pending());
    told.ready(true);
    assert!(poll(&mut third).is_pending());
    assert_eq!(told.calls(), 2);
    told.answer(Ok("good"));
    let Poll::Ready(answered) = poll(&mut third) else {
        panic!("it has an answer")
    };
    assert_eq!(body(answered).await, "good");
}

/// A service that may be called once at a time: to be ready is to hold the one place, as with a limit of concurrency.
/// The body of its first answer fails.
struct Limited {
    place: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
    calls: Arc<AtomicUsize>,
}

impl Clone for Limited {
    fn clone(&self) -> Self {
        Self {
            place: Arc::clone(&self.place),
            held: None,
            calls: Arc::clone(&self.calls),
        }
    }
}

impl Service<Request<Full<Bytes>>> for Limited {
    type Response = Response<Script>;
    type Error = Failure;
    type Future = Ready<Result<Response<Script>, Failure>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        if self.held.is_none() {
            self.held = Arc::clone(&self.place).try_acquire_owned().ok();
        }
        if self.held.is_none() {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Full<Bytes>>) -> Self::Future {
        assert!(self.held.take().is_some(), "it was not ready");
        let moves = match self.calls.fetch_add(1, Ordering::SeqCst) {
            0 => &[Move::Data("one"), Move::Wait, Move::Wait, Move::Fail][..],
            _ => &[Move::Data("other")],
        };
        ready(Ok(Response::new(Script::of(moves))))
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_has_not_reserved_what_it_may_have_to_wait_for() {
    let limited = Limited {
        place: Arc::new(Semaphore::new(1)),
        held: None,
        calls: Arc::default(),
    };
    let policy = Policy::max_age(Duration::from_secs(60));
    let mut leader = cache().0.store(policy).layer(limited);
    let mut other = leader.clone();
    let led = leader.ready().await.expect("ready").call(get("/", &[]));
    let led = led.await.expect("an answer");
    // The service stays where it is, as it does with clients that keep one.
    let mut waiting = other.ready().await.expect("ready").call(get("/", &[]));
    assert!(poll(&mut waiting).is_pending());
    led.collect().await.expect_err("it fails");
    let got = tokio::time::timeout(Duration::from_secs(60), waiting).await;
    let got = got.expect("nobody waits for ever").expect("an answer");
    assert_eq!(got.collect().await.expect("a body").to_bytes(), "other");
}

#[tokio::test(start_paused = true)]
async fn a_request_does_not_wait_for_itself_where_one_layer_stands_in_another() {
    let policy = Policy::max_age(Duration::from_secs(60));
    for failing in [false, true] {
        let cache = cache().0;
        let (service, calls) = support::counting(move |_| {
            let mut response = Response::new(Full::new(Bytes::from("one")));
            if failing {
                *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
            }
            Ok(response)
        });
        let service = cache.store(policy.clone()).layer(service);
        let service = cache.store(policy.clone()).layer(service);
        let begun = tokio::time::Instant::now();
        let ask = || support::ask(&service, get("/", &[]));
        let (one, other, third) = tokio::join!(ask(), ask(), ask());
        assert_eq!([one.body, other.body, third.body], ["one"; 3]);
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert!(calls.load(Ordering::SeqCst) <= if failing { 3 } else { 1 });
    }
}

#[tokio::test(start_paused = true)]
async fn two_requests_do_not_wait_for_each_other_in_layers_of_two_caches() {
    let policy = Policy::max_age(Duration::from_secs(60));
    let (outer, other) = (cache().0, cache().0);
    let (service, _) = support::counting(|_| Ok(Response::new(Full::new(Bytes::from("one")))));
    let service = outer.store(policy.clone()).layer(service);
    let gate = Arc::new(Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let gated = tower::service_fn(move |request: Request<Full<Bytes>>| {
        let (service, gate) = (service.clone(), Arc::clone(&opened));
        async move {
            gate.acquire().await.expect("it is open").forget();
            service.oneshot(request).await
        }
    });
    let gated = other.store(policy.clone()).layer(gated);
    let alone = policy.clone().follower_timeout(None);
    let (alone, waits) = (
        outer.store(alone).layer(gated.clone()),
        outer.store(policy).layer(gated),
    );
    let begun = tokio::time::Instant::now();
    let open = async {
        tokio::task::yield_now().await;
        gate.add_permits(2);
    };
    // The first leads in the cache inside, for which the second waits, which leads in the one outside.
    let (one, two, ()) = tokio::join!(
        support::ask(&alone, get("/", &[])),
        support::ask(&waits, get("/", &[])),
        open
    );
    assert_eq!([one.body, two.body], ["one"; 2]);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}
