//! What this node has of the namespace: entries near at hand, and every drop up to some time of the namespace's clock.
//!
//! **A drop of this node** acts on the memory tier at once, and waits until the namespace knows it. Its place in the
//! namespace's order becomes known later, and need not be the place that it had here. Until then, whatever is taken in
//! counts as born before it; and when its place is known and drops of others were applied here in the meantime, it is
//! done again, in its place. So an entry that is covered by a drop and older than it is never found, whichever clock
//! its birth was read from; some that are younger may go as well.
//!
//! **A drop of another node** is applied in the namespace's order, each once. Where the log has a gap, because this node
//! was away for longer than the log reaches, everything that is older than the gap's end is dropped.
//!
//! **A new incarnation** of the namespace, because Redis has lost what it knew, drops everything here; what this node
//! has dropped lately is told again.

mod births;
mod pending;
#[cfg(test)]
mod tests;

pub(crate) use pending::Own;

use crate::fork;
use crate::options::HostPatterns;
use crate::value::Birth;
use births::Births;
use fast_cache_core::purge::{Cover, PathPattern, Purge};
use fast_cache_store::codec::{decode_cover, encode_cover};
use fast_cache_store::{LocalStore, MemoryStore, Walk};
use parking_lot::Mutex;
use pending::Pending;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

/// A drop as the log of the namespace has it.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) generation: u64,
    pub(crate) node: u64,
    pub(crate) number: u64,
    pub(crate) soft: bool,
    pub(crate) cover: Vec<u8>,
}

/// The part of a [`Replica`] that knows nothing of representations: what the thread behind the store works on.
pub(crate) trait Node: Send + Sync {
    /// Another process than before: other numbers for its drops.
    fn rename(&self, node: u64);

    /// The number that tells this node's drops from others'.
    fn name(&self) -> u64;

    /// The incarnation that this node knows, and the generation up to which every drop of it is applied.
    fn applied(&self) -> (Option<u64>, u64);

    /// Begins with an incarnation that was not known.
    fn begin(&self, incarnation: u64);

    /// Applies drops, in order. `complete`: there are no others up to `generation`.
    fn apply(&self, records: Vec<Record>, generation: u64, complete: bool);

    /// Drops that the namespace should be told of, oldest first.
    fn undelivered(&self, most: usize) -> Vec<Own>;

    /// The namespace took this many of the oldest undelivered drops, the last as `generation`. Whether their places
    /// follow on what is applied; otherwise they are still to be read.
    fn delivered(&self, count: usize, generation: u64) -> bool;

    /// The ticket up to which all drops are delivered.
    fn settled(&self) -> u64;

    /// What a birth in this process is in the namespace, if that is known.
    fn birth_of(&self, local: u64) -> Option<Birth>;

    /// Whether the memory tier may be used.
    fn trust(&self, trusted: bool);
}

/// Entries and drops of the namespace, as far as they are known here.
pub(crate) struct Replica<R> {
    pub(crate) near: MemoryStore<R>,
    /// The count of forks and one more while the tier is kept true, otherwise 0.
    trusted: AtomicU32,
    order: Mutex<Order>,
    hosts: Mutex<HashMap<Box<str>, PathPattern>>,
    host_pattern: Option<HostPatterns>,
    everything: Arc<[u8]>,
}

/// What drops do, one after the other.
struct Order {
    node: u64,
    incarnation: Option<u64>,
    births: Births,
    pending: Pending,
}

impl<R: Send + Sync> Replica<R> {
    pub(crate) fn new(near: MemoryStore<R>, node: u64, host_pattern: Option<HostPatterns>) -> Self {
        let order = Order {
            node,
            incarnation: None,
            births: Births::new(near.birth()),
            pending: Pending::default(),
        };
        Self {
            near,
            trusted: AtomicU32::new(0),
            order: Mutex::new(order),
            hosts: Mutex::default(),
            host_pattern,
            everything: encode_cover(&Cover::Everything, |_| None).into(),
        }
    }

    /// Whether the memory tier is kept true in this process.
    #[inline]
    pub(crate) fn is_trusted(&self) -> bool {
        self.trusted.load(Ordering::Acquire) == fork::forks().wrapping_add(1)
    }

    /// Remembers a pattern by its identity, for drops that others make by it.
    pub(crate) fn know(&self, pattern: &PathPattern) {
        if let PathPattern::Host(host) = pattern {
            self.hosts
                .lock()
                .insert(host.identity().into(), pattern.clone());
        }
    }

    /// Drops here, and puts the drop in line for the others.
    pub(crate) fn drop_here(&self, purge: &Purge) -> Option<Walk> {
        let covers: Vec<Arc<[u8]>> = purge
            .covers
            .iter()
            .map(|cover| encode_cover(cover, |id| self.near.pattern(id)).into())
            .collect();
        self.near.make_room(purge);
        let _passage = fork::pass();
        let mut order = self.order.lock();
        let walk = self.near.purge(purge);
        let first = self.near.birth() + 1 - covers.len() as u64;
        for (local, cover) in (first..).zip(covers) {
            order.pending.push(local, purge.soft, cover);
        }
        if order.pending.is_full() {
            self.near.purge(&Purge::everything());
            let local = self.near.birth();
            order.pending.fold(local, Arc::clone(&self.everything));
        }
        walk
    }

