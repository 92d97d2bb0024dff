//! Who makes room: two queues in the map, the S3-FIFO scheme.
//!
//! New entries stand on trial, in a queue that may hold a tenth of the bytes. One that was found while there moves to
//! the proven, as does one that comes back soon after it was evicted. At the front of either queue, an entry that was
//! found since it got there is spared once. That it was found is a byte in the words, which every process sets.
//!
//! A record of a queue is its number and the digest and stamp of its entry. An entry that is removed or replaced may
//! leave a record behind, an *orphan*, that is found out by its stamp.

use crate::entries::{self, Head};
use crate::lmdb::{Result, Writing};
use crate::map::{Map, Meta};
use crate::words;
use std::sync::atomic::Ordering;

/// The bit of a record's number that says it is one of the proven.
const PROVEN: u64 = 1 << 63;

/// The trial queue may hold one part in this many.
const TRIAL_SHARE: u64 = 10;

/// How many entries may be spared on the way to one eviction; after that the next goes, found or not.
const MOST_SPARED: usize = 32;

/// Records that are looked at for orphans, with each entry that is stored while there are many.
const TRIM_STEPS: usize = 8;

/// Gives an entry a place at the end of a queue; its stamp.
pub(crate) fn enlist(
    map: &Map,
    txn: &mut Writing<'_>,
    meta: &mut Meta,
    digest: u128,
    cost: u64,
) -> Result<u64> {
    meta.stamp += 1;
    let stamp = meta.stamp;
    let ghost = map.words.ghost(digest);
    let known = words::fingerprint(digest);
    let queue = if ghost.load(Ordering::Relaxed) == known {
        ghost.store(0, Ordering::Relaxed);
        PROVEN
    } else {
        meta.trial_bytes += cost;
        0
    };
    map.words.visited(digest).store(0, Ordering::Relaxed);
    write(map, txn, queue | stamp, digest, stamp)?;
    Ok(stamp)
}

/// Whether an entry stands on trial.
pub(crate) fn is_on_trial(map: &Map, txn: &Writing<'_>, head: &Head) -> Result<bool> {
    Ok(txn.get(map.db.queue, &head.stamp.to_be_bytes())?.is_some())
}

/// Takes an entry out of its queue.
pub(crate) fn dismiss(
    map: &Map,
    txn: &mut Writing<'_>,
    meta: &mut Meta,
    head: &Head,
) -> Result<()> {
    if txn.delete(map.db.queue, &head.stamp.to_be_bytes())? {
        meta.trial_bytes = meta.trial_bytes.saturating_sub(head.cost);
    } else if !txn.delete(map.db.queue, &(PROVEN | head.stamp).to_be_bytes())? {
        meta.orphans += 1;
    }
    Ok(())
}

/// Takes out the entry that is worth the least; whether there was any.
pub(crate) fn evict(map: &Map, txn: &mut Writing<'_>, meta: &mut Meta) -> Result<bool> {
    let share = map.limits.max_bytes as u64 / TRIAL_SHARE;
    let mut spared = 0;
    loop {
        let trial_first = meta.trial_bytes > share;
        let queues = if trial_first {
            [0, PROVEN]
        } else {
            [PROVEN, 0]
        };
        let mut found = pop(map, txn, queues[0])?;
        if found.is_none() {
            found = pop(map, txn, queues[1])?;
        }
        let Some(record) = found else {
            return Ok(false);
        };
        let head = match entries::find(map, txn, record.digest)? {
            Some((head, _)) if head.stamp == record.stamp => head,
            _ => {
                meta.orphans = meta.orphans.saturating_sub(1);
                continue;
            }
        };
        let on_trial = record.number & PROVEN == 0;
        if on_trial {
            meta.trial_bytes = meta.trial_bytes.saturating_sub(head.cost);
        }
        let visited = map.words.visited(record.digest);
        if spared < MOST_SPARED && visited.load(Ordering::Relaxed) != 0 {
            visited.store(0, Ordering::Relaxed);
            spared += 1;
            requeue(map, txn, meta, &record)?;
            continue;
        }
        if on_trial {
            let fingerprint = words::fingerprint(record.digest);
            map.words
                .ghost(record.digest)
                .store(fingerprint, Ordering::Relaxed);
        }
        txn.delete(map.db.entries, &record.digest.to_be_bytes())?;
        entries::forget(meta, &head);
        return Ok(true);
    }
}

/// Looks for orphans among the proven, where there may be many.
pub(crate) fn trim(map: &Map, txn: &mut Writing<'_>, meta: &mut Meta) -> Result<()> {
    if meta.orphans <= 64 + meta.entries / 2 {
        return Ok(());
    }
    for _ in 0..TRIM_STEPS {
        let Some(record) = pop(map, txn, PROVEN)? else {
            meta.orphans = 0;
            break;
        };
        let alive = entries::find(map, txn, record.digest)?
            .is_some_and(|(head, _)| head.stamp == record.stamp);
        if alive {
            requeue(map, txn, meta, &record)?;
        } else {
            meta.orphans = meta.orphans.saturating_sub(1);
        }
    }
    Ok(())
}

struct Record {
    number: u64,
    digest: u128,
    stamp: u64,
}

/// Puts an entry at the end of the proven.
fn requeue(map: &Map, txn: &mut Writing<'_>, meta: &mut Meta, record: &Record) -> Result<()> {
    meta.stamp += 1;
    write(map, txn, PROVEN | meta.stamp, record.digest, record.stamp)
}

fn write(map: &Map, txn: &mut Writing<'_>, number: u64, digest: u128, stamp: u64) -> Result<()> {
    let parts = [&digest.to_be_bytes()[..], &stamp.to_be_bytes()[..]];
    txn.put_parts(map.db.queue, &number.to_be_bytes(), parts)
}

/// Takes the first record out of a queue.
fn pop(map: &Map, txn: &mut Writing<'_>, queue: u64) -> Result<Option<Record>> {
    let Some((key, value)) = txn.first(map.db.queue, &queue.to_be_bytes())? else {
        return Ok(None);
    };
    let number = key
        .as_slice()
        .try_into()
        .map_or(u64::MAX, u64::from_be_bytes);
    if number & PROVEN != queue {
        return Ok(None);
    }
    txn.delete(map.db.queue, &key)?;
    let (digest, stamp) = value.split_at_checked(16).unwrap_or_default();
    Ok(Some(Record {
        number,
        digest: digest.try_into().map_or(0, u128::from_be_bytes),
        stamp: stamp.try_into().map_or(0, u64::from_be_bytes),
    }))
}
