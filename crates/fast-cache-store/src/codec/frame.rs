//! An entry as bytes: magic, version, checksum, and then what it holds.

use super::Portable;
use super::bytes::{Unread, push_string};
use crate::entry::{Content, MAX_LABELS, Searches, Variants};
use crate::local::Put;
use fast_cache_core::fields::Line;
use fast_cache_core::fields::no_vary_search::SearchVariance;
use fast_cache_core::key::Key;
use fast_cache_core::purge::Label;
use fast_cache_core::reason::Reason;
use fast_cache_core::stored::{Stored, StoredTag, Traits};
use fast_cache_core::time::Timestamp;
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_64;

/// The version of the format; what is of another one counts as damaged.
pub const VERSION: u8 = 1;

const MAGIC: [u8; 3] = *b"FCE";

/// Magic, version and checksum.
const HEAD: usize = 12;

/// The most that is set aside for an entry before it is written.
const MAX_HINT: usize = 4 << 20;

const RESPONSE: u8 = 0;
const VARIANTS: u8 = 1;
const SEARCHES: u8 = 2;

/// An entry read in place.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The whole key.
    pub key: &'a [u8],
    /// The logical time before its handler ran.
    pub birth: u64,
    /// The path that drop patterns see.
    pub path: &'a str,
    /// What it may be dropped by, eight bytes each.
    labels: &'a [u8],
    kind: u8,
    content: &'a [u8],
}

/// Writes an entry.
///
/// # Errors
///
/// [`Reason::TooLarge`] where a part is longer than the format can say, [`Reason::Tags`] for more than
/// [`MAX_LABELS`] labels.
pub fn encode<R: Portable>(put: &Put<'_, R>) -> Result<Vec<u8>, Reason> {
    if put.labels.len() > MAX_LABELS {
        return Err(Reason::Tags);
    }
    // The weight is the caller's word, and only a hint.
    let hint = put.weight.min(MAX_HINT);
    let mut out = Vec::with_capacity(256 + put.key.borrow().bytes.len() + hint);
    out.extend_from_slice(&MAGIC);
    out.push(VERSION);
    out.extend_from_slice(&[0; 8]);
    write(put, &mut out).ok_or(Reason::TooLarge)?;
    let checksum = xxh3_64(&out[HEAD..]);
    out[4..HEAD].copy_from_slice(&checksum.to_le_bytes());
    Ok(out)
}

/// Reads an entry in place; `None` where it is damaged, foreign, or of another version.
pub fn decode(bytes: &[u8]) -> Option<Frame<'_>> {
    let mut head = Unread(bytes);
    if head.take(3)? != MAGIC || head.u8()? != VERSION || head.u64()? != xxh3_64(head.0) {
        return None;
    }
    let mut unread = head;
    let kind = unread.u8()?;
    let birth = unread.u64()?;
    let labels = usize::from(unread.u16()?);
    Some(Frame {
        kind,
        birth,
        labels: unread.take(8 * labels)?,
        key: unread.string()?,
        path: unread.text()?,
        content: unread.0,
    })
}

impl Frame<'_> {
    /// What it may be dropped by, beside its path.
    pub fn labels(&self) -> Vec<Label> {
        let (labels, _) = self.labels.as_chunks();
        let label = |bits: &[u8; 8]| Label::from_bits(u64::from_le_bytes(*bits));
        labels.iter().map(label).collect()
    }

    /// Whether it holds a response, rather than how responses are told apart.
    pub fn is_response(&self) -> bool {
        self.kind == RESPONSE
    }

    /// The entry as it can be put into a store of this process, with `labels` as [`Self::labels`] gives them and the
    /// store's digest over the key; `None` where it is damaged, or the host cannot hold it.
    pub fn to_put<'p, R: Portable>(
        &'p self,
        digest: u128,
        labels: &'p [Label],
    ) -> Option<Put<'p, R>> {
        let (content, weight) = self.content()?;
        Some(Put {
            key: Key::new(digest, self.key.into()),
            birth: self.birth,
            path: self.path,
            labels,
            content,
            weight,
        })
    }

    fn content<R: Portable>(&self) -> Option<(Content<R>, usize)> {
        let mut unread = Unread(self.content);
        match self.kind {
            RESPONSE => {
                let stored = read_stored(&mut unread)?;
                let (representation, weight) = read_representation(unread)?;
                Some((Content::Response(with(stored, representation)), weight))
            }
            VARIANTS => {
                let names = strings(unread)?.into_iter();
                let names = names.map(|name| Some(std::str::from_utf8(name).ok()?.into()));
                let names = names.collect::<Option<Box<_>>>()?;
                Some((Content::Variants(Variants { names }), 0))
            }
            SEARCHES => {
                let rules = strings(unread)?.into_iter().map(SearchVariance::decode);
                let rules = rules.collect::<Option<Box<_>>>()?;
                Some((Content::Searches(Searches { rules }), 0))
            }
            _ => None,
        }
    }
}

