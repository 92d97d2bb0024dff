//! Concurrent misses of one key make one call.
#![cfg(feature = "tokio")]

mod support;

use fast_cache_tower::{Cache, Outcome, Policy};
use std::time::Duration;
use support::gate::{Gate, settle, start, start_with, text};
use support::{cache, get};

#[tokio::test(start_paused = true)]
async fn safety_30_a_thousand_concurrent_misses_make_one_call() {
    let gate = Gate::new();
    let service = gate.behind(&cache().0, |call| Ok(text(&call.to_string())));
    let requests: Vec<_> = (0..1000).map(|_| start(&service)).collect();
    settle().await;
    assert_eq!(gate.calls(), 1);
    gate.permits.add_permits(1);
    let mut outcomes = Vec::new();
    for request in requests {
        let (outcome, body) = request.await.expect("a request");
        assert_eq!(body, "1");
        outcomes.push(outcome);
    }
    let misses = |outcome: &&Option<Outcome>| **outcome == Some(Outcome::Miss);
    assert_eq!(outcomes.iter().filter(misses).count(), 1);
    assert_eq!(gate.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn safety_31_a_leader_that_fails_is_followed_by_another() {
    let gate = Gate::new();
    let service = gate.behind(&cache().0, |call| match call {
        1 => Err("the first call failed".into()),
        _ => Ok(text("good")),
    });
    let requests: Vec<_> = (0..10).map(|_| start(&service)).collect();
    settle().await;
    gate.permits.add_permits(1);
    settle().await;
    assert_eq!(gate.calls(), 2);
    gate.permits.add_permits(1);
    let mut bodies = Vec::new();
    for request in requests {
        bodies.push(request.await.expect("a request").1);
    }
    assert_eq!(bodies[0], "the first call failed");
    assert!(bodies[1..].iter().all(|body| body == "good"), "{bodies:?}");
    assert_eq!(gate.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn safety_31_a_leader_that_goes_away_is_followed_by_another() {
    let gate = Gate::new();
    let service = gate.behind(&cache().0, |call| Ok(text(&call.to_string())));
    let leader = start(&service);
    settle().await;
    let follower = start(&service);
    settle().await;
    leader.abort();
    settle().await;
    assert_eq!(gate.calls(), 2);
    gate.permits.add_permits(2);
    let (outcome, body) = follower.await.expect("a request");
    assert_eq!((outcome, &body[..]), (Some(Outcome::Miss), "2"));
}

#[tokio::test(start_paused = true)]
async fn safety_31_nobody_queues_behind_an_answer_that_is_not_shared() {
    let gate = Gate::new();
    let service = gate.behind(&cache().0, |call| {
        let mut response = text(&call.to_string());
        let private = "private".parse().expect("a value");
        response.headers_mut().insert("cache-control", private);
        Ok(response)
    });
    let requests: Vec<_> = (0..10).map(|_| start(&service)).collect();
    settle().await;
    assert_eq!(gate.calls(), 1);
    gate.permits.add_permits(1);
    settle().await;
    // All at once, and so will be the next ones.
    assert_eq!(gate.calls(), 10);
    let more: Vec<_> = (0..5).map(|_| start(&service)).collect();
    settle().await;
    assert_eq!(gate.calls(), 15);
    gate.permits.add_permits(14);
    for request in requests.into_iter().chain(more) {
        assert_eq!(request.await.expect("a request").0, Some(Outcome::Miss));
    }
}

#[tokio::test(start_paused = true)]
async fn safety_31_nobody_waits_longer_than_the_limit() {
    let cache = Cache::builder()
        .memory(1 << 20)
        .follower_timeout(Some(Duration::from_secs(3)))
        .build();
    let gate = Gate::new();
    let service = gate.behind(&cache, |call| Ok(text(&call.to_string())));
    let leader = start(&service);
    settle().await;
    let follower = start(&service);
    settle().await;
    assert_eq!(gate.calls(), 1);
    tokio::time::advance(Duration::from_secs(4)).await;
    settle().await;
    assert_eq!(gate.calls(), 2);
    gate.permits.add_permits(2);
    assert_eq!(leader.await.expect("a request").1, "1");
    assert_eq!(follower.await.expect("a request").1, "2");
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_nobody_waits() {
    let cache = Cache::builder().follower_timeout(None).build();
    let gate = Gate::new();
    let service = gate.behind(&cache, |call| Ok(text(&call.to_string())));
    let requests: Vec<_> = (0..3).map(|_| start(&service)).collect();
    settle().await;
    assert_eq!(gate.calls(), 3);
    gate.permits.add_permits(3);
    for request in requests {
        assert_eq!(request.await.expect("a request").0, Some(Outcome::Miss));
    }
}

#[tokio::test(start_paused = true)]
async fn a_route_has_the_last_word_on_how_long_is_waited() {
    let minute = Some(Duration::from_secs(60));
    for (everywhere, route, calls) in [
        (minute, None, 3),
        (None, minute, 1),
        (Some(Duration::from_secs(1)), minute, 1),
        (minute, Some(Duration::from_secs(1)), 3),
    ] {
        let cache = Cache::builder().follower_timeout(everywhere).build();
        let gate = Gate::new();
        let policy = Policy::max_age(Duration::from_secs(60)).follower_timeout(route);
        let service = gate.behind_policy(&cache, policy, |call| Ok(text(&call.to_string())));
        let requests: Vec<_> = (0..3).map(|_| start(&service)).collect();
        settle().await;
        tokio::time::advance(Duration::from_secs(2)).await;
        settle().await;
        assert_eq!(gate.calls(), calls, "{everywhere:?} {route:?}");
        gate.permits.add_permits(3);
        for request in requests {
            request.await.expect("a request");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn safety_30_requests_for_known_variants_wait_for_their_own_only() {
    let gate = Gate::new();
    let varied = |call: usize| {
        let mut response = text(&call.to_string());
        response.headers_mut().insert("vary", "accept".parse()?);
        Ok(response)
    };
    let service = gate.behind(&cache().0, varied);
    let start = |accept: &str| start_with(&service, get("/", &[("accept", accept)]));
    gate.permits.add_permits(1);
    let first = start("text/plain").await.expect("a request");
    assert_eq!((first.1.as_str(), gate.calls()), ("1", 1));
    // Now it is known that answers vary: two wait for two variants each, and nobody for another one.
    let waiting = ["text/html", "text/css", "text/html", "text/css"].map(start);
    settle().await;
    assert_eq!(gate.calls(), 3);
    gate.permits.add_permits(2);
    let mut bodies = Vec::new();
    for request in waiting {
        bodies.push(request.await.expect("a request").1);
    }
    assert_eq!((&bodies[0], &bodies[1]), (&bodies[2], &bodies[3]));
    assert_ne!(bodies[0], bodies[1]);
    assert_eq!(gate.calls(), 3);
}
