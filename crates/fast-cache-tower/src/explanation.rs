//! What would be done with a request, and why.

use crate::cache::Shared;
use crate::guide::Guide;
use crate::request::{Asked, Head, has_body};
use crate::route::Route;
use fast_cache_core::exchange::Outcome;
use fast_cache_core::reason::Reason;
use fast_cache_core::rules::request::Noted;
use fast_cache_engine::explain::{Explained, Explaining, explain};
use http::Request;
use http_body::Body;
use std::time::Duration;

/// What would be done with a request, and why: from [`StoreLayer::explain`](crate::StoreLayer::explain),
/// [`CacheLayer::explain`](crate::CacheLayer::explain) or [`CacheService::explain`](crate::CacheService::explain).
///
/// ```
/// use fast_cache_tower::{Cache, CacheLayer, Outcome, Policy, Reason};
/// use http::Request;
/// use std::time::Duration;
///
/// let policy = Policy::max_age(Duration::from_secs(60)).tag("user:{id}");
/// let layer = CacheLayer::new(Cache::memory(1 << 20)).rule("/users/{id}", policy);
/// let request = Request::get("/users/7").header("x-tenant", "acme").body(String::new())?;
/// let said = layer.explain(&request);
/// assert_eq!(said.outcome, Some(Outcome::Miss));
/// assert_eq!(said.reason, Some(Reason::Absent));
/// assert_eq!(said.route.as_deref(), Some("/users/{id}"));
/// assert_eq!(said.tags, ["user:7"]);
/// // What may be a credential is told as a hash.
/// let tenant = said.key.iter().find(|(name, _)| name == "header:x-tenant");
/// assert!(tenant.is_some_and(|(_, value)| value.starts_with("hashed:")));
///
/// let other = Request::get("/other").body(String::new())?;
/// assert_eq!(layer.explain(&other).outcome, None);
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// How it would come out; `None` where the layer has nothing to do with the request.
    pub outcome: Option<Outcome>,
    /// Why it would be no hit.
    pub reason: Option<Reason>,
    /// The template of its route; empty where the route is known and its template is not.
    pub route: Option<String>,
    /// The parts of its key, as name and value. Headers, cookies and whatever else may be a credential are told as hashes.
    pub key: Vec<(String, String)>,
    /// The age of what is stored.
    pub age: Option<Duration>,
    /// How much longer that is fresh; zero where it is stale.
    pub remaining: Option<Duration>,
    /// The tags that its answer would have, beside those that the answer names itself.
    pub tags: Vec<String>,
}

impl Explanation {
    pub(crate) fn of<A: Body>(shared: &Shared, guide: &Guide, request: &Request<A>) -> Self {
        let head = Head::of(request);
        let guided = guide.find(shared, &head);
        let Some(route) = guided.route else {
            return Self::default();
        };
        let mut said = Self {
            route: Some(route.template.text.to_string()),
            ..Self::default()
        };
        let parameters = route.template.parameters(head.uri().path());
        let tags = route.plan.tags.iter();
        said.tags = tags
            .filter_map(|tag| tag.fill(|name| parameters.get(name)))
            .collect();
        let explained = explained(shared, &route, request, head, |name| parameters.get(name));
        let passes = |reason: Option<Reason>| {
            guided.only_stored && !matches!(reason, None | Some(Reason::OnlyIfCached))
        };
        if let Some(explained) = explained {
            if !passes(explained.reason) {
                said.outcome = Some(explained.outcome);
                said.reason = explained.reason;
            }
            said.key = explained.key;
            said.age = explained.age;
            said.remaining = explained.remaining;
        } else if !guided.only_stored {
            said.outcome = Some(Outcome::Bypass);
            said.reason = Some(Reason::Method);
        }
        said
    }
}

/// `None` where the route does not know the method.
fn explained<'p, A: Body>(
    shared: &Shared,
    route: &Route,
    request: &Request<A>,
    head: Head<'_>,
    parameter: impl Fn(&str) -> Option<&'p str>,
) -> Option<Explained> {
    let plan = &route.plan;
    let identity = route.identity(head.method)?;
    let custom = plan.key.as_ref().map(|key| key(&parts_of(request)));
    let lines = head.lines();
    let mut asked = Asked::of(&head, &lines);
    if has_body(request.body()) {
        asked.note_body();
    }
    let noted: &Noted<'_> = asked.noted();
    let explaining = Explaining {
        secret: &shared.secret,
        identity,
        policy: &plan.policy,
        inputs: &plan.inputs,
        request: &asked.request(),
        noted,
        custom: custom.as_deref(),
        kept_out: None,
    };
    Some(explain(
        &*shared.store,
        &explaining,
        parameter,
        shared.now(),
    ))
}

fn parts_of<A>(request: &Request<A>) -> http::request::Parts {
    let mut parts = Request::new(()).into_parts().0;
    parts.method = request.method().clone();
    parts.uri = request.uri().clone();
    parts.version = request.version();
    parts.headers = request.headers().clone();
    parts.extensions = request.extensions().clone();
    parts
}
