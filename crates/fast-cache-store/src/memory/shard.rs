//! One shard: a table from digest to slot, and the order in which entries make room.
//!
//! New entries stand in a short queue on trial; one that is found while there, or that comes back soon after it was
//! evicted, moves to the long queue of the proven (the S3-FIFO scheme). A scan over keys that nobody asks for twice
//! passes through the short queue and leaves the proven ones alone.

use super::calm::Rounds;
use super::ghosts::Ghosts;
use super::queue::Queue;
use super::slab::Slab;
use crate::entry::Entry;
use fast_cache_core::key::KeyRef;
use fast_cache_core::time::Timestamp;
use hashbrown::HashTable;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Found this often, an entry gains nothing by being found once more.
const MAX_USES: u8 = 3;

/// The trial queue may hold one part in this many.
const TRIAL_SHARE: usize = 10;

/// How many entries may be spared on the way to one eviction; after that the next goes, found or not, so that a full
/// store of popular entries is no stall.
const MAX_SPARED: usize = 64;

#[derive(Debug)]
pub(super) struct Shard<R> {
    table: HashTable<u32>,
    slab: Slab<R>,
    trial: Queue,
    proven: Queue,
    ghosts: Ghosts,
    sweep_at: u32,
    rounds: Rounds,
}

/// What becomes of an entry that a sweep looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Stays,
    Goes,
    /// It stays as long as nobody knows.
    Unclear,
}

impl<R> Shard<R> {
    pub(super) const fn new() -> Self {
        Self {
            table: HashTable::new(),
            slab: Slab::new(),
            trial: Queue::new(),
            proven: Queue::new(),
            ghosts: Ghosts::new(),
            sweep_at: 0,
            rounds: Rounds::new(),
        }
    }

    /// The entry under a key, noting that it was found.
    pub(super) fn get(&self, key: KeyRef<'_>) -> Option<&Arc<Entry<R>>> {
        let slot = self.slab.at(self.find(split(key.digest))?);
        let entry = slot
            .entry
            .as_ref()
            .filter(|entry| entry.key() == key.bytes)?;
        let uses = slot.uses.load(Ordering::Relaxed);
        if uses < MAX_USES {
            // Two hits at once may count as one.
            slot.uses.store(uses + 1, Ordering::Relaxed);
        }
        Some(entry)
    }

    /// How many slots there are, free ones included.
    pub(super) fn slots(&self) -> usize {
        self.slab.len()
    }

    /// The weight of all entries.
    #[cfg(test)]
    pub(super) fn weight(&self) -> usize {
        self.trial.weight + self.proven.weight
    }

    /// What stands where this digest would go, whatever its key.
    pub(super) fn occupant(&self, digest: u128) -> Option<&Arc<Entry<R>>> {
        self.slab.at(self.find(split(digest))?).entry.as_ref()
    }

    /// Puts an entry in its place; what stood there comes back.
    pub(super) fn place(&mut self, digest: u128, entry: Arc<Entry<R>>) -> Option<Arc<Entry<R>>> {
        let digest = split(digest);
        let weight = entry.weight();
        self.rounds.came(&entry);
        if let Some(index) = self.find(digest) {
            let slot = self.slab.at_mut(index);
            let proven = slot.proven;
            let old = slot.entry.replace(entry);
            let queue = if proven {
                &mut self.proven
            } else {
                &mut self.trial
            };
            queue.weight = queue.weight + weight - old.as_ref().map_or(0, |old| old.weight());
            return old;
        }
        let index = self.slab.insert(digest, entry);
        let slab = &self.slab;
        self.table
            .insert_unique(digest[0], index, |other| slab.at(*other).digest[0]);
        if self.ghosts.take(digest) {
            self.enlist(index, weight, true);
        } else {
            self.enlist(index, weight, false);
        }
        None
    }

    /// Takes out the entry that stands under this digest, if `which` says so.
    pub(super) fn remove_if(
        &mut self,
        digest: u128,
        which: impl FnOnce(&Arc<Entry<R>>) -> bool,
    ) -> Option<Arc<Entry<R>>> {
        let index = self.find(split(digest))?;
        if !which(self.slab.at(index).entry.as_ref()?) {
            return None;
        }
        self.take_out(index)
    }

