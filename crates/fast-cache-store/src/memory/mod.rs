//! The memory store: one process, bounded by entries and by bytes.
//!
//! A lookup is a hash table probe under a shared lock, a comparison of the whole key, and two loads (see
//! [`generations`](crate::generations)). A drop writes a few words, whatever is stored; the memory of dropped and
//! expired entries comes back in small steps, a few with each put, and in [`sweep`](LocalStore::sweep).
//!
//! The container is our own, not a general cache: it holds two exact bounds at once, a sweep can go through it slot by
//! slot, a put can compare births with what is there under one lock, and everything that leaves can be let go of after
//! the lock is.
//!
//! Both bounds are the whole store's, not a shard's: an answer that fits the store fits, whichever shard it falls to.

mod budget;
mod calm;
mod ghosts;
mod queue;
mod replica;
mod shard;
mod slab;
mod standing;
mod sweeping;
#[cfg(test)]
mod tests;

pub use replica::Judged;

use crate::entry::{Content, Entry};
use crate::generations::{Generations, Verdict};
use crate::local::{Counters, Cursor, Found, Limits, LocalStore, Page, Put, Walk};
use budget::{Budget, Held};
use calm::WholeCalm;
use fast_cache_core::key::KeyRef;
use fast_cache_core::purge::{Label, PathPattern, PatternId, Purge};
use fast_cache_core::reason::Reason;
use fast_cache_core::time::Timestamp;
use parking_lot::RwLock;
use shard::{Fate, Shard};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};

/// Old entries that each put looks at, so that entries leave faster than they come, unless it is known that none is to
/// leave. A drop looks at none: one cold
/// entry would cost it more than all the rest.
const STEPS_PER_PUT: usize = 4;

/// Entries that are looked at under one lock.
const STEPS_PER_LOCK: usize = 64;

/// With fewer entries than this a second shard would only make evictions worse.
const ENTRIES_PER_SHARD: usize = 4096;
const MAX_SHARDS: usize = 16;

/// A store in this process's memory.
#[derive(Debug)]
pub struct MemoryStore<R> {
    limits: Limits,
    on_eviction: fn(&R),
    shards: Box<[RwLock<Shard<R>>]>,
    budget: Budget,
    generations: Generations,
    closed: AtomicBool,
    next_swept: AtomicUsize,
    calm: WholeCalm,
    /// The newest moment anybody spoke of, in microseconds.
    now: AtomicI64,
    stores: AtomicU64,
    drops: AtomicU64,
    evictions: AtomicU64,
    swept: AtomicU64,
    swept_over: AtomicU64,
}

/// Entries that left; they are let go after every lock is, as that may run foreign code.
type Released<R> = Vec<Arc<Entry<R>>>;

impl<R: Send + Sync> MemoryStore<R> {
    /// An empty store.
    pub fn new(limits: Limits) -> Self {
        Self::observed(limits, |_| {})
    }

    /// An empty store that tells of each response that has to make room for another. `on_eviction` is called with locks
    /// held: it may count, and nothing else.
    pub fn observed(limits: Limits, on_eviction: fn(&R)) -> Self {
        let entries = limits.max_entries.clamp(1, u32::MAX as usize - 1);
        let limits = Limits {
            max_entries: entries,
            ..limits
        };
        let shards = (entries / ENTRIES_PER_SHARD).clamp(1, MAX_SHARDS);
        Self {
            limits,
            on_eviction,
            shards: (0..shards).map(|_| RwLock::new(Shard::new())).collect(),
            budget: Budget::new(limits),
            generations: Generations::new(limits.max_bytes),
            closed: AtomicBool::new(false),
            next_swept: AtomicUsize::new(0),
            calm: WholeCalm::new(),
            now: AtomicI64::new(i64::MIN),
            stores: AtomicU64::new(0),
            drops: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
            swept: AtomicU64::new(0),
            swept_over: AtomicU64::new(0),
        }
    }

    /// The bounds.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// How many entries are held, dropped ones that were not swept yet included.
    pub fn resident(&self) -> usize {
        self.budget.held().entries
    }

