//! Leases: which process makes the answer for a key. One word for each, in the mapped file.
//!
//! A word holds who has the lease, until when, which of its leases it is, and a part of the digest, so that taking it is one exchange: a process
//! that is killed at any moment leaves either nothing or a whole lease, whose owner is seen to be dead. Keys that fall
//! on a word that another key holds have no lease: they are not coalesced, which costs a call of the handler.

use crate::forks;
use crate::machine::{self, TICK};
use crate::words::Words;
use fast_cache_store::{LeaseEnd, Leased};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// For how long nobody waits for a key whose answer was not for others.
const UNSHARED: Duration = Duration::from_secs(10);

const DEADLINE_BITS: u32 = 22;
const PROCESS_BITS: u32 = 22;
const NUMBER_BITS: u32 = 8;
const TAG_AT: u32 = DEADLINE_BITS + PROCESS_BITS + NUMBER_BITS;
const MARK_BITS: u32 = 24;

/// The number of this process's last lease: two in a row for one key have words that differ.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// What came of asking for a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// It is ours, by this word.
    Granted(u64),
    /// Somebody has it, by this word.
    Held(u64),
    /// There is none to be had, and nothing to wait for.
    None,
}

/// Asks for the lease of a key.
pub(crate) fn acquire(words: &Words, digest: u128, limit: Duration) -> Asked {
    let now = machine::ticks();
    if is_unshared(words, digest, now) {
        return Asked::None;
    }
    let limit = in_ticks(limit);
    let word = words.lease(place(digest));
    let mut current = word.load(Ordering::Acquire);
    loop {
        if current != 0 && is_held(current, limit, now) {
            return if tag(current) == tag_of(digest) {
                Asked::Held(current)
            } else {
                Asked::None
            };
        }
        let new = pack(digest, machine::process_id(), now + limit);
        match word.compare_exchange(current, new, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return Asked::Granted(new),
            Err(other) => current = other,
        }
    }
}

/// Whether a lease that was seen held still is. `look_at_owner`: whether its process is looked at as well.
pub(crate) fn still_held(
    words: &Words,
    digest: u128,
    seen: u64,
    limit: Duration,
    look_at_owner: bool,
) -> bool {
    let now = machine::ticks();
    let current = words.lease(place(digest)).load(Ordering::Acquire);
    let limit = in_ticks(limit);
    current == seen
        && left(current, limit, now).is_some()
        && (!look_at_owner || is_held(current, limit, now))
}

/// A lease that this process has.
pub(crate) struct Held {
    words: Arc<Words>,
    digest: u128,
    word: u64,
    forks: u32,
}

impl Held {
    pub(crate) fn new(words: Arc<Words>, digest: u128, word: u64) -> Self {
        Self {
            words,
            digest,
            word,
            forks: forks::count(),
        }
    }
}

impl Leased for Held {
    fn end(self: Box<Self>, how: LeaseEnd) {
        if self.forks != forks::count() {
            // The parent's.
            return;
        }
        if how == LeaseEnd::Unshared {
            let until = machine::ticks() + in_ticks(UNSHARED);
            self.words
                .unshared(place(self.digest))
                .store(mark(self.digest, until), Ordering::Release);
        }
        // If it is not there any more, its time was over.
        let _ = self.words.lease(place(self.digest)).compare_exchange(
            self.word,
            0,
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
    }
}

fn is_unshared(words: &Words, digest: u128, now: u64) -> bool {
    let word = words.unshared(place(digest)).load(Ordering::Acquire);
    let mask = (1 << MARK_BITS) - 1;
    word >> MARK_BITS == mark(digest, 0) >> MARK_BITS
        && (1..=in_ticks(UNSHARED)).contains(&((word & mask).wrapping_sub(now) & mask))
}

fn mark(digest: u128, until: u64) -> u64 {
    #[allow(clippy::cast_possible_truncation, reason = "the upper half")]
    let upper = (digest >> 64) as u64;
    (upper >> MARK_BITS << MARK_BITS) | (until & ((1 << MARK_BITS) - 1))
}

fn is_held(word: u64, limit: u64, now: u64) -> bool {
    let Some(left) = left(word, limit, now) else {
        return false;
    };
    let process = process(word);
    // A little later than it was taken, so that rounding makes nobody look younger.
    let taken = now.saturating_add(left).saturating_sub(limit) + 2;
    process == machine::process_id() || machine::is_alive(process, taken)
}

/// How many ticks a lease lasts still; `None` where it is over.
fn left(word: u64, limit: u64, now: u64) -> Option<u64> {
    let mask = (1 << DEADLINE_BITS) - 1;
    let left = (word & mask).wrapping_sub(now) & mask;
    // A deadline further ahead is one that was long ago, before the ticks in a word began anew; save that `now` may have
    // been read before the lease was taken.
    (1..=limit + 64).contains(&left).then_some(left)
}

fn process(word: u64) -> u32 {
    u32::try_from((word >> DEADLINE_BITS) & ((1 << PROCESS_BITS) - 1)).unwrap_or_default()
}

fn tag(word: u64) -> u64 {
    word >> TAG_AT
}

fn tag_of(digest: u128) -> u64 {
    #[allow(clippy::cast_possible_truncation, reason = "any bits will do")]
    let bits = (digest >> 40) as u64;
    bits & ((1 << (u64::BITS - TAG_AT)) - 1)
}

fn place(digest: u128) -> usize {
    #[allow(clippy::cast_possible_truncation, reason = "any bits will do")]
    let place = digest as usize;
    place
}

fn pack(digest: u128, process: u32, deadline: u64) -> u64 {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed) & ((1 << NUMBER_BITS) - 1);
    tag_of(digest) << TAG_AT
        | number << (DEADLINE_BITS + PROCESS_BITS)
        | (u64::from(process) & ((1 << PROCESS_BITS) - 1)) << DEADLINE_BITS
        | (deadline & ((1 << DEADLINE_BITS) - 1))
}

fn in_ticks(duration: Duration) -> u64 {
    let ticks = duration.as_millis().div_ceil(TICK.as_millis());
    // Two minutes: far less than after what the ticks in a word begin anew.
    u64::try_from(ticks).unwrap_or(u64::MAX).clamp(1, 7_500)
}
