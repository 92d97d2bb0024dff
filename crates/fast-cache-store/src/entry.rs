//! An entry: what is stored under one key.

use crate::local::Put;
use fast_cache_core::fields::no_vary_search::SearchVariance;
use fast_cache_core::purge::Label;
use fast_cache_core::reason::Reason;
use fast_cache_core::stored::{Stored, StoredTag};
use fast_cache_core::time::Timestamp;
use std::mem::size_of;
use std::sync::atomic::{AtomicU64, Ordering};

/// The most labels an entry can carry.
pub const MAX_LABELS: usize = 1024;

/// What an entry costs beside its own bytes: two allocations with their headers and rounding, the slot, the table that
/// finds it at its emptiest, the memory of what was evicted.
const OVERHEAD: usize = 2 * 22 + 40 + 12 + 8;

/// How far into a key its path is looked for.
const PATH_SEARCH: usize = 256;

/// What a key holds.
#[derive(Debug)]
pub enum Content<R> {
    /// A response.
    Response(Stored<R>),
    /// The responses to this request differ by request headers; they are kept under keys that hold those as well.
    Variants(Variants),
    /// Responses for this path answer several queries; they are kept under keys that hold what is left of those.
    Searches(Searches),
}

/// The rules by which responses for one path tell queries apart, the latest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Searches {
    /// The rules, none of them the default.
    pub rules: Box<[SearchVariance]>,
}

/// The request headers that select among the variants of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variants {
    /// Their names, in lower case.
    pub names: Box<[Box<str>]>,
}

/// What is stored under one key.
#[derive(Debug)]
pub struct Entry<R> {
    content: Content<R>,
    /// Key, path (unless the key holds it), labels and pattern ids, in one allocation.
    tail: Box<[u8]>,
    birth: u64,
    memo: Memo,
    weight: usize,
    key_length: u32,
    path_start: u32,
    path_length: u32,
    labels_start: u32,
    patterns_start: u32,
    patterns_seen: u32,
}

impl<R> Entry<R> {
    /// The whole key.
    pub fn key(&self) -> &[u8] {
        &self.tail[..self.key_length as usize]
    }

    /// The path that drop patterns see.
    pub fn path(&self) -> &str {
        let start = self.path_start as usize;
        std::str::from_utf8(&self.tail[start..start + self.path_length as usize])
            .unwrap_or_default()
    }

    /// The store's logical time before the handler ran.
    pub fn birth(&self) -> u64 {
        self.birth
    }

    /// What the key holds.
    pub fn content(&self) -> &Content<R> {
        &self.content
    }

    /// The response, if the key holds one.
    pub fn response(&self) -> Option<&Stored<R>> {
        match &self.content {
            Content::Response(stored) => Some(stored),
            Content::Variants(_) | Content::Searches(_) => None,
        }
    }

    /// Bytes of memory the entry takes, all told.
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// Whether nothing can be done with it any more: it is past its lifetime and every window after that, and cannot be
    /// validated either.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now > self.expires()
    }

    /// The last moment at which something can be done with it; the end of time where it can be validated after that.
    pub(crate) fn expires(&self) -> Timestamp {
        match self.response() {
            Some(stored) if !stored.can_be_validated() => {
                let window = stored.stale_while_revalidate.max(stored.stale_if_error);
                stored.received.plus(stored.lifetime.saturating_add(window))
            }
            _ => Timestamp::from_micros(i64::MAX),
        }
    }

    /// An entry for `put`, to which the registered patterns `patterns` apply, of `patterns_seen` that were tried.
    pub(crate) fn new(
        put: Put<'_, R>,
        patterns: &[u32],
        patterns_seen: u32,
    ) -> Result<Self, Reason> {
        let Put {
            key,
            birth,
            path,
            labels,
            content,
            weight,
        } = put;
        if labels.len() > MAX_LABELS {
            return Err(Reason::Tags);
        }
        let key = key.into_bytes();
        let path_in_key = find(&key, path.as_bytes());
        let path_start = path_in_key.unwrap_or(key.len());
        let path_copied = if path_in_key.is_some() {
            &[]
        } else {
            path.as_bytes()
        };
        let labels_start = key.len() + path_copied.len();
        let patterns_start = labels_start + size_of::<u32>() * labels.len();
        let length = patterns_start + size_of_val(patterns);

        let mut tail = Vec::with_capacity(length);
        tail.extend_from_slice(&key);
        tail.extend_from_slice(path_copied);
        for label in labels {
            tail.extend_from_slice(&place_of(*label).to_le_bytes());
        }
        for pattern in patterns {
            tail.extend_from_slice(&pattern.to_le_bytes());
        }

        let offset = |at: usize| u32::try_from(at).map_err(|_| Reason::TooLarge);
        offset(length)?;
        let own = size_of::<Self>() + length + OVERHEAD + heap_of(&content);
        Ok(Self {
            memo: Memo::new(birth),
            birth,
            weight: own.saturating_add(weight),
            key_length: offset(key.len())?,
            path_start: offset(path_start)?,
            path_length: offset(path.len())?,
            labels_start: offset(labels_start)?,
            patterns_start: offset(patterns_start)?,
            patterns_seen,
            tail: tail.into_boxed_slice(),
            content,
        })
    }

    pub(crate) fn memo(&self) -> &Memo {
        &self.memo
    }

    /// The entry's labels, as their places in the label tables.
    pub(crate) fn places(&self) -> impl Iterator<Item = u32> + '_ {
        words(&self.tail[self.labels_start as usize..self.patterns_start as usize])
    }

    /// The registered patterns that apply.
    pub(crate) fn patterns(&self) -> impl Iterator<Item = u32> + '_ {
        words(&self.tail[self.patterns_start as usize..])
    }

    /// How many registered patterns there were when the entry was made: later ones were not tried.
    pub(crate) fn patterns_seen(&self) -> u32 {
        self.patterns_seen
    }
}

