//! Finding the stored response for a request: by its key, and by what it says under `Vary`.

use fast_cache_core::fields::Line;
use fast_cache_core::key::search::Searched;
use fast_cache_core::key::{Key, KeyRef, Secret, variant_key};
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
    find_selecting(store, key, |primary, names| {
        Some(variant_key(primary, names, secret, lines, buffer).to_owned())
    })
}

/// The same for a host that reads header lines only where it must: `select` makes the key of the variant from the
/// primary key and the names of the headers that select.
#[inline]
pub fn find_selecting<R>(
    store: &(impl LocalStore<R> + ?Sized),
    key: KeyRef<'_>,
    select: impl FnOnce(&[u8], &[Box<str>]) -> Option<Key>,
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
    let found = select(key.bytes, &variants.names)
        .and_then(|variant| store.get(variant.borrow()))
        .filter(|found| found.entry.response().is_some());
    Finding {
        found,
        absent: Reason::VaryMismatch,
    }
}

/// Finds a stored response that answers the request's query along with others
/// ([`No-Vary-Search`](fast_cache_core::fields::no_vary_search)), where [`find`] found none: the key it stands under,
/// and what was found there.
pub fn find_by_search<R>(
    store: &(impl LocalStore<R> + ?Sized),
    searched: &Searched<'_>,
    lines: &[Line<'_>],
    buffer: &mut Vec<u8>,
) -> Option<(Key, Found<R>)> {
    let rules = store.get(searched.rules_key().borrow())?;
    let Content::Searches(searches) = rules.entry.content() else {
        return None;
    };
    searches.rules.iter().find_map(|rule| {
        let key = searched.key(rule);
        let finding = find(store, key.borrow(), searched.secret, lines, buffer);
        Some((key, finding.found?))
    })
}
