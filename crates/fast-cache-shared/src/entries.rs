//! Entries in the map: a head with what eviction and sweeping ask for, then the frame.

use crate::changes;
use crate::eviction;
use crate::lmdb::{Error, Result, Txn, Writing};
use crate::map::{Map, Meta};
use crate::words::Counter;
use fast_cache_core::time::Timestamp;
use fast_cache_store::codec::{self, Frame};
use fast_cache_store::{Content, Put};
use std::ops::ControlFlow;

const WORDS_OF_HEAD: usize = 5;
const HEAD: usize = 8 * WORDS_OF_HEAD;

/// Entries that one transaction may evict, so that nobody waits long for the next one.
const MOST_EVICTED: usize = 64;

/// Of a store of this many entries, one more is evicted ahead, so that a few evictions share a transaction's pages.
const AHEAD_OF: u64 = 1024;
const MOST_AHEAD: u64 = 7;

/// What stands before a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The number of its first record in a queue: a record with another one is not of this entry.
    pub(crate) stamp: u64,
    /// The logical time before its handler ran.
    pub(crate) birth: u64,
    /// When its lifetime ends.
    pub(crate) fresh_until: i64,
    /// When it is of no use any more.
    pub(crate) gone_after: i64,
    /// What it costs, in bytes of the file.
    pub(crate) cost: u64,
}

/// An entry on its way in.
pub(crate) struct Incoming<'a> {
    pub(crate) digest: u128,
    pub(crate) key: &'a [u8],
    pub(crate) frame: &'a [u8],
    /// `stamp` is given by the map.
    pub(crate) head: Head,
}

/// What became of an entry on its way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is stored. `changed`: others have to be told, for what it replaced was fresh.
    Stored { changed: bool },
    /// The key holds an answer that is newer.
    Outranked,
    /// There is no room, whoever makes way.
    NoRoom,
}

impl Head {
    /// The head of an answer that costs `cost`.
    pub(crate) fn of<R>(put: &Put<'_, R>, cost: u64) -> Self {
        let (fresh_until, gone_after) = match &put.content {
            Content::Response(stored) => {
                let window = stored.stale_while_revalidate.max(stored.stale_if_error);
                let end = stored
                    .received
                    .plus(stored.lifetime.saturating_add(window))
                    .micros();
                let gone_after = if stored.can_be_validated() {
                    i64::MAX
                } else {
                    end
                };
                (stored.made().plus(stored.lifetime).micros(), gone_after)
            }
            Content::Variants(_) | Content::Searches(_) => (i64::MAX, i64::MAX),
        };
        Self {
            stamp: 0,
            birth: put.birth,
            fresh_until,
            gone_after,
            cost,
        }
    }

    fn to_bytes(self) -> [u8; HEAD] {
        let words = [
            self.stamp,
            self.birth,
            self.fresh_until.cast_unsigned(),
            self.gone_after.cast_unsigned(),
            self.cost,
        ];
        let mut bytes = [0; HEAD];
        for (to, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *to = word.to_le_bytes();
        }
        bytes
    }
}

/// Takes a value apart; damage is an error.
pub(crate) fn parts(value: &[u8]) -> Result<(Head, &[u8])> {
    let (head, frame) = value.split_at_checked(HEAD).ok_or(Error::CORRUPTED)?;
    let mut words = [0; WORDS_OF_HEAD];
    for (word, bytes) in words.iter_mut().zip(head.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    let [stamp, birth, fresh_until, gone_after, cost] = words;
    let head = Head {
        stamp,
        birth,
        fresh_until: fresh_until.cast_signed(),
        gone_after: gone_after.cast_signed(),
        cost,
    };
    Ok((head, frame))
}

/// What an entry takes of the file: its pages, or its part of one, as full as pages are on average; and its record in
/// a queue. No less than `weight`, which its host says it takes in memory.
pub(crate) fn cost(page_size: usize, frame: usize, weight: usize) -> u64 {
    const PAGE_HEAD: usize = 16;
    const NODE: usize = 8 + 2 + 16;
    const RECORD: usize = 8 + 2 + 8 + 24;
    // Pages split in the middle: they are two thirds full.
    let shared = |bytes: usize| bytes + bytes / 2;
    let value = HEAD + frame;
    let largest_inline = (page_size - PAGE_HEAD) / 2 - 2 - NODE;
    let pages = if value > largest_inline {
        (PAGE_HEAD + value).next_multiple_of(page_size) + shared(NODE + 8)
    } else {
        shared(NODE + value)
    };
    (pages.max(weight).saturating_add(RECORD)) as u64
}

/// What is stored under a digest.
pub(crate) fn find<'t>(
    map: &Map,
    txn: &'t Txn<'_>,
    digest: u128,
) -> Result<Option<(Head, &'t [u8])>> {
    match txn.get(map.db.entries, &digest.to_be_bytes())? {
        Some(value) => Ok(Some(parts(value)?)),
        None => Ok(None),
    }
}