/// What is known of an entry: the logical time up to which every drop was tried on it, and what they did to it. One
/// word, so that the parts are never read apart; it only grows.
#[derive(Debug)]
pub(crate) struct Memo(AtomicU64);

/// What a [`Memo`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) since: u64,
    pub(crate) soft: bool,
    pub(crate) dead: bool,
}

const SOFT: u64 = 1;
const DEAD: u64 = 2;

impl Memo {
    fn new(birth: u64) -> Self {
        Self(AtomicU64::new(birth << 2))
    }

    pub(crate) fn read(&self) -> Known {
        let word = self.0.load(Ordering::Relaxed);
        Known {
            since: word >> 2,
            soft: word & SOFT != 0,
            dead: word & DEAD != 0,
        }
    }

    /// It outlived every drop up to `clock`.
    pub(crate) fn outlived(&self, clock: u64, soft: bool) {
        self.0
            .fetch_max(clock << 2 | if soft { SOFT } else { 0 }, Ordering::Relaxed);
    }

    /// It is dead for good.
    pub(crate) fn condemn(&self) {
        self.0.store(u64::MAX, Ordering::Relaxed);
    }
}

/// Where a label stands in the label tables: its low 16 bits in one, the next 16 in the other.
pub(crate) fn place_of(label: Label) -> u32 {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "the tables are no larger, so the rest would not be used"
    )]
    let place = label.bits() as u32;
    place
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|word| u32::from_le_bytes(*word))
}

fn find(key: &[u8], path: &[u8]) -> Option<usize> {
    let Some(first) = path.first() else {
        return Some(0);
    };
    let last = key.len().checked_sub(path.len())?;
    let starts = &key[..=last.min(PATH_SEARCH - 1)];
    let mut from = 0;
    // Few bytes are the first of a path, so that only those are compared further.
    while let Some(at) = starts[from..].iter().position(|byte| byte == first) {
        let at = from + at;
        if &key[at..at + path.len()] == path {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

fn heap_of<R>(content: &Content<R>) -> usize {
    match content {
        Content::Response(Stored {
            etag: StoredTag::Given(tag),
            ..
        }) => tag.len() + 16,
        Content::Response(_) => 0,
        Content::Searches(searches) => {
            searches.rules.iter().map(weight_of_rule).sum::<usize>() + 16
        }
        Content::Variants(variants) => {
            variants
                .names
                .iter()
                .map(|name| name.len() + size_of::<Box<str>>() + 16)
                .sum::<usize>()
                + 16
        }
    }
}

fn weight_of_rule(rule: &SearchVariance) -> usize {
    let mut encoded = Vec::new();
    rule.encode(&mut encoded);
    // A rule is a list of names, each in an allocation of its own; no name is shorter than a byte.
    size_of::<SearchVariance>() + encoded.len() * 17
}
