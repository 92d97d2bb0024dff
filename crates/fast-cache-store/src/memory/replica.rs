//! The memory store as the near part of a store that is shared: its drops are those of the whole.

use super::{MemoryStore, Released};
use crate::local::{Found, Put, Walk};
use fast_cache_core::purge::{Cover, PathPattern, PatternId, Purge};
use fast_cache_core::reason::Reason;

impl<R: Send + Sync> MemoryStore<R> {
    /// Drops what the whole store dropped at the logical time `generation`, where that is newer than this one's clock;
    /// otherwise it was done before. The clock then stands at `generation`, so births are the whole store's.
    ///
    /// A drop by a pattern that only the host can run returns a [`Walk`], as [`purge`](crate::LocalStore::purge) does.
    pub fn replay(&self, cover: &Cover, soft: bool, generation: u64) -> Option<Walk> {
        let purge = Purge {
            covers: vec![cover.clone()],
            soft,
        };
        if let Some(bytes) = self.generations.growth(&purge) {
            let mut released = Released::new();
            self.grow(bytes, &mut released);
        }
        self.generations
            .replay(cover, soft, generation)
            .then(Walk::new)
    }

    /// Takes in an entry of the whole store, and keeps it near where there is room: what a lookup of it finds.
    ///
    /// # Errors
    ///
    /// [`Reason::Dropped`] where a hard drop since its birth covers it, [`Reason::Tags`] for too many labels.
    pub fn take_in(&self, put: Put<'_, R>) -> Result<Found<R>, Reason> {
        let (digest, entry, soft) = self.judged(put)?;
        // Without room, the next lookup asks the whole store again.
        let _ = self.keep(digest, &entry);
        Ok(Found { entry, soft })
    }

    /// The registered pattern with this id, which means nothing outside this process.
    pub fn pattern(&self, id: PatternId) -> Option<PathPattern> {
        self.generations.pattern(id)
    }

    /// Forgets all entries, and drops nothing: answers in the making may still be stored.
    pub fn forget(&self) {
        self.empty();
    }

    /// Forgets the entry with this digest, whatever its key; whether there was one.
    pub fn forget_digest(&self, digest: u128) -> bool {
        self.remove_digest(digest, |_| true)
    }
}
