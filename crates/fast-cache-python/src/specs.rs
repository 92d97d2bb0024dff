//! What a `CacheConfig` came to, read from the Python side.

use crate::application::Cached;
use fast_cache_core::key::{Identity, inputs::Inputs};
use fast_cache_core::policy::declared::{Declared, KeyPlan, key_plan};
use fast_cache_core::policy::{Canonical, HttpOptions, Lifetime, Policy, Statuses};
use fast_cache_core::purge::Label;
use fast_cache_core::route::{Template, parse_template};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
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
    early_refresh: f64,
    jitter: f64,
    follower_timeout: Option<f64>,
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

/// Reads specs, each once: many routes have the same.
#[derive(Default)]
pub(crate) struct SpecReader<'py> {
    /// By address; the objects are kept alive, so that no other can have the same.
    read: HashMap<usize, (Bound<'py, PyAny>, Read)>,
}

/// What a spec says of every route that has it.
struct Read {
    policy: Arc<Policy>,
    inputs: Arc<Inputs>,
    /// The methods that are answered from the cache, each beside the text that stands for it in identities.
    methods: Vec<(Box<str>, String)>,
    tags: Arc<[Template]>,
    key_func: Option<Py<PyAny>>,
    hooked: bool,
    strict: bool,
    raw: bool,
}

impl<'py> SpecReader<'py> {
    /// What the route with this template and label is to do. `ValueError` where a value is impossible, naming the route.
    pub(crate) fn cached(
        &mut self,
        spec: &Bound<'py, PyAny>,
        namespace: &str,
        host: &str,
        template: &str,
        label: Label,
    ) -> PyResult<Cached> {
        let (_, read) = match self.read.entry(spec.as_ptr() as usize) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let read = Read::from_spec(spec.extract()?, template)?;
                unknown.insert((spec.clone(), read))
            }
        };
        let identity =
            |method: &str| Identity::of_route(namespace, method, host, template, &read.inputs);
        let methods = read.methods.iter();
        Ok(Cached {
            policy: Arc::clone(&read.policy),
            inputs: Arc::clone(&read.inputs),
            identities: methods
                .map(|(method, text)| (method.clone(), identity(text)))
                .collect(),
            endpoint_label: label,
            tags: Arc::clone(&read.tags),
            key_func: read
                .key_func
                .as_ref()
                .map(|function| function.clone_ref(spec.py())),
            hooked: read.hooked,
            strict: read.strict,
            raw: read.raw,
        })
    }
}

impl Read {
    fn from_spec(spec: CachedSpec, template: &str) -> PyResult<Self> {
        let plan = key_plan(declared(&spec));
        let tags = spec.tags.iter().map(|tag| {
            parse_template(tag)
                .map_err(|error| PyValueError::new_err(format!("{template}: tag {tag:?}: {error}")))
        });
        let methods = spec.methods.iter().map(|method| {
            let method_and_variant = format!("{method} {}", spec.variant);
            (method.as_str().into(), method_and_variant)
        });
        Ok(Self {
            policy: Arc::new(policy(&spec, &plan, template)?),
            methods: methods.collect(),
            tags: tags.collect::<PyResult<_>>()?,
            inputs: Arc::new(plan.inputs),
            key_func: spec.key_func,
            hooked: spec.hooked,
            strict: spec.strict,
            raw: spec.raw,
        })
    }
}

fn policy(spec: &CachedSpec, plan: &KeyPlan, template: &str) -> PyResult<Policy> {
    let seconds = |seconds: f64| {
        Duration::try_from_secs_f64(seconds)
            .map_err(|error| PyValueError::new_err(format!("{template}: {error}")))
    };
    let canonical = spec.canonical.iter().map(|(name, kind)| {
        let kind = match kind.as_str() {
            "uuid" => Canonical::Uuid,
            "number" => Canonical::Number,
            "bool" => Canonical::Boolean,
            "date" => Canonical::Date,
            "address" => Canonical::Address,
            "mixed" => Canonical::Mixed,
            "never" => Canonical::Never,
            _ => Canonical::Integer,
        };
        (name.as_str().into(), kind)
    });
    Ok(Policy {
        lifetime: spec
            .max_age
            .map(seconds)
            .transpose()?
            .map_or(Lifetime::Response, Lifetime::Fixed),
        stale_while_revalidate: seconds(spec.stale_while_revalidate)?,
        stale_if_error: seconds(spec.stale_if_error)?,
        early_refresh: (spec.early_refresh > 0.0).then_some(spec.early_refresh),
        jitter: spec.jitter,
        follower_timeout: spec.follower_timeout.map(seconds).transpose()?,
        public: spec.public,
        etag: spec.etag,
        client_directives: spec.client_directives,
        authorization: plan.authorization,
        cookies: plan.cookies,
        reads_body: spec.reads_body,
        statuses: spec
            .statuses
            .iter()
            .fold(Statuses::NONE, |statuses, status| statuses.with(*status)),
        max_body_size: spec.max_body_size,
        canonical: canonical.collect(),
        options: HttpOptions::default(),
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
