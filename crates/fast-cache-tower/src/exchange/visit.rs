//! A request for a cached route: looked up, answered or forwarded.

use super::answer::Answer;
use super::errand::Errand;
use super::memo::Memo;
use super::recent::Parts;
use super::replying::{gateway_timeout, reply};
use crate::cache::Shared;
use crate::kept::{Awaited, Kept, Part};
use crate::request::{Asked, Head, Lines};
use crate::route::{Parameters, Route};
use crate::runtime;
use fast_cache_core::exchange::{Decision, Form, Forward, Lookup, Outcome, begin};
use fast_cache_core::key::search::Searched;
use fast_cache_core::key::{Identity, Key, KeyRef, build_key, custom_key};
use fast_cache_core::reason::Reason;
use fast_cache_engine::failing::Waiter;
use fast_cache_engine::find::{Finding, find_by_search, find_selecting};
use fast_cache_engine::flight::Landing;
use fast_cache_engine::said::Came;
use fast_cache_store::{Entry, Found};
use http::HeaderMap;
use std::sync::Arc;
use std::time::Duration;

/// What to do with a request.
pub(crate) enum Step {
    /// This is the answer.
    Answer(Answer),
    /// This is the answer, and the application is to be asked for a new one.
    Stale(Answer, Box<Refresh>),
    /// The application is asked; these header lines take the place of the request's.
    Forward(Errand, Option<HeaderMap>),
    /// Another request's answer is waited for, or the word of those who share the store, and no longer than that.
    Wait(Awaited, Duration),
    /// The cache has nothing to do with it.
    Pass,
}

