//! Giving back the memory of entries that are dropped or expired.

use super::{MemoryStore, Released, STEPS_PER_LOCK, held};
use crate::entry::Entry;
use crate::generations::{Generations, Verdict};
use fast_cache_core::time::Timestamp;
use std::sync::atomic::Ordering;

impl<R: Send + Sync> MemoryStore<R> {
    pub(super) fn sweep_some(
        &self,
        max_steps: usize,
        judge: impl Fn(&Generations, &Entry<R>) -> Verdict,
    ) -> usize {
        let now = Timestamp::from_micros(self.now.load(Ordering::Relaxed));
        let mut left = max_steps;
        let mut released = Released::new();
        // Each shard is come to at most once for each lockful of steps, so empty shards end it.
        let mut idle = 0;
        while left > 0 && idle < self.shards.len() {
            let index = self.next_swept.fetch_add(1, Ordering::Relaxed) % self.shards.len();
            let mut shard = self.shards[index].write();
            let doomed = |entry: &Entry<R>| {
                entry.is_expired(now) || judge(&self.generations, entry) == Verdict::Dead
            };
            let before = released.len();
            let steps = shard.sweep(left.min(STEPS_PER_LOCK), doomed, &mut released);
            for entry in &released[before..] {
                self.budget.release(held(entry));
            }
            drop(shard);
            idle = if steps == 0 { idle + 1 } else { 0 };
            left -= steps;
            self.swept_over.fetch_add(steps as u64, Ordering::Relaxed);
        }
        self.swept
            .fetch_add(released.len() as u64, Ordering::Relaxed);
        released.len()
    }
}
