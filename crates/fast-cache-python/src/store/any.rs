//! The store in memory, or another one: a hit in memory costs no call through a table.

use crate::representation::Representation;
use fast_cache_core::key::KeyRef;
use fast_cache_core::purge::{Label, PathPattern, PatternId, Purge};
use fast_cache_core::reason::Reason;
use fast_cache_core::time::Timestamp;
use fast_cache_redis::RedisStore;
use fast_cache_shared::SharedStore;
use fast_cache_store::{
    Counters, Cursor, Elsewhere, Found, LocalStore, MemoryStore, Page, Put, Walk,
};

/// A store of this host.
#[expect(clippy::large_enum_variant, reason = "there is one for an application")]
pub(crate) enum AnyStore {
    Memory(MemoryStore<Representation>),
    Shared(Box<SharedStore<Representation>>),
    Redis(Box<RedisStore<Representation>>),
}

impl AnyStore {
    fn other(&self) -> &dyn LocalStore<Representation> {
        match self {
            Self::Memory(store) => store,
            Self::Shared(store) => &**store,
            Self::Redis(store) => &**store,
        }
    }
}

impl LocalStore<Representation> for AnyStore {
    #[inline]
    fn birth(&self) -> u64 {
        match self {
            Self::Memory(store) => store.birth(),
            Self::Shared(store) => store.birth(),
            Self::Redis(store) => store.birth(),
        }
    }

    #[inline]
    fn get(&self, key: KeyRef<'_>) -> Option<Found<Representation>> {
        match self {
            Self::Memory(store) => store.get(key),
            Self::Shared(store) => store.get(key),
            Self::Redis(store) => store.get(key),
        }
    }

    fn put(&self, put: Put<'_, Representation>) -> Result<(), Reason> {
        self.other().put(put)
    }

    fn remove(&self, key: KeyRef<'_>) -> bool {
        self.other().remove(key)
    }

    fn register(&self, pattern: PathPattern) -> PatternId {
        self.other().register(pattern)
    }

    fn purge(&self, purge: &Purge) -> Option<Walk> {
        self.other().purge(purge)
    }

    fn standing(&self, birth: u64, path: &str, labels: &[Label]) -> Option<bool> {
        self.other().standing(birth, path, labels)
    }

    fn resolve(&self, walk: &mut Walk, max_steps: usize) -> bool {
        self.other().resolve(walk, max_steps)
    }

    fn sweep(&self, max_steps: usize, now: Timestamp) -> usize {
        self.other().sweep(max_steps, now)
    }

    fn page(&self, cursor: Cursor, max_entries: usize) -> Page<Representation> {
        self.other().page(cursor, max_entries)
    }

    fn clear(&self) {
        self.other().clear();
    }

    fn close(&self) {
        self.other().close();
    }

    fn len(&self) -> usize {
        self.other().len()
    }

    fn bytes(&self) -> usize {
        self.other().bytes()
    }

    fn counters(&self) -> Counters {
        self.other().counters()
    }

    #[inline]
    fn elsewhere(&self) -> Option<&dyn Elsewhere> {
        match self {
            Self::Memory(_) => None,
            Self::Shared(store) => store.elsewhere(),
            Self::Redis(store) => store.elsewhere(),
        }
    }
}