/// A refresh that is wanted.
pub(crate) struct Refresh {
    pub(super) forward: Forward,
    pub(super) identity: Identity,
    pub(super) key: Key,
    pub(super) entry: Arc<Entry<Kept>>,
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
        Memo::with(|memo| self.look_up(part, memo))
    }

    fn look_up(&self, part: Part, memo: &mut Memo) -> Step {
        let (shared, plan) = (self.shared, &self.route.plan);
        let Some(identity) = self.route.identity(self.head.method) else {
            return self.bypass(Reason::Method);
        };
        let mut lines = Lines::new();
        self.head.read_what_matters(&plan.inputs, &mut lines);
        let mut asked = Asked::of(&self.head, &lines);
        if self.has_body {
            asked.note_body();
        }
        let parameters = if plan.policy.canonical.is_empty() {
            Parameters::default()
        } else {
            self.parameters()
        };
        let parameter = |name: &str| parameters.get(name);
        let lookup = match begin(
            asked.method(),
            asked.lines,
            asked.noted(),
            &plan.policy,
            parameter,
        ) {
            Ok(lookup) => lookup,
            Err(reason) => return self.bypass(reason),
        };
        let Memo {
            buffer,
            recent,
            hits,
        } = memo;
        let parts = self.parts(&asked, identity);
        let known = parts.and_then(|parts| recent.key(&parts));
        let is_new = known.is_none();
        let key = known.unwrap_or_else(|| self.key(identity, &asked, buffer));
        if lookup.wants_stored()
            && let Some(awaited) = self.ask_first(key)
        {
            return Step::Wait(awaited, self.patience());
        }
        let Finding { found, absent } = if lookup.wants_stored() {
            self.find(key, identity, &asked)
        } else {
            Finding::default()
        };
        let stored = found
            .as_ref()
            .and_then(|found| Some((found.entry.response()?, found.soft)));
        let now = shared.now();
        match lookup.decide(stored, absent, now) {
            Decision::Serve(serve) => {
                let Some(served) = stored.map(|(stored, _)| stored) else {
                    return self.bypass(Reason::StoreFailed);
                };
                if let Part::Lead(permit) = part {
                    // Somebody who shares the store had the answer.
                    permit.land(&Landing::Stored, shared.now());
                }
                self.route.counters.outcome(Came::Found.outcome(&serve));
                let replied = (serve.form != Form::Full)
                    .then(|| reply(shared, served, &serve, Came::Found, asked.lines));
                // Without a background, the client would wait for what it need not.
                let early = lookup.refresh_early(served, now, || shared.draws.draw());
                let early = early.filter(|_| runtime::is_there());
                let Some(Found { entry, .. }) = found else {
                    return self.bypass(Reason::StoreFailed);
                };
                let refresh = serve.refresh.or(early).map(|forward| Refresh {
                    forward,
                    identity: *identity,
                    key: key.to_owned(),
                    entry: Arc::clone(&entry),
                });
                let digest = key.digest;
                if let Some(parts) = parts.filter(|_| is_new) {
                    recent.remember(&parts, digest, buffer);
                }
                let answer = match replied {
                    Some(replied) => Answer::from(replied),
                    None => Answer::whole(entry, &serve, hits.cache_status(shared, &serve)),
                };
                match refresh {
                    Some(refresh) => Step::Stale(answer, Box::new(refresh)),
                    None => Step::Answer(answer),
                }
            }
            Decision::Forward(_) if self.only_stored => Step::Pass,
            Decision::Unsatisfied => {
                self.route.counters.outcome(Outcome::Miss);
                Step::Answer(gateway_timeout(shared).into())
            }
            Decision::Forward(forward) => {
                let entry = found.map(|found| found.entry);
                self.forward(part, lookup, forward, (identity, key), absent, entry)
            }
        }
    }

    /// Goes on to the application, or waits for another request that did, or takes what became of that.
    fn forward(
        &self,
        part: Part,
        lookup: Lookup<'_>,
        forward: Forward,
        (identity, key): (&Identity, KeyRef<'_>),
        absent: Reason,
        entry: Option<Arc<Entry<Kept>>>,
    ) -> Step {
        if matches!(part, Part::StandIn | Part::Share(_)) {
            let lines = self.head.lines();
            let waiter = Waiter {
                lookup,
                forward,
                key,
                selecting: self.route.selecting(&lines),
            };
            let stored = entry.as_ref().and_then(|entry| entry.response());
            if let Some(replied) = self.instead(&part, waiter, stored) {
                return Step::Answer(replied.into());
            }
        }
        let permit = match self.join(part, &forward, (key, absent)) {
            Ok(permit) => permit,
            Err(awaited) => return Step::Wait(*awaited, self.patience()),
        };
        let (mut errand, headers) = self.errand(forward, *identity, key.to_owned(), entry);
        if let Some(asking) = &mut errand.asking {
            asking.permit = permit;
        }
        self.route.counters.outcome(errand.outcome);
        Step::Forward(errand, headers)
    }

    /// What the key of the request is made of, where no header line joins it but `Host`, and the query as it stands.
    fn parts<'a>(&'a self, asked: &Asked<'a>, identity: &'a Identity) -> Option<Parts<'a>> {
        let no_line_joins = match asked.lines {
            [] => true,
            [line] => line.is("host") && asked.uri.authority().is_none(),
            _ => false,
        };
        let is_clear = self.route.plan.inputs.query.is_whole() || asked.uri.query().is_none();
        let is_https = asked.is_https()?;
        (no_line_joins && is_clear && self.custom.is_none()).then_some(Parts {
            cache: self.shared.number,
            identity,
            is_https,
            host: asked.host(),
            target: asked.uri.path_and_query()?.as_str(),
        })
    }

    /// The key of the request, made anew.
    fn key<'b>(
        &self,
        identity: &Identity,
        asked: &Asked<'_>,
        buffer: &'b mut Vec<u8>,
    ) -> KeyRef<'b> {
        let (secret, inputs) = (&self.shared.secret, &self.route.plan.inputs);
        if let Some(custom) = &self.custom {
            return custom_key(identity, secret, custom, buffer);
        }
        let (request, host) = (asked.request(), asked.host());
        build_key(identity, inputs, secret, &request, host, buffer)
    }

    /// What the store holds for a key, or why it holds nothing.
    #[inline]
    fn find(&self, key: KeyRef<'_>, identity: &Identity, asked: &Asked<'_>) -> Finding<Kept> {
        let (store, secret) = (&*self.shared.store, &self.shared.secret);
        // All lines are read only where they may be asked for.
        let mut finding = find_selecting(store, key, |primary, names| {
            let lines = self.head.lines();
            let selecting = self.route.selecting(&lines);
            selecting.candidates(primary, names, secret)
        });
        if finding.found.is_none() && self.route.plan.policy.is_http() {
            let searched = Searched {
                identity,
                inputs: &self.route.plan.inputs,
                secret,
                request: &asked.request(),
                host: asked.host(),
            };
            let lines = self.head.lines();
            finding.found = find_by_search(store, &searched, self.route.selecting(&lines));
        }
        finding
    }

    pub(super) fn parameters(&self) -> Parameters {
        self.route.template.parameters(self.head.uri().path())
    }
}
