//! What sweeps have found: as long as there is nothing to give back, puts need not look at old entries.
//!
//! An entry is doomed by a drop, which moves the store's clock, or by its age, from a moment on that is known when it comes. So
//! a shard through which a sweep went from end to end is *calm* until the clock moves on, or the first of its entries
//! ages. A calm that is not known costs a few looks, and one that is taken for granted too long costs memory, never a
//! wrong answer.

use crate::entry::Entry;
use fast_cache_core::time::Timestamp;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// No clock: nothing is known.
const NEVER: u64 = 0;

/// No entry is doomed by a drop up to `clock`, nor by its age up to `until`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calm {
    clock: u64,
    until: Timestamp,
}

impl Calm {
    const fn since(clock: u64) -> Self {
        let until = Timestamp::from_micros(i64::MAX);
        Self { clock, until }
    }

    fn covers(self, clock: u64, now: Timestamp) -> bool {
        self.clock == clock && now <= self.until
    }

    fn came<R>(&mut self, entry: &Entry<R>) {
        self.clock = self.clock.min(judged_up_to(entry));
        self.until = self.until.min(entry.expires());
    }
}

/// Up to which clock no drop has doomed an entry that comes: one may have come between its judgement and its place.
fn judged_up_to<R>(entry: &Entry<R>) -> u64 {
    // Drops cover responses alone.
    let is_response = entry.response().is_some();
    if is_response {
        entry.memo().read().since
    } else {
        u64::MAX
    }
}

/// The rounds of sweeps through one shard.
#[derive(Debug)]
pub(super) struct Rounds {
    last: Calm,
    current: Calm,
}

impl Rounds {
    pub(super) const fn new() -> Self {
        Self {
            last: Calm::since(NEVER),
            current: Calm::since(NEVER),
        }
    }

    /// A sweep begins anew at the first slot.
    pub(super) fn begin(&mut self, clock: u64) {
        self.last = self.current;
        self.current = Calm::since(clock);
    }

    /// An entry came, perhaps to a slot that this round has passed.
    pub(super) fn came<R>(&mut self, entry: &Entry<R>) {
        self.last.came(entry);
        self.current.came(entry);
    }

    /// An entry was looked at and stays.
    pub(super) fn stays<R>(&mut self, entry: &Entry<R>) {
        self.current.until = self.current.until.min(entry.expires());
    }

    /// An entry was looked at, and nobody knows yet whether it is doomed.
    pub(super) fn unclear(&mut self) {
        self.current.clock = NEVER;
    }

    /// Until when the shard is calm, if it is.
    pub(super) fn calm(&self, clock: u64, now: Timestamp) -> Option<Timestamp> {
        self.last.covers(clock, now).then_some(self.last.until)
    }
}

/// What is known of all shards together.
#[derive(Debug)]
pub(super) struct WholeCalm {
    clock: AtomicU64,
    until: AtomicI64,
    asking: Mutex<()>,
}

impl WholeCalm {
    pub(super) const fn new() -> Self {
        Self {
            clock: AtomicU64::new(NEVER),
            until: AtomicI64::new(i64::MAX),
            asking: Mutex::new(()),
        }
    }

    pub(super) fn covers(&self, clock: u64, now: Timestamp) -> bool {
        self.clock.load(Ordering::SeqCst) == clock
            && now.micros() <= self.until.load(Ordering::SeqCst)
    }

    /// An entry came; its shard has been told.
    pub(super) fn came<R>(&self, entry: &Entry<R>) {
        let since = judged_up_to(entry);
        if since < self.clock.load(Ordering::SeqCst) {
            self.clock.fetch_min(since, Ordering::SeqCst);
        }
        let until = entry.expires().micros();
        if until < self.until.load(Ordering::SeqCst) {
            self.until.fetch_min(until, Ordering::SeqCst);
        }
    }

    /// Asks each shard until when it is calm. Whatever comes meanwhile has told its shard before that is asked, or tells
    /// us after we began.
    pub(super) fn ask(&self, clock: u64, shards: impl Iterator<Item = Option<Timestamp>>) {
        let Some(_asking) = self.asking.try_lock() else {
            return;
        };
        self.until.store(i64::MAX, Ordering::SeqCst);
        self.clock.store(clock, Ordering::SeqCst);
        for calm in shards {
            match calm {
                Some(until) => self.until.fetch_min(until.micros(), Ordering::SeqCst),
                None => return self.clock.store(NEVER, Ordering::SeqCst),
            };
        }
    }
}
