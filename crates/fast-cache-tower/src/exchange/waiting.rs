//! What a request takes of one that it has waited for, and that has failed.

use super::replying::{Replied, reply};
use super::visit::Visit;
use crate::kept::{Kept, Part};
use fast_cache_core::exchange::Client;
use fast_cache_core::request::Method;
use fast_cache_core::stored::Stored;
use fast_cache_engine::failing::{Taken, Waiter};
use fast_cache_engine::said::Came;

impl Visit<'_> {
    /// The answer of a request that was to ask the service as well: a stale one that may stand in, or the failure
    /// itself. `None` where it goes on by itself.
    pub(super) fn instead(
        &self,
        part: &Part,
        waiter: Waiter<'_>,
        stored: Option<&Stored<Kept>>,
    ) -> Option<Replied> {
        let failure = match part {
            Part::StandIn => None,
            Part::Share(failure) => Some(failure),
            Part::Board | Part::Lead(_) | Part::Alone => return None,
        };
        let (shared, lines) = (self.shared, waiter.selecting.lines);
        let (now, why) = (shared.now(), waiter.forward.reason);
        let fetch = waiter.forward.fetch(shared.store.birth(), 0);
        let replied = match stored.filter(|stored| fetch.may_stand_in(stored, now)) {
            Some(stale) => {
                let policy = &self.route.plan.policy;
                // Others do not wait.
                let client = Client::of(lines, Method::Get, policy);
                let came = Came::InsteadOfFailure(why, None);
                reply(shared, stale, &client.serve(stale, now), came, lines)
            }
            None => match failure?.taken_by(waiter, &*shared.store, &shared.secret, now)? {
                Taken::Answer(stored, serve) => {
                    reply(shared, stored, &serve, Came::Shared(why), lines)
                }
                Taken::Raised(never) => match *never {},
            },
        };
        self.route.counters.outcome(replied.said.outcome);
        Some(replied)
    }
}
