//! Which header lines are stored and replayed ([RFC 9111 §3.1](https://www.rfc-editor.org/rfc/rfc9111#section-3.1)).

use crate::fields::Line;
use crate::fields::hop_by_hop::{Nominated, is_hop_by_hop};

/// Tells which lines of one response are kept. All others are kept in order and number.
#[derive(Debug)]
pub struct KeptFields<'a> {
    nominated: Nominated<'a>,
}

impl<'a> KeptFields<'a> {
    /// For the response with these lines.
    pub fn of(lines: &'a [Line<'a>]) -> Self {
        Self {
            nominated: Nominated::from(lines),
        }
    }

    /// Whether a line with this name is stored. Hop-by-hop fields are not, nor what `Connection` nominates, nor `Age`
    /// and `X-Cache-Status`, which every answer from the cache gets anew.
    pub fn keeps(&self, name: &[u8]) -> bool {
        !(is_hop_by_hop(name)
            || name.eq_ignore_ascii_case(b"age")
            || name.eq_ignore_ascii_case(b"x-cache-status")
            || self.nominated.contains(name))
    }
}
