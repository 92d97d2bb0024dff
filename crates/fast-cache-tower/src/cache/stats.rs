//! What has happened in a cache.

use super::Shared;
use std::collections::BTreeMap;

pub use fast_cache_engine::observe::RouteCounts;

/// What has happened in a cache since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Answers from the cache.
    pub hits: u64,
    /// Answers by the application that were looked up in vain.
    pub misses: u64,
    /// Stale answers from the cache.
    pub stale: u64,
    /// Answers from the cache that the application confirmed.
    pub revalidated: u64,
    /// Requests that the cache kept out of.
    pub bypasses: u64,
    /// Answers stored.
    pub stores: u64,
    /// Drops.
    pub drops: u64,
    /// Entries that made room for others.
    pub evictions: u64,
    /// Entries that can be found.
    pub entries: usize,
    /// Bytes held.
    pub bytes: usize,
    /// The same by the template of the route; empty where none is known.
    pub by_route: BTreeMap<String, RouteCounts>,
}

impl Stats {
    pub(super) fn of(shared: &Shared) -> Self {
        let counters = shared.store.counters();
        let mut stats = Self {
            drops: counters.drops,
            evictions: counters.evictions,
            entries: shared.store.len(),
            bytes: shared.store.bytes(),
            ..Self::default()
        };
        for (template, counters) in &*shared.counters.read() {
            let counts = counters.read();
            stats.hits += counts.hits;
            stats.misses += counts.misses;
            stats.stale += counts.stale;
            stats.revalidated += counts.revalidated;
            stats.bypasses += counts.bypasses;
            stats.stores += counts.stores;
            stats.by_route.insert(template.to_string(), counts);
        }
        stats
    }
}
