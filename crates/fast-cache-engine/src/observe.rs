//! Counting what happens, by route.

use fast_cache_core::exchange::Outcome;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// What happened on one route.
#[derive(Debug, Default)]
pub struct RouteCounters {
    hits: AtomicU64,
    misses: AtomicU64,
    stale: AtomicU64,
    revalidated: AtomicU64,
    bypasses: AtomicU64,
    stores: AtomicU64,
    drops: AtomicU64,
    evictions: AtomicU64,
    mispredictions: AtomicU64,
    entries: AtomicI64,
    bytes: AtomicI64,
}

/// The counters of one route, or the sum of several, as they stood at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouteCounts {
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
    /// Requests for which the framework took another route than was predicted.
    pub mispredictions: u64,
    /// Entries held now.
    pub entries: u64,
    /// Bytes that they take.
    pub bytes: u64,
}

impl RouteCounters {
    /// Counts an answer.
    pub fn outcome(&self, outcome: Outcome) {
        self.of(outcome).fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted as `before` turned out to be `after`.
    pub fn became(&self, before: Outcome, after: Outcome) {
        self.of(before).fetch_sub(1, Ordering::Relaxed);
        self.of(after).fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an answer stored.
    pub fn stored(&self) {
        self.stores.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a drop.
    pub fn dropped(&self) {
        self.drops.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an entry that made room for another.
    pub fn evicted(&self) {
        self.evictions.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a wrong prediction.
    pub fn mispredicted(&self) {
        self.mispredictions.fetch_add(1, Ordering::Relaxed);
    }

    /// An entry of `bytes` bytes came.
    pub fn entry_came(&self, bytes: usize) {
        self.entries.fetch_add(1, Ordering::Relaxed);
        self.bytes
            .fetch_add(i64::try_from(bytes).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// An entry of `bytes` bytes is gone.
    pub fn entry_went(&self, bytes: usize) {
        self.entries.fetch_sub(1, Ordering::Relaxed);
        self.bytes
            .fetch_sub(i64::try_from(bytes).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    fn of(&self, outcome: Outcome) -> &AtomicU64 {
        match outcome {
            Outcome::Hit => &self.hits,
            Outcome::Miss => &self.misses,
            Outcome::Stale => &self.stale,
            Outcome::Revalidated => &self.revalidated,
            Outcome::Bypass => &self.bypasses,
        }
    }

    /// The counters now.
    pub fn read(&self) -> RouteCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let gauge =
            |counter: &AtomicI64| u64::try_from(counter.load(Ordering::Relaxed)).unwrap_or(0);
        RouteCounts {
            hits: read(&self.hits),
            misses: read(&self.misses),
            stale: read(&self.stale),
            revalidated: read(&self.revalidated),
            bypasses: read(&self.bypasses),
            stores: read(&self.stores),
            drops: read(&self.drops),
            evictions: read(&self.evictions),
            mispredictions: read(&self.mispredictions),
            entries: gauge(&self.entries),
            bytes: gauge(&self.bytes),
        }
    }
}
