//! A host without a framework: a request goes through the core, the engine and a memory store to a simulated origin.
//!
//! | file | what |
//! |---|---|
//! | `asking` | the endpoint, and what becomes of its answer |
//! | `keeping` | a whole answer, stored |
//! | `freshening` | a confirmation of what is stored |
//! | `replying` | an answer from the cache |

mod asking;
mod freshening;
mod keeping;
mod replying;

use crate::application::{Application, Cached, Routed};
use crate::corpus::Origin;
use crate::wire::{Answer, OwnedLine, Wire};
use asking::Errand;
use fast_cache_core::exchange::{Decision, Forward, begin};
use fast_cache_core::fields::Line;
use fast_cache_core::fields::cache_status::CacheName;
use fast_cache_core::key::search::Searched;
use fast_cache_core::key::{Identity, Key, Secret, Selecting, build_key, custom_key};
use fast_cache_core::purge::Purge;
use fast_cache_core::reason::Reason;
use fast_cache_core::request::Request;
use fast_cache_core::route::Resolution;
use fast_cache_core::rules::request::Noted;
use fast_cache_engine::clock::Clock;
use fast_cache_engine::find::{find, find_by_search};
use fast_cache_store::{Entry, LocalStore, MemoryStore};
use replying::Came;
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

/// The host.
pub(crate) struct Host {
    pub(crate) application: Application,
    pub(crate) store: MemoryStore<Kept>,
    pub(crate) clock: Clock,
    pub(crate) secret: Secret,
    pub(crate) name: CacheName,
    pub(crate) head_from_get: bool,
    /// The calls of endpoints since somebody last took them.
    pub(crate) calls: RefCell<Vec<Call>>,
}

/// A call of an endpoint.
#[derive(Debug)]
pub(crate) struct Call {
    /// The name of the route.
    pub(crate) route: String,
    /// The header lines of the request as the endpoint saw them.
    pub(crate) lines: Vec<OwnedLine>,
}

/// A stored answer.
#[derive(Debug)]
pub(crate) struct Kept {
    lines: Vec<OwnedLine>,
    body: Vec<u8>,
}

type Held = Arc<Entry<Kept>>;

/// A request for a known route.
struct Visit<'a> {
    wire: &'a Wire,
    lines: &'a [Line<'a>],
    routed: &'a Routed,
    parameters: Vec<(String, String)>,
    origin: Option<&'a Origin>,
}

impl Host {
    /// Moves the clock.
    pub(crate) fn advance(&self, seconds: f64) {
        let by = Duration::from_secs_f64(seconds.abs());
        assert!(self.clock.advance(by, seconds < 0.0), "a manual clock");
    }

    /// Drops, to the end.
    pub(crate) fn drop(&self, purge: &Purge) {
        if let Some(mut walk) = self.store.purge(purge) {
            while !self.store.resolve(&mut walk, 16) {}
        }
    }

    /// Answers a request; `origin` is what the endpoint answers, if it is to be called.
    pub(crate) fn exchange(&self, wire: &Wire, origin: Option<&Origin>) -> Answer {
        let lines = wire.lines();
        let path = wire.request(&lines).route_path().to_owned();
        let mut resolution = self.application.table.resolve(&wire.method, &path);
        let mut only_stored = false;
        if self.head_from_get && wire.method == "HEAD" && resolution == Resolution::None {
            resolution = self.application.table.resolve("GET", &path);
            only_stored = true;
        }
        let Resolution::Route(matched) = resolution else {
            return Answer::of_framework(404);
        };
        let parameters = matched
            .captures
            .iter()
            .map(|(parameter, value)| (parameter.name.to_string(), value.to_owned()));
        let visit = Visit {
            wire,
            lines: &lines,
            routed: &self.application.routes[matched.target as usize],
            parameters: parameters.collect(),
            origin,
        };
        let answer = match &visit.routed.cached {
            Some(cached) => self.answer(&visit, cached, only_stored),
            None => Some(self.pass(&visit)),
        };
        answer.unwrap_or_else(|| Answer::of_framework(405))
    }

