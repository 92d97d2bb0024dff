//! The endpoint, and what becomes of its answer.

use super::{Call, Held, Host, Visit, borrowed, owned};
use crate::application::Cached;
use crate::corpus::{self, Drop, Ends};
use crate::wire::{Answer, OwnedLine};
use fast_cache_core::exchange::{Fetch, Head, Judged, Outcome};
use fast_cache_core::key::{Identity, Key, KeyRef};
use fast_cache_core::purge::{Cover, Purge};
use fast_cache_core::reason::Reason;
use fast_cache_core::rules::invalidation::{Target, invalidated};
use fast_cache_core::rules::request::Noted;
use fast_cache_core::rules::validation::{Validators, replaced};
use fast_cache_core::stored::Stored;
use fast_cache_store::LocalStore;
use std::sync::Arc;

/// A request on its way to the endpoint, whose answer may be kept.
pub(super) struct Errand<'a> {
    pub(super) visit: &'a Visit<'a>,
    pub(super) cached: &'a Cached,
    pub(super) identity: Identity,
    pub(super) fetch: Fetch,
    pub(super) key: Key,
    /// What was found, where it may take part in the answer.
    pub(super) held: Option<Held>,
    /// The endpoint is asked to confirm what was found.
    pub(super) validates: bool,
    /// The client's own conditions and ranges are left out.
    pub(super) unconditional: bool,
}

impl Errand<'_> {
    /// The response that was found.
    pub(super) fn stored(&self) -> Option<&Stored<super::Kept>> {
        self.held.as_ref()?.response()
    }

    /// The header lines of the request as the endpoint sees them.
    fn lines(&self) -> Vec<OwnedLine> {
        let own = self.visit.lines.iter();
        let mut lines: Vec<_> = own
            .filter(|line| !(self.unconditional && replaced(line.name)))
            .map(owned)
            .collect();
        if let Some(stored) = self.stored().filter(|_| self.validates) {
            let kept = borrowed(&stored.representation.lines);
            let asking = Validators::of(stored, &kept).lines();
            lines.extend(asking.map(|line| owned(&line)));
        }
        lines
    }
}

impl Host {
    /// Calls the endpoint of a route that is not cached.
    pub(super) fn pass(&self, visit: &Visit<'_>) -> Answer {
        let seen = visit.lines.iter().map(owned).collect();
        let answer = self.call(visit, seen).unwrap_or_else(Answer::of_exception);
        self.drop_after(visit, &answer);
        answer
    }

    /// Calls the endpoint and says why the cache kept out of it.
    pub(super) fn bypass(&self, visit: &Visit<'_>, reason: Reason) -> Answer {
        let mut answer = self.pass(visit);
        if !answer.is_exception {
            self.explain(&mut answer, reason, Outcome::Bypass, Err(reason));
        }
        answer
    }

    /// Calls the endpoint; its answer, or what takes its place, and what the cache says of it.
    pub(super) fn run(&self, errand: &Errand<'_>) -> Answer {
        let (visit, fetch) = (errand.visit, errand.fetch);
        let Some(mut answer) = self.call(visit, errand.lines()) else {
            return self
                .stand_in(errand, None)
                .unwrap_or_else(Answer::of_exception);
        };
        let own = answer.lines.clone();
        let lines = borrowed(&own);
        let head = Head {
            status: answer.status,
            lines: &lines,
        };
        let judged = fetch.on_response(
            &head,
            &errand.cached.policy,
            &errand.cached.plan.inputs,
            errand.stored(),
            || self.is_current(errand),
            self.clock.now(),
        );
        let kept = match judged {
            Judged::Record(record) => self.record(errand, record, &lines, &mut answer),
            Judged::Pass(reason) => Err(reason),
            Judged::Fail(failed) => Err(failed.reason()),
            Judged::Update(freshening) => Err(self.update(errand, freshening, &lines)),
            Judged::Freshen(freshening) => {
                let confirmed = self.freshen(errand, freshening, &lines);
                self.drop_after(visit, &answer);
                return confirmed;
            }
            Judged::StandIn => {
                self.drop_after(visit, &answer);
                let status = Some(answer.status);
                return self
                    .stand_in(errand, status)
                    .expect("what stands in is there");
            }
        };
        self.drop_after(visit, &answer);
        let why = fetch.reason();
        self.explain(&mut answer, why, Outcome::of_forward(why), kept);
        answer
    }

    /// Whether what was found is still to be found: no drop has covered it, and nothing took its place.
    pub(super) fn is_current(&self, errand: &Errand<'_>) -> bool {
        let Some(held) = &errand.held else {
            return false;
        };
        let found = self.store.get(self.key_of(held));
        found.is_some_and(|found| Arc::ptr_eq(&found.entry, held))
    }

    pub(super) fn key_of<'h>(&self, held: &'h Held) -> KeyRef<'h> {
        let bytes = held.key();
        let digest = self.secret.digest(bytes);
        KeyRef { digest, bytes }
    }

    /// What the endpoint answers, as far as the client gets it; `None` where it raises before that.
    fn call(&self, visit: &Visit<'_>, lines: Vec<OwnedLine>) -> Option<Answer> {
        let route = visit.routed.name.clone();
        self.calls.borrow_mut().push(Call { route, lines });
        let Some(origin) = visit.origin else {
            // Nobody expects this call, and whoever compares will say so.
            return Some(Answer::of_framework(200));
        };
        self.advance(origin.takes);
        if let Some(drop) = &origin.meanwhile {
            self.drop(&self.application.purge(drop, &[]));
        }
        let pieces = origin.pieces();
        if origin.ends == Ends::Raises && pieces.is_empty() {
            return None;
        }
        let lines = origin.headers.iter().map(|text| corpus::line(text));
        let answer = Answer {
            status: origin.status.unwrap_or(200),
            lines: lines.collect(),
            body: pieces.concat(),
            ..Answer::default()
        };
        self.drop_after(visit, &answer);
        Some(answer)
    }

    /// What a write drops: before the client sees its answer, and once more when the endpoint has ended.
    fn drop_after(&self, visit: &Visit<'_>, answer: &Answer) {
        if answer.is_exception {
            return;
        }
        let applies = |drop: &&Drop| match &drop.on {
            Some(statuses) => statuses.contains(&answer.status),
            None => answer.status < 400,
        };
        for drop in visit.routed.drops.iter().filter(applies) {
            self.drop(&self.application.purge(drop, &visit.parameters));
        }
        if self.application.has_http_mode {
            let request = visit.wire.request(visit.lines);
            let host = Noted::from_lines(visit.lines).host;
            let target = Target::of(&request, host);
            let lines = borrowed(&answer.lines);
            let labels = invalidated(&target, request.method, answer.status, &lines);
            if !labels.is_empty() {
                let mut purge = Purge::default();
                purge.covers.extend(labels.into_iter().map(Cover::Label));
                self.drop(&purge);
            }
        }
    }
}
