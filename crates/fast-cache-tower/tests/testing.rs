//! What tests of applications are offered.
#![cfg(feature = "testing")]

mod support;

use fast_cache_tower::store::{Limits, MemoryStore};
use fast_cache_tower::testing::{self, FailingStore};
use fast_cache_tower::{Cache, Policy, Purge};
use http::{Request, Response};
use http_body_util::Full;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use support::{Failure, counting, get};
use tower::{Layer, ServiceExt};

const MINUTE: Duration = Duration::from_secs(60);

fn policy() -> Policy {
    Policy::max_age(MINUTE).tag("x")
}

fn refused(asserts: impl FnOnce()) -> String {
    let raised = catch_unwind(AssertUnwindSafe(asserts)).expect_err("it is refused");
    *raised.downcast::<String>().expect("a text")
}

#[tokio::test]
async fn outcomes_are_asserted_and_failures_say_why() -> Result<(), Failure> {
    let (cache, clock) = testing::cache();
    let (service, _) = counting(|_| Ok(Response::new(Full::<bytes::Bytes>::default())));
    let policy = policy().stale_while_revalidate(MINUTE);
    let service = cache.store(policy).layer(service);
    let ask = |lines| service.clone().oneshot(get("/", lines));
    let miss = ask(&[]).await?;
    testing::assert_miss(&miss);
    let hit = ask(&[]).await?;
    testing::assert_hit(&hit);
    testing::assert_bypass(&ask(&[("cookie", "a=b")]).await?);
    clock.advance(MINUTE, false);
    testing::assert_stale(&ask(&[]).await?);
    let said = refused(|| testing::assert_hit(&miss));
    assert!(
        said.contains("MISS") && said.contains("fwd=uri-miss"),
        "{said}"
    );
    assert!(refused(|| testing::assert_miss(&hit)).contains("HIT"));
    assert!(refused(|| testing::assert_stale(&hit)).contains("HIT"));
    assert!(refused(|| testing::assert_revalidated(&hit)).contains("HIT"));
    let unseen = Response::new(());
    assert!(refused(|| testing::assert_bypass(&unseen)).contains("no cache"));
    // From the wire there are only header lines.
    let wire = Response::builder()
        .header("x-cache-status", "HIT")
        .body(())?;
    testing::assert_hit(&wire);
    Ok(())
}

#[tokio::test]
async fn a_store_fails_on_demand_and_drops_hold_all_the_same() -> Result<(), Failure> {
    let limits = Limits {
        max_entries: 10,
        max_bytes: 1 << 20,
    };
    let store = FailingStore::new(MemoryStore::new(limits));
    let switch = store.switch();
    let cache = Cache::new(store);
    let (service, calls) =
        counting(|_: &Request<_>| Ok(Response::new(Full::<bytes::Bytes>::default())));
    let service = cache.store(policy()).layer(service);
    let ask = || service.clone().oneshot(get("/", &[]));
    testing::assert_miss(&ask().await?);
    switch.fail();
    for _ in 0..2 {
        testing::assert_miss(&ask().await?);
    }
    switch.recover();
    testing::assert_hit(&ask().await?);
    switch.fail();
    assert!(switch.is_failing());
    cache.purge(Purge::tag("x")).await?;
    switch.recover();
    testing::assert_miss(&ask().await?);
    assert_eq!(calls.load(std::sync::atomic::Ordering::SeqCst), 4);
    Ok(())
}
