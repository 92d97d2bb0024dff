//! The store in memory, or another one: a hit in memory costs no call through a table.

use crate::representation::Representation;
use fast_cache_core::key::KeyRef;
use fast_cache_core::purge::{Label, PathPattern, PatternId, Purge};
use fast_cache_core::reason::Reason;
use fast_cache_core::time::Timestamp;
use fast_cache_store::{
    Counters, Cursor, Elsewhere, Found, LocalStore, MemoryStore, Page, Put, Walk,
};

/// A store of this host.
#[expect(clippy::large_enum_variant, reason = "there is one for an application")]
pub(crate) enum AnyStore {
    Memory(MemoryStore<Representation>),
    #[expect(dead_code, reason = "the stores that are shared make it")]
    Other(Box<dyn LocalStore<Representation>>),
}

impl AnyStore {
    /// How an answer stands that a custom storage keeps, by the drops that came here; only a store in memory is ever
    /// asked.
    pub(crate) fn standing(&self, birth: u64, path: &str, labels: &[Label]) -> Option<bool> {
        match self {
            Self::Memory(store) => store.standing(birth, path, labels),
            Self::Other(_) => None,
        }
    }

    fn other(&self) -> &dyn LocalStore<Representation> {
        match self {
            Self::Memory(store) => store,
            Self::Other(store) => &**store,
        }
    }
}

impl LocalStore<Representation> for AnyStore {
    #[inline]
    fn birth(&self) -> u64 {
        match self {
            Self::Memory(store) => store.birth(),
            Self::Other(store) => store.birth(),
        }
    }

    #[inline]
    fn get(&self, key: KeyRef<'_>) -> Option<Found<Representation>> {
        match self {
            Self::Memory(store) => store.get(key),
            Self::Other(store) => store.get(key),
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
            Self::Other(store) => store.elsewhere(),
        }
    }
}
