//! What a `CacheConfig` came to, read from the Python side.

use crate::application::Cached;
use fast_cache_core::key::Identity;
use fast_cache_core::policy::declared::{Declared, KeyPlan, key_plan};
use fast_cache_core::policy::{Canonical, HttpOptions, Lifetime, Policy, Statuses};
use fast_cache_core::purge::Label;
use fast_cache_core::route::parse_template;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::time::Duration;

/// What a `CacheConfig` came to, as the Python side hands it over.
#[derive(FromPyObject)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one field for each switch of the public contract"
)]
pub(crate) struct CachedSpec {
    max_age: Option<f64>,
    stale_while_revalidate: f64,
    stale_if_error: f64,
    public: bool,
    etag: bool,
    strict: bool,
    client_directives: bool,
    statuses: Vec<u16>,
    methods: Vec<String>,
    max_body_size: u64,
    tags: Vec<String>,
    canonical: Vec<(String, String)>,
    reads_body: bool,
    raw: bool,
    all_headers: bool,
    query: Option<Vec<String>>,
    headers: Vec<String>,
    cookies: Option<Vec<String>>,
    authorization: bool,
    secret_headers: Vec<String>,
    secret_query: Vec<String>,
    secret_cookies: Vec<String>,
    vary_headers: Vec<String>,
    vary_cookies: Vec<String>,
    query_only: Option<Vec<String>>,
    query_ignore: Vec<String>,
    undeclared_headers: Vec<String>,
    key_func: Option<Py<PyAny>>,
    hooked: bool,
    variant: String,
}

/// The label of whatever the endpoint behind this template answered.
pub(crate) fn endpoint_label(namespace: &str, host: &str, template: &str) -> Label {
    Label::endpoint(Identity::of_endpoint(namespace, host, template).bytes())
}

/// The policy and the key of a cached route. `ValueError` where a value is impossible, naming the route.
pub(crate) fn read_cached(
    spec: &CachedSpec,
    namespace: &str,
    host: &str,
    template: &str,
) -> PyResult<Cached> {
    let seconds = |seconds: f64| {
        Duration::try_from_secs_f64(seconds)
            .map_err(|error| PyValueError::new_err(format!("{template}: {error}")))
    };
    let plan = key_plan(declared(spec));
    let KeyPlan {
        inputs,
        authorization,
        cookies,
    } = plan;
    let identities = spec.methods.iter().map(|method| {
        let method_and_variant = format!("{method} {}", spec.variant);
        (
            method.as_str().into(),
            Identity::of_route(namespace, &method_and_variant, host, template, &inputs),
        )
    });
    let tags = spec.tags.iter().map(|tag| {
        parse_template(tag)
            .map_err(|error| PyValueError::new_err(format!("{template}: tag {tag:?}: {error}")))
    });
    let canonical = spec.canonical.iter().map(|(name, kind)| {
        let kind = match kind.as_str() {
            "uuid" => Canonical::Uuid,
            "number" => Canonical::Number,
            "bool" => Canonical::Boolean,
            "date" => Canonical::Date,
            "mixed" => Canonical::Mixed,
            _ => Canonical::Integer,
        };
        (name.as_str().into(), kind)
    });
    let policy = Policy {
        lifetime: spec
            .max_age
            .map(seconds)
            .transpose()?
            .map_or(Lifetime::Response, Lifetime::Fixed),
        stale_while_revalidate: seconds(spec.stale_while_revalidate)?,
        stale_if_error: seconds(spec.stale_if_error)?,
        public: spec.public,
        etag: spec.etag,
        client_directives: spec.client_directives,
        authorization,
        cookies,
        reads_body: spec.reads_body,
        statuses: spec
            .statuses
            .iter()
            .fold(Statuses::NONE, |statuses, status| statuses.with(*status)),
        max_body_size: spec.max_body_size,
        canonical: canonical.collect(),
        options: HttpOptions::default(),
    };
    let key_func = Python::attach(|py| {
        spec.key_func
            .as_ref()
            .map(|function| function.clone_ref(py))
    });
    Ok(Cached {
        policy,
        identities: identities.collect(),
        inputs,
        endpoint_label: endpoint_label(namespace, host, template),
        tags: tags.collect::<PyResult<_>>()?,
        key_func,
        hooked: spec.hooked,
        strict: spec.strict,
        raw: spec.raw,
    })
}

fn declared(spec: &CachedSpec) -> Declared {
    let list = |names: &[String]| -> Vec<Box<str>> {
        names.iter().map(|name| name.as_str().into()).collect()
    };
    Declared {
        raw: spec.raw,
        all_headers: spec.all_headers,
        query: spec.query.as_deref().map(list),
        headers: list(&spec.headers),
        cookies: spec.cookies.as_deref().map(list),
        authorization: spec.authorization,
        secret_headers: list(&spec.secret_headers),
        secret_query: list(&spec.secret_query),
        secret_cookies: list(&spec.secret_cookies),
        vary_headers: list(&spec.vary_headers),
        vary_cookies: list(&spec.vary_cookies),
        query_only: spec.query_only.as_deref().map(list),
        query_ignore: list(&spec.query_ignore),
        undeclared_headers: list(&spec.undeclared_headers),
        public: spec.public,
        custom_key: spec.key_func.is_some(),
        strict: spec.strict,
        http_mode: spec.max_age.is_none(),
    }
}
