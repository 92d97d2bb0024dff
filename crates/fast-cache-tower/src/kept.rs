//! How this host keeps a response.

use crate::prepared::PreparedHead;
use bytes::Bytes;
use fast_cache_core::fields::Line;
use fast_cache_core::fields::validators::format_generated;
use fast_cache_core::rules::freshening::Source;
use fast_cache_core::rules::kept_fields::KeptFields;
use fast_cache_engine::observe::RouteCounters;
use http::header::{ETAG, HeaderMap, HeaderName, HeaderValue};
use std::sync::Arc;

/// A failure of the service's, for those who wait for its answer.
pub(crate) type Failure = fast_cache_engine::failing::Failure<Kept>;
pub(crate) type Flights = fast_cache_engine::flight::Flights<Failure>;
pub(crate) type Boarding = fast_cache_engine::flight::Boarding<Failure>;
pub(crate) type Permit = fast_cache_engine::flight::Permit<Failure>;
pub(crate) type Part = fast_cache_engine::waiting::Part<Failure>;
pub(crate) type Awaited = fast_cache_engine::waiting::Awaited<Failure>;

/// A header line as it is kept.
pub(crate) type KeptLine = (HeaderName, HeaderValue);

/// A response as a store of this host keeps it: header lines and body.
#[derive(Debug)]
pub struct Kept {
    head: PreparedHead,
    body: Bytes,
    counted: Option<(Arc<RouteCounters>, usize)>,
}

impl Kept {
    /// Keeps a response; its bytes are counted for its route until it is dropped.
    pub(crate) fn new(lines: Vec<KeptLine>, body: Bytes, counters: &Arc<RouteCounters>) -> Self {
        let head = PreparedHead::new(lines);
        let weight = weigh(&head, &body);
        counters.entry_came(weight);
        Self {
            head,
            body,
            counted: Some((Arc::clone(counters), weight)),
        }
    }

    /// Keeps a response that belongs to no route of this process: whoever made it has counted it.
    pub(crate) fn from_elsewhere(lines: Vec<KeptLine>, body: Bytes) -> Self {
        Self {
            head: PreparedHead::new(lines),
            body,
            counted: None,
        }
    }

    /// The header lines: in order for each name.
    pub fn lines(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.head.lines()
    }

    /// The head of a hit.
    pub(crate) fn head(&self) -> &PreparedHead {
        &self.head
    }

    /// The header lines, as the core reads them.
    pub(crate) fn as_lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.lines().map(as_line)
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Bytes of memory beyond its own size.
    pub(crate) fn weight(&self) -> usize {
        match &self.counted {
            Some((_, weight)) => *weight,
            None => weigh(&self.head, &self.body),
        }
    }

    /// Counts that it had to make room for another.
    pub(crate) fn evicted(&self) {
        if let Some((counters, _)) = &self.counted {
            counters.evicted();
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some((counters, weight)) = &self.counted {
            counters.entry_went(*weight);
        }
    }
}

fn weigh(head: &PreparedHead, body: &Bytes) -> usize {
    head.weight() + body.len() + 64
}

/// The lines of a header map, as the core reads them.
pub(crate) fn lines(headers: &HeaderMap) -> impl Iterator<Item = Line<'_>> {
    headers.iter().map(as_line)
}

/// A line, as the core reads it.
pub(crate) fn as_line<'a>((name, value): (&'a HeaderName, &'a HeaderValue)) -> Line<'a> {
    Line::new(name.as_str().as_bytes(), value.as_bytes())
}

/// Those of a response's lines that are kept, and the entity tag that was made from its body.
///
/// They are copied: what came over a wire may be a part of a larger buffer, which would stay with it.
pub(crate) fn kept_lines(headers: &HeaderMap, etag: Option<u64>) -> Vec<KeptLine> {
    let all: Vec<Line<'_>> = lines(headers).collect();
    let kept = KeptFields::of(&all);
    let copies = headers
        .iter()
        .filter(|(name, _)| kept.keeps(name.as_str().as_bytes()))
        .map(|(name, value)| (copied_name(name), copied_value(value)));
    let tag = etag.and_then(etag_value).map(|tag| (ETAG, tag));
    copies.chain(tag).collect()
}

/// The lines of a stored response and of its confirmation, merged.
pub(crate) fn merged_lines(sources: &[Source], stored: &Kept, update: &HeaderMap) -> Vec<KeptLine> {
    let (stored, update): (Vec<_>, Vec<_>) = (stored.lines().collect(), update.iter().collect());
    let line = |source: &Source| match source {
        Source::Stored(index) => {
            let (name, value) = *stored.get(*index)?;
            Some((name.clone(), value.clone()))
        }
        Source::Update(index) => {
            let (name, value) = update.get(*index)?;
            Some((copied_name(name), copied_value(value)))
        }
    };
    sources.iter().filter_map(line).collect()
}

/// An entity tag that was made from a body, as it stands in a header line.
pub(crate) fn etag_value(hash: u64) -> Option<HeaderValue> {
    HeaderValue::from_bytes(&format_generated(hash)).ok()
}

fn copied_name(name: &HeaderName) -> HeaderName {
    HeaderName::from_bytes(name.as_str().as_bytes()).unwrap_or_else(|_| name.clone())
}

fn copied_value(value: &HeaderValue) -> HeaderValue {
    let mut copy = HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone());
    copy.set_sensitive(value.is_sensitive());
    copy
}
