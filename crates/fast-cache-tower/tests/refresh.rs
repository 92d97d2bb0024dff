//! Stale answers: refreshed in the background, and standing in for failures.

mod support;

use bytes::Bytes;
use fast_cache_tower::{Cache, Outcome, Policy};
use http::{Request, Response};
use http_body_util::Full;
use std::sync::atomic::Ordering;
use std::time::Duration;
use support::{Failure, Got, ask, cache, counting, get};
use tower::{Layer, Service};

const MINUTE: Duration = Duration::from_secs(60);

fn text(text: &str) -> Response<Full<Bytes>> {
    Response::new(Full::new(Bytes::copy_from_slice(text.as_bytes())))
}

fn stale_policy() -> Policy {
    Policy::max_age(MINUTE).stale_while_revalidate(MINUTE)
}

/// Asks without a runtime: the service is ready at once.
fn ask_alone<S>(service: &S) -> Got
where
    S: Service<Request<Full<Bytes>>, Error = Failure> + Clone,
    S: Service<
            Request<Full<Bytes>>,
            Response = Response<fast_cache_tower::body::CacheBody<Full<Bytes>>>,
        >,
{
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut asking = std::pin::pin!(ask(service, get("/", &[])));
    match asking.as_mut().poll(&mut context) {
        std::task::Poll::Ready(got) => got,
        std::task::Poll::Pending => panic!("nothing waits"),
    }
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn a_stale_answer_is_served_at_once_and_refreshed_once() {
    let (cache, clock) = cache();
    let (service, calls) = counting(|_| Ok(text("x")));
    let service = cache.store(stale_policy()).layer(service);
    ask(&service, get("/", &[])).await;
    assert!(clock.advance(MINUTE, false));
    for _ in 0..3 {
        let got = ask(&service, get("/", &[])).await;
        assert_eq!(got.outcome(), Some(Outcome::Stale));
        // Nothing of the refresh has run yet, save its call.
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
    let got = ask(&service, get("/", &[])).await;
    assert!(got.is_hit());
    assert_eq!(
        (got.all("age"), calls.load(Ordering::SeqCst)),
        (vec!["0"], 2)
    );
    let stats = cache.stats();
    assert_eq!((stats.misses, stats.stale, stats.hits), (1, 3, 1));
}

#[test]
fn without_a_runtime_the_first_one_waits_for_the_new_answer() {
    let (cache, clock) = cache();
    let (service, calls) = counting(|_| Ok(text("x")));
    let service = cache.store(stale_policy()).layer(service);
    ask_alone(&service);
    assert!(clock.advance(MINUTE, false));
    assert_eq!(ask_alone(&service).outcome(), Some(Outcome::Miss));
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    assert!(ask_alone(&service).is_hit());
    let stats = cache.stats();
    assert_eq!((stats.misses, stats.stale, stats.hits), (2, 0, 1));
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn a_refresh_that_failed_is_followed_by_another() {
    let (cache, clock) = cache();
    let (service, calls) = counting(|asked| match asked.headers().get("x-fail") {
        None => Ok(text("x")),
        Some(_) => Err("it failed".into()),
    });
    let policy = stale_policy().undeclared_header("x-fail");
    let service = cache.store(policy).layer(service);
    ask(&service, get("/", &[])).await;
    assert!(clock.advance(MINUTE, false));
    for expected in 2..=3 {
        ask(&service, get("/", &[("x-fail", "1")])).await;
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
        assert_eq!(calls.load(Ordering::SeqCst), expected);
    }
}

#[test]
fn a_stale_answer_stands_in_for_an_error_of_the_service() {
    let clock = cache().1;
    let cache = Cache::builder().clock(clock.clone()).build();
    let (service, calls) = counting(|asked| match asked.headers().get("x-fail") {
        None => Ok(text("good")),
        Some(status) if status == "500" => {
            Ok(Response::builder().status(500).body(Full::default())?)
        }
        Some(_) => Err("it failed".into()),
    });
    let policy = Policy::max_age(MINUTE)
        .stale_if_error(MINUTE)
        .undeclared_header("x-fail");
    let service = cache.store(policy).layer(service);
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(async {
        ask(&service, get("/", &[])).await;
        assert!(clock.advance(MINUTE, false));
        for failure in ["500", "error"] {
            let got = ask(&service, get("/", &[("x-fail", failure)])).await;
            assert_eq!(got.head.status, 200);
            assert_eq!(
                (got.outcome(), &got.body[..]),
                (Some(Outcome::Stale), &b"good"[..])
            );
            assert_eq!(got.reason(), Some("stale-if-error"));
        }
        assert_eq!(calls.load(Ordering::SeqCst), 3);
        assert!(clock.advance(MINUTE * 2, false));
        let got = ask(&service, get("/", &[("x-fail", "500")])).await;
        assert_eq!(
            (got.head.status.as_u16(), got.outcome()),
            (500, Some(Outcome::Miss))
        );
    });
}

/// What servers ask of a service.
#[test]
fn everything_can_go_from_thread_to_thread() {
    fn is_send<T: Send + 'static>(_: &T) {}
    fn is_sync<T: Sync>(_: &T) {}
    let (service, _) = counting(|_| Ok(text("x")));
    let cache = Cache::memory(1 << 20);
    let mut service = cache.store(stale_policy()).layer(service);
    is_send(&service);
    is_sync(&service);
    is_sync(&cache);
    is_send(&service.call(get("/", &[])));
}

/// A service that takes a second by the cache's clock.
#[cfg(feature = "tokio")]
fn slow(
    clock: &std::sync::Arc<fast_cache_tower::store::Clock>,
) -> impl Fn(&Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, Failure> + Clone + use<> {
    let clock = std::sync::Arc::clone(clock);
    move |_| {
        clock.advance(Duration::from_secs(1), false);
        Ok(text("x"))
    }
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn of_a_crowd_of_hits_one_refreshes_the_answer_in_time() {
    let (cache, clock) = cache();
    let (service, calls) = counting(slow(&clock));
    let policy = Policy::max_age(MINUTE).early_refresh(1.0);
    let service = cache.store(policy).layer(service);
    for _ in 0..100 {
        ask(&service, get("/", &[])).await;
    }
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    // The refresh itself takes one second of what is left.
    assert!(clock.advance(Duration::from_millis(58_500), false));
    for _ in 0..100 {
        let got = ask(&service, get("/", &[])).await;
        assert_eq!(got.outcome(), Some(Outcome::Hit));
    }
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
    assert_eq!(ask(&service, get("/", &[])).await.all("age"), vec!["0"]);
    let stats = cache.stats();
    assert_eq!((stats.misses, stats.stale, stats.hits), (1, 0, 200));
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn without_it_an_answer_lives_to_its_end() {
    for policy in [
        Policy::max_age(MINUTE),
        Policy::max_age(MINUTE).early_refresh(0.0),
    ] {
        let (cache, clock) = cache();
        let (service, calls) = counting(slow(&clock));
        let service = cache.store(policy).layer(service);
        ask(&service, get("/", &[])).await;
        assert!(clock.advance(Duration::from_millis(59_990), false));
        for _ in 0..100 {
            assert!(ask(&service, get("/", &[])).await.is_hit());
        }
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn without_a_runtime_nothing_is_refreshed_early() {
    let (cache, clock) = cache();
    let (service, calls) = counting(move |_| {
        clock.advance(Duration::from_secs(1), false);
        Ok(text("x"))
    });
    let policy = Policy::max_age(MINUTE).early_refresh(1e9);
    let service = cache.store(policy).layer(service);
    ask_alone(&service);
    assert!(ask_alone(&service).is_hit());
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[test]
fn answers_stored_together_expire_apart() {
    let (cache, _) = cache();
    let (service, _) = counting(|_| Ok(text("x")));
    let policy = Policy::max_age(MINUTE).jitter(0.5);
    let service = cache.store(policy).layer(service);
    let mut lifetimes = std::collections::BTreeSet::new();
    for number in 0..40 {
        let path = format!("/{number}");
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let asking = async {
            ask(&service, get(&path, &[])).await;
            ask(&service, get(&path, &[])).await
        };
        let std::task::Poll::Ready(got) = std::pin::pin!(asking).poll(&mut context) else {
            panic!("nothing waits");
        };
        let said = got.all("cache-status").concat();
        let left = said
            .rsplit("ttl=")
            .next()
            .and_then(|left| left.parse().ok());
        let left: u64 = left.expect("a hit says what is left");
        assert!((30..=60).contains(&left), "{left}");
        lifetimes.insert(left);
    }
    assert!(lifetimes.len() > 15, "{lifetimes:?}");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for refused in [
        || Policy::http().jitter(1.0),
        || Policy::http().jitter(f64::NAN),
        || Policy::http().early_refresh(-1.0),
        || Policy::http().early_refresh(f64::INFINITY),
    ] {
        assert!(std::panic::catch_unwind(refused).is_err());
    }
}
