//! A confirmation of what is stored: the stored response, as it was changed, is the answer and is stored anew.

use super::errand::{Asking, Errand};
use super::replying::Replied;
use crate::kept::{Kept, as_line, lines, merged_lines};
use fast_cache_core::exchange::{Freshened, Freshening};
use fast_cache_core::fields::Line;
use fast_cache_core::reason::Reason;
use fast_cache_core::rules::validation::Agreement;
use fast_cache_core::stored::Stored;
use fast_cache_engine::held::merge;
use fast_cache_engine::keeping;
use fast_cache_engine::said::Came;
use http::HeaderMap;
use std::convert::Infallible;

impl Errand {
    /// The answer to a request whose stored response the application has confirmed with the lines `update`.
    pub(super) fn freshen(
        &self,
        asking: &Asking,
        freshening: Freshening,
        update: &HeaderMap,
    ) -> Option<Replied> {
        let held = asking.held.as_ref()?;
        let birth = freshening.birth();
        let Freshened { stored, kept } = self.merged(freshening, held.response()?, update);
        let said = kept.as_ref().map(drop).map_err(|reason| *reason);
        let came = Came::Confirmed(self.reason, said);
        let replied = self.answer_with(asking, &stored, came);
        match kept {
            // That it was not kept is known too late to be said. What is newer is not replaced by what was confirmed.
            Ok(_) if !self.is_current(held) => {}
            Ok(varying) => {
                let _ = self.keep_anew(asking, birth, &varying, stored);
            }
            Err(_) => self.forget(held),
        }
        Some(replied)
    }

    /// Changes what is stored as the answer to `HEAD` says, or removes it where it is outdated.
    pub(super) fn update_from_head(
        &self,
        asking: &Asking,
        freshening: Freshening,
        update: &HeaderMap,
    ) -> Option<Reason> {
        let held = asking.held.as_ref()?;
        let old = held.response()?;
        let stored: Vec<Line<'_>> = old.representation.as_lines().collect();
        let updates: Vec<Line<'_>> = lines(update).collect();
        match freshening.agreement(old, &stored, &updates) {
            Agreement::Confirmed => {}
            Agreement::Nothing => return None,
            Agreement::Outdated => {
                self.forget(held);
                return Some(Reason::Outdated);
            }
        }
        let birth = freshening.birth();
        let Freshened { stored, kept } = self.merged(freshening, old, update);
        match kept {
            Ok(varying) if self.is_current(held) => {
                self.keep_anew(asking, birth, &varying, stored).err()
            }
            Ok(_) => None,
            Err(reason) => {
                self.forget(held);
                Some(reason)
            }
        }
    }

    fn merged(
        &self,
        freshening: Freshening,
        old: &Stored<Kept>,
        update: &HeaderMap,
    ) -> Freshened<Kept> {
        let (kept, plan) = (&old.representation, &self.route.plan);
        let stored: Vec<Line<'_>> = kept.as_lines().collect();
        let updates: Vec<Line<'_>> = lines(update).collect();
        let Ok(merged) = merge(
            freshening,
            (old, &stored),
            &updates,
            &plan.policy,
            &plan.inputs,
            |sources| {
                let lines = merged_lines(sources, kept, update);
                let kept = Kept::new(lines, kept.body().clone(), &self.route.counters);
                Ok::<_, Infallible>(kept)
            },
        );
        merged
    }

    fn keep_anew(
        &self,
        asking: &Asking,
        birth: u64,
        varying: &[Box<str>],
        stored: Stored<Kept>,
    ) -> Result<(), Reason> {
        // The core keeps them apart from the representation, which moves.
        let kept = stored.representation.lines();
        let kept: Vec<_> = kept
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let lines: Vec<Line<'_>> = kept
            .iter()
            .map(|(name, value)| as_line((name, value)))
            .collect();
        let weight = stored.representation.weight();
        self.keeping(asking, |keeping| {
            let labels = keeping.labels(&lines)?;
            keeping.keep(keeping::Kept {
                key: asking.key.clone(),
                birth,
                labels: &labels,
                varying,
                lines: &lines,
                stored,
                weight,
            })
        })?;
        self.route.counters.stored();
        Ok(())
    }
}
