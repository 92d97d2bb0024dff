//! What a drop covers, as bytes.

use super::bytes::{Unread, push_string};
use fast_cache_core::purge::{Cover, Label, PathPattern};

/// The longest encoded cover, in bytes. What is longer is written as a drop of everything, which costs misses.
pub const MAX_COVER: usize = 4096;

const EVERYTHING: u8 = 0;
const LABEL: u8 = 1;
const PREFIX: u8 = 2;
const GLOB: u8 = 3;
const HOST: u8 = 4;

/// Writes what one part of a drop covers. `pattern` gives the pattern behind an id of this process; without it, and
/// where a pattern is longer than [`MAX_COVER`], everything is covered.
pub fn encode_cover(
    cover: &Cover,
    pattern: impl FnOnce(fast_cache_core::purge::PatternId) -> Option<PathPattern>,
) -> Vec<u8> {
    let registered;
    let pattern = match cover {
        Cover::Everything => return vec![EVERYTHING],
        Cover::Label(label) => {
            let mut out = vec![LABEL];
            out.extend_from_slice(&label.bits().to_le_bytes());
            return out;
        }
        Cover::Path(pattern) => pattern,
        Cover::Registered(id) => match pattern(*id) {
            Some(pattern) => {
                registered = pattern;
                &registered
            }
            None => return vec![EVERYTHING],
        },
    };
    let kind = match pattern {
        PathPattern::Prefix(_) => PREFIX,
        PathPattern::Glob(_) => GLOB,
        PathPattern::Host(_) => HOST,
    };
    let mut out = vec![kind];
    let written = push_string(&mut out, pattern.text().as_bytes());
    if written.is_none() || out.len() > MAX_COVER {
        return vec![EVERYTHING];
    }
    out
}

/// Reads what [`encode_cover`] wrote. `host` makes a pattern that only a host can run from its identity; where it
/// cannot, and for what is unknown or damaged, everything is covered: a drop may cover too much, never too little.
pub fn decode_cover(bytes: &[u8], host: impl FnOnce(&str) -> Option<PathPattern>) -> Cover {
    read(bytes, host).unwrap_or(Cover::Everything)
}

fn read(bytes: &[u8], host: impl FnOnce(&str) -> Option<PathPattern>) -> Option<Cover> {
    let mut unread = Unread(bytes);
    let cover = match unread.u8()? {
        EVERYTHING => Cover::Everything,
        LABEL => Cover::Label(Label::from_bits(unread.u64()?)),
        PREFIX => Cover::Path(PathPattern::prefix(unread.text()?)),
        GLOB => Cover::Path(PathPattern::glob(unread.text()?)),
        HOST => Cover::Path(host(unread.text()?)?),
        _ => return None,
    };
    unread.0.is_empty().then_some(cover)
}