    /// The ticket of the newest drop of this node, and the one up to which they are delivered.
    pub(crate) fn tickets(&self) -> (u64, u64) {
        let _passage = fork::pass();
        let order = self.order.lock();
        (order.pending.newest(), order.pending.settled())
    }

    /// What a birth in the namespace is here; `None` if it is of another incarnation.
    pub(crate) fn local_birth(&self, birth: Birth) -> Option<u64> {
        let _passage = fork::pass();
        let order = self.order.lock();
        if order.incarnation != Some(birth.incarnation) {
            return None;
        }
        let local = order.births.local_of(birth.generation);
        // The place of waiting drops is not known yet: it may be after this birth.
        let before = order.pending.oldest().map(|oldest| oldest - 1);
        Some(before.map_or(local, |before| local.min(before)))
    }

    fn read(&self, cover: &[u8], soft: bool) -> Purge {
        let cover = decode_cover(cover, |identity| {
            let known = self.hosts.lock().get(identity).cloned();
            known.or_else(|| self.host_pattern.as_ref()?(identity))
        });
        Purge {
            covers: vec![cover],
            soft,
        }
    }

    /// Applies one drop in its place.
    fn place(&self, order: &mut Order, record: &Record, purge: &Purge) {
        if record.generation <= order.births.applied() {
            return;
        }
        if record.generation != order.births.applied() + 1 {
            self.skip_to(order, record.generation - 1);
        }
        if record.node == order.node
            && let Some(own) = order.pending.deliver(record.number, Instant::now())
            && own.local > order.births.applied_at()
        {
            // Nothing of others came between: it was done in its place.
            order.births.note(own.local, record.generation);
            return;
        }
        self.near.purge(purge);
        order.births.note(self.near.birth(), record.generation);
    }

    /// What was dropped up to `generation` will not be known: everything was.
    fn skip_to(&self, order: &mut Order, generation: u64) {
        self.near.purge(&Purge::everything());
        order.births.note(self.near.birth(), generation);
    }
}

impl<R: Send + Sync> Node for Replica<R> {
    fn rename(&self, node: u64) {
        let _passage = fork::pass();
        self.order.lock().node = node;
    }

    fn name(&self) -> u64 {
        let _passage = fork::pass();
        self.order.lock().node
    }

    fn applied(&self) -> (Option<u64>, u64) {
        let _passage = fork::pass();
        let order = self.order.lock();
        (order.incarnation, order.births.applied())
    }

    fn begin(&self, incarnation: u64) {
        self.trust(false);
        let _passage = fork::pass();
        {
            let order = &mut *self.order.lock();
            self.near.purge(&Purge::everything());
            order.incarnation = Some(incarnation);
            order.births = Births::new(self.near.birth());
            let everything = Arc::clone(&self.everything);
            order
                .pending
                .renew(Instant::now(), everything, |cover, soft| {
                    self.near.purge(&self.read(cover, soft));
                    self.near.birth()
                });
        }
        self.near.forget();
    }

    fn apply(&self, records: Vec<Record>, generation: u64, complete: bool) {
        let purges: Vec<Purge> = records
            .iter()
            .map(|record| self.read(&record.cover, record.soft))
            .collect();
        // The tier has locks as well, which a fork must not find taken.
        let _passage = fork::pass();
        for purge in &purges {
            self.near.make_room(purge);
        }
        let order = &mut *self.order.lock();
        for (record, purge) in records.iter().zip(&purges) {
            self.place(order, record, purge);
        }
        if complete && generation > order.births.applied() {
            self.skip_to(order, generation);
        }
    }

    fn undelivered(&self, most: usize) -> Vec<Own> {
        let _passage = fork::pass();
        self.order.lock().pending.first(most)
    }

    fn delivered(&self, count: usize, generation: u64) -> bool {
        let own = self.undelivered(count);
        let Some(before) = generation.checked_sub(count as u64) else {
            return false;
        };
        if own.len() != count || self.applied().1 != before {
            return false;
        }
        let records = own.into_iter().zip(before + 1..);
        let node = self.name();
        let records = records.map(|(own, generation)| Record {
            generation,
            node,
            number: own.number,
            soft: own.soft,
            cover: own.cover.to_vec(),
        });
        self.apply(records.collect(), generation, false);
        true
    }

    fn settled(&self) -> u64 {
        self.tickets().1
    }

    fn birth_of(&self, local: u64) -> Option<Birth> {
        let _passage = fork::pass();
        let order = self.order.lock();
        Some(Birth {
            incarnation: order.incarnation?,
            generation: order.births.server_of(local)?,
        })
    }

    fn trust(&self, trusted: bool) {
        let word = if trusted {
            fork::forks().wrapping_add(1)
        } else {
            0
        };
        self.trusted.store(word, Ordering::Release);
    }
}
