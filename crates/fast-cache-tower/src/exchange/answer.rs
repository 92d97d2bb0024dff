//! An answer from the cache, until it is a response of some body's type.

use super::replying::Replied;
use super::values;
use crate::kept::Kept;
use crate::outcome::CacheOutcome;
use crate::prepared::Saying;
use bytes::Bytes;
use fast_cache_core::exchange::{Outcome, Serve};
use fast_cache_engine::said::{Came, age};
use fast_cache_store::Entry;
use http::{Extensions, HeaderValue, Response, StatusCode};
use std::sync::Arc;

/// An answer from the cache.
pub(crate) struct Answer {
    form: Form,
    /// Those of the response.
    extensions: Extensions,
}

enum Form {
    /// A stored response as a whole, as nearly always.
    Whole(Whole),
    /// Another one, boxed so that it takes no more room than the first.
    Made(Box<Replied>),
}

/// What goes into the response when that is made: most of it is in the entry, and is not moved about before.
struct Whole {
    entry: Arc<Entry<Kept>>,
    outcome: Outcome,
    age: u64,
    cache_status: HeaderValue,
}

impl Answer {
    /// A stored response, found and answered with as a whole. The entry must hold one.
    pub(super) fn whole(entry: Arc<Entry<Kept>>, serve: &Serve, cache_status: HeaderValue) -> Self {
        Self::of(Form::Whole(Whole {
            entry,
            outcome: Came::Found.outcome(serve),
            age: age(serve),
            cache_status,
        }))
    }

    /// The same, with the memory of a request's extensions for its own.
    pub(crate) fn with_memory_of(mut self, request: &mut Extensions) -> Self {
        self.extensions = std::mem::take(request);
        self.extensions.clear();
        self
    }

    /// The response, whose body is made by `body`.
    pub(crate) fn into_response<B>(self, body: impl FnOnce(Bytes) -> B) -> Response<B> {
        let Self { form, extensions } = self;
        let whole = match form {
            Form::Whole(whole) => whole,
            Form::Made(replied) => return made(*replied, extensions, body),
        };
        let stored = whole.entry.response().expect("a response was found");
        let kept = &stored.representation;
        let saying = Saying {
            outcome: whole.outcome,
            cache_status: whole.cache_status,
        };
        let mut response = Response::new(body(kept.body().clone()));
        let head = kept.head().saying(values::age(whole.age), saying);
        // The map of a new response is empty, and has no memory to give back.
        std::mem::forget(std::mem::replace(response.headers_mut(), head));
        // Only what has been a status is stored.
        *response.status_mut() = StatusCode::from_u16(stored.status).unwrap_or_default();
        *response.extensions_mut() = extensions;
        response.extensions_mut().insert(CacheOutcome {
            outcome: whole.outcome,
            reason: None,
            age: Some(whole.age),
        });
        response
    }

    fn of(form: Form) -> Self {
        Self {
            form,
            extensions: Extensions::new(),
        }
    }
}

impl From<Replied> for Answer {
    fn from(replied: Replied) -> Self {
        Self::of(Form::Made(Box::new(replied)))
    }
}

fn made<B>(replied: Replied, extensions: Extensions, body: impl FnOnce(Bytes) -> B) -> Response<B> {
    let mut response = Response::new(body(replied.body));
    *response.headers_mut() = replied.headers;
    *response.status_mut() = replied.status;
    *response.extensions_mut() = extensions;
    response.extensions_mut().insert(replied.said);
    response
}