    fn shard_of(&self, digest: u128) -> &RwLock<Shard<R>> {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "any bits will do, save those the table uses"
        )]
        let bits = (digest >> 112) as usize;
        &self.shards[bits % self.shards.len()]
    }

    /// Takes something out of a full shard; whether there was anything.
    fn evict(&self, shard: &mut Shard<R>, released: &mut Released<R>) -> bool {
        let evicted = shard.evict();
        let found = evicted.is_some();
        if let Some(entry) = evicted {
            self.budget.release(held(&entry));
            self.evictions.fetch_add(1, Ordering::Relaxed);
            if let Some(stored) = entry.response() {
                (self.on_eviction)(&stored.representation);
            }
            released.push(entry);
        }
        found
    }

    fn evict_anywhere(&self, released: &mut Released<R>) -> bool {
        let first = self.next_swept.load(Ordering::Relaxed);
        (0..self.shards.len()).any(|step| {
            let shard = &self.shards[first.wrapping_add(step) % self.shards.len()];
            self.evict(&mut shard.write(), released)
        })
    }

    fn place(
        &self,
        digest: u128,
        entry: &Arc<Entry<R>>,
        released: &mut Released<R>,
    ) -> Result<(), Reason> {
        loop {
            let mut shard = self.shard_of(digest).write();
            if self.closed.load(Ordering::SeqCst) {
                return Err(Reason::StoreFailed);
            }
            loop {
                let occupant = shard.occupant(digest);
                if occupant.is_some_and(|old| self.outranks(old, entry)) {
                    return Ok(());
                }
                if self
                    .budget
                    .exchange(occupant.map(held).unwrap_or_default(), held(entry))
                {
                    released.extend(shard.place(digest, Arc::clone(entry)));
                    self.calm.came(entry);
                    self.stores.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                if !self.evict(&mut shard, released) {
                    break;
                }
            }
            drop(shard);
            if !self.evict_anywhere(released) {
                return Err(Reason::StoreFailed);
            }
        }
    }

    fn remove_digest(&self, digest: u128, which: impl FnOnce(&Arc<Entry<R>>) -> bool) -> bool {
        let removed = self.shard_of(digest).write().remove_if(digest, which);
        removed
            .inspect(|entry| self.budget.release(held(entry)))
            .is_some()
    }

    /// Whether a live answer that is there already is newer than one that comes in.
    fn outranks(&self, old: &Entry<R>, new: &Entry<R>) -> bool {
        old.birth() > new.birth()
            && old.key() == new.key()
            && self.generations.judge(old) != Verdict::Dead
    }

    /// Takes room for something that stays.
    fn grow(&self, bytes: usize, released: &mut Released<R>) {
        while !self.budget.grow(bytes) {
            if !self.evict_anywhere(released) {
                // Room that is taken but not filled yet: the next put makes up for it.
                self.budget.force(bytes);
                return;
            }
        }
    }

    fn empty(&self) {
        for shard in &self.shards {
            let mut old = std::mem::replace(&mut *shard.write(), Shard::new());
            let mut released = Released::new();
            old.sweep(usize::MAX, 0, |_| Fate::Goes, &mut released);
            for entry in &released {
                self.budget.release(held(entry));
            }
        }
    }

    /// An entry and whether it counts as stale. Runs host patterns.
    fn judged(&self, mut put: Put<'_, R>) -> Result<(u128, Arc<Entry<R>>, bool), Reason> {
        let digest = put.key.borrow().digest;
        put.birth = put.birth.min(self.generations.clock());
        let (patterns, seen) = match &put.content {
            Content::Response(stored) => {
                self.now.store(stored.received.micros(), Ordering::Relaxed);
                self.generations.matching(put.path)
            }
            Content::Variants(_) | Content::Searches(_) => (Vec::new(), 0),
        };
        let entry = Entry::new(put, &patterns, seen)?;
        match self.generations.settle(&entry) {
            Verdict::Alive { soft } => Ok((digest, Arc::new(entry), soft)),
            Verdict::Unresolved | Verdict::Dead => Err(Reason::Dropped),
        }
    }

    fn keep(&self, digest: u128, entry: &Arc<Entry<R>>) -> Result<(), Reason> {
        if entry.weight() > self.budget.largest() {
            return Err(Reason::TooLarge);
        }
        let mut released = Released::new();
        let placed = self.place(digest, entry, &mut released);
        drop(released);
        self.sweep_a_little();
        placed
    }

    fn alive(&self, entry: &Entry<R>) -> bool {
        entry.response().is_some() && matches!(self.generations.judge(entry), Verdict::Alive { .. })
    }

    /// The entries of some slots, whatever their state, and where to go on.
    fn slots(&self, cursor: Cursor, steps: usize) -> (Released<R>, Option<Cursor>) {
        let Some(shard) = self.shards.get(cursor.shard) else {
            return (Vec::new(), None);
        };
        let (entries, next) = shard.read().page(
            usize::try_from(cursor.slot).unwrap_or(usize::MAX),
            steps.clamp(1, STEPS_PER_LOCK),
        );
        let next = match next {
            Some(slot) => Some(Cursor {
                slot: slot as u128,
                ..cursor
            }),
            None => Some(Cursor {
                shard: cursor.shard + 1,
                slot: 0,
            })
            .filter(|next| next.shard < self.shards.len()),
        };
        (entries, next)
    }
}

