//! Committing a recorded response to a store.

use crate::lines::Lines;
use fast_cache_core::fields::no_vary_search::SearchVariance;
use fast_cache_core::key::{Key, KeyRef, Secret, Selecting};
use fast_cache_core::purge::Label;
use fast_cache_core::reason::Reason;
use fast_cache_core::rules::varying::MAX_VARYING;
use fast_cache_core::stored::Stored;
use fast_cache_store::{Content, LocalStore, Put, Searches, Variants};

/// How many rules by which queries are told apart are remembered for a path.
const MAX_RULES: usize = 4;

/// A recorded response and where it goes.
#[derive(Debug)]
pub struct Commit<'a, R> {
    /// The primary key of the request.
    pub key: Key,
    /// The store's logical time before the handler ran.
    pub birth: u64,
    /// The request's path as drops see it.
    pub path: &'a str,
    /// What the response may be dropped by.
    pub labels: &'a [Label],
    /// The request headers that select among the response's variants, sorted.
    pub varying: &'a [Box<str>],
    /// The request's header lines, for the variant's key.
    pub lines: Lines<'a>,
    /// Values of `Accept-Language` that ask for the same are one.
    pub normalize_language: bool,
    /// The value of the response's `Content-Language`.
    pub content_language: Option<&'a [u8]>,
    /// The response.
    pub stored: Stored<R>,
    /// Bytes that the representation takes beyond its own size.
    pub weight: usize,
}

/// Stores a response, under the key of its variant where it varies.
///
/// Once a request's responses have varied, all of them are kept by variant, so that one which forgets its `Vary` is not
/// taken for an answer to everybody.
///
/// # Errors
///
/// Why it was not stored.
pub fn commit<R>(
    store: &(impl LocalStore<R> + ?Sized),
    secret: &Secret,
    commit: Commit<'_, R>,
) -> Result<(), Reason> {
    let Commit {
        key,
        birth,
        path,
        labels,
        varying,
        lines,
        normalize_language,
        content_language,
        stored,
        weight,
    } = commit;
    let known = store
        .get(key.borrow())
        .and_then(|found| match found.entry.content() {
            Content::Variants(variants) => Some(variants.names.clone()),
            Content::Response(_) | Content::Searches(_) => None,
        });
    let names = match known {
        None if varying.is_empty() => {
            return store.put(Put {
                key,
                birth,
                path,
                labels,
                content: Content::Response(stored),
                weight,
            });
        }
        None => varying.into(),
        Some(known) => union(&known, varying),
    };
    if names.len() > MAX_VARYING {
        return Err(Reason::VaryTooLong);
    }
    let selecting = Selecting {
        lines: lines.get(),
        normalize_language,
    };
    let variant = selecting.stored(key.borrow().bytes, &names, secret, content_language);
    store.put(Put {
        key: variant,
        birth,
        path,
        labels,
        content: Content::Response(stored),
        weight,
    })?;
    let content = Content::Variants(Variants { names });
    store.put(Put {
        key,
        birth,
        path,
        labels: &[],
        content,
        weight: 0,
    })
}

/// Remembers under `key` that responses for a path tell queries apart by `rule`, so that they are looked for by it. What
/// stands under `own`, the request's own key, gives way: it would be found first.
///
/// # Errors
///
/// Why it was not remembered.
pub fn remember_rule<R>(
    store: &(impl LocalStore<R> + ?Sized),
    own: KeyRef<'_>,
    key: Key,
    birth: u64,
    path: &str,
    rule: &SearchVariance,
) -> Result<(), Reason> {
    store.remove(own);
    let known = store.get(key.borrow());
    let known: &[SearchVariance] = match known.as_ref().map(|found| found.entry.content()) {
        Some(Content::Searches(searches)) => &searches.rules,
        _ => &[],
    };
    if known.first() == Some(rule) {
        return Ok(());
    }
    let others = known.iter().filter(|other| *other != rule);
    let rules = std::iter::once(rule).chain(others).take(MAX_RULES);
    let content = Content::Searches(Searches {
        rules: rules.cloned().collect(),
    });
    store.put(Put {
        key,
        birth,
        path,
        labels: &[],
        content,
        weight: 0,
    })
}

/// The names in either list, sorted, each once.
pub fn union(known: &[Box<str>], more: &[Box<str>]) -> Box<[Box<str>]> {
    let mut names: Vec<Box<str>> = known.iter().chain(more).cloned().collect();
    names.sort_unstable();
    names.dedup();
    names.into()
}
