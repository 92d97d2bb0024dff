//! Finding the stored response for a request: by its key, and by what it says under `Vary`.

use fast_cache_core::key::search::Searched;
use fast_cache_core::key::{Key, KeyRef, Secret, Selecting};
use fast_cache_core::reason::Reason;
use fast_cache_store::{Content, Found, LocalStore};
use smallvec::SmallVec;

/// What a lookup came to.
#[derive(Debug)]
pub struct Finding<R> {
    /// The entry, which holds a response.
    pub found: Option<Found<R>>,
    /// Why there is none.
    pub absent: Reason,
}

impl<R> Default for Finding<R> {
    fn default() -> Self {
        Self {
            found: None,
            absent: Reason::Absent,
        }
    }
}

/// Finds the stored response for `key`. Where responses vary by request headers, `selecting` says which it is.
pub fn find<R>(
    store: &(impl LocalStore<R> + ?Sized),
    key: KeyRef<'_>,
    secret: &Secret,
    selecting: Selecting<'_>,
) -> Finding<R> {
    find_selecting(store, key, |primary, names| {
        selecting.candidates(primary, names, secret)
    })
}

/// The same for a host that reads header lines only where it must: `select` makes the keys of variants that would do
/// from the primary key and the names of the headers that select.
#[inline]
pub fn find_selecting<R>(
    store: &(impl LocalStore<R> + ?Sized),
    key: KeyRef<'_>,
    select: impl FnOnce(&[u8], &[Box<str>]) -> SmallVec<[Key; 1]>,
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
        .iter()
        .filter_map(|variant| store.get(variant.borrow()))
        .find(|found| found.entry.response().is_some());
    Finding {
        found,
        absent: Reason::VaryMismatch,
    }
}

/// The key of the variant that a request selects, where answers under `key` are known to vary and none for it was found:
/// who selects another one need not wait for it.
#[cold]
pub fn variant<R>(
    store: &(impl LocalStore<R> + ?Sized),
    key: KeyRef<'_>,
    secret: &Secret,
    selecting: Selecting<'_>,
) -> Option<Key> {
    let mut first = None;
    find_selecting(store, key, |primary, names| {
        let candidates = selecting.candidates(primary, names, secret);
        first = candidates.first().cloned();
        candidates
    });
    first
}

/// Finds a stored response that answers the request's query along with others
/// ([`No-Vary-Search`](fast_cache_core::fields::no_vary_search)), where [`find`] found none.
pub fn find_by_search<R>(
    store: &(impl LocalStore<R> + ?Sized),
    asked: &Searched<'_>,
    selecting: Selecting<'_>,
) -> Option<Found<R>> {
    let rules = store.get(asked.rules_key().borrow())?;
    let Content::Searches(searches) = rules.entry.content() else {
        return None;
    };
    searches.rules.iter().find_map(|rule| {
        let key = asked.key(rule);
        find(store, key.borrow(), asked.secret, selecting).found
    })
}
