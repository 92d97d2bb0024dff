//! A request that goes on to the application.

use super::errand::{Asking, Errand};
use super::visit::{Refresh, Step, Visit};
use crate::kept::Kept;
use crate::request::Snapshot;
use fast_cache_core::exchange::{Forward, Outcome};
use fast_cache_core::key::{Identity, Key};
use fast_cache_core::reason::Reason;
use fast_cache_core::rules::validation::{Validators, replaced};
use fast_cache_core::stored::Stored;
use fast_cache_store::Entry;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::sync::Arc;

impl Visit<'_> {
    /// The errand of a refresh; `None` where the key is being refreshed already, or too many are.
    pub(crate) fn refreshed(
        &self,
        refresh: Refresh,
        in_background: bool,
    ) -> Option<(Errand, Option<HeaderMap>)> {
        let shared = self.shared;
        let refreshing = shared
            .refreshes
            .begin(&shared.secret, refresh.entry.key())?;
        let Refresh {
            forward,
            identity,
            key,
            entry,
        } = refresh;
        let (mut errand, headers) = self.errand(forward, identity, key, Some(entry));
        if let Some(asking) = &mut errand.asking {
            asking.refreshing = Some(refreshing);
            asking.in_background = in_background;
        }
        if !in_background {
            let counters = &self.route.counters;
            counters.became(Outcome::Stale, errand.outcome);
        }
        Some((errand, headers))
    }

    /// The errand to the application, and the header lines that it gets in place of the client's.
    pub(super) fn errand(
        &self,
        forward: Forward,
        identity: Identity,
        key: Key,
        entry: Option<Arc<Entry<Kept>>>,
    ) -> (Errand, Option<HeaderMap>) {
        let plan = &self.route.plan;
        let mut headers = plan
            .strict
            .then(|| crate::strict::visible(self.head.headers, &plan.inputs));
        let held = entry.filter(|_| forward.wants_stored());
        if forward.unconditional {
            let stored = held.as_ref().and_then(|entry| entry.response());
            let stored = stored.filter(|_| forward.validates);
            let client = headers.as_ref().unwrap_or(self.head.headers);
            headers = Some(asking(client, stored));
        }
        let tags = if plan.tags.is_empty() {
            Some(Vec::new())
        } else {
            self.tags()
        };
        let asking = Asking {
            fetch: forward.fetch(self.shared.store.birth(), self.shared.draws.draw()),
            key,
            identity,
            held,
            tags,
            snapshot: Snapshot::of(&self.head),
            refreshing: None,
            in_background: false,
            permit: None,
        };
        let errand = Errand {
            shared: Arc::clone(self.shared),
            route: Arc::clone(self.route),
            outcome: Outcome::of_forward(forward.reason),
            reason: forward.reason,
            asking: Some(Box::new(asking)),
        };
        (errand, headers)
    }

    /// The cache keeps out of it, and says so.
    pub(super) fn bypass(&self, reason: Reason) -> Step {
        if self.only_stored {
            return Step::Pass;
        }
        self.route.counters.outcome(Outcome::Bypass);
        let errand = Errand {
            shared: Arc::clone(self.shared),
            route: Arc::clone(self.route),
            outcome: Outcome::Bypass,
            reason,
            asking: None,
        };
        Step::Forward(errand, None)
    }

    /// The route's tags, filled in every spelling of the path's parameters.
    fn tags(&self) -> Option<Vec<String>> {
        let parameters = self.parameters();
        let mut tags = Vec::new();
        for tag in &self.route.plan.tags {
            let parameter = |name: &str| parameters.get(name);
            tags.extend(fast_cache_engine::drops::spellings(tag, parameter)?);
        }
        Some(tags)
    }
}

/// The client's header lines with conditions of ours, which ask whether `stored`, if there is one, is still good.
fn asking(client: &HeaderMap, stored: Option<&Stored<Kept>>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(client.keys_len());
    for (name, value) in client {
        if !replaced(name.as_str().as_bytes()) {
            headers.append(name, value.clone());
        }
    }
    if let Some(stored) = stored {
        let lines: Vec<_> = stored.representation.as_lines().collect();
        for line in Validators::of(stored, &lines).lines() {
            let name = HeaderName::from_bytes(line.name);
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(line.value)) {
                // Where a map is full, the answer is asked for as a whole.
                let _ = headers.try_append(name, value);
            }
        }
    }
    headers
}
