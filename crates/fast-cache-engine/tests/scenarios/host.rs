//! A host without a framework: a request goes through the core, the engine and a memory store to a simulated origin.

use crate::application::{Application, Cached, Routed};
use crate::corpus::{self, Drop, Ends, Origin};
use crate::wire::{Answer, Wire};
use fast_cache_core::exchange::{
    Decision, Fetch, Form, Head, Outcome, Record, Recording, Serve, begin,
};
use fast_cache_core::fields::cache_status::{self, CacheName, Forward};
use fast_cache_core::fields::{Line, validators};
use fast_cache_core::key::{Key, Secret, build_key, custom_key};
use fast_cache_core::purge::{Label, Purge};
use fast_cache_core::reason::Reason;
use fast_cache_core::route::Resolution;
use fast_cache_core::rules::conditional::stands_in_not_modified;
use fast_cache_core::rules::kept_fields::KeptFields;
use fast_cache_core::rules::request::Noted;
use fast_cache_core::rules::tagging::collect_tags;
use fast_cache_core::stored::Stored;
use fast_cache_engine::clock::Clock;
use fast_cache_engine::commit::{Commit, commit};
use fast_cache_engine::find::find;
use fast_cache_store::{LocalStore, MemoryStore};
use std::time::Duration;

/// The host.
pub(crate) struct Host {
    pub(crate) application: Application,
    pub(crate) store: MemoryStore<Kept>,
    pub(crate) clock: Clock,
    pub(crate) secret: Secret,
    pub(crate) name: CacheName,
    pub(crate) head_from_get: bool,
}

/// A stored answer.
#[derive(Debug)]
pub(crate) struct Kept {
    lines: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
}

type Parameters = Vec<(String, String)>;

