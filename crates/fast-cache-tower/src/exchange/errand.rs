//! A request on its way to the application.

use super::replying::{Replied, reply};
use crate::cache::Shared;
use crate::kept::{Failure, Kept, Permit};
use crate::outcome::CacheOutcome;
use crate::prepared::X_CACHE_STATUS;
use crate::request::Snapshot;
use crate::route::Route;
use fast_cache_core::exchange::{Client, Fetch, Outcome};
use fast_cache_core::key::search::Searched;
use fast_cache_core::key::{Identity, Key};
use fast_cache_core::reason::Reason;
use fast_cache_core::stored::Stored;
use fast_cache_core::time::Timestamp;
use fast_cache_engine::flight::Landing;
use fast_cache_engine::held::{forget, is_current};
use fast_cache_engine::keeping::Keeping;
use fast_cache_engine::lines::Lines;
use fast_cache_engine::refreshes::Refreshing;
use fast_cache_engine::said::{Came, forwarded};
use fast_cache_store::{Entry, LocalStore};
use http::Extensions;
use http::header::{CACHE_STATUS, HeaderMap, HeaderValue};
use std::sync::Arc;

/// A request on its way to the application.
pub(crate) struct Errand {
    pub(crate) shared: Arc<Shared>,
    pub(crate) route: Arc<Route>,
    pub(crate) outcome: Outcome,
    pub(crate) reason: Reason,
    /// What is needed to keep the answer; `None` where it is not kept.
    pub(crate) asking: Option<Box<Asking>>,
}

/// What is needed to keep the application's answer.
pub(crate) struct Asking {
    pub(crate) fetch: Fetch,
    pub(crate) key: Key,
    pub(crate) identity: Identity,
    /// What was found, where it may take part in the answer.
    pub(crate) held: Option<Arc<Entry<Kept>>>,
    /// The route's tags, filled; `None` where a parameter is missing.
    pub(crate) tags: Option<Vec<String>>,
    pub(crate) snapshot: Snapshot,
    /// This is a refresh, for those who come later.
    pub(crate) refreshing: Option<Refreshing>,
    /// Nobody gets the answer.
    pub(crate) in_background: bool,
    /// Others wait for the answer. Dropped, it tells them that there is none.
    pub(crate) permit: Option<Permit>,
}

impl Asking {
    /// Tells those who wait for the answer what became of it: it was stored, or why not.
    pub(super) fn land(&mut self, kept: Result<(), Reason>, now: Timestamp) {
        if let Some(permit) = self.permit.take() {
            let landing = match kept {
                Ok(()) => Landing::Stored,
                Err(reason) => Landing::Unshared(!reason.may_be_shared_later()),
            };
            permit.land(&landing, now);
        }
    }

    /// Whether those who wait for the answer would share a failure.
    pub(super) fn shares_failures(&self) -> bool {
        let permit = self.permit.as_ref();
        permit.is_some_and(Permit::shares_failures)
    }

    /// Tells those who wait that the service failed, with what they may take of that.
    pub(super) fn land_failed(&mut self, failure: Option<Failure>, now: Timestamp) {
        if let Some(permit) = self.permit.take() {
            permit.land(&Landing::Failed(failure.map(Arc::new)), now);
        }
    }

    /// Tells those who wait that a stale answer stood in for a failure.
    fn land_stood_in(&mut self, now: Timestamp) {
        if let Some(permit) = self.permit.take() {
            permit.land(&Landing::StoodIn, now);
        }
    }
}

impl Errand {
    /// Says in the head of the application's answer what happened.
    pub(crate) fn say(
        &self,
        headers: &mut HeaderMap,
        extensions: &mut Extensions,
        kept: Result<(), Reason>,
    ) {
        let (outcome, reason) = self.outcome.settled(self.reason, kept);
        if (self.outcome, outcome) == (Outcome::Bypass, Outcome::Miss) {
            self.route.counters.became(self.outcome, outcome);
        }
        let value = forwarded(&self.shared.name, reason, kept);
        say(headers, outcome, HeaderValue::from_bytes(&value).ok());
        extensions.insert(CacheOutcome {
            outcome,
            reason: Some(kept.err().unwrap_or(reason)),
            age: None,
        });
    }

    /// The stale answer that stands in for a failure of the application's, where one may. Those who wait are told.
    pub(crate) fn stand_in(&mut self, status: Option<u16>) -> Option<Replied> {
        let replied = self.stale(status);
        let now = self.shared.now();
        if let Some(asking) = &mut self.asking {
            if replied.is_some() {
                asking.land_stood_in(now);
            } else {
                asking.land_failed(None, now);
            }
        }
        replied
    }

    fn stale(&self, status: Option<u16>) -> Option<Replied> {
        let asking = self.asking.as_ref()?;
        let held = asking.held.as_ref()?;
        let stored = held.response()?;
        let now = self.shared.now();
        if !asking.fetch.may_stand_in(stored, now) || !self.is_current(held) {
            return None;
        }
        let came = Came::InsteadOfFailure(asking.fetch.reason(), status);
        Some(self.answer_with(asking, stored, came))
    }

    /// An answer with `stored` to what the client asked for.
    pub(super) fn answer_with(
        &self,
        asking: &Asking,
        stored: &Stored<Kept>,
        came: Came,
    ) -> Replied {
        let lines = asking.snapshot.lines();
        let asked = asking.snapshot.asked(&lines);
        let request = asked.request();
        let policy = &self.route.plan.policy;
        let client = Client::of(request.lines, request.method, policy);
        let serve = client.serve(stored, self.shared.now());
        let replied = reply(&self.shared, stored, &serve, came, request.lines);
        if !asking.in_background {
            let counters = &self.route.counters;
            counters.became(self.outcome, replied.said.outcome);
        }
        replied
    }

    pub(super) fn is_current(&self, held: &Arc<Entry<Kept>>) -> bool {
        is_current(&*self.shared.store, &self.shared.secret, held)
    }

    pub(super) fn forget(&self, held: &Arc<Entry<Kept>>) {
        forget(&*self.shared.store, &self.shared.secret, held);
    }

    /// What keeps the answer.
    pub(super) fn keeping<T>(
        &self,
        asking: &Asking,
        run: impl FnOnce(&Keeping<'_, dyn LocalStore<Kept>>) -> Result<T, Reason>,
    ) -> Result<T, Reason> {
        let lines = asking.snapshot.lines();
        let asked = asking.snapshot.asked(&lines);
        let request = asked.request();
        let (plan, secret) = (&self.route.plan, &self.shared.secret);
        let searched = plan.policy.is_http().then(|| Searched {
            identity: &asking.identity,
            inputs: &plan.inputs,
            secret,
            request: &request,
            host: asked.host(),
        });
        run(&Keeping {
            store: &*self.shared.store,
            secret,
            policy: &plan.policy,
            endpoint: self.route.endpoint,
            tags: asking.tags.as_ref().ok_or(Reason::Tags)?,
            path: request.route_path(),
            lines: Lines::Read(request.lines),
            asked: searched,
            searches: true,
        })
    }
}

/// Puts the two lines of a cache into a head. Those of a cache that stands behind stay in `Cache-Status` alone.
pub(super) fn say(headers: &mut HeaderMap, outcome: Outcome, cache_status: Option<HeaderValue>) {
    // A map that is full stays as it is.
    let _ = headers.try_insert(X_CACHE_STATUS, HeaderValue::from_static(outcome.word()));
    if let Some(value) = cache_status {
        let _ = headers.try_append(CACHE_STATUS, value);
    }
}
