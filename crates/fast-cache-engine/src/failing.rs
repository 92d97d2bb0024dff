//! A failure of the application's that those who waited for its answer take as their own.
//!
//! It is never stored: it goes to those who wait as the leader lands, and each of them judges it for its own request, by
//! the rules for a stored response. Where it is not good for one of them, that one goes on by itself.

use crate::commit::union;
use crate::keeping::Keeping;
use fast_cache_core::exchange::{Decision, Forward, Lookup, Serve};
use fast_cache_core::fields::{Line, values};
use fast_cache_core::key::{Key, KeyRef, Secret, Selecting};
use fast_cache_core::purge::Label;
use fast_cache_core::reason::Reason;
use fast_cache_core::rules::varying::MAX_VARYING;
use fast_cache_core::stored::Stored;
use fast_cache_core::time::Timestamp;
use fast_cache_store::{Content, LocalStore};
use std::convert::Infallible;

/// A failure, and the requests for which it is good. `R` is the host's representation of a response, `E` what its
/// applications raise, where that can be shared.
#[derive(Debug)]
pub struct Failure<R, E = Infallible> {
    key: Key,
    /// The header names that select among variants, and the key of the one that failed.
    variant: Option<(Box<[Box<str>]>, Key)>,
    birth: u64,
    path: Box<str>,
    labels: Vec<Label>,
    failed: Failed<R, E>,
}

/// How the application failed.
#[derive(Debug)]
pub enum Failed<R, E = Infallible> {
    /// It answered so.
    Answered(Stored<R>),
    /// It raised this.
    Raised(E),
}

/// A failure that others may share.
#[derive(Debug)]
pub struct Failing<'a, R, E = Infallible> {
    /// The primary key of its request.
    pub key: Key,
    /// The store's logical time before the handler ran.
    pub birth: u64,
    /// What it may be dropped by, from [`Keeping::labels`].
    pub labels: Vec<Label>,
    /// The request headers that select among its variants; none for what was raised.
    pub varying: &'a [Box<str>],
    /// Its header lines, likewise.
    pub lines: &'a [Line<'a>],
    /// How the application failed.
    pub failed: Failed<R, E>,
}

/// A request that has waited.
#[derive(Clone, Copy, Debug)]
pub struct Waiter<'a> {
    /// Its lookup.
    pub lookup: Lookup<'a>,
    /// What was decided over what is stored.
    pub forward: Forward,
    /// Its primary key.
    pub key: KeyRef<'a>,
    /// How it selects among variants.
    pub selecting: Selecting<'a>,
}

/// What a request that has waited takes.
#[derive(Debug)]
pub enum Taken<'a, R, E = Infallible> {
    /// This response.
    Answer(&'a Stored<R>, Serve),
    /// What was raised.
    Raised(&'a E),
}

impl<S: ?Sized> Keeping<'_, S> {
    /// The failure, for those who wait.
    ///
    /// # Errors
    ///
    /// [`Reason::VaryTooLong`] where it is known to vary by more headers than are compared.
    pub fn share<R, E>(&self, failing: Failing<'_, R, E>) -> Result<Failure<R, E>, Reason>
    where
        S: LocalStore<R>,
    {
        let Failing {
            key,
            birth,
            labels,
            varying,
            lines,
            failed,
        } = failing;
        let primary = self.store.get(key.borrow());
        // A failure mostly forgets what the answers under its key vary by.
        let known = match primary.as_ref().map(|found| found.entry.content()) {
            Some(Content::Variants(variants)) => &*variants.names,
            _ => &[],
        };
        let names = union(known, varying);
        if names.len() > MAX_VARYING {
            return Err(Reason::VaryTooLong);
        }
        let variant = (!names.is_empty()).then(|| {
            let selecting = Selecting {
                lines: self.lines.get(),
                normalize_language: self.policy.options.normalize_language,
            };
            let language = values(lines, "content-language").next();
            let bytes = key.borrow().bytes;
            let variant = selecting.stored(bytes, &names, self.secret, language);
            (names, variant)
        });
        Ok(Failure {
            key,
            variant,
            birth,
            path: self.path.into(),
            labels,
            failed,
        })
    }
}

impl<R, E> Failure<R, E> {
    /// What a request that has waited takes of the failure; `None` where it goes on by itself.
    pub fn taken_by(
        &self,
        waiter: Waiter<'_>,
        store: &(impl LocalStore<R> + ?Sized),
        secret: &Secret,
        now: Timestamp,
    ) -> Option<Taken<'_, R, E>> {
        let is_good = waiter.forward.may_be_shared()
            && waiter.key == self.key.borrow()
            && self.is_selected(waiter.selecting, secret)
            && self.stands(store);
        if !is_good {
            return None;
        }
        match &self.failed {
            Failed::Raised(raised) => Some(Taken::Raised(raised)),
            Failed::Answered(stored) => {
                let found = Some((stored, false));
                match waiter.lookup.decide(found, Reason::Absent, now) {
                    Decision::Serve(serve) => Some(Taken::Answer(stored, serve)),
                    Decision::Forward(_) | Decision::Unsatisfied => None,
                }
            }
        }
    }

    fn is_selected(&self, selecting: Selecting<'_>, secret: &Secret) -> bool {
        self.variant.as_ref().is_none_or(|(names, variant)| {
            let candidates = selecting.candidates(self.key.borrow().bytes, names, secret);
            candidates.contains(variant)
        })
    }

    /// Whether no drop has covered it.
    fn stands(&self, store: &(impl LocalStore<R> + ?Sized)) -> bool {
        store.birth() == self.birth
            || store.standing(self.birth, &self.path, &self.labels) == Some(false)
    }
}
