//! Every parser of a header field: any bytes are read, and what was read holds what its type promises.

pub(crate) mod directives;
pub(crate) mod lists;
pub(crate) mod uris;
pub(crate) mod validators;

use crate::choices::Pair;
use fast_cache_core::fields::Line;
use fast_cache_core::time::Timestamp;

pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

pub(crate) fn lines(pairs: &[Pair]) -> Vec<Line<'_>> {
    pairs
        .iter()
        .map(|(name, value)| Line::new(name, value))
        .collect()
}
