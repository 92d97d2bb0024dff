//! A confirmation of what is stored: the stored response, as it was changed, is the answer and is stored anew.

use super::Errand;
use crate::application::Cached;
use crate::layout::Came;
use crate::lines::HeaderLines;
use crate::representation::{Representation, body_weight, weight_of_lines};
use fast_cache_core::exchange::{Freshened, Freshening};
use fast_cache_core::fields::values;
use fast_cache_core::key::Key;
use fast_cache_core::reason::Reason;
use fast_cache_core::rules::freshening::{Source, freshened};
use fast_cache_core::rules::validation::Agreement;
use fast_cache_core::stored::Stored;
use fast_cache_engine::commit::{Commit, commit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use std::sync::Arc;

/// The messages of an answer that was confirmed, and whether it was stored anew.
type Confirmed = ((Py<PyDict>, Py<PyDict>), Result<(), Reason>);

impl Errand {
    /// The messages of the answer to a request whose stored response the application has confirmed with a `304` that
    /// has the lines `update`, and whether it was stored anew. With `refused`, nothing is stored and nothing removed.
    pub(super) fn freshen(
        &self,
        py: Python<'_>,
        key: Key,
        freshening: Freshening,
        update: &HeaderLines<'_>,
        refused: Option<Reason>,
    ) -> Option<Confirmed> {
        let held = self.held.as_ref()?;
        let (old, cached) = (held.stored()?, self.cached()?);
        let birth = freshening.birth();
        let Ok((weight, Freshened { stored, kept })) =
            self.merge(py, freshening, old, update, cached)
        else {
            let messages = self.as_it_was(py, Reason::StoreFailed)?;
            return Some((messages, Err(Reason::StoreFailed)));
        };
        let said = refused.map_or_else(|| kept.as_ref().map(drop).map_err(|why| *why), Err);
        let messages = self
            .answer_with(py, &stored, Came::Confirmed(self.reason, said))
            .ok()?;
        if refused.is_none() {
            match kept {
                // That it was not kept is known too late to be said. What is newer is not replaced by what was confirmed.
                Ok(_) if !self.is_current(held) => {}
                Ok(varying) => {
                    let _ = self.commit_anew(py, key, birth, cached, &varying, stored, weight);
                }
                Err(_) => self.forget(held),
            }
        }
        Some((messages, said))
    }

    /// The messages of the answer with what is stored as it was: the application has confirmed it, but not in a way that
    /// can be taken over.
    pub(super) fn as_it_was(
        &self,
        py: Python<'_>,
        reason: Reason,
    ) -> Option<(Py<PyDict>, Py<PyDict>)> {
        let stored = self.held.as_ref()?.stored()?;
        self.answer_with(py, stored, Came::Confirmed(self.reason, Err(reason)))
            .ok()
    }

    /// Changes what is stored as the answer to `HEAD` says, or removes it where it is outdated.
    pub(super) fn update_from_head(
        &self,
        py: Python<'_>,
        key: Key,
        freshening: Freshening,
        update: &HeaderLines<'_>,
    ) -> Option<Reason> {
        let held = self.held.as_ref()?;
        let (old, cached) = (held.stored()?, self.cached()?);
        let lines = HeaderLines::from_snapshot(old.representation.lines.bind(py));
        match freshening.agreement(old, &lines.lines(), &update.lines()) {
            Agreement::Confirmed => {}
            Agreement::Nothing => return None,
            Agreement::Outdated => {
                self.forget(held);
                return Some(Reason::Outdated);
            }
        }
        let birth = freshening.birth();
        let (weight, Freshened { stored, kept }) =
            self.merge(py, freshening, old, update, cached).ok()?;
        match kept {
            Ok(varying) if self.is_current(held) => self
                .commit_anew(py, key, birth, cached, &varying, stored, weight)
                .err(),
            Ok(_) => None,
            Err(reason) => {
                self.forget(held);
                Some(reason)
            }
        }
    }

    pub(super) fn cached(&self) -> Option<&Cached> {
        self.application.get().routes[self.route].cached.as_ref()
    }

    /// The stored response with the lines of a confirmation, and the bytes it takes.
    fn merge(
        &self,
        py: Python<'_>,
        freshening: Freshening,
        old: &Stored<Representation>,
        update: &HeaderLines<'_>,
        cached: &Cached,
    ) -> PyResult<(usize, Freshened<Representation>)> {
        let stored = HeaderLines::from_snapshot(old.representation.lines.bind(py));
        let (stored_lines, update_lines) = (stored.lines(), update.lines());
        let sources = freshened(&stored_lines, &update_lines);
        let pairs: Vec<_> = sources
            .iter()
            .map(|source| match source {
                Source::Stored(index) => stored.pairs().get_item(*index),
                Source::Update(index) => update.pairs().get_item(*index),
            })
            .collect::<PyResult<_>>()?;
        let merged = PyTuple::new(py, pairs)?;
        let lines = HeaderLines::from_snapshot(&merged);
        let merged_lines = lines.lines();
        let body = old.representation.body.clone_ref(py);
        let weight = weight_of_lines(&merged_lines) + body_weight(body.as_bytes(py).len());
        let counters = Arc::clone(self.counters());
        let representation =
            Representation::new(merged.clone().unbind(), body, Some(counters), weight);
        let mut freshened = freshening.finish(
            old,
            &update_lines,
            &merged_lines,
            &cached.policy,
            &cached.inputs,
            representation,
        );
        freshened.stored.lifetime = freshened.stored.lifetime.min(self.store.get().longest);
        Ok((weight, freshened))
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "the parts of one commit, which it takes apart again"
    )]
    fn commit_anew(
        &self,
        py: Python<'_>,
        key: Key,
        birth: u64,
        cached: &Cached,
        varying: &[Box<str>],
        stored: Stored<Representation>,
        weight: usize,
    ) -> Result<(), Reason> {
        let kept = HeaderLines::from_snapshot(stored.representation.lines.bind(py));
        let kept_lines = kept.lines();
        let labels = self.labels(py, cached, &kept_lines)?;
        let key = self.kept_under(py, key, birth, &kept_lines);
        let request = HeaderLines::from_snapshot(self.headers.bind(py));
        let request_lines = request.lines();
        let store = self.store.get();
        let put = Commit {
            key,
            birth,
            path: &self.path,
            labels: &labels,
            varying,
            selecting: cached.selecting(&request_lines),
            content_language: values(&kept_lines, "content-language").next(),
            stored,
            weight,
        };
        commit(&store.store, &store.secret, put)?;
        self.counters().stored();
        Ok(())
    }
}
