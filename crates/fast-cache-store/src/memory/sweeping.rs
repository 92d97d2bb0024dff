//! Giving back the memory of entries that are dropped or expired.

use super::shard::Fate;
use super::{MemoryStore, Released, STEPS_PER_LOCK, STEPS_PER_PUT, held};
use crate::entry::Entry;
use crate::generations::{Generations, Verdict};
use fast_cache_core::time::Timestamp;
use std::sync::atomic::Ordering;

impl<R: Send + Sync> MemoryStore<R> {
    /// The part of each put, which is none where nothing is to be given back.
    #[inline]
    pub(super) fn sweep_a_little(&self) {
        if !self.calm.covers(self.generations.clock(), self.newest()) {
            self.sweep_some(STEPS_PER_PUT, true, Generations::judge_briefly);
        }
    }

    /// Looks at up to `max_steps` entries, in calm shards at none where `sparing`; how many were given back.
    pub(super) fn sweep_some(
        &self,
        max_steps: usize,
        sparing: bool,
        judge: impl Fn(&Generations, &Entry<R>) -> Verdict,
    ) -> usize {
        // Before anything is judged: what is dropped later is not known to these steps.
        let clock = self.generations.clock();
        let now = self.newest();
        let mut left = max_steps;
        let mut released = Released::new();
        // Each shard is come to at most once for each lockful of steps, so empty shards end it.
        let mut idle = 0;
        while left > 0 && idle < self.shards.len() {
            let index = self.next_swept.fetch_add(1, Ordering::Relaxed) % self.shards.len();
            let mut shard = self.shards[index].write();
            if sparing && shard.calm(clock, now).is_some() {
                idle += 1;
                continue;
            }
            let fate = |entry: &Entry<R>| {
                if entry.is_expired(now) {
                    return Fate::Goes;
                }
                match judge(&self.generations, entry) {
                    Verdict::Dead => Fate::Goes,
                    Verdict::Alive { .. } => Fate::Stays,
                    Verdict::Unresolved => Fate::Unclear,
                }
            };
            let before = released.len();
            let steps = shard.sweep(left.min(STEPS_PER_LOCK), clock, fate, &mut released);
            for entry in &released[before..] {
                self.budget.release(held(entry));
            }
            drop(shard);
            idle = if steps == 0 { idle + 1 } else { 0 };
            left -= steps;
            self.swept_over.fetch_add(steps as u64, Ordering::Relaxed);
        }
        if sparing && left == max_steps {
            let calm = self
                .shards
                .iter()
                .map(|shard| shard.read().calm(clock, now));
            self.calm.ask(clock, calm);
        }
        self.swept
            .fetch_add(released.len() as u64, Ordering::Relaxed);
        released.len()
    }

    /// The newest moment anybody spoke of.
    fn newest(&self) -> Timestamp {
        Timestamp::from_micros(self.now.load(Ordering::Relaxed))
    }
}
