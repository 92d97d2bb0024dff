//! Requests that join others for the same key: they lead, wait for whoever does, or ask those who share the store.

use super::visit::Visit;
use crate::kept::{Awaited, Boarding, Part, Permit};
use crate::runtime;
use fast_cache_core::exchange::Forward;
use fast_cache_core::key::{Key, KeyRef};
use fast_cache_core::reason::Reason;
use fast_cache_engine::find::variant;
use fast_cache_engine::waiting::was_asked;
use std::time::Duration;

/// How long a request waits for those who share the store, where none waits for another one's answer.
const LONGEST_INQUIRY: Duration = Duration::from_secs(10);

impl Visit<'_> {
    /// Asks those who share the store before the first lookup, where that is to be done.
    pub(super) fn ask_first(&self, key: KeyRef<'_>) -> Option<Awaited> {
        let elsewhere = self.shared.store.elsewhere()?;
        let asks = elsewhere.asks_always() && self.asked.is_empty() && runtime::is_there();
        let asks = asks && !self.head.has_passed(self.shared);
        asks.then(|| Awaited::inquire(elsewhere, key.to_owned(), Part::Board))
    }

    /// How long the request waits at most.
    pub(super) fn patience(&self) -> Duration {
        let limit = self.route.plan.policy.follower_timeout;
        limit.unwrap_or(LONGEST_INQUIRY)
    }

    /// What the request does about others for the same key, of which `absent` says why there is no answer: it asks the
    /// application, for the others where it has a permit, or it waits.
    pub(super) fn join(
        &self,
        part: Part,
        forward: &Forward,
        (key, absent): (KeyRef<'_>, Reason),
    ) -> Result<Option<Permit>, Box<Awaited>> {
        if self.head.has_passed(self.shared) {
            return Ok(None);
        }
        let elsewhere = self.shared.store.elsewhere();
        let elsewhere = elsewhere.filter(|_| forward.looked_up() && runtime::is_there());
        let boards = matches!(part, Part::Board) || elsewhere.is_some();
        let variant = (absent == Reason::VaryMismatch && boards)
            .then(|| self.variant(key))
            .flatten();
        let key = variant.as_ref().map_or(key, Key::borrow);
        let permit = match self.board(part, forward, key) {
            Boarding::Lead(permit) => Some(permit),
            Boarding::Follow(ticket) => return Err(Box::new(Awaited::Ticket(ticket))),
            Boarding::Alone => None,
        };
        match elsewhere {
            Some(elsewhere) if !was_asked(self.asked, key, permit.as_ref(), elsewhere) => {
                let part = permit.map_or(Part::Alone, Part::Lead);
                Err(Box::new(Awaited::inquire(elsewhere, key.to_owned(), part)))
            }
            _ => Ok(permit),
        }
    }

    /// The key of the variant that the request selects, where answers under `key` are known to vary: who selects another
    /// one does not wait for it.
    #[cold]
    fn variant(&self, key: KeyRef<'_>) -> Option<Key> {
        let (store, secret) = (&*self.shared.store, &self.shared.secret);
        variant(store, key, secret, self.route.selecting(&self.head.lines()))
    }

    /// Whether it may wait for another one's answer.
    fn can_wait(&self) -> bool {
        self.route.plan.policy.follower_timeout.is_some() && runtime::is_there()
    }

    /// What the request does about others that are under way for the same key.
    fn board(&self, part: Part, forward: &Forward, key: KeyRef<'_>) -> Boarding {
        let shared = self.shared;
        match part {
            Part::Lead(permit) => Boarding::Lead(permit),
            Part::Board if self.can_wait() && forward.may_be_shared() => {
                let birth = shared.store.birth();
                shared.flights.board(key, birth, shared.now())
            }
            Part::Board | Part::Alone | Part::StandIn | Part::Share(_) => Boarding::Alone,
        }
    }
}
