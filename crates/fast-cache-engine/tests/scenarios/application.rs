//! A simulated application: its route table and what each route asks for, from a scenario.

use crate::corpus::{Config, Drop, MaxAge, Options, Route};
use fast_cache_core::key::Identity;
use fast_cache_core::policy::declared::{Declared, KeyPlan, key_plan};
use fast_cache_core::policy::{
    Canonical, HttpOptions, Lifetime, Policy, Statuses, canonical_spellings,
};
use fast_cache_core::purge::{Cover, HostPattern, Label, PathPattern, Purge};
use fast_cache_core::route::{Convertor, Table, TableBuilder, Template, parse_template};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// The application.
pub(crate) struct Application {
    pub(crate) table: Table,
    pub(crate) routes: Vec<Routed>,
    /// Some route follows the response's own headers, so that writes invalidate.
    pub(crate) has_http_mode: bool,
}

/// One route.
pub(crate) struct Routed {
    pub(crate) name: String,
    pub(crate) cached: Option<Cached>,
    pub(crate) drops: Vec<Drop>,
}

/// What a cached route asks for.
pub(crate) struct Cached {
    pub(crate) policy: Policy,
    pub(crate) plan: KeyPlan,
    pub(crate) identities: HashMap<String, Identity>,
    pub(crate) label: Label,
    pub(crate) tags: Vec<Template>,
    pub(crate) key: Option<String>,
}

impl Cached {
    /// Whether a response may answer several queries: an author's key does not know of them.
    pub(crate) fn searches(&self) -> bool {
        self.policy.is_http() && self.key.is_none()
    }
}

impl Application {
    pub(crate) fn new(routes: &[Route], options: &Options) -> Self {
        let mut table = TableBuilder::new();
        for (number, route) in (0..).zip(routes) {
            let methods: Vec<&str> = route.methods.iter().map(String::as_str).collect();
            table
                .route(&route.path, Some(&methods), number)
                .expect("a path that the table can hold");
        }
        let all = routes.iter().map(|route| Routed {
            name: route.name.clone(),
            cached: route
                .config
                .as_ref()
                .map(|config| cached(route, config, options)),
            drops: route.drops.clone(),
        });
        let routes: Vec<Routed> = all.collect();
        let is_http = |cached: &Cached| cached.policy.is_http();
        Self {
            table: table.build(),
            has_http_mode: routes
                .iter()
                .filter_map(|route| route.cached.as_ref())
                .any(is_http),
            routes,
        }
    }

    /// What a drop covers, filled with the path parameters of the request that asks for it.
    pub(crate) fn purge(&self, drop: &Drop, parameters: &[(String, String)]) -> Purge {
        let mut purge = Purge::default();
        for path in &drop.paths {
            path_covers(path, parameters, &mut purge.covers);
        }
        for tag in &drop.tags {
            for tag in filled(tag, parameters) {
                purge.covers.push(Cover::Label(Label::tag(&tag)));
            }
        }
        for endpoint in &drop.endpoints {
            let route = self.routes.iter().find(|route| route.name == *endpoint);
            let cached = route.and_then(|route| route.cached.as_ref());
            purge
                .covers
                .push(Cover::Label(cached.expect("a cached endpoint").label));
        }
        purge.soft = drop.soft;
        purge
    }
}

fn cached(route: &Route, config: &Config, options: &Options) -> Cached {
    let (declared, mut canonical, reads_body) = declared(route, config, options);
    let http_mode = declared.http_mode;
    let plan = key_plan(declared);
    let template = parse_template(&route.path).expect("a template");
    for parameter in template.parameters() {
        match parameter.convertor {
            Convertor::Int => canonical.push((parameter.name.clone(), Canonical::Integer)),
            Convertor::Uuid => canonical.push((parameter.name.clone(), Canonical::Uuid)),
            _ => {}
        }
    }
    let seconds = match &config.max_age {
        Some(MaxAge::Seconds(seconds)) => *seconds,
        _ => options.default_ttl.unwrap_or(300.0),
    };
    let lifetime = if http_mode {
        Lifetime::Response
    } else {
        Lifetime::Fixed(Duration::from_secs_f64(seconds))
    };
    let statuses = match &options.statuses {
        Some(statuses) => statuses
            .iter()
            .fold(Statuses::NONE, |all, status| all.with(*status)),
        None if http_mode => Statuses::FINAL,
        None => Statuses::default(),
    };
    let http_options = HttpOptions {
        heuristics: http_mode && options.heuristics,
        cdn_cache_control: http_mode && options.cdn_cache_control,
        stale_on_error: http_mode && options.stale_on_error,
        normalize_language: http_mode && options.normalize_language,
    };
    let policy = Policy {
        early_refresh: None,
        jitter: 0.0,
        follower_timeout: None,
        lifetime,
        stale_while_revalidate: Duration::from_secs_f64(config.stale_while_revalidate),
        stale_if_error: Duration::from_secs_f64(config.stale_if_error),
        options: http_options,
        public: config.public,
        etag: config.etag,
        client_directives: options.client_directives,
        authorization: plan.authorization,
        cookies: plan.cookies,
        reads_body,
        statuses,
        max_body_size: options.max_body_size.unwrap_or(1 << 20),
        canonical: canonical.into(),
    };
    let cacheable = options.methods.clone().unwrap_or(vec!["GET".into()]);
    let identities = route
        .methods
        .iter()
        .filter(|method| cacheable.contains(method))
        .map(|method| {
            let identity = Identity::of_route("", method, "", &route.path, &plan.inputs);
            (method.clone(), identity)
        });
    Cached {
        identities: identities.collect(),
        label: Label::endpoint(Identity::of_endpoint("", "", &route.path).bytes()),
        tags: config
            .tags
            .iter()
            .map(|tag| parse_template(tag).expect("a tag"))
            .collect(),
        key: config.key.clone(),
        policy,
        plan,
    }
}

