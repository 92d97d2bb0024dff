//! Drops in the map: one record for each, by generation.
//!
//! Of drops that cover the same, only the newest stands in the log. What falls out of it, and each drop of everything,
//! raises a floor instead: everything that was born before is covered.

use crate::lmdb::{Result, Txn, Writing};
use crate::map::{Map, Meta};
use std::ops::ControlFlow;
use xxhash_rust::xxh3::xxh3_128;

/// Drops that are remembered one by one.
const MOST_LOGGED: u64 = 1 << 16;
/// Their bytes.
const MOST_BYTES: u64 = 16 << 20;

/// One drop that another process made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Logged {
    pub(crate) generation: u64,
    pub(crate) soft: bool,
    /// What it covers, encoded; `None` is everything.
    pub(crate) cover: Option<Vec<u8>>,
}

/// Writes one part of a drop.
pub(crate) fn append(
    map: &Map,
    txn: &mut Writing<'_>,
    meta: &mut Meta,
    cover: &[u8],
    soft: bool,
) -> Result<()> {
    let generation = meta.next_generation(&map.words);
    let mut record = vec![u8::from(soft)];
    record.extend_from_slice(cover);
    let hash = xxh3_128(&record).to_be_bytes();
    if let Some(older) = txn.get(map.db.covers, &hash)?.map(<[u8]>::to_vec) {
        // Two covers may have one hash: the other one's record stays, then, and goes when the log is full.
        if txn.get(map.db.log, &older)? == Some(&record) {
            txn.delete(map.db.log, &older)?;
            forgotten(meta, &record);
        }
    }
    let key = generation.to_be_bytes();
    txn.put(map.db.log, &key, &record)?;
    txn.put(map.db.covers, &hash, &key)?;
    meta.logged += 1;
    meta.logged_bytes += record.len() as u64;
    while meta.logged > MOST_LOGGED || meta.logged_bytes > MOST_BYTES {
        let Some((key, record)) = txn.first(map.db.log, &[])? else {
            break;
        };
        let floor = &mut meta.floors[usize::from(is_soft(&record))];
        *floor = generation_of(&key).max(*floor);
        txn.delete(map.db.log, &key)?;
        let hash = xxh3_128(&record).to_be_bytes();
        if txn.get(map.db.covers, &hash)? == Some(&key) {
            txn.delete(map.db.covers, &hash)?;
        }
        forgotten(meta, &record);
    }
    Ok(())
}

/// Writes a drop of everything.
pub(crate) fn append_everything(
    map: &Map,
    txn: &mut Writing<'_>,
    meta: &mut Meta,
    soft: bool,
) -> Result<()> {
    let generation = meta.next_generation(&map.words);
    meta.floors[usize::from(soft)] = generation;
    if !soft && meta.logged > 0 {
        // Nothing is left that they could cover.
        txn.empty(map.db.log)?;
        txn.empty(map.db.covers)?;
        meta.logged = 0;
        meta.logged_bytes = 0;
    }
    Ok(())
}

/// The drops after a logical time, in their order.
pub(crate) fn since(map: &Map, txn: &Txn<'_>, meta: &Meta, clock: u64) -> Result<Vec<Logged>> {
    let mut drops = Vec::new();
    for floors in [meta.floors, map.words.floors()] {
        for (floor, soft) in floors.into_iter().zip([false, true]) {
            if floor > clock {
                drops.push(Logged {
                    generation: floor,
                    soft,
                    cover: None,
                });
            }
        }
    }
    if meta.clock > clock {
        let from = (clock + 1).to_be_bytes();
        txn.scan(map.db.log, &from, |key, record| {
            drops.push(Logged {
                generation: generation_of(key),
                soft: is_soft(record),
                cover: record.get(1..).map(<[u8]>::to_vec),
            });
            ControlFlow::Continue(())
        })?;
    }
    // Where a hard and a soft drop have one generation, the hard one goes first: it covers what the other does.
    drops.sort_by_key(|drop| (drop.generation, drop.soft));
    Ok(drops)
}

fn forgotten(meta: &mut Meta, record: &[u8]) {
    meta.logged = meta.logged.saturating_sub(1);
    meta.logged_bytes = meta.logged_bytes.saturating_sub(record.len() as u64);
}

fn generation_of(key: &[u8]) -> u64 {
    // A key that is not eight bytes long is damage: it counts as newest, so that it drops too much.
    key.try_into().map_or(u64::MAX >> 3, u64::from_be_bytes)
}

fn is_soft(record: &[u8]) -> bool {
    record.first() == Some(&1)
}
