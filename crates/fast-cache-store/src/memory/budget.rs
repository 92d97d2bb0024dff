//! How much the store holds, over all shards. Room is taken before anything is stored, so the bounds hold at all times.

use crate::local::Limits;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Debug)]
pub(super) struct Budget {
    limits: Limits,
    held: Mutex<Held>,
    /// Bytes that are not entries; part of what is held.
    fixed: AtomicUsize,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Held {
    pub(super) entries: usize,
    pub(super) bytes: usize,
}

impl Budget {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            held: Mutex::default(),
            fixed: AtomicUsize::new(0),
        }
    }

    pub(super) fn held(&self) -> Held {
        *self.held.lock()
    }

    /// Takes room for `new` in exchange for that of `old`; whether there was enough.
    pub(super) fn exchange(&self, old: Held, new: Held) -> bool {
        let mut held = self.held.lock();
        let entries = (held.entries - old.entries).saturating_add(new.entries);
        let bytes = (held.bytes - old.bytes).saturating_add(new.bytes);
        let fits = entries <= self.limits.max_entries && bytes <= self.limits.max_bytes;
        if fits {
            *held = Held { entries, bytes };
        }
        fits
    }

    /// Gives room back.
    pub(super) fn release(&self, old: Held) {
        let mut held = self.held.lock();
        held.entries -= old.entries;
        held.bytes -= old.bytes;
    }

    /// The largest entry that fits when there is no other.
    pub(super) fn largest(&self) -> usize {
        self.limits
            .max_bytes
            .saturating_sub(self.fixed.load(Ordering::Relaxed))
    }

    /// Takes room for good; whether there was enough.
    pub(super) fn grow(&self, bytes: usize) -> bool {
        let fits = self.exchange(Held::default(), Held { entries: 0, bytes });
        if fits {
            self.fixed.fetch_add(bytes, Ordering::Relaxed);
        }
        fits
    }

    /// Takes room for good, fitting or not.
    pub(super) fn force(&self, bytes: usize) {
        self.fixed.fetch_add(bytes, Ordering::Relaxed);
        let mut held = self.held.lock();
        held.bytes = held.bytes.saturating_add(bytes);
    }
}
