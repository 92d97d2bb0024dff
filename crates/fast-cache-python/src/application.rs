//! The analysed application: the route table and what each route asks for, read once from Python.

use crate::drops::DropRule;
use crate::overrides::Overrides;
use crate::store::MemoryStore;
use fast_cache_core::key::{Identity, inputs::Inputs};
use fast_cache_core::policy::declared::{Declared, KeyPlan, key_plan};
use fast_cache_core::policy::{Canonical, Lifetime, Policy, Statuses};
use fast_cache_core::purge::Label;
use fast_cache_core::route::{PatternError, Table, TableBuilder, Template, parse_template};
use fast_cache_engine::observe::RouteCounters;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::{PyList, PyString};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// One route, as the middleware needs it.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) template: Box<str>,
    /// The names of its path parameters, from left to right.
    pub(crate) parameters: Box<[Py<PyString>]>,
    pub(crate) endpoint: Option<Py<PyAny>>,
    /// What the framework puts into `scope["route"]`.
    pub(crate) scope_route: Option<Py<PyAny>>,
    pub(crate) cached: Option<Cached>,
    pub(crate) drops: Box<[DropRule]>,
    pub(crate) counters: Arc<RouteCounters>,
    /// The framework took another route where this one was predicted: it is asked from now on.
    pub(crate) distrusted: AtomicBool,
}

/// What a cached route asks for.
#[derive(Debug)]
pub(crate) struct Cached {
    pub(crate) policy: Policy,
    pub(crate) inputs: Inputs,
    /// The methods that are answered from the cache, with the identity that their keys begin with.
    pub(crate) identities: Box<[(Box<str>, Identity)]>,
    pub(crate) endpoint_label: Label,
    pub(crate) tags: Box<[Template]>,
    pub(crate) key_func: Option<Py<PyAny>>,
    pub(crate) hooked: bool,
    pub(crate) strict: bool,
    /// Something takes the raw request, and with it `receive`.
    pub(crate) raw: bool,
}

impl Cached {
    /// The identity for keys of this method; `HEAD` is answered from `GET`.
    pub(crate) fn identity(&self, method: &str) -> Option<&Identity> {
        let method = if method == "HEAD" { "GET" } else { method };
        self.identities
            .iter()
            .find(|(name, _)| &**name == method)
            .map(|(_, identity)| identity)
    }
}

/// What a `CacheConfig` came to, as the Python side hands it over.
#[derive(FromPyObject)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "one field for each switch of the public contract"
)]
struct CachedSpec {
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

/// One row of the analysis: kind, template, methods, endpoint, route, host, cached, drops.
type Row<'py> = (
    String,
    String,
    Option<Vec<String>>,
    Bound<'py, PyAny>,
    Bound<'py, PyAny>,
    Option<String>,
    Option<Bound<'py, PyAny>>,
    Vec<Bound<'py, PyAny>>,
);

/// The analysed application.
#[pyclass(frozen, module = "fast_cache_middleware._core")]
pub(crate) struct Application {
    pub(crate) table: Table,
    pub(crate) routes: Vec<Route>,
    pub(crate) has_configs: bool,
    /// The application keeps telemetry of its own, which wants to know the route.
    pub(crate) has_telemetry: bool,
    /// Something is mounted.
    pub(crate) has_mounts: bool,
    /// The `root_path` that the application will write into the scope, where it has not done so yet.
    pub(crate) root_path: Option<String>,
    watch: Vec<(Py<PyList>, usize)>,
    overrides: Option<Overrides>,
}