impl<R: Send + Sync> LocalStore<R> for MemoryStore<R> {
    fn birth(&self) -> u64 {
        self.generations.clock()
    }

    fn get(&self, key: KeyRef<'_>) -> Option<Found<R>> {
        let entry = Arc::clone(self.shard_of(key.digest).read().get(key)?);
        match self.generations.judge(&entry) {
            Verdict::Alive { soft } => Some(Found { entry, soft }),
            Verdict::Unresolved | Verdict::Dead => None,
        }
    }

    fn put(&self, put: Put<'_, R>) -> Result<(), Reason> {
        let (digest, entry, _) = self.judged(put)?;
        self.keep(digest, &entry)
    }

    fn remove(&self, key: KeyRef<'_>) -> bool {
        self.remove_digest(key.digest, |entry| entry.key() == key.bytes)
    }

    fn register(&self, pattern: PathPattern) -> PatternId {
        let id = self.generations.register(pattern);
        if self.resident() == 0 {
            self.generations.nothing_is_older_than(id);
        }
        id
    }

    fn purge(&self, purge: &Purge) -> Option<Walk> {
        if let Some(bytes) = self.generations.growth(purge) {
            let mut released = Released::new();
            self.grow(bytes, &mut released);
        }
        let walk = self.generations.apply(purge);
        self.drops.fetch_add(1, Ordering::Relaxed);
        walk.then(Walk::new)
    }

    fn standing(&self, birth: u64, path: &str, labels: &[Label]) -> Option<bool> {
        self.stands(birth, path, labels)
    }

    fn resolve(&self, walk: &mut Walk, max_steps: usize) -> bool {
        let mut left = max_steps;
        while let Some(cursor) = walk.cursor.filter(|_| left > 0) {
            let steps = left.min(STEPS_PER_LOCK);
            let (entries, next) = self.slots(cursor, steps);
            for entry in entries {
                self.generations.settle(&entry);
            }
            walk.cursor = next;
            left -= steps;
        }
        walk.cursor.is_none()
    }

    fn sweep(&self, max_steps: usize, now: Timestamp) -> usize {
        self.now.store(now.micros(), Ordering::Relaxed);
        let slots = self.shards.iter().map(|shard| shard.read().slots()).sum();
        self.sweep_some(max_steps.min(slots), false, Generations::judge)
    }

    fn page(&self, cursor: Cursor, max_entries: usize) -> Page<R> {
        let (mut entries, next) = self.slots(cursor, max_entries);
        entries.retain(|entry| self.alive(entry));
        Page { entries, next }
    }

    fn clear(&self) {
        self.generations.apply(&Purge::everything());
        self.drops.fetch_add(1, Ordering::Relaxed);
        self.empty();
    }

    fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.clear();
    }

    fn len(&self) -> usize {
        let mut cursor = Some(Cursor::default());
        let mut count = 0;
        while let Some(from) = cursor {
            let (entries, next) = self.slots(from, STEPS_PER_LOCK);
            count += entries.iter().filter(|entry| self.alive(entry)).count();
            cursor = next;
        }
        count
    }

    fn bytes(&self) -> usize {
        self.budget.held().bytes
    }

    fn counters(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            stores: read(&self.stores),
            drops: read(&self.drops),
            evictions: read(&self.evictions),
            swept: read(&self.swept),
            swept_over: read(&self.swept_over),
        }
    }
}

fn held<R>(entry: &Arc<Entry<R>>) -> Held {
    Held {
        entries: 1,
        bytes: entry.weight(),
    }
}
