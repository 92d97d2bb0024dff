//! The cache itself: a store, its secret, a clock, and what happened.

mod builder;
mod stats;

pub use builder::CacheBuilder;
pub use stats::{RouteCounts, Stats};

use crate::drops::DropLayer;
use crate::error::PurgeError;
use crate::kept::{Flights, Kept};
use crate::layer::StoreLayer;
use crate::policy::Policy;
use fast_cache_core::fields::cache_status::CacheName;
use fast_cache_core::key::{Identity, Secret};
use fast_cache_core::purge::{Label, Purge};
use fast_cache_core::time::Timestamp;
use fast_cache_engine::clock::Clock;
use fast_cache_engine::draws::Draws;
use fast_cache_engine::observe::RouteCounters;
use fast_cache_engine::refreshes::Refreshes;
use fast_cache_store::{Elsewhere, LocalStore};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll};
use std::time::Duration;

/// How many entries a walk looks at before it gives way.
const WALK_STEP: usize = 256;

/// A cache, shared by every layer that is made from it. Clones are the same cache.
///
/// 1. Layers for routes come from [`Cache::store`] and [`Cache::drop_on_success`]; rules for a whole application from
///    [`CacheLayer::new`](crate::CacheLayer::new).
/// 2. A drop that [`Cache::purge`] has carried out is visible to every later request, and an answer that was being made
///    when it came is not served after it.
///
/// ```
/// use fast_cache_tower::{Cache, Purge};
///
/// # futures_block_on::block_on(async {
/// let cache = Cache::memory(64 << 20);
/// cache.purge(Purge::tag("user:7")).await?;
/// assert_eq!(cache.stats().drops, 1);
/// # Ok::<(), fast_cache_tower::PurgeError>(())
/// # }).unwrap();
/// # mod futures_block_on {
/// #     pub fn block_on<F: std::future::Future>(future: F) -> F::Output {
/// #         let mut future = std::pin::pin!(future);
/// #         let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// #         loop {
/// #             if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut context) {
/// #                 return output;
/// #             }
/// #         }
/// #     }
/// # }
/// ```
#[derive(Clone)]
pub struct Cache {
    pub(crate) shared: Arc<Shared>,
}

/// What all clones of a cache have in common.
pub(crate) struct Shared {
    /// No other cache of this process ever has it.
    pub(crate) number: u64,
    pub(crate) store: Arc<dyn LocalStore<Kept>>,
    pub(crate) secret: Secret,
    pub(crate) clock: Arc<Clock>,
    pub(crate) name: CacheName,
    pub(crate) namespace: Box<str>,
    pub(crate) refreshes: Refreshes,
    pub(crate) draws: Draws,
    pub(crate) flights: Arc<Flights>,
    /// How long a request waits for another one's answer at most, where its route does not say; `None` where none waits.
    pub(crate) follower_timeout: Option<Duration>,
    /// Some route is in HTTP mode, so that writes drop what the standard says.
    pub(crate) has_http: AtomicBool,
    pub(crate) counters: RwLock<HashMap<Box<str>, Arc<RouteCounters>>>,
}

impl Cache {
    /// A cache in the memory of this process, of at most `bytes` bytes.
    ///
    /// # Panics
    ///
    /// Where the system gives no random numbers for the secret of its keys.
    pub fn memory(bytes: usize) -> Self {
        Self::builder().memory(bytes).build()
    }

    /// A cache in a store of your own.
    ///
    /// # Panics
    ///
    /// Where the system gives no random numbers for the secret of its keys.
    pub fn new(store: impl LocalStore<Kept> + 'static) -> Self {
        Self::builder().store(store).build()
    }

    /// A cache with other settings.
    pub fn builder() -> CacheBuilder {
        CacheBuilder::default()
    }

    /// A layer that answers the requests of a route from the cache, as `policy` says.
    pub fn store(&self, policy: Policy) -> StoreLayer {
        StoreLayer::new(self.clone(), policy)
    }

    /// A layer that drops what the requests of a route make untrue, once they have succeeded.
    pub fn drop_on_success(&self) -> DropLayer {
        DropLayer::new(self.clone())
    }

    /// Drops. Once it returns, no later request gets what it covers.
    ///
    /// # Errors
    ///
    /// None with a store of this process.
    pub async fn purge(&self, purge: Purge) -> Result<(), PurgeError> {
        if let Some(mut walk) = self.shared.store.purge(&purge) {
            while !self.shared.store.resolve(&mut walk, WALK_STEP) {
                GiveWay(false).await;
            }
        }
        let settling = self.shared.store.elsewhere().and_then(Elsewhere::settled);
        if let Some(settling) = settling {
            settling.await;
        }
        Ok(())
    }

    /// Drops everything, answers in the making included, and gives back the memory at once.
    pub fn clear(&self) {
        self.shared.store.clear();
    }

    /// What has happened so far.
    pub fn stats(&self) -> Stats {
        Stats::of(&self.shared)
    }

    /// A drop of everything that the route with this template answered.
    ///
    /// ```
    /// use fast_cache_tower::Cache;
    ///
    /// let purge = Cache::memory(1 << 20).route("/users/{id}");
    /// assert_eq!(purge.covers.len(), 1);
    /// ```
    pub fn route(&self, template: &str) -> Purge {
        Purge::endpoint(self.shared.endpoint(template).bytes())
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Cache");
        shown.field("name", &self.shared.name.as_str());
        shown.field("namespace", &self.shared.namespace);
        shown.finish_non_exhaustive()
    }
}

impl Shared {
    /// The time now.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A number that clients cannot know.
    #[allow(clippy::cast_possible_truncation, reason = "any bits will do")]
    pub(crate) fn seed(&self) -> u64 {
        self.secret.digest(b"seed") as u64
    }

    pub(crate) fn endpoint(&self, template: &str) -> Identity {
        Identity::of_endpoint(&self.namespace, "", template)
    }

    pub(crate) fn endpoint_label(&self, template: &str) -> Label {
        Label::endpoint(self.endpoint(template).bytes())
    }

    /// The counters of a route.
    pub(crate) fn counters_of(&self, template: &str) -> Arc<RouteCounters> {
        if let Some(counters) = self.counters.read().get(template) {
            return Arc::clone(counters);
        }
        Arc::clone(self.counters.write().entry(template.into()).or_default())
    }

    /// Drops, in the midst of a request. What a host pattern was not tried on yet is a miss until it is.
    pub(crate) fn drop_now(&self, purge: &Purge) {
        if let Some(mut walk) = self.store.purge(purge) {
            self.store.resolve(&mut walk, WALK_STEP);
        }
    }
}

/// Lets others run once.
struct GiveWay(bool);

impl Future for GiveWay {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
