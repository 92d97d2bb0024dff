//! A confirmation of what is stored.

use super::asking::Errand;
use super::keeping::labels;
use super::replying::Came;
use super::{Host, Kept, borrowed, owned};
use crate::wire::Answer;
use fast_cache_core::exchange::{Client, Freshened, Freshening};
use fast_cache_core::fields::Line;
use fast_cache_core::reason::Reason;
use fast_cache_core::request::Method;
use fast_cache_core::rules::freshening::{Source, freshened};
use fast_cache_core::rules::validation::Agreement;
use fast_cache_core::stored::Stored;
use fast_cache_store::LocalStore;

impl Host {
    /// The answer with what is stored, which a `304` with the lines `update` has confirmed.
    pub(super) fn freshen(
        &self,
        errand: &Errand<'_>,
        freshening: Freshening,
        update: &[Line<'_>],
    ) -> Answer {
        let old = errand.stored().expect("what is confirmed was found");
        let birth = freshening.birth();
        let Freshened { stored, kept } = merge(errand, freshening, old, update);
        let said = kept.as_ref().map(drop).map_err(|reason| *reason);
        let came = Came::Confirmed(errand.fetch.reason(), said);
        let answer = self.reply_with(errand, &stored, came);
        match kept {
            // That it was not kept is known too late to be said. What is newer is not replaced by what was confirmed.
            Ok(_) if !self.is_current(errand) => {}
            Ok(varying) => {
                let _ = self.store_anew(errand, birth, &varying, stored);
            }
            Err(_) => self.forget(errand),
        }
        answer
    }

    /// Changes what is stored as the answer to `HEAD` says, or removes it; why that answer itself was not kept.
    pub(super) fn update(
        &self,
        errand: &Errand<'_>,
        freshening: Freshening,
        update: &[Line<'_>],
    ) -> Reason {
        let old = errand.stored().expect("what is updated was found");
        let lines = borrowed(&old.representation.lines);
        match freshening.agreement(old, &lines, update) {
            Agreement::Confirmed => {}
            Agreement::Nothing => return Reason::Method,
            Agreement::Outdated => {
                self.forget(errand);
                return Reason::Outdated;
            }
        }
        let birth = freshening.birth();
        let Freshened { stored, kept } = merge(errand, freshening, old, update);
        match kept {
            Ok(varying) if self.is_current(errand) => self
                .store_anew(errand, birth, &varying, stored)
                .err()
                .unwrap_or(Reason::Method),
            Ok(_) => Reason::Method,
            Err(reason) => {
                self.forget(errand);
                reason
            }
        }
    }

    /// A stale answer in place of a failure, where one may stand in.
    pub(super) fn stand_in(&self, errand: &Errand<'_>, status: Option<u16>) -> Option<Answer> {
        let (stored, fetch) = (errand.stored()?, errand.fetch);
        if !fetch.may_stand_in(stored, self.clock.now()) || !self.is_current(errand) {
            return None;
        }
        let came = Came::InsteadOfFailure(fetch.reason(), status);
        Some(self.reply_with(errand, stored, came))
    }

    fn reply_with(&self, errand: &Errand<'_>, stored: &Stored<Kept>, came: Came) -> Answer {
        let visit = errand.visit;
        let method = Method::from_name(&visit.wire.method);
        let client = Client::of(visit.lines, method, &errand.cached.policy);
        let serve = client.serve(stored, self.clock.now());
        self.reply(visit.lines, stored, &serve, came)
    }

    fn store_anew(
        &self,
        errand: &Errand<'_>,
        birth: u64,
        varying: &[Box<str>],
        stored: Stored<Kept>,
    ) -> Result<(), Reason> {
        let labels = labels(errand, &borrowed(&stored.representation.lines))?;
        self.commit(errand, birth, &labels, varying, stored)
    }

    fn forget(&self, errand: &Errand<'_>) {
        if let Some(held) = errand.held.as_ref().filter(|_| self.is_current(errand)) {
            self.store.remove(self.key_of(held));
        }
    }
}

/// What is stored, with the lines of a confirmation.
fn merge(
    errand: &Errand<'_>,
    freshening: Freshening,
    old: &Stored<Kept>,
    update: &[Line<'_>],
) -> Freshened<Kept> {
    let stored = borrowed(&old.representation.lines);
    let merged: Vec<_> = freshened(&stored, update)
        .into_iter()
        .map(|source| match source {
            Source::Stored(index) => owned(&stored[index]),
            Source::Update(index) => owned(&update[index]),
        })
        .collect();
    let representation = Kept {
        lines: merged.clone(),
        body: old.representation.body.clone(),
    };
    let (policy, inputs) = (&errand.cached.policy, &errand.cached.plan.inputs);
    freshening.finish(
        old,
        update,
        &borrowed(&merged),
        policy,
        inputs,
        representation,
    )
}
