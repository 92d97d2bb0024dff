//! What a store in this process, or on this machine, promises.

use crate::elsewhere::Elsewhere;
use crate::entry::{Content, Entry};
use fast_cache_core::key::{Key, KeyRef};
use fast_cache_core::purge::{Label, PathPattern, PatternId, Purge};
use fast_cache_core::reason::Reason;
use fast_cache_core::time::Timestamp;
use std::sync::Arc;

/// A store that answers at once and cannot fail.
///
/// It may forget anything at any time. It must never return an entry for another key, nor, in a lookup that starts
/// after a drop returned, an entry whose birth lies before that drop and which the drop covers.
pub trait LocalStore<R>: Send + Sync {
    /// The logical time now. Taken before a handler runs, and handed in again with what the handler answered.
    fn birth(&self) -> u64;

    /// What is stored under a key; the whole key is compared. Expiry is for the caller to judge.
    fn get(&self, key: KeyRef<'_>) -> Option<Found<R>>;

    /// Stores an answer, in place of what the key held. Where the key holds an answer with a newer birth, that one
    /// stays and this one is let go without an error.
    ///
    /// # Errors
    ///
    /// [`Reason::Dropped`] where a hard drop since the birth covers it, [`Reason::TooLarge`] where it alone is more
    /// than the store may hold, [`Reason::Tags`] for more than [`MAX_LABELS`](crate::MAX_LABELS) labels,
    /// [`Reason::StoreFailed`] where the store is closed or has no room at the moment.
    fn put(&self, put: Put<'_, R>) -> Result<(), Reason>;

    /// Removes what is stored under a key; whether there was anything.
    fn remove(&self, key: KeyRef<'_>) -> bool;

    /// Makes a pattern known, so that drops by it cost a hit no more than comparing integers. The same kind and text
    /// give the same id. Best done before anything is stored, and only for patterns that will be used again.
    fn register(&self, pattern: PathPattern) -> PatternId;

    /// Drops. When this returns, the drop is complete for every later lookup.
    ///
    /// A drop by a pattern that only the host can run returns a [`Walk`]: until it is done, entries that the pattern
    /// was never tried on are not found, whether they match or not. Walking brings those back that do not match; never
    /// walking costs misses and nothing else.
    fn purge(&self, purge: &Purge) -> Option<Walk>;

    /// How an answer stands that the host keeps by ways of its own, but whose drops come here: `None` where a hard drop since
    /// its birth covers it, else whether a soft drop does. Runs host patterns.
    fn standing(&self, birth: u64, path: &str, labels: &[Label]) -> Option<bool>;

    /// Takes a walk up to `max_steps` entries further; whether it is done. Runs host patterns, with no lock held.
    fn resolve(&self, walk: &mut Walk, max_steps: usize) -> bool;

    /// Looks at up to `max_steps` old entries and gives back the memory of those that are dropped or expired; how many
    /// that were.
    fn sweep(&self, max_steps: usize, now: Timestamp) -> usize;

    /// Up to `max_entries` live entries from `cursor` on. An entry that stays throughout is seen once; one that comes
    /// or goes meanwhile may be seen or not.
    fn page(&self, cursor: Cursor, max_entries: usize) -> Page<R>;

    /// Drops everything, answers in the making included, and gives back the memory at once.
    fn clear(&self);

    /// Clears, and stores nothing from now on.
    fn close(&self);

    /// How many responses can still be found, expired ones included. Looks at every entry.
    fn len(&self) -> usize;

    /// Whether no response can be found.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory held, dropped entries that were not swept yet included.
    fn bytes(&self) -> usize;

    /// What has happened since the store was made.
    fn counters(&self) -> Counters;

    /// The part that is not in this process alone, where there is one.
    fn elsewhere(&self) -> Option<&dyn Elsewhere> {
        None
    }
}

/// What a lookup found.
#[derive(Debug)]
pub struct Found<R> {
    /// The entry.
    pub entry: Arc<Entry<R>>,
    /// Whether a soft drop covers it: it counts as stale, whatever its lifetime says.
    pub soft: bool,
}

/// An answer on its way into a store.
#[derive(Debug)]
pub struct Put<'a, R> {
    /// Its key.
    pub key: Key,
    /// The logical time before its handler ran, from [`LocalStore::birth`] of the same store.
    pub birth: u64,
    /// The request's path, as drop patterns see it: mount prefixes included, `root_path` not.
    pub path: &'a str,
    /// What it may be dropped by, beside its path.
    pub labels: &'a [Label],
    /// The answer.
    pub content: Content<R>,
    /// Bytes of memory that the representation takes beyond its own size: header lines, body, allocator overhead.
    pub weight: usize,
}

/// How much a store may hold. Both bounds hold at all times; either may be reached exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Entries, from 1 to 2^32 - 2.
    pub max_entries: usize,
    /// Bytes of memory, all told.
    pub max_bytes: usize,
}

/// What has happened in a store, counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Answers stored.
    pub stores: u64,
    /// Drops, [`LocalStore::clear`] included.
    pub drops: u64,
    /// Entries that made room for others.
    pub evictions: u64,
    /// Entries found dropped or expired by a sweep.
    pub swept: u64,
    /// Entries that sweeps looked at: at most a constant number per answer stored, none per drop.
    pub swept_over: u64,
}

/// A place in a store, in numbers of the store's own; the default is its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The part of the store.
    pub shard: usize,
    /// The place in that part.
    pub slot: u128,
}

/// A few of a store's entries.
#[derive(Debug)]
pub struct Page<R> {
    /// The entries; may be empty although more follow.
    pub entries: Vec<Arc<Entry<R>>>,
    /// Where to go on, unless this was the end.
    pub next: Option<Cursor>,
}

/// The rest of a drop by a pattern that only the host can run.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "entries that the pattern was never tried on are not found until the walk is done"]
pub struct Walk {
    /// Where to go on; `None` once it is done.
    pub cursor: Option<Cursor>,
}

impl Walk {
    /// A walk from the beginning.
    pub fn new() -> Self {
        Self {
            cursor: Some(Cursor::default()),
        }
    }
}

impl Default for Walk {
    fn default() -> Self {
        Self::new()
    }
}
