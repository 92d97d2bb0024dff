//! An answer from the cache, whatever its form.

use super::errand::say;
use super::values;
use crate::cache::Shared;
use crate::kept::Kept;
use crate::outcome::CacheOutcome;
use crate::prepared::Saying;
use bytes::{Bytes, BytesMut};
use fast_cache_core::exchange::{BodyOf, Form, Layout, LineOf, Outcome, Piece, Serve, compose};
use fast_cache_core::fields::{Line, cache_status};
use fast_cache_core::reason::Reason;
use fast_cache_core::stored::Stored;
use fast_cache_engine::said::Came;
use http::StatusCode;
use http::header::{AGE, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};

/// An answer from the cache that is made already.
pub(crate) struct Replied {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) said: CacheOutcome,
}

/// Answers with a stored response. `request` are the request's lines.
pub(super) fn reply(
    shared: &Shared,
    stored: &Stored<Kept>,
    serve: &Serve,
    came: Came,
    request: &[Line<'_>],
) -> Replied {
    let kept = &stored.representation;
    let outcome = came.outcome(serve);
    let age = came.age(serve, stored.initial_age);
    let saying = Saying {
        outcome,
        cache_status: values::cache_status(shared, came, serve),
    };
    let lines: Vec<Line<'_>> = kept.as_lines().collect();
    let layout = compose(serve.form, stored, &lines, request, shared.seed());
    let mut headers = header_map(&layout, kept);
    if serve.form == Form::WithoutBody && !is_framed(&headers) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(stored.body_length));
    }
    saying.say(&mut headers);
    if let Some(age) = age {
        headers.append(AGE, values::age(age));
    }
    Replied {
        // Only what has been a status is stored.
        status: StatusCode::from_u16(layout.status).unwrap_or_default(),
        headers,
        body: body_of(&layout.body, kept.body()),
        said: CacheOutcome {
            outcome,
            reason: came.reason(),
            age,
        },
    }
}

/// `504 Gateway Timeout`, to a request that takes only what is stored.
pub(super) fn gateway_timeout(shared: &Shared) -> Replied {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
    let mut value = Vec::with_capacity(64);
    cache_status::neither(&mut value, &shared.name, Reason::OnlyIfCached);
    let value = HeaderValue::from_bytes(&value).ok();
    say(&mut headers, Outcome::Miss, value);
    Replied {
        status: StatusCode::GATEWAY_TIMEOUT,
        headers,
        body: Bytes::new(),
        said: CacheOutcome {
            outcome: Outcome::Miss,
            reason: Some(Reason::OnlyIfCached),
            age: None,
        },
    }
}

fn is_framed(headers: &HeaderMap) -> bool {
    headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING)
}

/// The lines of a layout, in a map with room for those of a cache and for a length.
fn header_map(layout: &Layout, stored: &Kept) -> HeaderMap {
    let stored: Vec<_> = stored.lines().collect();
    let line = |line: &LineOf| match line {
        LineOf::Stored(index) => {
            let (name, value) = *stored.get(*index)?;
            Some((name.clone(), value.clone()))
        }
        LineOf::Made(name, value) => {
            let value = HeaderValue::from_bytes(value).ok()?;
            Some((HeaderName::from_static(name), value))
        }
    };
    let mut headers = HeaderMap::with_capacity(layout.lines.len() + 4);
    for (name, value) in layout.lines.iter().filter_map(line) {
        headers.append(name, value);
    }
    headers
}

fn body_of(body: &BodyOf, stored: &Bytes) -> Bytes {
    let cut = |range: &std::ops::Range<u64>| {
        let at = |place: u64| {
            usize::try_from(place)
                .unwrap_or(usize::MAX)
                .min(stored.len())
        };
        stored.slice(at(range.start)..at(range.end).max(at(range.start)))
    };
    match body {
        BodyOf::Nothing => Bytes::new(),
        BodyOf::Whole => stored.clone(),
        BodyOf::Pieces(pieces) => match &pieces[..] {
            [Piece::Stored(range)] => cut(range),
            pieces => {
                let mut whole = BytesMut::new();
                for piece in pieces {
                    match piece {
                        Piece::Made(made) => whole.extend_from_slice(made),
                        Piece::Stored(range) => whole.extend_from_slice(&cut(range)),
                    }
                }
                whole.freeze()
            }
        },
    }
}
