//! For tests of applications that cache: a clock that stands still, assertions of outcomes, and a store that fails on
//! demand. Needs the feature `testing`.
//!
//! 1. [`cache`] makes a cache of its own for each test, and the clock by which it tells freshness.
//! 2. [`assert_hit`], [`assert_miss`] and their like take a response, from the layer or from the wire, and say what the
//!    cache did instead and why.
//! 3. A [`FailingStore`] finds nothing and keeps nothing while it fails; drops hold all the same.
//!
//! ```
//! use bytes::Bytes;
//! use fast_cache_tower::{Policy, testing};
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use std::{convert::Infallible, time::Duration};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (cache, clock) = testing::cache();
//! let minute = Duration::from_secs(60);
//! let service = cache.store(Policy::max_age(minute)).layer(service_fn(
//!     |_: Request<Full<Bytes>>| async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("x"))) },
//! ));
//! let ask = || service.clone().oneshot(Request::new(Full::default()));
//! testing::assert_miss(&ask().await?);
//! testing::assert_hit(&ask().await?);
//! clock.advance(minute, false);
//! testing::assert_miss(&ask().await?);
//! # Ok(())
//! # }
//! ```

use crate::cache::Cache;
use crate::outcome::CacheOutcome;
use fast_cache_core::exchange::Outcome;
use fast_cache_core::key::KeyRef;
use fast_cache_core::purge::{Label, PathPattern, PatternId, Purge};
use fast_cache_core::reason::Reason;
use fast_cache_core::time::Timestamp;
use fast_cache_engine::clock::Clock;
use fast_cache_store::{Counters, Cursor, Elsewhere, Found, LocalStore, Page, Put, Walk};
use http::Response;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where the clock of [`cache`] stands at first: 2023-11-14 22:13:20 UTC.
pub const START: Timestamp = Timestamp::from_seconds(1_700_000_000);

/// A cache of 16 MiB that nobody else has, and its clock, which stands still until it is moved. Limits for waiting are the
/// runtime's to keep, and are not moved with it.
///
/// # Panics
///
/// Where the system gives no random numbers for the secret of its keys.
pub fn cache() -> (Cache, Arc<Clock>) {
    let clock = Arc::new(Clock::manual(START));
    let builder = Cache::builder().memory(16 << 20);
    (builder.clock(Arc::clone(&clock)).build(), clock)
}

/// The response came from the cache, and was fresh.
///
/// # Panics
///
/// Where it was not.
#[track_caller]
pub fn assert_hit<B>(response: &Response<B>) {
    assert_outcome(response, Outcome::Hit);
}

/// The response came from the application, and the cache had looked for it.
///
/// # Panics
///
/// Where it did not.
#[track_caller]
pub fn assert_miss<B>(response: &Response<B>) {
    assert_outcome(response, Outcome::Miss);
}

/// The response came from the cache, past its lifetime.
///
/// # Panics
///
/// Where it did not.
#[track_caller]
pub fn assert_stale<B>(response: &Response<B>) {
    assert_outcome(response, Outcome::Stale);
}

/// The response came from the cache, and the application had confirmed it.
///
/// # Panics
///
/// Where it did not.
#[track_caller]
pub fn assert_revalidated<B>(response: &Response<B>) {
    assert_outcome(response, Outcome::Revalidated);
}

/// The cache kept out of it.
///
/// # Panics
///
/// Where it did not.
#[track_caller]
pub fn assert_bypass<B>(response: &Response<B>) {
    assert_outcome(response, Outcome::Bypass);
}

#[track_caller]
fn assert_outcome<B>(response: &Response<B>, expected: Outcome) {
    let text = |name: &str| {
        let value = response.headers().get_all(name).iter().next_back();
        value.and_then(|value| value.to_str().ok())
    };
    let said = response.extensions().get::<CacheOutcome>();
    let found = said.map_or_else(
        || text("x-cache-status"),
        |said| Some(said.outcome().word()),
    );
    let why = || text("cache-status").unwrap_or("no Cache-Status");
    match found {
        None => panic!(
            "expected a {}: no cache has seen the request",
            expected.word()
        ),
        Some(found) if found != expected.word() => {
            panic!(
                "expected a {}, and it is a {found}: {}",
                expected.word(),
                why()
            )
        }
        Some(_) => {}
    }
}

/// A store that fails on demand: it finds nothing and refuses what is put, until it is told to recover. What it held is
/// there again then, save what was dropped meanwhile.
///
/// ```
/// use fast_cache_tower::store::{Limits, MemoryStore};
/// use fast_cache_tower::{Cache, testing::FailingStore};
///
/// let store = FailingStore::new(MemoryStore::new(Limits { max_entries: 100, max_bytes: 1 << 20 }));
/// let failure = store.switch();
/// let cache = Cache::new(store);
/// failure.fail();
/// failure.recover();
/// # drop(cache);
/// ```
#[derive(Debug)]
pub struct FailingStore<S> {
    inner: S,
    switch: Switch,
}

/// Lets a [`FailingStore`] fail, and recover. Clones are the same switch.
#[derive(Clone, Debug, Default)]
pub struct Switch(Arc<AtomicBool>);

impl Switch {
    /// From now on it fails.
    pub fn fail(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// From now on it works.
    pub fn recover(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    /// Whether it fails.
    pub fn is_failing(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl<S> FailingStore<S> {
    /// A store over `inner` that works, for now.
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            switch: Switch::default(),
        }
    }

    /// What lets it fail.
    pub fn switch(&self) -> Switch {
        self.switch.clone()
    }
}

impl<R, S: LocalStore<R>> LocalStore<R> for FailingStore<S> {
    fn birth(&self) -> u64 {
        self.inner.birth()
    }

    fn get(&self, key: KeyRef<'_>) -> Option<Found<R>> {
        if self.switch.is_failing() {
            return None;
        }
        self.inner.get(key)
    }

    fn put(&self, put: Put<'_, R>) -> Result<(), Reason> {
        if self.switch.is_failing() {
            return Err(Reason::StoreFailed);
        }
        self.inner.put(put)
    }

    fn remove(&self, key: KeyRef<'_>) -> bool {
        self.inner.remove(key)
    }

    fn standing(&self, birth: u64, path: &str, labels: &[Label]) -> Option<bool> {
        self.inner.standing(birth, path, labels)
    }

    fn register(&self, pattern: PathPattern) -> PatternId {
        self.inner.register(pattern)
    }

    fn purge(&self, purge: &Purge) -> Option<Walk> {
        self.inner.purge(purge)
    }

    fn resolve(&self, walk: &mut Walk, max_steps: usize) -> bool {
        self.inner.resolve(walk, max_steps)
    }

    fn sweep(&self, max_steps: usize, now: Timestamp) -> usize {
        self.inner.sweep(max_steps, now)
    }

    fn page(&self, cursor: Cursor, max_entries: usize) -> Page<R> {
        self.inner.page(cursor, max_entries)
    }

    fn clear(&self) {
        self.inner.clear();
    }

    fn close(&self) {
        self.inner.close();
    }

    fn len(&self) -> usize {
        self.inner.len()
    }

    fn bytes(&self) -> usize {
        self.inner.bytes()
    }

    fn counters(&self) -> Counters {
        self.inner.counters()
    }

    fn elsewhere(&self) -> Option<&dyn Elsewhere> {
        self.inner.elsewhere()
    }
}