    /// Takes out the entry that is worth the least.
    pub(super) fn evict(&mut self) -> Option<Arc<Entry<R>>> {
        for spared in 0.. {
            let share = (self.trial.weight + self.proven.weight) / TRIAL_SHARE;
            let trial = self
                .trial
                .oldest()
                .filter(|_| self.trial.weight > share || self.proven.oldest().is_none());
            let index = trial.or(self.proven.oldest())?;
            let uses = *self.slab.at_mut(index).uses.get_mut();
            if uses == 0 || spared == MAX_SPARED {
                if trial.is_some() {
                    self.ghosts
                        .note(self.slab.at(index).digest, self.table.len());
                }
                return self.take_out(index);
            }
            let weight = self.dismiss(index)?;
            *self.slab.at_mut(index).uses.get_mut() = if trial.is_some() { 0 } else { uses - 1 };
            self.enlist(index, weight, true);
        }
        None
    }

    /// Until when there is nothing to take out, if that is known. `clock` is the logical time.
    pub(super) fn calm(&self, clock: u64, now: Timestamp) -> Option<Timestamp> {
        if self.slots() == 0 {
            return Some(Timestamp::from_micros(i64::MAX));
        }
        self.rounds.calm(clock, now)
    }

    /// Looks at up to `steps` slots, going round, and takes out the entries whose fate it is to go; how many it looked at.
    /// `clock` is the logical time before that.
    pub(super) fn sweep(
        &mut self,
        steps: usize,
        clock: u64,
        fate: impl Fn(&Entry<R>) -> Fate,
        released: &mut Vec<Arc<Entry<R>>>,
    ) -> usize {
        let slots = self.slab.len();
        let steps = steps.min(slots);
        for _ in 0..steps {
            if self.sweep_at as usize >= slots {
                self.sweep_at = 0;
                self.rounds.begin(clock);
            }
            let index = self.sweep_at;
            self.sweep_at += 1;
            let Some(entry) = self.slab.at(index).entry.as_deref() else {
                continue;
            };
            match fate(entry) {
                Fate::Stays => self.rounds.stays(entry),
                Fate::Unclear => self.rounds.unclear(),
                Fate::Goes => released.extend(self.take_out(index)),
            }
        }
        steps
    }

    /// The entries in up to `steps` slots from `from` on, and where to go on.
    pub(super) fn page(&self, from: usize, steps: usize) -> (Vec<Arc<Entry<R>>>, Option<usize>) {
        let slots = self.slab.len();
        let end = from.saturating_add(steps).min(slots);
        let indices = (from..end).filter_map(|index| u32::try_from(index).ok());
        let entries = indices
            .filter_map(|index| self.slab.at(index).entry.clone())
            .collect();
        (entries, (end < slots).then_some(end))
    }

    fn find(&self, digest: [u64; 2]) -> Option<u32> {
        self.table
            .find(digest[0], |index| self.slab.at(*index).digest == digest)
            .copied()
    }

    fn take_out(&mut self, index: u32) -> Option<Arc<Entry<R>>> {
        self.dismiss(index)?;
        if let Ok(found) = self
            .table
            .find_entry(self.slab.at(index).digest[0], |other| *other == index)
        {
            found.remove();
        }
        self.slab.remove(index)
    }

    fn enlist(&mut self, index: u32, weight: usize, proven: bool) {
        self.slab.at_mut(index).proven = proven;
        let queue = if proven {
            &mut self.proven
        } else {
            &mut self.trial
        };
        queue.push(&mut self.slab, index, weight);
    }

    /// Takes a slot out of its queue; the weight of its entry.
    fn dismiss(&mut self, index: u32) -> Option<usize> {
        let slot = self.slab.at(index);
        let weight = slot.entry.as_ref()?.weight();
        let queue = if slot.proven {
            &mut self.proven
        } else {
            &mut self.trial
        };
        queue.unlink(&mut self.slab, index, weight);
        Some(weight)
    }
}

/// A digest as two words; the first finds the slot, the second finds the shard and the ghost.
#[allow(clippy::cast_possible_truncation, reason = "taken apart on purpose")]
const fn split(digest: u128) -> [u64; 2] {
    [digest as u64, (digest >> 64) as u64]
}
