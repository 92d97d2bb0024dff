//! A cache with other settings.

use super::{Cache, Shared};
use crate::kept::Kept;
use fast_cache_core::fields::cache_status::{CacheName, InvalidCacheName, cache_name};
use fast_cache_core::key::Secret;
use fast_cache_engine::clock::Clock;
use fast_cache_engine::draws::Draws;
use fast_cache_engine::refreshes::Refreshes;
use fast_cache_store::{Limits, LocalStore, MemoryStore};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const DEFAULT_BYTES: usize = 256 << 20;

/// Memory that there is at least for each entry: with less, the bound on entries is reached first.
const BYTES_PER_ENTRY: usize = 512;

const MOST_REFRESHING: usize = 64;

static NEXT_NUMBER: AtomicU64 = AtomicU64::new(0);

const FOLLOWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The settings of a cache.
///
/// ```
/// use fast_cache_tower::Cache;
///
/// let cache = Cache::builder().memory(64 << 20).namespace("shop").build();
/// assert_eq!(cache.stats().entries, 0);
/// ```
pub struct CacheBuilder {
    store: Option<Arc<dyn LocalStore<Kept>>>,
    bytes: usize,
    entries: Option<usize>,
    secret: Option<[u8; 48]>,
    clock: Option<Arc<Clock>>,
    name: Option<CacheName>,
    namespace: Box<str>,
    refreshes: usize,
    follower_timeout: Option<Duration>,
}

impl CacheBuilder {
    /// In the memory of this process, of at most `bytes` bytes: the default, with 256 MiB.
    #[must_use]
    pub fn memory(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// At most `entries` entries in memory; otherwise as many as there is room for.
    #[must_use]
    pub fn max_entries(mut self, entries: usize) -> Self {
        self.entries = Some(entries);
        self
    }

    /// In this store.
    #[must_use]
    pub fn store(mut self, store: impl LocalStore<Kept> + 'static) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// The secret of its keys: caches that share entries must share it. Otherwise it is random.
    #[must_use]
    pub fn secret(mut self, secret: [u8; 48]) -> Self {
        self.secret = Some(secret);
        self
    }

    /// Another clock than the system's, for tests.
    #[must_use]
    pub fn clock(mut self, clock: Arc<Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// A prefix of the identities of all routes, so that several applications can share a store.
    #[must_use]
    pub fn namespace(mut self, namespace: &str) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// The name in `Cache-Status`; otherwise `fast-cache`.
    ///
    /// # Errors
    ///
    /// Where it holds anything but printable ASCII.
    pub fn cache_status(mut self, name: &str) -> Result<Self, InvalidCacheName> {
        self.name = Some(cache_name(name)?);
        Ok(self)
    }

    /// How many keys are refreshed in the background at once; otherwise 64.
    #[must_use]
    pub fn max_refreshes(mut self, refreshes: usize) -> Self {
        self.refreshes = refreshes;
        self
    }

    /// How long a request waits at most while another one for the same key is being answered; otherwise 10 seconds. With
    /// `None` every request goes by itself.
    ///
    /// Waiting needs the feature `tokio` and the runtime's timers
    /// ([`enable_time`](https://docs.rs/tokio/1/tokio/runtime/struct.Builder.html#method.enable_time)).
    #[must_use]
    pub fn follower_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.follower_timeout = timeout;
        self
    }

    /// The cache.
    ///
    /// # Panics
    ///
    /// Where no secret was given and the system gives no random numbers.
    pub fn build(self) -> Cache {
        let secret = self.secret.unwrap_or_else(|| {
            let mut bytes = [0; 48];
            getrandom::fill(&mut bytes).expect("the system gives random numbers");
            bytes
        });
        let store = self.store.unwrap_or_else(|| {
            let most = (self.bytes / BYTES_PER_ENTRY).max(1024);
            let limits = Limits {
                max_entries: self.entries.unwrap_or(most),
                max_bytes: self.bytes,
            };
            Arc::new(MemoryStore::observed(limits, Kept::evicted))
        });
        let name = self.name.unwrap_or_else(|| {
            cache_name("fast-cache").expect("a token is a name that the field can hold")
        });
        let secret = Secret::from_bytes(&secret);
        #[allow(clippy::cast_possible_truncation, reason = "any bits will do")]
        let draws = Draws::new(secret.digest(b"draws") as u64);
        let shared = Shared {
            number: NEXT_NUMBER.fetch_add(1, Ordering::Relaxed),
            draws,
            store,
            secret,
            clock: self.clock.unwrap_or_else(|| Arc::new(Clock::system())),
            name,
            namespace: self.namespace,
            refreshes: Refreshes::new(self.refreshes),
            flights: Arc::default(),
            follower_timeout: self.follower_timeout,
            has_http: AtomicBool::new(false),
            counters: RwLock::new(HashMap::new()),
        };
        Cache {
            shared: Arc::new(shared),
        }
    }
}

impl Default for CacheBuilder {
    fn default() -> Self {
        Self {
            store: None,
            bytes: DEFAULT_BYTES,
            entries: None,
            secret: None,
            clock: None,
            name: None,
            namespace: Box::default(),
            refreshes: MOST_REFRESHING,
            follower_timeout: Some(FOLLOWER_TIMEOUT),
        }
    }
}

impl fmt::Debug for CacheBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("CacheBuilder");
        shown.field("bytes", &self.bytes);
        shown.field("namespace", &self.namespace);
        shown.finish_non_exhaustive()
    }
}
