//! The memory store as the near part of a store that is shared: its drops are those of the whole.

use super::{MemoryStore, Released};
use crate::entry::{Content, Entry};
use crate::generations::{Generations, Verdict};
use crate::local::{Found, Limits, Put, Walk};
use fast_cache_core::key::Key;
use fast_cache_core::purge::{Cover, Label, PathPattern, PatternId, Purge};
use fast_cache_core::reason::Reason;
use fast_cache_core::stored::{Stored, StoredTag, Traits};
use fast_cache_core::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// An answer that was held against every drop, and is not kept yet.
#[derive(Debug)]
pub struct Judged<R> {
    digest: u128,
    entry: Arc<Entry<R>>,
    soft: bool,
}

impl<R> Judged<R> {
    /// What a lookup of it finds.
    pub fn found(&self) -> Found<R> {
        Found {
            entry: Arc::clone(&self.entry),
            soft: self.soft,
        }
    }
}

impl<R: Send + Sync> MemoryStore<R> {
    /// An empty store in front of one of `whole` bytes. However little it may hold itself, it tells drops apart as
    /// finely as that one needs; the memory for this (at most 2 MiB) is not among what it may hold.
    pub fn replica(limits: Limits, whole: usize) -> Self {
        let generations = Generations::new(whole);
        for soft in [false, true] {
            // Told here, so that nothing makes room for it later.
            let _ = generations.growth(&Purge {
                covers: vec![Cover::Label(Label::from_bits(0))],
                soft,
            });
        }
        Self {
            generations,
            ..Self::new(limits)
        }
    }

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
        let judged = self.judge(put)?;
        self.keep_near(&judged);
        Ok(judged.found())
    }

    /// The first half of [`Self::take_in`]: holds an answer against every drop. Runs host patterns; no lock of the
    /// whole store may be held.
    ///
    /// # Errors
    ///
    /// As [`Self::take_in`].
    pub fn judge(&self, put: Put<'_, R>) -> Result<Judged<R>, Reason> {
        let (digest, entry, soft) = self.judged(put)?;
        Ok(Judged {
            digest,
            entry,
            soft,
        })
    }

    /// The second half of [`Self::take_in`]: keeps it near where there is room.
    pub fn keep_near(&self, judged: &Judged<R>) {
        // Without room, the next lookup asks the whole store again.
        let _ = self.keep(judged.digest, &judged.entry);
    }

    /// Whether a hard drop covers a response with this birth, path and labels. Unless host patterns may be run
    /// (`run_host`), what only they could tell is taken for not covered.
    pub fn covers(&self, birth: u64, path: &str, labels: &[Label], run_host: bool) -> bool {
        if birth >= self.generations.clock() {
            return false;
        }
        let put = Put {
            key: Key::new(0, Box::default()),
            birth,
            path,
            labels,
            content: Content::Response(nothing()),
            weight: 0,
        };
        let Ok(entry) = Entry::new(put, &[], 0) else {
            return true;
        };
        let verdict = if run_host {
            self.generations.settle(&entry)
        } else {
            self.generations.judge(&entry)
        };
        verdict == Verdict::Dead
    }

    /// Makes the room that a drop will take for good. [`purge`](crate::LocalStore::purge) does so as well, unless it was
    /// done before: entries that have to go for it are let go of now, not then.
    pub fn make_room(&self, purge: &Purge) {
        if let Some(bytes) = self.generations.growth(purge) {
            let mut released = Released::new();
            self.grow(bytes, &mut released);
        }
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

/// A response of which only the entry around it matters.
fn nothing() -> Stored<()> {
    Stored {
        received: Timestamp::default(),
        initial_age: 0,
        took: 0,
        lifetime: Duration::ZERO,
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        status: 200,
        traits: Traits::default(),
        etag: StoredTag::None,
        last_modified: None,
        body_length: 0,
        representation: (),
    }
}
