//! Those who wait share a failure, where it may be shared, and nobody waits twice.
#![cfg(feature = "tokio")]

mod support;

use bytes::Bytes;
use fast_cache_tower::body::CacheBody;
use fast_cache_tower::{Cache, CacheOutcome, CacheService, Outcome, Policy};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use std::pin::Pin;
use std::time::Duration;
use support::gate::{Answer, Gate, Handler, settle, start, start_with, text};
use support::{Failure, cache, get};
use tokio::task::JoinHandle;
use tower::ServiceExt;

/// What a client gets.
struct Got {
    status: StatusCode,
    headers: HeaderMap,
    said: CacheOutcome,
    body: String,
}

impl Got {
    fn line(&self, name: &str) -> Option<&str> {
        let value = self.headers.get(name)?;
        Some(value.to_str().expect("text"))
    }
}

fn ask(service: &CacheService<Handler>, headers: &[(&str, &str)]) -> JoinHandle<Got> {
    type Answered = Result<Response<CacheBody<Full<Bytes>>>, Failure>;
    let request: Request<Full<Bytes>> = get("/", headers);
    let answered: Pin<Box<dyn Future<Output = Answered> + Send>> =
        Box::pin(service.clone().oneshot(request));
    tokio::spawn(async move {
        let (head, body) = answered.await.expect("a response").into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Got {
            status: head.status,
            headers: head.headers,
            said: *head.extensions.get().expect("an outcome"),
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    })
}

/// A failure with this header line.
fn failure(call: usize, line: (&'static str, &'static str)) -> Answer {
    let mut response = text(&format!("failure {call}"));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response.headers_mut().insert(line.0, line.1.parse()?);
    Ok(response)
}

fn broken(call: usize) -> Answer {
    failure(call, ("retry-after", "1"))
}

/// Starts so many requests, lets the handler answer every call, and gives what came of it.
async fn crowd(gate: &Gate, service: &CacheService<Handler>, number: usize) -> Vec<Got> {
    let asked: Vec<_> = (0..number).map(|_| ask(service, &[])).collect();
    settle().await;
    gate.permits.add_permits(number);
    let mut got = Vec::new();
    for one in asked {
        got.push(one.await.expect("a request"));
    }
    let left = gate.permits.available_permits();
    gate.permits.forget_permits(left);
    got
}

#[tokio::test(start_paused = true)]
async fn a_shared_failure_keeps_the_age_that_it_came_with() {
    let gate = Gate::new();
    let (cache, _) = cache();
    let policy = Policy::http().statuses([StatusCode::OK]);
    let service = gate.behind_policy(&cache, policy, |call| {
        let mut response = failure(call, ("cache-control", "max-age=200"))?;
        response.headers_mut().insert("age", "100".parse()?);
        Ok(response)
    });
    let got = crowd(&gate, &service, 5).await;
    assert_eq!(gate.calls(), 2);
    assert!(got.iter().all(|got| got.line("age") == Some("100")));
}

#[tokio::test(start_paused = true)]
async fn safety_31_a_failing_service_is_asked_twice_and_then_once_at_a_time() {
    let gate = Gate::new();
    let (cache, clock) = cache();
    let service = gate.behind(&cache, broken);
    let got = crowd(&gate, &service, 1000).await;
    assert_eq!(gate.calls(), 2);
    let bodies = |body: &str| got.iter().filter(|got| got.body == body).count();
    assert_eq!((bodies("failure 1"), bodies("failure 2")), (1, 999));
    // While the key is known to be failing, one call is the answer to all.
    for wave in 3..6 {
        let got = crowd(&gate, &service, 1000).await;
        assert_eq!(gate.calls(), wave);
        let body = format!("failure {wave}");
        assert!(got.iter().all(|got| got.body == body));
        clock.advance(Duration::from_secs(4), false);
    }
    // Once that is forgotten, one failure is not yet one for all.
    clock.advance(Duration::from_secs(2), false);
    crowd(&gate, &service, 10).await;
    assert_eq!(gate.calls(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_shared_failure_is_a_miss_without_an_age() {
    let gate = Gate::new();
    let service = gate.behind(&cache().0, broken);
    let got = crowd(&gate, &service, 5).await;
    for got in &got[2..] {
        assert_eq!(got.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(got.line("retry-after"), Some("1"));
        assert_eq!(got.line("x-cache-status"), Some("MISS"));
        let said = "fast-cache; fwd=uri-miss; collapsed; detail=status";
        assert_eq!(got.line("cache-status"), Some(said));
        assert_eq!(got.line("age"), None);
        assert_eq!((got.said.outcome(), got.said.age()), (Outcome::Miss, None));
        assert!(got.said.was_forwarded());
    }
    let said = "fast-cache; fwd=uri-miss; detail=status";
    assert_eq!(got[1].line("cache-status"), Some(said));
}

#[tokio::test(start_paused = true)]
async fn safety_16_to_19_a_failure_that_is_no_one_elses_stays_with_its_client() {
    for line in [
        ("set-cookie", "session=1"),
        ("cache-control", "private"),
        ("cache-control", "no-store"),
        ("vary", "*"),
        ("content-length", "1"),
        ("content-type", "text/event-stream"),
    ] {
        let gate = Gate::new();
        let service = gate.behind(&cache().0, move |call| failure(call, line));
        let got = crowd(&gate, &service, 10).await;
        let mut bodies: Vec<_> = got.iter().map(|got| &got.body).collect();
        bodies.sort();
        bodies.dedup();
        assert_eq!((bodies.len(), gate.calls()), (10, 10), "{line:?}");
        // Nobody waits for the next one, which would be in vain.
        let asked: Vec<_> = (0..5).map(|_| start(&service)).collect();
        settle().await;
        assert_eq!(gate.calls(), 15, "{line:?}");
        drop(asked);
    }
}

#[tokio::test(start_paused = true)]
async fn safety_18_a_failure_goes_to_those_alone_whose_variant_it_is() {
    let gate = Gate::new();
    let service = gate.behind(&cache().0, |call| failure(call, ("vary", "accept")));
    let asked = ["a", "a", "b", "a", "b"].map(|accept| ask(&service, &[("accept", accept)]));
    settle().await;
    gate.permits.add_permits(10);
    let mut got = Vec::new();
    for one in asked {
        got.push(one.await.expect("a request").body);
    }
    // The second leads after the first, and the fourth alone is one that shares its failure.
    assert_eq!(got[1], got[3]);
    assert_eq!(gate.calls(), 4);
    got.sort();
    got.dedup();
    assert_eq!(got.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn safety_18_a_failure_that_forgets_its_vary_is_one_of_a_variant_all_the_same() {
    let gate = Gate::new();
    let (cache, clock) = cache();
    let service = gate.behind(&cache, |call| match call {
        1 => {
            let mut response = text("good");
            response.headers_mut().insert("vary", "accept".parse()?);
            Ok(response)
        }
        _ => broken(call),
    });
    gate.permits.add_permits(1);
    let first = ask(&service, &[("accept", "a")]).await.expect("a request");
    assert_eq!(first.body, "good");
    clock.advance(Duration::from_secs(61), false);
    let asked = ["a", "a", "b", "a", "b", "b"].map(|accept| ask(&service, &[("accept", accept)]));
    settle().await;
    gate.permits.add_permits(10);
    let mut got = Vec::new();
    for one in asked {
        got.push(one.await.expect("a request").body);
    }
    for (one, other) in [(0, 2), (1, 2), (1, 4), (3, 5)] {
        assert_ne!(got[one], got[other], "{got:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn safety_18_what_is_known_of_variants_by_the_time_of_the_failure_counts() {
    let gate = Gate::new();
    let service = gate.behind(&cache().0, |call| match call {
        2 => {
            let mut response = text("good");
            response.headers_mut().insert("vary", "accept".parse()?);
            Ok(response)
        }
        _ => broken(call),
    });
    let ask = |accept: &'static str| ask(&service, &[("accept", accept)]);
    let (first, second, other) = (ask("a"), ask("a"), ask("b"));
    settle().await;
    let afresh = start_with(
        &service,
        get("/", &[("accept", "c"), ("cache-control", "no-cache")]),
    );
    settle().await;
    gate.permits.add_permits(10);
    assert_eq!(first.await.expect("a request").body, "failure 1");
    assert_eq!(afresh.await.expect("a request").1, "good");
    assert_eq!(second.await.expect("a request").body, "failure 3");
    assert_eq!(other.await.expect("a request").body, "failure 4");
}

#[tokio::test(start_paused = true)]
async fn safety_16_credentials_neither_wait_for_a_failure_nor_give_theirs() {
    let gate = Gate::new();
    let service = gate.behind(&cache().0, broken);
    let (mine, yours) = (("authorization", "mine"), ("authorization", "yours"));
    let asked = [&[mine][..], &[yours], &[], &[], &[]].map(|headers| ask(&service, headers));
    settle().await;
    assert_eq!(gate.calls(), 3);
    gate.permits.add_permits(10);
    let mut got = Vec::new();
    for one in asked {
        got.push(one.await.expect("a request").body);
    }
    assert_eq!(gate.calls(), 4);
    assert_eq!(&got[..3], ["failure 1", "failure 2", "failure 3"]);
    assert_eq!(&got[3..], ["failure 4", "failure 4"]);
}

#[tokio::test(start_paused = true)]
async fn in_http_mode_a_failure_is_shared_where_it_says_for_how_long_it_is_good() {
    for (value, calls) in [("max-age=5", 3), ("public", 10)] {
        let gate = Gate::new();
        let policy = Policy::http().statuses([StatusCode::OK]);
        let service = gate.behind_policy(&cache().0, policy, move |call| {
            failure(call, ("cache-control", value))
        });
        crowd(&gate, &service, 10).await;
        if value == "max-age=5" {
            crowd(&gate, &service, 10).await;
        }
        assert_eq!(gate.calls(), calls, "{value}");
    }
}

#[tokio::test(start_paused = true)]
async fn safety_32_a_drop_while_a_failure_was_made_leaves_it_to_its_client() {
    use fast_cache_tower::Purge;
    for (purge, calls) in [("/", 5), ("/elsewhere", 2)] {
        let gate = Gate::new();
        let cache = cache().0;
        let service = gate.behind(&cache, broken);
        let asked: Vec<_> = (0..5).map(|_| ask(&service, &[])).collect();
        settle().await;
        gate.permits.add_permits(1);
        settle().await;
        assert_eq!(gate.calls(), 2);
        cache.purge(Purge::subtree(purge)).await.expect("dropped");
        gate.permits.add_permits(10);
        for one in asked {
            one.await.expect("a request");
        }
        assert_eq!(gate.calls(), calls, "{purge}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_ends_that_a_key_is_known_to_be_failing() {
    let gate = Gate::new();
    let (cache, clock) = cache();
    // It is over while the key would be known to be failing still.
    let policy = Policy::max_age(Duration::from_secs(2));
    let service = gate.behind_policy(&cache, policy, |call| match call {
        3 => Ok(text("good")),
        _ => broken(call),
    });
    crowd(&gate, &service, 5).await;
    let got = crowd(&gate, &service, 5).await;
    assert!(got.iter().all(|got| got.body == "good"));
    assert_eq!(got[4].said.outcome(), Outcome::Hit);
    clock.advance(Duration::from_secs(3), false);
    crowd(&gate, &service, 5).await;
    assert_eq!(gate.calls(), 5);
}

#[tokio::test(start_paused = true)]
async fn safety_31_after_two_errors_all_go_on_at_once_and_nobody_waits_again() {
    let gate = Gate::new();
    let service = gate.behind(&cache().0, |call| Err(format!("error {call}").into()));
    let asked: Vec<_> = (0..10).map(|_| start(&service)).collect();
    settle().await;
    gate.permits.add_permits(2);
    settle().await;
    assert_eq!(gate.calls(), 10);
    let more: Vec<_> = (0..5).map(|_| start(&service)).collect();
    settle().await;
    assert_eq!(gate.calls(), 15);
    gate.permits.add_permits(13);
    for one in asked.into_iter().chain(more) {
        let (outcome, error) = one.await.expect("a request");
        assert!(outcome.is_none() && error.starts_with("error"));
    }
}

#[tokio::test(start_paused = true)]
async fn safety_31_a_stale_answer_stands_in_for_all_who_wait() {
    for raises in [false, true] {
        let gate = Gate::new();
        let (cache, clock) = cache();
        let policy = Policy::max_age(Duration::from_secs(60));
        let policy = policy.stale_if_error(Duration::from_secs(600));
        let service = gate.behind_policy(&cache, policy, move |call| match (call, raises) {
            (1, _) => Ok(text("good")),
            (_, false) => broken(call),
            (_, true) => Err("broken".into()),
        });
        crowd(&gate, &service, 1).await;
        clock.advance(Duration::from_secs(61), false);
        let got = crowd(&gate, &service, 20).await;
        for got in &got {
            assert_eq!(
                (got.said.outcome(), &got.body[..]),
                (Outcome::Stale, "good")
            );
        }
        assert_eq!(gate.calls(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_whose_client_left_is_no_answer() {
    let gate = Gate::new();
    let cache = Cache::builder().memory(1 << 20).build();
    let service = gate.behind(&cache, broken);
    crowd(&gate, &service, 3).await;
    // The key is known to be failing, and its next leader is cancelled.
    let leader = start(&service);
    settle().await;
    let others: Vec<_> = (0..3).map(|_| ask(&service, &[])).collect();
    settle().await;
    leader.abort();
    settle().await;
    assert_eq!(gate.calls(), 4);
    gate.permits.add_permits(3);
    for other in others {
        assert_eq!(other.await.expect("a request").body, "failure 4");
    }
    assert_eq!(gate.calls(), 4);
}