type Canonicals = Vec<(Box<str>, Canonical)>;

/// What an endpoint reads, as the analysis of an application would find it.
fn declared(route: &Route, config: &Config, options: &Options) -> (Declared, Canonicals, bool) {
    let list = |names: &[String]| names.iter().map(|name| name.as_str().into()).collect();
    let mut declared = Declared {
        query: Some(Vec::new()),
        cookies: Some(Vec::new()),
        query_only: config.query.as_deref().map(list),
        query_ignore: list(&config.ignore_query),
        undeclared_headers: list(&options.undeclared_headers),
        public: config.public,
        custom_key: config.key.is_some(),
        strict: config.strict_inputs,
        http_mode: matches!(&config.max_age, Some(MaxAge::Word(word)) if word == "http"),
        ..Declared::default()
    };
    for name in &config.vary {
        match name.strip_prefix("cookie:") {
            Some(cookie) => declared.vary_cookies.push(cookie.into()),
            None => declared.vary_headers.push(name.to_lowercase().into()),
        }
    }
    let mut canonical = Vec::new();
    let mut reads_body = false;
    for text in route.reads.iter().flatten() {
        let (kind, name) = text.split_once(':').unwrap_or((text, ""));
        match (kind, name.split_once(':')) {
            ("request", None) => {
                declared.raw = true;
                declared.all_headers = true;
            }
            ("body", None) => reads_body = true,
            ("query", None) => declared.query.iter_mut().for_each(|q| q.push(name.into())),
            ("header", None) => declared.headers.push(name.to_lowercase().into()),
            ("cookie", None) => declared
                .cookies
                .iter_mut()
                .for_each(|c| c.push(name.into())),
            ("security", None) if name == "bearer" => declared.authorization = true,
            ("security", Some(("header", name))) => {
                declared.secret_headers.push(name.to_lowercase().into());
            }
            ("security", Some(("query", name))) => declared.secret_query.push(name.into()),
            ("security", Some(("cookie", name))) => declared.secret_cookies.push(name.into()),
            ("path", Some((name, "int"))) => canonical.push((name.into(), Canonical::Integer)),
            ("path", Some((name, "uuid"))) => canonical.push((name.into(), Canonical::Uuid)),
            _ => panic!("an endpoint cannot read {text:?}"),
        }
    }
    if declared.raw {
        declared.query = None;
        declared.cookies = None;
    }
    (declared, canonical, reads_body)
}

/// A drop path read as the public contract says: a regular expression, a template, a glob, or a prefix.
fn path_covers(path: &str, parameters: &[(String, String)], covers: &mut Vec<Cover>) {
    if path.starts_with('^') {
        let expression = regex::Regex::new(path).expect("a regular expression");
        covers.push(Cover::Path(PathPattern::host(Arc::new(Expression(
            expression,
        )))));
        return;
    }
    let is_template = path.contains('{');
    for text in filled(path, parameters) {
        covers.push(match (text.contains('*'), is_template) {
            (true, _) => Cover::Path(PathPattern::glob(&text)),
            (false, true) => Cover::Label(Label::subtree(&text)),
            (false, false) => Cover::Path(PathPattern::prefix(&text)),
        });
    }
}

/// `text` with path parameters put in, as they were written and, where that differs, in their canonical spelling.
fn filled(text: &str, parameters: &[(String, String)]) -> Vec<String> {
    let template = parse_template(text).expect("a template");
    let canonical: Vec<(String, String)> = parameters
        .iter()
        .map(|(name, value)| {
            let spelling = canonical_spellings(value).into_iter().next();
            (name.clone(), spelling.unwrap_or_else(|| value.clone()))
        })
        .collect();
    let fill = |parameters: &[(String, String)]| {
        let value = |name: &str| {
            let found = parameters.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.as_str())
        };
        template.fill(value).expect("known parameters")
    };
    let mut texts = vec![fill(parameters), fill(&canonical)];
    texts.dedup();
    texts
}

/// A regular expression of the host's, matched from the start of the path.
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
