//! Giving back the room of entries that are dropped or expired, a few at a time.

use crate::entries::{self, Head};
use crate::lmdb::Result;
use crate::machine;
use crate::map::Map;
use crate::words::Counter;
use std::time::{Duration, Instant};

/// Entries that are looked at in one transaction.
const STEPS: usize = 256;

/// Entries that are taken out in one transaction.
const MOST_REMOVED: usize = 32;

/// How long the lock for writing may be held, on the way to the last entry of a transaction: the rest of a millisecond
/// is for writing the pages.
const HOLD: Duration = Duration::from_micros(300);

/// One step of a sweep: looks at up to `steps` entries from a digest on and takes out those that are `doomed`, which
/// runs with no lock held.
pub(crate) fn step(
    map: &Map,
    from: u128,
    steps: usize,
    mut doomed: impl FnMut(&Head, &[u8]) -> bool,
) -> Result<Step> {
    let mut looked = 0;
    let mut found = Vec::new();
    let txn = map.read()?;
    let next = entries::page(map, &txn, from, steps.min(STEPS), |digest, head, frame| {
        looked += 1;
        if doomed(&head, frame) {
            found.push((digest, head));
        }
    })?;
    drop(txn);
    let mut removed = 0;
    let mut rest = &found[..];
    while !rest.is_empty() {
        let taken = remove(map, rest, &mut removed)?;
        rest = &rest[taken..];
    }
    map.words.count(Counter::SweptOver, looked as u64);
    map.words.count(Counter::Swept, removed as u64);
    Ok(Step {
        looked,
        removed,
        next,
    })
}

/// What a step did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) looked: usize,
    pub(crate) removed: usize,
    /// Where to go on, unless this was the end.
    pub(crate) next: Option<u128>,
}

/// Takes out some entries in one transaction; how many were dealt with.
fn remove(map: &Map, doomed: &[(u128, Head)], removed: &mut usize) -> Result<usize> {
    let mut txn = map.write()?;
    let began = Instant::now();
    let worked = machine::worked();
    let mut meta = map.meta(&txn)?;
    let mut taken = 0;
    let mut gone = 0;
    for (digest, head) in doomed.iter().take(MOST_REMOVED) {
        taken += 1;
        // It may have been replaced meanwhile.
        let same = entries::find(map, &txn, *digest)?.is_some_and(|(now, _)| now == *head);
        if same {
            entries::delete(map, &mut txn, &mut meta, *digest, head)?;
            gone += 1;
        }
        if began.elapsed() > HOLD {
            break;
        }
    }
    map.set_meta(&mut txn, &meta)?;
    txn.commit()?;
    map.words.held(machine::worked().saturating_sub(worked));
    *removed += gone;
    Ok(taken)
}
