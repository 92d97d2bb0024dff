//! Changes that are no drops, but that others must not miss: a removed entry, or one that was replaced while it was
//! fresh. A ring of their digests; who has fallen behind it forgets everything near.

use crate::lmdb::{Result, Txn, Writing};
use crate::map::{Map, Meta};
use std::ops::ControlFlow;

/// Changes that are remembered one by one.
const KEPT: u64 = 4096;

/// Writes a change.
pub(crate) fn append(
    map: &Map,
    txn: &mut Writing<'_>,
    meta: &mut Meta,
    digest: u128,
) -> Result<()> {
    meta.changes += 1;
    txn.put(
        map.db.changes,
        &meta.changes.to_be_bytes(),
        &digest.to_be_bytes(),
    )?;
    if let Some(oldest) = meta.changes.checked_sub(KEPT) {
        txn.delete(map.db.changes, &oldest.to_be_bytes())?;
    }
    Ok(())
}

/// The digests that changed after the change with this number; `None` where some of them are forgotten.
pub(crate) fn since(map: &Map, txn: &Txn<'_>, meta: &Meta, seen: u64) -> Result<Option<Vec<u128>>> {
    let mut digests = Vec::new();
    if meta.changes <= seen {
        return Ok(Some(digests));
    }
    if meta.changes - seen >= KEPT {
        return Ok(None);
    }
    txn.scan(map.db.changes, &(seen + 1).to_be_bytes(), |_, digest| {
        digests.extend(digest.try_into().map(u128::from_be_bytes));
        ControlFlow::Continue(())
    })?;
    let all = digests.len() as u64 == meta.changes - seen;
    Ok(all.then_some(digests))
}