fn write<R: Portable>(put: &Put<'_, R>, out: &mut Vec<u8>) -> Option<()> {
    out.push(match &put.content {
        Content::Response(_) => RESPONSE,
        Content::Variants(_) => VARIANTS,
        Content::Searches(_) => SEARCHES,
    });
    out.extend_from_slice(&put.birth.to_le_bytes());
    out.extend_from_slice(&u16::try_from(put.labels.len()).ok()?.to_le_bytes());
    for label in put.labels {
        out.extend_from_slice(&label.bits().to_le_bytes());
    }
    push_string(out, put.key.borrow().bytes)?;
    push_string(out, put.path.as_bytes())?;
    match &put.content {
        Content::Response(stored) => {
            write_stored(stored, out)?;
            stored
                .representation
                .read(|lines, body| write_representation(lines, body, out))
        }
        Content::Variants(variants) => {
            let mut names = variants.names.iter();
            names.try_for_each(|name| push_string(out, name.as_bytes()))
        }
        Content::Searches(searches) => searches.rules.iter().try_for_each(|rule| {
            let mut encoded = Vec::new();
            rule.encode(&mut encoded);
            push_string(out, &encoded)
        }),
    }
}

fn write_stored<R>(stored: &Stored<R>, out: &mut Vec<u8>) -> Option<()> {
    out.extend_from_slice(&stored.received.micros().to_le_bytes());
    out.extend_from_slice(&stored.initial_age.to_le_bytes());
    out.extend_from_slice(&stored.took.to_le_bytes());
    for duration in [
        stored.lifetime,
        stored.stale_while_revalidate,
        stored.stale_if_error,
    ] {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        out.extend_from_slice(&micros.to_le_bytes());
    }
    out.extend_from_slice(&stored.status.to_le_bytes());
    out.push(traits_to_bits(stored.traits));
    out.extend_from_slice(&stored.body_length.to_le_bytes());
    match stored.last_modified {
        Some(moment) => {
            out.push(1);
            out.extend_from_slice(&moment.micros().to_le_bytes());
        }
        None => out.push(0),
    }
    match &stored.etag {
        StoredTag::None => out.push(0),
        StoredTag::Generated(hash) => {
            out.push(1);
            out.extend_from_slice(&hash.to_le_bytes());
        }
        StoredTag::Given(tag) => {
            out.push(2);
            push_string(out, tag)?;
        }
    }
    Some(())
}

fn read_stored(unread: &mut Unread<'_>) -> Option<Stored<()>> {
    Some(Stored {
        received: Timestamp::from_micros(unread.i64()?),
        initial_age: unread.u32()?,
        took: unread.u32()?,
        lifetime: Duration::from_micros(unread.u64()?),
        stale_while_revalidate: Duration::from_micros(unread.u64()?),
        stale_if_error: Duration::from_micros(unread.u64()?),
        status: unread.u16()?,
        traits: traits_from_bits(unread.u8()?)?,
        body_length: unread.u64()?,
        last_modified: match unread.u8()? {
            0 => None,
            1 => Some(Timestamp::from_micros(unread.i64()?)),
            _ => return None,
        },
        etag: match unread.u8()? {
            0 => StoredTag::None,
            1 => StoredTag::Generated(unread.u64()?),
            2 => StoredTag::Given(unread.string()?.into()),
            _ => return None,
        },
        representation: (),
    })
}

fn with<R>(stored: Stored<()>, representation: R) -> Stored<R> {
    Stored {
        received: stored.received,
        initial_age: stored.initial_age,
        took: stored.took,
        lifetime: stored.lifetime,
        stale_while_revalidate: stored.stale_while_revalidate,
        stale_if_error: stored.stale_if_error,
        status: stored.status,
        traits: stored.traits,
        etag: stored.etag,
        last_modified: stored.last_modified,
        body_length: stored.body_length,
        representation,
    }
}

const SHARED_WITH_CREDENTIALS: u8 = 1;
const MUST_REVALIDATE: u8 = 2;
const ALWAYS_VALIDATE: u8 = 4;

fn traits_to_bits(traits: Traits) -> u8 {
    let bit = |set: bool, bit: u8| if set { bit } else { 0 };
    bit(traits.shared_with_credentials, SHARED_WITH_CREDENTIALS)
        | bit(traits.must_revalidate, MUST_REVALIDATE)
        | bit(traits.always_validate, ALWAYS_VALIDATE)
}

/// A bit that this version does not know may forbid something: the entry is of no use then.
fn traits_from_bits(bits: u8) -> Option<Traits> {
    let known = SHARED_WITH_CREDENTIALS | MUST_REVALIDATE | ALWAYS_VALIDATE;
    (bits & !known == 0).then_some(Traits {
        shared_with_credentials: bits & SHARED_WITH_CREDENTIALS != 0,
        must_revalidate: bits & MUST_REVALIDATE != 0,
        always_validate: bits & ALWAYS_VALIDATE != 0,
    })
}

fn write_representation(lines: &[Line<'_>], body: &[u8], out: &mut Vec<u8>) -> Option<()> {
    out.extend_from_slice(&u32::try_from(lines.len()).ok()?.to_le_bytes());
    for line in lines {
        push_string(out, line.name)?;
        push_string(out, line.value)?;
    }
    out.extend_from_slice(body);
    Some(())
}

fn read_representation<R: Portable>(mut unread: Unread<'_>) -> Option<(R, usize)> {
    let count = usize::try_from(unread.u32()?).ok()?;
    // A damaged count must not become a large allocation: each line takes eight bytes at least.
    let mut lines = Vec::with_capacity(count.min(unread.0.len() / 8));
    for _ in 0..count {
        lines.push(Line::new(unread.string()?, unread.string()?));
    }
    R::make(&lines, unread.0)
}

fn strings(mut unread: Unread<'_>) -> Option<Vec<&[u8]>> {
    let mut strings = Vec::new();
    while !unread.0.is_empty() {
        strings.push(unread.string()?);
    }
    Some(strings)
}
