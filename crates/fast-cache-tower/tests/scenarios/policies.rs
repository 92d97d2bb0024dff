//! Scenarios' configurations as policies and drops.

use crate::corpus::{Config, Drop, MaxAge, Options, Route};
use fast_cache_tower::store::HostPattern;
use fast_cache_tower::{Drops, PathPattern, Policy, Purge, Reads};
use http::{Method, StatusCode};
use std::sync::Arc;
use std::time::Duration;

/// The policy of a cached route.
pub(crate) fn policy(route: &Route, config: &Config, options: &Options) -> Policy {
    let seconds = match &config.max_age {
        Some(MaxAge::Word(word)) => {
            assert_eq!(word, "http");
            None
        }
        Some(MaxAge::Seconds(seconds)) => Some(*seconds),
        None => Some(options.default_ttl.unwrap_or(300.0)),
    };
    let mut policy = seconds.map_or_else(Policy::http, |seconds| {
        Policy::max_age(Duration::from_secs_f64(seconds))
    });
    policy = policy
        .stale_while_revalidate(Duration::from_secs_f64(config.stale_while_revalidate))
        .stale_if_error(Duration::from_secs_f64(config.stale_if_error))
        .etag(config.etag)
        .client_directives(options.client_directives)
        .ignore_query(config.ignore_query.iter().map(String::as_str));
    for tag in &config.tags {
        policy = policy.tag(tag);
    }
    for name in &config.vary {
        policy = policy.vary(name);
    }
    for name in &options.undeclared_headers {
        policy = policy.undeclared_header(name);
    }
    if let Some(names) = &config.query {
        policy = policy.query(names.iter().map(String::as_str));
    }
    if let Some(text) = config.key.clone() {
        policy = policy.key(move |_| text.clone());
    }
    if config.public {
        policy = policy.public();
    }
    if config.strict_inputs {
        policy = policy.strict_inputs();
    }
    reading(with_options(policy, options), route)
}

fn with_options(mut policy: Policy, options: &Options) -> Policy {
    if let Some(size) = options.max_body_size {
        policy = policy.max_body_size(size);
    }
    if let Some(statuses) = &options.statuses {
        policy = policy.statuses(statuses.iter().map(|status| status_code(*status)));
    }
    if let Some(methods) = &options.methods {
        policy = policy.methods(methods.iter().map(|name| method(name)));
    }
    for (is_on, set) in [
        (
            options.heuristics,
            Policy::heuristics as fn(Policy) -> Policy,
        ),
        (options.cdn_cache_control, Policy::cdn_cache_control),
        (options.stale_on_error, Policy::stale_on_error),
        (options.normalize_language, Policy::normalize_language),
    ] {
        if is_on {
            policy = set(policy);
        }
    }
    policy
}

/// What the endpoint reads. One that takes the raw request reads everything, and may say of some of it what it is.
fn reading(mut policy: Policy, route: &Route) -> Policy {
    let all = route.reads.iter().flatten();
    let is_raw = all.clone().any(|text| text == "request");
    let mut reads = Reads::nothing();
    for text in all {
        let (kind, name) = text.split_once(':').unwrap_or((text, ""));
        match (kind, name.split_once(':')) {
            ("request", None) => {}
            ("body", None) => reads = reads.body(),
            ("query", None) => reads = reads.query(name),
            ("header", None) => reads = reads.header(name),
            ("cookie", None) => reads = reads.cookie(name),
            ("security", None) if name == "bearer" => {
                reads = reads.authorization();
                if is_raw {
                    policy = policy.vary("authorization");
                }
            }
            ("security", Some(("header", name))) => reads = reads.secret_header(name),
            ("security", Some(("query", name))) => reads = reads.secret_query(name),
            ("security", Some(("cookie", name))) => {
                reads = reads.secret_cookie(name);
                if is_raw {
                    policy = policy.vary(&format!("cookie:{name}"));
                }
            }
            ("path", Some((name, "int"))) => policy = policy.integer(name),
            ("path", Some((name, "uuid"))) => policy = policy.uuid(name),
            _ => panic!("an endpoint cannot read {text:?}"),
        }
    }
    if is_raw { policy } else { policy.reads(reads) }
}

/// What a writing route drops.
pub(crate) fn drops(drop: &Drop, routes: &[Route]) -> Drops {
    let mut drops = Drops::new();
    for path in &drop.paths {
        drops = if path.starts_with('^') {
            drops.pattern(expression(path))
        } else {
            drops.path(path)
        };
    }
    for tag in &drop.tags {
        drops = drops.tag(tag);
    }
    for name in &drop.endpoints {
        drops = drops.route(template(routes, name));
    }
    if drop.soft {
        drops = drops.softly();
    }
    if let Some(statuses) = drop.on.clone() {
        drops = drops.on(move |status| statuses.contains(&status.as_u16()));
    }
    drops
}

/// A drop from code.
pub(crate) fn purge(drop: &Drop, routes: &[Route], of_route: impl Fn(&str) -> Purge) -> Purge {
    let paths = drop.paths.iter().map(|path| {
        Purge::path(if path.starts_with('^') {
            expression(path)
        } else if path.contains('*') {
            PathPattern::glob(path)
        } else {
            PathPattern::prefix(path)
        })
    });
    let tags = drop.tags.iter().map(|tag| Purge::tag(tag));
    let endpoints = drop.endpoints.iter();
    let endpoints = endpoints.map(|name| of_route(template(routes, name)));
    let all = paths.chain(tags).chain(endpoints);
    let mut purge = all.reduce(Purge::and).unwrap_or_default();
    purge.soft = drop.soft;
    purge
}

fn template<'a>(routes: &'a [Route], name: &str) -> &'a str {
    let route = routes.iter().find(|route| route.name == name);
    &route.expect("a route of this name").path
}

pub(crate) fn method(name: &str) -> Method {
    Method::from_bytes(name.as_bytes()).expect("a method")
}

pub(crate) fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).expect("a status")
}

fn expression(text: &str) -> PathPattern {
    let expression = regex::Regex::new(text).expect("a regular expression");
    PathPattern::host(Arc::new(Expression(expression)))
}

/// A regular expression, matched from the start of the path.
#[derive(Debug)]
struct Expression(regex::Regex);

impl HostPattern for Expression {
    fn matches(&self, path: &str) -> bool {
        self.0.is_match(path)
    }

    fn identity(&self) -> &str {
        self.0.as_str()
    }
}