/// Stores an entry. `alive` says whether an entry that is there outlived the drops; it runs no foreign code.
pub(crate) fn store(
    map: &Map,
    incoming: &Incoming<'_>,
    now: Timestamp,
    alive: impl Fn(&Head, &Frame<'_>) -> bool,
) -> Result<Outcome> {
    loop {
        let mut txn = map.write()?;
        let mut meta = map.meta(&txn)?;
        let mut old = find(map, &txn, incoming.digest)?;
        if let Some((head, frame)) = old
            && head.birth > incoming.head.birth
            && codec::decode(frame)
                .is_some_and(|frame| frame.key == incoming.key && alive(&head, &frame))
        {
            return Ok(Outcome::Outranked);
        }
        let mut evicted = 0;
        while !fits(map, &meta, old.map(|(head, _)| head), incoming.head.cost)
            && evicted < MOST_EVICTED
        {
            if !eviction::evict(map, &mut txn, &mut meta)? {
                return Ok(Outcome::NoRoom);
            }
            evicted += 1;
            old = find(map, &txn, incoming.digest)?;
        }
        let old = old.map(|(head, _)| head);
        let done = fits(map, &meta, old, incoming.head.cost);
        let changed = old.is_some_and(|old| now.micros() < old.fresh_until);
        if done && evicted > 0 {
            let mut ahead = (meta.entries / AHEAD_OF).min(MOST_AHEAD);
            while ahead > 0 && eviction::evict(map, &mut txn, &mut meta)? {
                ahead -= 1;
                evicted += 1;
            }
        }
        if done {
            // It may have been evicted itself.
            let old = find(map, &txn, incoming.digest)?.map(|(head, _)| head);
            insert(map, &mut txn, &mut meta, incoming, old)?;
            if changed {
                changes::append(map, &mut txn, &mut meta, incoming.digest)?;
            }
            eviction::trim(map, &mut txn, &mut meta)?;
        }
        map.set_meta(&mut txn, &meta)?;
        txn.commit()?;
        map.words.count(Counter::Evictions, evicted as u64);
        if done {
            map.words.count(Counter::Stores, 1);
            return Ok(Outcome::Stored { changed });
        }
    }
}

fn fits(map: &Map, meta: &Meta, old: Option<Head>, cost: u64) -> bool {
    let entries = meta.entries + u64::from(old.is_none());
    let bytes = meta
        .bytes
        .saturating_sub(old.map_or(0, |old| old.cost))
        .saturating_add(cost);
    entries <= map.limits.max_entries as u64 && bytes <= map.limits.max_bytes as u64
}

fn insert(
    map: &Map,
    txn: &mut Writing<'_>,
    meta: &mut Meta,
    incoming: &Incoming<'_>,
    old: Option<Head>,
) -> Result<()> {
    let mut head = incoming.head;
    if let Some(old) = old {
        // It keeps its place in the queues.
        head.stamp = old.stamp;
        meta.bytes = meta.bytes.saturating_sub(old.cost);
        if eviction::is_on_trial(map, txn, &old)? {
            meta.trial_bytes = meta.trial_bytes.saturating_sub(old.cost) + head.cost;
        }
    } else {
        head.stamp = eviction::enlist(map, txn, meta, incoming.digest, head.cost)?;
        meta.entries += 1;
    }
    meta.bytes += head.cost;
    txn.put_parts(
        map.db.entries,
        &incoming.digest.to_be_bytes(),
        [&head.to_bytes(), incoming.frame],
    )
}

/// Removes an entry that is there.
pub(crate) fn delete(
    map: &Map,
    txn: &mut Writing<'_>,
    meta: &mut Meta,
    digest: u128,
    head: &Head,
) -> Result<()> {
    txn.delete(map.db.entries, &digest.to_be_bytes())?;
    eviction::dismiss(map, txn, meta, head)?;
    forget(meta, head);
    Ok(())
}

/// Counts an entry out.
pub(crate) fn forget(meta: &mut Meta, head: &Head) {
    meta.entries = meta.entries.saturating_sub(1);
    meta.bytes = meta.bytes.saturating_sub(head.cost);
}

/// Removes what is stored under a key, and notes the change; whether there was anything.
pub(crate) fn remove(map: &Map, digest: u128, key: &[u8]) -> Result<bool> {
    let is_it = |frame: &[u8]| codec::decode(frame).is_some_and(|frame| frame.key == key);
    // Most of what is removed is not there; this is found out without keeping writers waiting.
    let txn = map.read()?;
    if find(map, &txn, digest)?.is_none_or(|(_, frame)| !is_it(frame)) {
        return Ok(false);
    }
    drop(txn);
    let mut txn = map.write()?;
    let mut meta = map.meta(&txn)?;
    let head = match find(map, &txn, digest)? {
        Some((head, frame)) if is_it(frame) => head,
        _ => return Ok(false),
    };
    delete(map, &mut txn, &mut meta, digest, &head)?;
    changes::append(map, &mut txn, &mut meta, digest)?;
    map.set_meta(&mut txn, &meta)?;
    txn.commit()?;
    Ok(true)
}

/// Up to `most` entries from a digest on, handed to `visit`; where to go on.
pub(crate) fn page(
    map: &Map,
    txn: &Txn<'_>,
    from: u128,
    most: usize,
    mut visit: impl FnMut(u128, Head, &[u8]),
) -> Result<Option<u128>> {
    let mut left = most;
    let mut next = None;
    txn.scan(map.db.entries, &from.to_be_bytes(), |key, value| {
        let digest = key.try_into().map_or(u128::MAX, u128::from_be_bytes);
        if left == 0 {
            next = Some(digest);
            return ControlFlow::Break(());
        }
        left -= 1;
        if let Ok((head, frame)) = parts(value) {
            visit(digest, head, frame);
        }
        ControlFlow::Continue(())
    })?;
    Ok(next)
}
