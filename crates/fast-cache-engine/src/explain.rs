//! What would be done with a request, and why, without doing it.

use crate::find::{find, find_by_search};
use fast_cache_core::exchange::{Decision, Lookup, Outcome, begin};
use fast_cache_core::key::inputs::Inputs;
use fast_cache_core::key::search::Searched;
use fast_cache_core::key::{Identity, Secret, Selecting, build_key, custom_key, explain};
use fast_cache_core::policy::Policy;
use fast_cache_core::reason::Reason;
use fast_cache_core::request::Request;
use fast_cache_core::rules::freshness::remaining;
use fast_cache_core::rules::request::Noted;
use fast_cache_core::time::Timestamp;
use fast_cache_store::LocalStore;
use std::time::Duration;

/// A request of which it is asked what would be done with it, and the route that it takes.
#[derive(Clone, Copy, Debug)]
pub struct Explaining<'a> {
    /// The store's secret.
    pub secret: &'a Secret,
    /// The route, for the request's method.
    pub identity: &'a Identity,
    /// What it asks for.
    pub policy: &'a Policy,
    /// What joins its keys.
    pub inputs: &'a Inputs,
    /// The request.
    pub request: &'a Request<'a>,
    /// What its header lines say of it.
    pub noted: &'a Noted<'a>,
    /// What the route's author made of it, for its key.
    pub custom: Option<&'a str>,
    /// Why the host keeps out of it, where the rules do not.
    pub kept_out: Option<Reason>,
}

/// What would be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// How it would come out.
    pub outcome: Outcome,
    /// Why it would be no hit.
    pub reason: Option<Reason>,
    /// The parts of its key, as name and value; what may be a credential is concealed.
    pub key: Vec<(String, String)>,
    /// The age of what is stored.
    pub age: Option<Duration>,
    /// How much longer that is fresh; zero where it is stale.
    pub remaining: Option<Duration>,
}

/// Says what would be done with a request whose path has these parameters.
pub fn explain<'p, R>(
    store: &(impl LocalStore<R> + ?Sized),
    asked: &Explaining<'_>,
    parameter: impl Fn(&str) -> Option<&'p str>,
    now: Timestamp,
) -> Explained {
    let Explaining {
        secret,
        inputs,
        request,
        noted,
        ..
    } = *asked;
    let mut said = Explained {
        outcome: Outcome::Bypass,
        reason: None,
        key: match asked.custom {
            Some(custom) => explain::explain_custom_key(secret, custom),
            None => explain::explain_key(inputs, secret, request, noted.host),
        },
        age: None,
        remaining: None,
    };
    match begin(
        request.method,
        request.lines,
        noted,
        asked.policy,
        parameter,
    ) {
        Err(reason) => said.reason = Some(reason),
        Ok(_) if asked.kept_out.is_some() => said.reason = asked.kept_out,
        Ok(lookup) => look_up(store, asked, lookup, now, &mut said),
    }
    said
}

fn look_up<R>(
    store: &(impl LocalStore<R> + ?Sized),
    asked: &Explaining<'_>,
    lookup: Lookup<'_>,
    now: Timestamp,
    said: &mut Explained,
) {
    let mut buffer = Vec::new();
    let host = asked.noted.host;
    let (identity, inputs, secret) = (asked.identity, asked.inputs, asked.secret);
    let key = match asked.custom {
        Some(custom) => custom_key(identity, secret, custom, &mut buffer),
        None => build_key(identity, inputs, secret, asked.request, host, &mut buffer),
    };
    let selecting = Selecting {
        lines: asked.request.lines,
        normalize_language: asked.policy.options.normalize_language,
    };
    let finding = find(store, key, secret, selecting);
    let found = finding.found.or_else(|| {
        let searched = Searched {
            identity,
            inputs,
            secret,
            request: asked.request,
            host,
        };
        let is_http = asked.policy.is_http();
        is_http
            .then(|| find_by_search(store, &searched, selecting))
            .flatten()
    });
    let stored = found
        .as_ref()
        .and_then(|found| Some((found.entry.response()?, found.soft)));
    if let Some((stored, _)) = stored {
        let left = remaining(stored, now);
        said.age = Some(left.age);
        said.remaining = Some(left.fresh_for.unwrap_or_default());
    }
    (said.outcome, said.reason) = match lookup.decide(stored, finding.absent, now) {
        Decision::Serve(serve) if serve.stale => (Outcome::Stale, None),
        Decision::Serve(_) => (Outcome::Hit, None),
        Decision::Unsatisfied => (Outcome::Miss, Some(Reason::OnlyIfCached)),
        Decision::Forward(forward) => {
            let outcome = Outcome::of_forward(forward.reason);
            (outcome, Some(forward.reason))
        }
    };
}
