//! Counts in rows.

use fast_cache_engine::observe::RouteCounts;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Adds the counts of a route to a sum.
pub(super) fn add(sum: &mut RouteCounts, counts: &RouteCounts) {
    sum.hits += counts.hits;
    sum.misses += counts.misses;
    sum.stale += counts.stale;
    sum.revalidated += counts.revalidated;
    sum.bypasses += counts.bypasses;
    sum.stores += counts.stores;
    sum.mispredictions += counts.mispredictions;
}

/// Writes counts into a row.
pub(super) fn fill(row: &Bound<'_, PyDict>, counts: &RouteCounts) -> PyResult<()> {
    for (name, count) in [
        ("hits", counts.hits),
        ("misses", counts.misses),
        ("stale", counts.stale),
        ("revalidated", counts.revalidated),
        ("bypasses", counts.bypasses),
        ("stores", counts.stores),
        ("drops", counts.drops),
        ("evictions", counts.evictions),
        ("entries", counts.entries),
        ("bytes", counts.bytes),
    ] {
        row.set_item(name, count)?;
    }
    Ok(())
}
