//! Entries of this host that leave the process and come back.

use crate::kept::{Kept, KeptLine};
use crate::prepared::MOST_LINES;
use bytes::Bytes;
use fast_cache_core::fields::Line;
use fast_cache_store::codec::Portable;
use http::header::{HeaderName, HeaderValue};

impl Portable for Kept {
    fn read<T>(&self, read: impl FnOnce(&[Line<'_>], &[u8]) -> T) -> T {
        let lines: Vec<Line<'_>> = self.as_lines().collect();
        read(&lines, self.body())
    }

    fn make(lines: &[Line<'_>], body: &[u8]) -> Option<(Self, usize)> {
        let line = |line: &Line<'_>| -> Option<KeptLine> {
            let name = HeaderName::from_bytes(line.name).ok()?;
            Some((name, HeaderValue::from_bytes(line.value).ok()?))
        };
        if lines.len() > MOST_LINES {
            return None;
        }
        let lines = lines.iter().map(line).collect::<Option<_>>()?;
        let made = Self::from_elsewhere(lines, Bytes::copy_from_slice(body));
        let weight = made.weight();
        Some((made, weight))
    }
}
