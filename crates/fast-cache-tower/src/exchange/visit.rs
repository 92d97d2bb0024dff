//! A request for a cached route: looked up, answered or forwarded.

use super::errand::{Asking, Errand};
use super::replying::{Replied, gateway_timeout, reply};
use crate::cache::Shared;
use crate::kept::{Awaited, Kept, Part};
use crate::request::{Asked, Head, Snapshot};
use crate::route::{Parameters, Route};
use crate::runtime;
use fast_cache_core::exchange::{Decision, Forward, Outcome, begin};
use fast_cache_core::key::search::Searched;
use fast_cache_core::key::{Identity, Key, KeyRef, build_key, custom_key};
use fast_cache_core::reason::Reason;
use fast_cache_core::request::Request;
use fast_cache_core::rules::validation::{Validators, replaced};
use fast_cache_engine::failing::Waiter;
use fast_cache_engine::find::{Finding, find, find_by_search};
use fast_cache_engine::flight::Landing;
use fast_cache_engine::said::Came;
use fast_cache_store::{Entry, Found};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

thread_local! {
    /// Where keys are built.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What to do with a request.
pub(crate) enum Step {
    /// This is the answer.
    Answer(Replied),
    /// This is the answer, and the application is to be asked for a new one.
    Stale(Replied, Box<Refresh>),
    /// The application is asked; these header lines take the place of the request's.
    Forward(Errand, Option<HeaderMap>),
    /// Another request's answer is waited for, or the word of those who share the store, and no longer than that.
    Wait(Awaited, Duration),
    /// The cache has nothing to do with it.
    Pass,
}

/// A refresh that is wanted.
pub(crate) struct Refresh {
    forward: Forward,
    identity: Identity,
    key: Key,
    entry: Arc<Entry<Kept>>,
}

/// One request for a cached route.
pub(crate) struct Visit<'a> {
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) route: &'a Arc<Route>,
    pub(crate) head: Head<'a>,
    pub(crate) has_body: bool,
    pub(crate) only_stored: bool,
    /// What the policy's own function has made of the request, for its key.
    pub(crate) custom: Option<String>,
    /// The digests of the keys that those who share the store were asked for.
    pub(crate) asked: &'a [u128],
}

impl Visit<'_> {
    /// Answers from the cache, or says how to ask the application.
    pub(crate) fn step(&self, part: Part) -> Step {
        BUFFER.with(|buffer| match buffer.try_borrow_mut() {
            Ok(mut buffer) => self.look_up(part, &mut buffer),
            // A store that asks the cache in turn.
            Err(_) => self.look_up(part, &mut Vec::new()),
        })
    }

    fn look_up(&self, part: Part, buffer: &mut Vec<u8>) -> Step {
        let (shared, plan) = (self.shared, &self.route.plan);
        let Some(identity) = self.route.identity(self.head.method.as_str()) else {
            return self.bypass(Reason::Method);
        };
        let mut asked = Asked::of(&self.head);
        if self.has_body {
            asked.note_body();
        }
        let request = asked.request();
        let parameters = if plan.policy.canonical.is_empty() {
            Parameters::default()
        } else {
            self.parameters()
        };
        let parameter = |name: &str| parameters.get(name);
        let lookup = match begin(&request, asked.noted(), &plan.policy, parameter) {
            Ok(lookup) => lookup,
            Err(reason) => return self.bypass(reason),
        };
        let key = match &self.custom {
            Some(custom) => custom_key(identity, &shared.secret, custom, buffer),
            None => build_key(
                identity,
                &plan.inputs,
                &shared.secret,
                &request,
                asked.host(),
                buffer,
            ),
        };
        if lookup.wants_stored()
            && let Some(awaited) = self.ask_first(key)
        {
            return Step::Wait(awaited, self.patience());
        }
        let Finding { found, absent } = if lookup.wants_stored() {
            self.find(identity, key, &asked, &request)
        } else {
            Finding::default()
        };
        let stored = found
            .as_ref()
            .and_then(|found| Some((found.entry.response()?, found.soft)));
        let now = shared.now();
        match lookup.decide(stored, absent, now) {
            Decision::Serve(serve) => {
                let Some((stored, _)) = stored else {
                    return self.bypass(Reason::StoreFailed);
                };
                if let Part::Lead(permit) = part {
                    // Somebody who shares the store had the answer.
                    permit.land(&Landing::Stored, shared.now());
                }
                let replied = reply(shared, stored, &serve, Came::Found, &asked.lines);
                self.route.counters.outcome(replied.said.outcome);
                // Without a background, the client would wait for what it need not.
                let early = lookup.refresh_early(stored, now, || shared.draws.draw());
                let early = early.filter(|_| runtime::is_there());
                match (serve.refresh.or(early), found) {
                    (Some(forward), Some(Found { entry, .. })) => {
                        let refresh = Refresh {
                            forward,
                            identity: *identity,
                            key: key.to_owned(),
                            entry,
                        };
                        Step::Stale(replied, Box::new(refresh))
                    }
                    _ => Step::Answer(replied),
                }
            }
            Decision::Forward(_) if self.only_stored => Step::Pass,
            Decision::Unsatisfied => {
                self.route.counters.outcome(Outcome::Miss);
                Step::Answer(gateway_timeout(shared))
            }
            Decision::Forward(forward) => {
                let waiter = Waiter {
                    lookup,
                    forward,
                    key,
                    selecting: self.route.selecting(&asked.lines),
                };
                let stored = stored.map(|(stored, _)| stored);
                if let Some(replied) = self.instead(&part, waiter, stored) {
                    return Step::Answer(replied);
                }
                let permit = match self.join(part, &forward, (key, absent), &asked.lines) {
                    Ok(permit) => permit,
                    Err(awaited) => return Step::Wait(*awaited, self.patience()),
                };
                let entry = found.map(|found| found.entry);
                let (mut errand, headers) = self.errand(forward, *identity, key.to_owned(), entry);
                if let Some(asking) = &mut errand.asking {
                    asking.permit = permit;
                }
                self.route.counters.outcome(errand.outcome);
                Step::Forward(errand, headers)
            }
        }
    }

    /// What the store holds for a key, or why it holds nothing.
    #[inline]
    fn find(
        &self,
        identity: &Identity,
        key: KeyRef<'_>,
        asked: &Asked<'_>,
        request: &Request<'_>,
    ) -> Finding<Kept> {
        let (shared, plan) = (self.shared, &self.route.plan);
        let selecting = self.route.selecting(&asked.lines);
        let mut finding = find(&*shared.store, key, &shared.secret, selecting);
        if finding.found.is_none() && plan.policy.is_http() {
            let searched = Searched {
                identity,
                inputs: &plan.inputs,
                secret: &shared.secret,
                request,
                host: asked.host(),
            };
            finding.found = find_by_search(&*shared.store, &searched, selecting);
        }
        finding
    }

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
    fn errand(
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
    fn bypass(&self, reason: Reason) -> Step {
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

    fn parameters(&self) -> Parameters {
        self.route.template.parameters(self.head.uri.path())
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
fn asking(client: &HeaderMap, stored: Option<&fast_cache_core::stored::Stored<Kept>>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(client.keys_len() + 2);
    for (name, value) in client {
        if !replaced(name.as_str().as_bytes()) {
            headers.append(name, value.clone());
        }
    }
    if let Some(stored) = stored {
        let lines: Vec<_> = crate::kept::kept_as_lines(stored.representation.lines()).collect();
        for line in Validators::of(stored, &lines).lines() {
            let name = HeaderName::from_bytes(line.name);
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(line.value)) {
                headers.append(name, value);
            }
        }
    }
    headers
}
