//! How this host keeps a response.

use bytes::Bytes;
use fast_cache_core::fields::Line;
use fast_cache_core::fields::validators::format_generated;
use fast_cache_core::rules::freshening::Source;
use fast_cache_core::rules::kept_fields::KeptFields;
use fast_cache_engine::observe::RouteCounters;
use http::header::{ETAG, HeaderMap, HeaderName, HeaderValue};
use std::sync::Arc;

/// What a header line takes in a map beyond its name and value.
const LINE_WEIGHT: usize = 168;

/// A response as a store of this host keeps it: header lines and body.
#[derive(Debug)]
pub struct Kept {
    headers: HeaderMap,
    body: Bytes,
    counted: Option<(Arc<RouteCounters>, usize)>,
}

impl Kept {
    /// Keeps a response; its bytes are counted for its route until it is dropped.
    pub(crate) fn new(headers: HeaderMap, body: Bytes, counters: &Arc<RouteCounters>) -> Self {
        let lines: usize = headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + LINE_WEIGHT)
            .sum();
        let weight = lines + body.len() + 64;
        counters.entry_came(weight);
        Self {
            headers,
            body,
            counted: Some((Arc::clone(counters), weight)),
        }
    }

    /// The header lines: in order for each name.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Bytes of memory beyond its own size.
    pub(crate) fn weight(&self) -> usize {
        self.counted.as_ref().map_or(0, |(_, weight)| *weight)
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

/// The lines of a header map, as the core reads them.
pub(crate) fn lines(headers: &HeaderMap) -> impl Iterator<Item = Line<'_>> {
    headers
        .iter()
        .map(|(name, value)| Line::new(name.as_str().as_bytes(), value.as_bytes()))
}

/// Those of a response's lines that are kept, and the entity tag that was made from its body.
///
/// They are copied: what came over a wire may be a part of a larger buffer, which would stay with it.
pub(crate) fn kept_lines(headers: &HeaderMap, etag: Option<u64>) -> HeaderMap {
    let all: Vec<Line<'_>> = lines(headers).collect();
    let kept = KeptFields::of(&all);
    let mut copies = HeaderMap::with_capacity(headers.keys_len() + 1);
    for (name, value) in headers {
        if kept.keeps(name.as_str().as_bytes()) {
            copies.append(copied_name(name), copied_value(value));
        }
    }
    if let Some(tag) = etag.and_then(etag_value) {
        copies.append(ETAG, tag);
    }
    copies
}

/// The lines of a stored response and of its confirmation, merged.
pub(crate) fn merged_lines(
    sources: &[Source],
    stored: &HeaderMap,
    update: &HeaderMap,
) -> HeaderMap {
    let stored: Vec<_> = stored.iter().collect();
    let update: Vec<_> = update.iter().collect();
    let mut merged = HeaderMap::with_capacity(sources.len());
    for source in sources {
        let line = match source {
            Source::Stored(index) => stored.get(*index),
            Source::Update(index) => update.get(*index),
        };
        if let Some((name, value)) = line {
            merged.append(copied_name(name), copied_value(value));
        }
    }
    merged
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
