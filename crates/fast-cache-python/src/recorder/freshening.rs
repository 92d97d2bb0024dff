//! A confirmation of what is stored: the stored response, as it was changed, is the answer and is stored anew.

use super::Errand;
use crate::application::Cached;
use crate::lines::HeaderLines;
use crate::representation::{Representation, body_weight, weight_of_lines};
use fast_cache_core::exchange::{Freshened, Freshening};
use fast_cache_core::key::Key;
use fast_cache_core::reason::Reason;
use fast_cache_core::rules::freshening::Source;
use fast_cache_core::rules::validation::Agreement;
use fast_cache_core::stored::Stored;
use fast_cache_engine::held::merge;
use fast_cache_engine::keeping::Kept;
use fast_cache_engine::said::Came;
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
        let Ok(Freshened { stored, kept }) = self.merge(py, freshening, old, update, cached) else {
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
                    let _ = self.keep_anew(py, (key, birth), cached, &varying, stored);
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
        let Freshened { stored, kept } = self.merge(py, freshening, old, update, cached).ok()?;
        match kept {
            Ok(varying) if self.is_current(held) => self
                .keep_anew(py, (key, birth), cached, &varying, stored)
                .err(),
            Ok(_) => None,
            Err(reason) => {
                self.forget(held);
                Some(reason)
            }
        }
    }

    /// The stored response with the lines of a confirmation, and the bytes it takes.
    fn merge(
        &self,
        py: Python<'_>,
        freshening: Freshening,
        old: &Stored<Representation>,
        update: &HeaderLines<'_>,
        cached: &Cached,
    ) -> PyResult<Freshened<Representation>> {
        let kept = &old.representation;
        let stored = HeaderLines::from_snapshot(kept.lines.bind(py));
        let represent = |sources: &[Source]| {
            let pair = |source: &Source| match source {
                Source::Stored(index) => stored.pairs().get_item(*index),
                Source::Update(index) => update.pairs().get_item(*index),
            };
            let pairs = sources.iter().map(pair).collect::<PyResult<Vec<_>>>()?;
            let pairs = PyTuple::new(py, pairs)?;
            let lines = weight_of_lines(&HeaderLines::from_snapshot(&pairs).lines());
            let weight = lines + body_weight(kept.body.as_bytes(py).len());
            let (body, counters) = (kept.body.clone_ref(py), Arc::clone(self.counters()));
            Ok::<_, PyErr>(Representation::new(
                pairs.unbind(),
                body,
                Some(counters),
                weight,
            ))
        };
        let mut freshened = merge(
            freshening,
            (old, &stored.lines()),
            &update.lines(),
            &cached.policy,
            &cached.inputs,
            represent,
        )?;
        freshened.stored.lifetime = freshened.stored.lifetime.min(self.store.get().longest);
        Ok(freshened)
    }

    fn keep_anew(
        &self,
        py: Python<'_>,
        (key, birth): (Key, u64),
        cached: &Cached,
        varying: &[Box<str>],
        stored: Stored<Representation>,
    ) -> Result<(), Reason> {
        let kept = HeaderLines::from_snapshot(stored.representation.lines.bind(py));
        let lines = kept.lines();
        let weight = stored.representation.weight();
        self.keeping(py, cached, |keeping| {
            let labels = keeping.labels(&lines)?;
            keeping.keep(Kept {
                key,
                birth,
                labels: &labels,
                varying,
                lines: &lines,
                stored,
                weight,
            })
        })?;
        self.counters().stored();
        Ok(())
    }
}
