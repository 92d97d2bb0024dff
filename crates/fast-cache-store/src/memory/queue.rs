//! First-in-first-out queues that run through the slots of a slab.

use super::slab::{NONE, Slab};

/// A slot's neighbours in its queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) next: u32,
    pub(super) previous: u32,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            next: NONE,
            previous: NONE,
        }
    }
}

/// A queue and the weight of what stands in it.
#[derive(Debug)]
pub(super) struct Queue {
    newest: u32,
    oldest: u32,
    pub(super) weight: usize,
}

impl Queue {
    pub(super) const fn new() -> Self {
        Self {
            newest: NONE,
            oldest: NONE,
            weight: 0,
        }
    }

    pub(super) fn oldest(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    pub(super) fn push<R>(&mut self, slab: &mut Slab<R>, index: u32, weight: usize) {
        slab.at_mut(index).link = Link {
            next: self.newest,
            previous: NONE,
        };
        match self.newest {
            NONE => self.oldest = index,
            newest => slab.at_mut(newest).link.previous = index,
        }
        self.newest = index;
        self.weight += weight;
    }

    pub(super) fn unlink<R>(&mut self, slab: &mut Slab<R>, index: u32, weight: usize) {
        let Link { next, previous } = slab.at(index).link;
        match previous {
            NONE => self.newest = next,
            previous => slab.at_mut(previous).link.next = next,
        }
        match next {
            NONE => self.oldest = previous,
            next => slab.at_mut(next).link.previous = previous,
        }
        self.weight -= weight;
    }
}
