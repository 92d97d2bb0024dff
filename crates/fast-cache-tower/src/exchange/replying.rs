//! An answer from the cache.

use super::errand::{X_CACHE_STATUS, say};
use super::values;
use crate::cache::Shared;
use crate::kept::{Kept, KeptLine, kept_as_lines};
use crate::outcome::CacheOutcome;
use bytes::{Bytes, BytesMut};
use fast_cache_core::exchange::{BodyOf, Form, Layout, LineOf, Outcome, Piece, Serve, compose};
use fast_cache_core::fields::{Line, cache_status};
use fast_cache_core::reason::Reason;
use fast_cache_core::stored::Stored;
use fast_cache_engine::said::{Came, age};
use http::header::{
    AGE, CACHE_STATUS, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use http::{Extensions, Response, StatusCode};

/// An answer from the cache, before it is a response of some body's type.
pub(crate) struct Replied {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) said: CacheOutcome,
    extensions: Extensions,
}

impl Replied {
    /// With the memory of the request's extensions for its own.
    pub(crate) fn with(mut self, request: &mut Extensions) -> Self {
        self.extensions = std::mem::take(request);
        self.extensions.clear();
        self
    }

    /// The response, whose body is made by `body`.
    pub(crate) fn into_response<B>(self, body: impl FnOnce(Bytes) -> B) -> Response<B> {
        let mut response = Response::new(body(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        *response.extensions_mut() = self.extensions;
        response.extensions_mut().insert(self.said);
        response
    }
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
    let (status, mut headers, body) = if serve.form == Form::Full {
        let headers = with_room(kept.lines().iter().cloned(), kept.lines().len());
        (stored.status, headers, kept.body().clone())
    } else {
        let lines: Vec<Line<'_>> = kept_as_lines(kept.lines()).collect();
        let layout = compose(serve.form, stored, &lines, request, shared.seed());
        let mut headers = header_map(&layout, kept.lines());
        if serve.form == Form::WithoutBody && !is_framed(&headers) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(stored.body_length));
        }
        (layout.status, headers, body_of(&layout.body, kept.body()))
    };
    let outcome = came.outcome(serve);
    // Neither `X-Cache-Status` nor `Age` is ever stored.
    headers.append(X_CACHE_STATUS, HeaderValue::from_static(outcome.word()));
    if let Some(value) = values::cache_status(&shared.name, came, serve) {
        headers.append(CACHE_STATUS, value);
    }
    let age = came.has_age().then(|| age(serve));
    if let Some(age) = age {
        headers.append(AGE, values::age(age));
    }
    Replied {
        // Only what has been a status is stored.
        status: StatusCode::from_u16(status).unwrap_or_default(),
        headers,
        body,
        said: CacheOutcome {
            outcome,
            reason: came.reason(),
            age,
        },
        extensions: Extensions::new(),
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
        extensions: Extensions::new(),
    }
}

/// A map of so many lines, with room for those of a cache and for a length.
fn with_room(lines: impl Iterator<Item = KeptLine>, number: usize) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(number + 4);
    for (name, value) in lines {
        headers.append(name, value);
    }
    headers
}

fn is_framed(headers: &HeaderMap) -> bool {
    headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING)
}

fn header_map(layout: &Layout, stored: &[KeptLine]) -> HeaderMap {
    let line = |line: &LineOf| match line {
        LineOf::Stored(index) => stored.get(*index).cloned(),
        LineOf::Made(name, value) => {
            let value = HeaderValue::from_bytes(value).ok()?;
            Some((HeaderName::from_static(name), value))
        }
    };
    with_room(layout.lines.iter().filter_map(line), layout.lines.len())
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