    /// Answers a request for a cached route; `None` where only a stored answer would have done.
    fn answer(&self, visit: &Visit<'_>, cached: &Cached, only_stored: bool) -> Option<Answer> {
        let bypass = |reason| (!only_stored).then(|| self.bypass(visit, reason));
        let request = visit.wire.request(visit.lines);
        let noted = Noted::from_lines(visit.lines);
        let method = match &*visit.wire.method {
            "HEAD" => "GET",
            method => method,
        };
        let Some(identity) = cached.identities.get(method) else {
            return bypass(Reason::Method);
        };
        let parameter = |name: &str| visit.parameter(name);
        let lookup = match begin(
            request.method,
            request.lines,
            &noted,
            &cached.policy,
            parameter,
        ) {
            Ok(lookup) => lookup,
            Err(reason) => return bypass(reason),
        };
        let mut primary = Vec::new();
        let (inputs, secret) = (&cached.plan.inputs, &self.secret);
        let key = match &cached.key {
            Some(text) => custom_key(identity, secret, text, &mut primary),
            None => build_key(identity, inputs, secret, &request, noted.host, &mut primary),
        };
        let (mut found, mut absent) = (None, Reason::Absent);
        if lookup.wants_stored() {
            let selecting = visit.selecting(cached);
            let finding = find(&self.store, key, secret, selecting);
            (found, absent) = (finding.found, finding.absent);
            if found.is_none() && cached.searches() {
                let searched = visit.searched(cached, identity, secret, &request);
                found = find_by_search(&self.store, &searched, selecting);
            }
        }
        let stored = found
            .as_ref()
            .and_then(|found| Some((found.entry.response()?, found.soft)));
        let errand = |forward: Forward| {
            let held = found.as_ref().map(|found| Arc::clone(&found.entry));
            self.errand(visit, (cached, *identity), forward, key.to_owned(), held)
        };
        match lookup.decide(stored, absent, self.clock.now()) {
            Decision::Serve(serve) => {
                let (stored, _) = stored.expect("what is served was found");
                let answer = self.reply(visit.lines, stored, &serve, Came::Found);
                if let Some(forward) = serve.refresh {
                    // In the background: nobody gets the answer.
                    self.run(&errand(forward));
                }
                Some(answer)
            }
            Decision::Unsatisfied => Some(self.gateway_timeout()),
            Decision::Forward(_) if only_stored => None,
            Decision::Forward(forward) => Some(self.run(&errand(forward))),
        }
    }

    fn errand<'a>(
        &self,
        visit: &'a Visit<'a>,
        (cached, identity): (&'a Cached, Identity),
        forward: Forward,
        key: Key,
        held: Option<Held>,
    ) -> Errand<'a> {
        Errand {
            visit,
            cached,
            identity,
            validates: forward.validates,
            unconditional: forward.unconditional,
            held: held.filter(|_| forward.wants_stored()),
            fetch: forward.fetch(self.store.birth(), 0),
            key,
        }
    }
}

impl<'a> Visit<'a> {
    /// How the request selects among variants.
    fn selecting(&self, cached: &Cached) -> Selecting<'a> {
        Selecting {
            lines: self.lines,
            normalize_language: cached.policy.options.normalize_language,
        }
    }

    /// What the keys of responses that answer several queries are made of.
    fn searched<'k>(
        &'k self,
        cached: &'k Cached,
        identity: &'k Identity,
        secret: &'k Secret,
        request: &'k Request<'k>,
    ) -> Searched<'k> {
        Searched {
            identity,
            inputs: &cached.plan.inputs,
            secret,
            request,
            host: Noted::from_lines(self.lines).host,
        }
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

fn borrowed(lines: &[OwnedLine]) -> Vec<Line<'_>> {
    lines
        .iter()
        .map(|(name, value)| Line::new(name, value))
        .collect()
}

fn owned(line: &Line<'_>) -> OwnedLine {
    (line.name.to_vec(), line.value.to_vec())
}