/// A request for a known route on its way to the endpoint.
struct Visit<'a> {
    wire: &'a Wire,
    lines: &'a [Line<'a>],
    routed: &'a Routed,
    parameters: Parameters,
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
            None => Some(self.call(&visit, None, None)),
        };
        answer.unwrap_or_else(|| Answer::of_framework(405))
    }

    /// Answers a request for a cached route; `None` where only a stored answer would have done.
    fn answer(&self, visit: &Visit<'_>, cached: &Cached, only_stored: bool) -> Option<Answer> {
        let bypass = |reason| Some(self.call(visit, Some((cached, reason, Outcome::Bypass)), None));
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
        let lookup = match begin(&request, &noted, &cached.policy, parameter) {
            Ok(lookup) => lookup,
            Err(reason) => return bypass(reason),
        };
        let (mut primary, mut variant) = (Vec::new(), Vec::new());
        let inputs = &cached.plan.inputs;
        let key = match &cached.key {
            Some(text) => custom_key(identity, &self.secret, text, &mut primary),
            None => build_key(
                identity,
                inputs,
                &self.secret,
                &request,
                noted.host,
                &mut primary,
            ),
        };
        let (mut found, mut absent) = (None, Reason::Absent);
        if lookup.wants_stored() {
            let finding = find(&self.store, key, &self.secret, visit.lines, &mut variant);
            (found, absent) = (finding.found, finding.absent);
        }
        let stored = found
            .as_ref()
            .and_then(|found| Some((found.entry.response()?, found.soft)));
        match lookup.decide(stored, absent, self.clock.now()) {
            Decision::Serve(serve) => {
                let (stored, _) = stored.expect("what is served was found");
                Some(self.serve(stored, serve))
            }
            Decision::Forward(_) if only_stored => None,
            Decision::Forward(forward) => {
                let why = forward.reason;
                let fetch = forward.fetch(self.store.birth());
                let spoken = (cached, why, Outcome::of_forward(why));
                Some(self.call(visit, Some(spoken), Some((fetch, key.to_owned()))))
            }
        }
    }

    fn serve(&self, stored: &Stored<Kept>, serve: Serve) -> Answer {
        let kept = &stored.representation;
        let not_modified = serve.form == Form::NotModified;
        let mut lines = kept.lines.clone();
        lines.retain(|(name, _)| !not_modified || stands_in_not_modified(name));
        lines.push((b"age".to_vec(), serve.age.to_string().into_bytes()));
        let mut cache_status = Vec::new();
        let ttl = i64::try_from(serve.ttl).unwrap_or(i64::MAX);
        cache_status::hit(&mut cache_status, &self.name, ttl);
        Answer {
            status: if not_modified { 304 } else { stored.status },
            lines,
            body: if serve.form == Form::Full {
                kept.body.clone()
            } else {
                Vec::new()
            },
            outcome: Some(Outcome::Hit),
            cache_status,
            called: None,
        }
    }

    /// Calls the endpoint. `spoken` is what the cache says of it; with a fetch and a key its answer may be stored.
    fn call(
        &self,
        visit: &Visit<'_>,
        spoken: Option<(&Cached, Reason, Outcome)>,
        storing: Option<(Fetch, Key)>,
    ) -> Answer {
        let Some(origin) = visit.origin else {
            return Answer::of_framework(0).calling(&visit.routed.name);
        };
        self.advance(origin.takes);
        if let Some(drop) = &origin.meanwhile {
            self.drop(&self.application.purge(drop, &[]));
        }
        let pieces = origin.pieces();
        if origin.ends == Ends::Raises && pieces.is_empty() {
            let mut answer = Answer::of_framework(500).calling(&visit.routed.name);
            answer.body = b"Internal Server Error".to_vec();
            return answer;
        }
        let status = origin.status.unwrap_or(200);
        self.drop_after(visit, status);
        let lines: Vec<_> = origin
            .headers
            .iter()
            .map(|text| corpus::line(text))
            .collect();
        let mut answer = Answer {
            status,
            lines,
            body: pieces.concat(),
            called: Some(visit.routed.name.clone()),
            ..Answer::default()
        };
        let Some((cached, why, outcome)) = spoken else {
            return answer;
        };
        let kept = match storing {
            Some((fetch, key)) => self.record(visit, cached, origin, (fetch, key), &mut answer),
            None => Err(why),
        };
        self.drop_after(visit, status);
        let (outcome, why) = outcome.settled(why, kept);
        answer.outcome = Some(outcome);
        let forward = cache_status::forward_for(why);
        let explained = matches!(forward, Forward::Bypass | Forward::Request).then_some(why);
        let detail = kept.err().or(explained);
        cache_status::forward(
            &mut answer.cache_status,
            &self.name,
            forward,
            None,
            kept.is_ok(),
            detail,
        );
        answer
    }

    fn drop_after(&self, visit: &Visit<'_>, status: u16) {
        let applies = |drop: &&Drop| match &drop.on {
            Some(statuses) => statuses.contains(&status),
            None => status < 400,
        };
        for drop in visit.routed.drops.iter().filter(applies) {
            self.drop(&self.application.purge(drop, &visit.parameters));
        }
    }

    /// Records the endpoint's answer; what the client is told of it.
    fn record(
        &self,
        visit: &Visit<'_>,
        cached: &Cached,
        origin: &Origin,
        (fetch, key): (Fetch, Key),
        answer: &mut Answer,
    ) -> Result<(), Reason> {
        let owned = answer.lines.clone();
        let lines: Vec<Line<'_>> = owned
            .iter()
            .map(|(name, value)| Line::new(name, value))
            .collect();
        let head = Head {
            status: answer.status,
            lines: &lines,
        };
        let inputs = &cached.plan.inputs;
        let record = fetch.on_response(&head, &cached.policy, inputs, self.clock.now())?;
        // As in any host: the head waits for the body only where it is known to come in one piece.
        let waits = record.recording.wants_etag() && record.recording.announced_length().is_some();
        let settled = self.finish(visit, cached, (record, key), origin, &lines);
        if !waits {
            return settled.map_or_else(
                |(reason, at_head)| if at_head { Err(reason) } else { Ok(()) },
                |_| Ok(()),
            );
        }
        let etag = settled.map_err(|(reason, _)| reason)?;
        if let Some(hash) = etag {
            let tag = validators::format_generated(hash).to_vec();
            answer.lines.push((b"etag".to_vec(), tag));
        }
        Ok(())
    }

    /// Takes the body and commits: the generated entity tag, or why nothing was stored and whether that was clear from
    /// the head.
    fn finish(
        &self,
        visit: &Visit<'_>,
        cached: &Cached,
        (record, key): (Record, Key),
        origin: &Origin,
        lines: &[Line<'_>],
    ) -> Result<Option<u64>, (Reason, bool)> {
        let Record {
            varying,
            mut recording,
        } = record;
        let request = visit.wire.request(visit.lines);
        let route_tags = cached
            .tags
            .iter()
            .filter_map(|tag| tag.fill(|name| visit.parameter(name)));
        let route_tags: Vec<String> = route_tags.collect();
        let tags = collect_tags(route_tags.iter().map(String::as_str), lines);
        let tags = tags.map_err(|reason| (reason, true))?;
        let mut labels = vec![cached.label];
        Label::subtrees(request.route_path(), &mut labels).map_err(|reason| (reason, true))?;
        labels.extend(tags.iter().map(|tag| Label::tag(tag)));
        for piece in origin.pieces() {
            recording
                .push(piece.len())
                .map_err(|reason| (reason, false))?;
        }
        if origin.ends != Ends::Whole {
            return Err((Reason::Incomplete, false));
        }
        let body = origin.pieces().concat();
        let etag = recording.wants_etag().then(|| Recording::make_etag(&body));
        let kept = KeptFields::of(lines);
        let mut kept_lines: Vec<_> = lines
            .iter()
            .filter(|line| kept.keeps(line.name))
            .map(|line| (line.name.to_vec(), line.value.to_vec()))
            .collect();
        kept_lines.extend(etag.map(|hash| {
            let tag = validators::format_generated(hash).to_vec();
            (b"etag".to_vec(), tag)
        }));
        let weight = body.len();
        let birth = recording.birth();
        let representation = Kept {
            lines: kept_lines,
            body,
        };
        let stored = recording
            .finish(etag, representation)
            .map_err(|reason| (reason, false))?;
        let put = Commit {
            key,
            birth,
            path: request.route_path(),
            labels: &labels,
            varying: &varying,
            lines: visit.lines,
            stored,
            weight,
        };
        commit(&self.store, &self.secret, put).map_err(|reason| (reason, false))?;
        Ok(etag)
    }
}

impl Visit<'_> {
    fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}
