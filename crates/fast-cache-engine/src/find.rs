//! Finding the stored response for a request: by its key, and by what it says under `Vary`.

use fast_cache_core::fields::Line;
use fast_cache_core::key::{KeyRef, Secret, variant_key};
use fast_cache_core::reason::Reason;
use fast_cache_store::{Content, Found, LocalStore};

/// What a lookup came to.
#[derive(Debug)]
pub struct Finding<R> {
    /// The entry, which holds a response.
    pub found: Option<Found<R>>,
    /// Why there is none.
    pub absent: Reason,
}

/// Finds the stored response for `key`. Where responses vary by request headers, `lines` select among them; `buffer`
/// then holds the key of the variant.
pub fn find<R>(
    store: &(impl LocalStore<R> + ?Sized),
    key: KeyRef<'_>,
    secret: &Secret,
    lines: &[Line<'_>],
    buffer: &mut Vec<u8>,
) -> Finding<R> {
    let Some(primary) = store.get(key) else {
        return Finding {
            found: None,
            absent: Reason::Absent,
        };
    };
    let Content::Variants(variants) = primary.entry.content() else {
        return Finding {
            found: Some(primary),
            absent: Reason::Absent,
        };
    };
    let key = variant_key(key.bytes, &variants.names, secret, lines, buffer);
    let found = store
        .get(key)
        .filter(|found| found.entry.response().is_some());
    Finding {
        found,
        absent: Reason::VaryMismatch,
    }
}
