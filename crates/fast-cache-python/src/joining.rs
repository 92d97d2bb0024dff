//! Requests that join others for the same key: they lead, wait for whoever does, or ask those who share the store.

use crate::application::Cached;
use crate::failing::{Awaited, Boarding, Part, Permit};
use crate::lines::HeaderLines;
use crate::visit::{Step, Visit};
use fast_cache_core::exchange::Forward;
use fast_cache_core::key::{Key, KeyRef};
use fast_cache_core::reason::Reason;
use fast_cache_engine::find::variant;
use fast_cache_engine::waiting::was_asked;
use fast_cache_store::{Elsewhere, LocalStore};
use pyo3::prelude::*;

/// What a request does that found nothing.
pub(crate) enum Joined {
    /// It asks the application, and leads with a permit.
    Asks(Option<Permit>),
    /// It waits for this.
    Waits(Awaited),
}

impl<'py> Visit<'_, '_, 'py> {
    /// What the request does about others for the same key, of which `absent` says why there is no answer: it asks the
    /// application, for the others where it has a permit, or it waits.
    pub(crate) fn join(
        &self,
        cached: &Cached,
        headers: &Bound<'_, PyAny>,
        forward: &Forward,
        (key, absent): (KeyRef<'_>, Reason),
        part: Part,
    ) -> Joined {
        let elsewhere = self.installed.store.get().store.elsewhere();
        let elsewhere = elsewhere.filter(|_| forward.looked_up());
        let boards = matches!(part, Part::Board) || elsewhere.is_some();
        let varies = absent == Reason::VaryMismatch && boards;
        let variant = varies.then(|| self.variant(cached, headers, key)).flatten();
        let shared = variant.as_ref().map_or(key, Key::borrow);
        let permit = match self.board(cached, part, forward, shared) {
            Boarding::Lead(permit) => Some(permit),
            Boarding::Follow(ticket) => return Joined::Waits(Awaited::Ticket(ticket)),
            Boarding::Alone => None,
        };
        match elsewhere {
            Some(elsewhere) if !was_asked(self.asked, shared, permit.as_ref(), elsewhere) => {
                let part = permit.map_or(Part::Alone, Part::Lead);
                Joined::Waits(Awaited::inquire(elsewhere, shared.to_owned(), part))
            }
            _ => Joined::Asks(permit),
        }
    }

    /// Asks those who share the store before the first lookup, where that is to be done.
    #[cold]
    pub(crate) fn ask_first(
        &self,
        elsewhere: &dyn Elsewhere,
        key: KeyRef<'_>,
    ) -> Option<Step<'py>> {
        if !elsewhere.asks_always() || !self.asked.is_empty() {
            return None;
        }
        let awaited = Awaited::inquire(elsewhere, key.to_owned(), Part::Board);
        Some(Step::Wait(awaited))
    }

    /// The key of the variant that the request selects, where answers under `key` are known to vary: who selects another
    /// one does not wait for it.
    #[cold]
    fn variant(&self, cached: &Cached, headers: &Bound<'_, PyAny>, key: KeyRef<'_>) -> Option<Key> {
        let store = self.installed.store.get();
        let all = HeaderLines::from_any(headers)?;
        let lines = all.lines();
        variant(&store.store, key, &store.secret, cached.selecting(&lines))
    }

    /// What the request does about others that are under way for the same key.
    fn board(&self, cached: &Cached, part: Part, forward: &Forward, key: KeyRef<'_>) -> Boarding {
        match part {
            Part::Lead(permit) => Boarding::Lead(permit),
            Part::Board if cached.policy.follower_timeout.is_some() && forward.may_be_shared() => {
                let store = self.installed.store.get();
                store.flights.board(key, store.store.birth(), store.now())
            }
            Part::Board | Part::Alone | Part::StandIn | Part::Share(_) => Boarding::Alone,
        }
    }
}