#[pymethods]
impl Application {
    /// Reads the rows of an analysis. `watch` are the route lists whose growth calls for another analysis; `owner` is
    /// the application whose `dependency_overrides` do.
    #[new]
    #[pyo3(signature = (store, namespace, rows, watch, owner=None, root_path=None))]
    fn new(
        store: &Bound<'_, MemoryStore>,
        namespace: &str,
        rows: Vec<Row<'_>>,
        watch: Vec<Bound<'_, PyList>>,
        owner: Option<Bound<'_, PyAny>>,
        root_path: Option<String>,
    ) -> PyResult<Self> {
        let labels = endpoint_labels(namespace, &rows);
        let has_mounts = rows.iter().any(|row| row.0 == "opaque");
        let mut table = TableBuilder::new();
        let mut routes = Vec::with_capacity(rows.len());
        for (kind, template, methods, endpoint, route, host, cached, drops) in rows {
            match kind.as_str() {
                "opaque" => {
                    if table.opaque(&template).is_err() {
                        table.ask("");
                    }
                    continue;
                }
                "ask" => {
                    table.ask(&template);
                    continue;
                }
                // Behind an `ask`: only the framework finds it.
                "asked" => {}
                _ => {
                    let methods: Option<Vec<&str>> = methods
                        .as_ref()
                        .map(|methods| methods.iter().map(String::as_str).collect());
                    let target = u32::try_from(routes.len()).unwrap_or(u32::MAX);
                    match table.route(&template, methods.as_deref(), target) {
                        Ok(()) => {}
                        // What the table cannot hold, the framework is asked for.
                        Err(PatternError::NoLeadingSlash) => {
                            return Err(PyValueError::new_err(format!(
                                "{template}: a path must start with \"/\""
                            )));
                        }
                        Err(_) => table.ask(&template),
                    }
                }
            }
            let host = host.unwrap_or_default();
            let cached = cached
                .map(|spec| {
                    read_cached(&spec.extract::<CachedSpec>()?, namespace, &host, &template)
                })
                .transpose()?;
            let drops = drops
                .iter()
                .map(|spec| DropRule::read(spec, store, &labels))
                .collect::<PyResult<Box<[_]>>>()?;
            let some = |object: Bound<'_, PyAny>| (!object.is_none()).then(|| object.unbind());
            let counted = cached.is_some() || !drops.is_empty();
            routes.push(Route {
                counters: if counted {
                    store.get().counters_of(&template)
                } else {
                    Arc::default()
                },
                parameters: parameter_names(store.py(), &template, counted),
                template: template.into(),
                endpoint: some(endpoint),
                scope_route: some(route),
                cached,
                drops,
                distrusted: AtomicBool::new(false),
            });
        }
        let overrides = owner.as_ref().and_then(Overrides::of);
        Ok(Self {
            table: table.build(),
            has_configs: routes
                .iter()
                .any(|route| route.cached.is_some() || !route.drops.is_empty()),
            routes,
            has_telemetry: owner
                .as_ref()
                .is_some_and(|owner| owner.hasattr("_native_telemetry").unwrap_or(false)),
            root_path,
            has_mounts,
            watch: watch
                .iter()
                .map(|list| (list.clone().unbind(), list.len()))
                .collect(),
            overrides,
        })
    }

    /// Whether the routes or the dependency overrides have changed since the analysis. `thorough` looks at every list
    /// of routes; otherwise only at the application's own.
    pub(crate) fn is_outdated(&self, py: Python<'_>, thorough: bool) -> bool {
        let looked_at = if thorough {
            self.watch.len()
        } else {
            1.min(self.watch.len())
        };
        if self.watch[..looked_at]
            .iter()
            .any(|(list, length)| list.bind(py).len() != *length)
        {
            return true;
        }
        self.overrides
            .as_ref()
            .is_some_and(|overrides| overrides.have_changed(py))
    }

    /// The number of routes.
    fn __len__(&self) -> usize {
        self.routes.len()
    }

    /// The labels of everything an endpoint answered.
    fn labels_of(&self, endpoint: &Bound<'_, PyAny>) -> Vec<u64> {
        let same = |route: &&Route| {
            route
                .endpoint
                .as_ref()
                .is_some_and(|known| known.is(endpoint))
        };
        self.routes
            .iter()
            .filter(same)
            .filter_map(|route| Some(route.cached.as_ref()?.endpoint_label.bits()))
            .collect()
    }

    /// Says that the framework took another route where route `index` was predicted.
    pub(crate) fn distrust(&self, index: usize) {
        if let Some(route) = self.routes.get(index) {
            route.distrusted.store(true, Ordering::Relaxed);
            route.counters.mispredicted();
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        for (list, _) in &self.watch {
            visit.call(list)?;
        }
        if let Some(overrides) = &self.overrides {
            overrides.traverse(visit)?;
        }
        for route in &self.routes {
            visit.call(&route.endpoint)?;
            visit.call(&route.scope_route)?;
            if let Some(cached) = &route.cached {
                visit.call(&cached.key_func)?;
            }
            for rule in &route.drops {
                rule.traverse(visit)?;
            }
        }
        Ok(())
    }
}

/// The names of a template's parameters, interned; of a route that is never answered from here, none.
fn parameter_names(py: Python<'_>, template: &str, counted: bool) -> Box<[Py<PyString>]> {
    let parsed = if counted {
        parse_template(template).ok()
    } else {
        None
    };
    let names = parsed.iter().flat_map(Template::parameters);
    names
        .map(|named| PyString::intern(py, &named.name).unbind())
        .collect()
}

/// The labels by which the answers of each endpoint can be dropped, by the endpoint's address.
fn endpoint_labels(namespace: &str, rows: &[Row<'_>]) -> HashMap<usize, Vec<Label>> {
    let mut labels: HashMap<usize, Vec<Label>> = HashMap::new();
    for (_, template, _, endpoint, _, host, cached, _) in rows {
        if cached.is_some() && !endpoint.is_none() {
            let label = endpoint_label(namespace, host.as_deref().unwrap_or_default(), template);
            labels
                .entry(endpoint.as_ptr() as usize)
                .or_default()
                .push(label);
        }
    }
    labels
}

fn endpoint_label(namespace: &str, host: &str, template: &str) -> Label {
    Label::endpoint(Identity::of_endpoint(namespace, host, template).bytes())
}

fn read_cached(spec: &CachedSpec, namespace: &str, host: &str, template: &str) -> PyResult<Cached> {
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
        let kind = if kind == "uuid" {
            Canonical::Uuid
        } else {
            Canonical::Integer
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
