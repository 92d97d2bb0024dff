//! An answer from the cache.

use super::errand::{say, say_age};
use crate::cache::Shared;
use crate::kept::Kept;
use crate::outcome::CacheOutcome;
use bytes::{Bytes, BytesMut};
use fast_cache_core::exchange::{BodyOf, Form, Layout, LineOf, Outcome, Piece, Serve, compose};
use fast_cache_core::fields::{Line, cache_status};
use fast_cache_core::reason::Reason;
use fast_cache_core::stored::Stored;
use fast_cache_engine::said::{Came, age};
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{Response, StatusCode};

/// An answer from the cache, before it is a response of some body's type.
pub(crate) struct Replied {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) said: CacheOutcome,
}

impl Replied {
    /// The response, whose body is made by `body`.
    pub(crate) fn into_response<B>(self, body: impl FnOnce(Bytes) -> B) -> Response<B> {
        let mut response = Response::new(body(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
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
        (stored.status, own(kept), kept.body().clone())
    } else {
        let lines: Vec<Line<'_>> = crate::kept::lines(kept.headers()).collect();
        let layout = compose(serve.form, stored, &lines, request, shared.seed());
        let mut headers = header_map(&layout, kept.headers());
        if serve.form == Form::WithoutBody && !is_framed(&headers) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(stored.body_length));
        }
        (layout.status, headers, body_of(&layout.body, kept.body()))
    };
    let outcome = came.outcome(serve);
    let age = age(serve);
    say(
        &mut headers,
        outcome,
        &came.cache_status(&shared.name, serve),
    );
    say_age(&mut headers, age);
    Replied {
        // Only what has been a status is stored.
        status: StatusCode::from_u16(status).unwrap_or_default(),
        headers,
        body,
        said: CacheOutcome {
            outcome,
            reason: came.reason(),
            age: Some(age),
        },
    }
}

/// `504 Gateway Timeout`, to a request that takes only what is stored.
pub(super) fn gateway_timeout(shared: &Shared) -> Replied {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
    let mut value = Vec::with_capacity(64);
    cache_status::neither(&mut value, &shared.name, Reason::OnlyIfCached);
    say(&mut headers, Outcome::Miss, &value);
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

fn own(kept: &Kept) -> HeaderMap {
    kept.headers().clone()
}

fn is_framed(headers: &HeaderMap) -> bool {
    headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING)
}

fn header_map(layout: &Layout, stored: &HeaderMap) -> HeaderMap {
    let stored: Vec<_> = stored.iter().collect();
    let mut headers = HeaderMap::with_capacity(layout.lines.len() + 3);
    for line in &layout.lines {
        match line {
            LineOf::Stored(index) => {
                if let Some((name, value)) = stored.get(*index) {
                    headers.append(*name, (*value).clone());
                }
            }
            LineOf::Made(name, value) => {
                if let Ok(value) = HeaderValue::from_bytes(value) {
                    headers.append(HeaderName::from_static(name), value);
                }
            }
        }
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
