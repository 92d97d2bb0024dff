//! Keeping a response: under which labels and which key.

use crate::commit::{Commit, commit, remember_rule};
use crate::lines::Lines;
use fast_cache_core::fields::no_vary_search::SearchVariance;
use fast_cache_core::fields::{Line, values};
use fast_cache_core::key::search::Searched;
use fast_cache_core::key::{Key, Secret};
use fast_cache_core::policy::Policy;
use fast_cache_core::purge::Label;
use fast_cache_core::reason::Reason;
use fast_cache_core::rules::invalidation::{Target, carried};
use fast_cache_core::rules::tagging::collect_tags;
use fast_cache_core::stored::Stored;
use fast_cache_store::LocalStore;

/// The request whose response is kept, and what its route asks for.
#[derive(Debug)]
pub struct Keeping<'a, S: ?Sized> {
    /// Where it is kept.
    pub store: &'a S,
    /// The store's secret.
    pub secret: &'a Secret,
    /// What the route asks for.
    pub policy: &'a Policy,
    /// The label of its endpoint.
    pub endpoint: Label,
    /// Its tags, filled.
    pub tags: &'a [String],
    /// The request's path as drops see it.
    pub path: &'a str,
    /// All of the request's header lines.
    pub lines: Lines<'a>,
    /// What the request is about, on a route in HTTP mode: there, a response says itself which requests it answers.
    pub asked: Option<Searched<'a>>,
    /// Whether its key is made from its parts, so that others can be; a host's own key function makes any key.
    pub searches: bool,
}

/// A recorded response.
#[derive(Debug)]
pub struct Kept<'a, R> {
    /// The primary key of its request.
    pub key: Key,
    /// The store's logical time before the handler ran.
    pub birth: u64,
    /// What it may be dropped by, from [`Keeping::labels`].
    pub labels: &'a [Label],
    /// The request headers that select among its variants.
    pub varying: &'a [Box<str>],
    /// Its header lines.
    pub lines: &'a [Line<'a>],
    /// The response.
    pub stored: Stored<R>,
    /// Bytes that the representation takes beyond its own size.
    pub weight: usize,
}

impl<S: ?Sized> Keeping<'_, S> {
    /// What a response with these lines may be dropped by.
    ///
    /// # Errors
    ///
    /// [`Reason::Tags`] where that is too much: a response that could not be dropped is not kept.
    pub fn labels(&self, lines: &[Line<'_>]) -> Result<Vec<Label>, Reason> {
        let tags = collect_tags(self.tags.iter().map(String::as_str), lines)?;
        let mut labels = Vec::with_capacity(tags.len() + 6);
        labels.push(self.endpoint);
        Label::subtrees(self.path, &mut labels)?;
        labels.extend(tags.iter().map(|tag| Label::tag(tag)));
        if let Some(asked) = &self.asked {
            let target = Target::of(asked.request, asked.host);
            labels.extend(carried(&target, &SearchVariance::parse(lines), lines)?);
        }
        Ok(labels)
    }

    /// Stores a response: under the request's own key, under one that answers several queries, or by variant.
    ///
    /// # Errors
    ///
    /// Why it was not stored.
    pub fn keep<R>(&self, kept: Kept<'_, R>) -> Result<(), Reason>
    where
        S: LocalStore<R>,
    {
        let Kept {
            key,
            birth,
            labels,
            varying,
            lines,
            stored,
            weight,
        } = kept;
        let put = Commit {
            key: self.kept_under(key, birth, lines),
            birth,
            path: self.path,
            labels,
            varying,
            lines: self.lines,
            normalize_language: self.policy.options.normalize_language,
            content_language: values(lines, "content-language").next(),
            stored,
            weight,
        };
        commit(self.store, self.secret, put)
    }

    /// The key under which a response with these lines is kept: the request's own, or one that answers several queries.
    pub fn kept_under<R>(&self, key: Key, birth: u64, lines: &[Line<'_>]) -> Key
    where
        S: LocalStore<R>,
    {
        let Some(asked) = self.asked.as_ref().filter(|_| self.searches) else {
            return key;
        };
        let variance = SearchVariance::parse(lines);
        if variance.is_default() {
            return key;
        }
        let (own, rules) = (key.borrow(), asked.rules_key());
        match remember_rule(self.store, own, rules, birth, self.path, &variance) {
            Ok(()) => asked.key(&variance),
            // It would not be found.
            Err(_) => key,
        }
    }
}
