//! Slots for entries, in chunks: growing never moves what is there, and a slot's number stays its own.

use super::queue::Link;
use crate::entry::Entry;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;

/// "No slot".
pub(super) const NONE: u32 = u32::MAX;

const CHUNK: usize = 64;

#[derive(Debug)]
pub(super) struct Slot<R> {
    /// Two words instead of one `u128`, which would be aligned to 16 bytes.
    pub(super) digest: [u64; 2],
    /// `None` in a free slot, whose `link.next` is then the next free one.
    pub(super) entry: Option<Arc<Entry<R>>>,
    pub(super) link: Link,
    /// How often it was found, up to a few times.
    pub(super) uses: AtomicU8,
    pub(super) proven: bool,
}

#[derive(Debug)]
pub(super) struct Slab<R> {
    chunks: Vec<Vec<Slot<R>>>,
    free: u32,
}

impl<R> Slab<R> {
    pub(super) const fn new() -> Self {
        Self {
            chunks: Vec::new(),
            free: NONE,
        }
    }

    /// How many slots there are, free ones included.
    pub(super) fn len(&self) -> usize {
        self.chunks.len().saturating_sub(1) * CHUNK + self.chunks.last().map_or(0, Vec::len)
    }

    /// The slot with a number that was given out.
    pub(super) fn at(&self, index: u32) -> &Slot<R> {
        let index = index as usize;
        &self.chunks[index / CHUNK][index % CHUNK]
    }

    pub(super) fn at_mut(&mut self, index: u32) -> &mut Slot<R> {
        let index = index as usize;
        &mut self.chunks[index / CHUNK][index % CHUNK]
    }

    pub(super) fn insert(&mut self, digest: [u64; 2], entry: Arc<Entry<R>>) -> u32 {
        let slot = Slot {
            digest,
            entry: Some(entry),
            link: Link::default(),
            uses: AtomicU8::new(0),
            proven: false,
        };
        if self.free != NONE {
            let index = self.free;
            self.free = self.at(index).link.next;
            *self.at_mut(index) = slot;
            return index;
        }
        let index = u32::try_from(self.len()).unwrap_or(NONE);
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => chunk.push(slot),
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(slot);
                self.chunks.push(chunk);
            }
        }
        index
    }

    pub(super) fn remove(&mut self, index: u32) -> Option<Arc<Entry<R>>> {
        let free = self.free;
        let slot = self.at_mut(index);
        let entry = slot.entry.take()?;
        slot.link = Link {
            next: free,
            previous: NONE,
        };
        self.free = index;
        Some(entry)
    }
}
