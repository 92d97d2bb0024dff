//! The analysed application: the route table and what each route asks for, read once from Python.

use crate::drops::DropRule;
use crate::overrides::Overrides;
use crate::recent::Recent;
use crate::specs::{SpecReader, endpoint_label};
use crate::store::HostStore;
use crate::watch::Watched;
use fast_cache_core::fields::Line;
use fast_cache_core::key::{Identity, Selecting, inputs::Inputs};
use fast_cache_core::policy::{HttpOptions, Policy, Statuses};
use fast_cache_core::purge::Label;
use fast_cache_core::route::{Memo, PatternError, Table, TableBuilder, Template, parse_template};
use fast_cache_engine::observe::RouteCounters;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::{PyList, PyString, PyTuple};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Overrides of so many applications are looked at with each request, of all others now and then.
const FEW: usize = 4;

/// One route, as the middleware needs it.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) template: Box<str>,
    /// The names of its path parameters, from left to right.
    pub(crate) parameters: Box<[Py<PyString>]>,
    pub(crate) endpoint: Option<Py<PyAny>>,
    /// What the framework puts into `scope["route"]`.
    #[expect(clippy::struct_field_names, reason = "it is the route in the scope")]
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
    pub(crate) policy: Arc<Policy>,
    pub(crate) inputs: Arc<Inputs>,
    /// The methods that are answered from the cache, with the identity that their keys begin with.
    pub(crate) identities: Box<[(Box<str>, Identity)]>,
    pub(crate) endpoint_label: Label,
    pub(crate) tags: Arc<[Template]>,
    pub(crate) key_func: Option<Py<PyAny>>,
    pub(crate) hooked: bool,
    pub(crate) strict: bool,
    /// Something takes the raw request, and with it `receive`.
    pub(crate) raw: bool,
}

impl Cached {
    /// How a request with these header lines selects among variants.
    pub(crate) fn selecting<'a>(&self, lines: &'a [Line<'a>]) -> Selecting<'a> {
        Selecting {
            lines,
            normalize_language: self.policy.options.normalize_language,
        }
    }

    /// The identity for keys of this method; `HEAD` is answered from `GET`.
    pub(crate) fn identity(&self, method: &str) -> Option<&Identity> {
        let method = if method == "HEAD" { "GET" } else { method };
        self.identities
            .iter()
            .find(|(name, _)| &**name == method)
            .map(|(_, identity)| identity)
    }
}

/// The middleware's options for HTTP mode, as the Python side hands them over.
#[derive(Clone, Copy, Default, FromPyObject)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent switches of the public contract"
)]
struct Options {
    heuristics: bool,
    cdn_cache_control: bool,
    stale_on_error: bool,
    normalize_language: bool,
    /// The author named no statuses, so that in HTTP mode every final one will do.
    any_status: bool,
}

impl Options {
    fn apply(self, mut cached: Cached) -> Cached {
        if !cached.policy.is_http() {
            return cached;
        }
        let policy = Arc::make_mut(&mut cached.policy);
        policy.options = HttpOptions {
            heuristics: self.heuristics,
            cdn_cache_control: self.cdn_cache_control,
            stale_on_error: self.stale_on_error,
            normalize_language: self.normalize_language,
        };
        if self.any_status {
            policy.statuses = Statuses::FINAL;
        }
        cached
    }
}

/// One row of the analysis: kind, template, methods, endpoint, route, host, cached, drops.
type Row<'py> = (
    Bound<'py, PyString>,
    Bound<'py, PyString>,
    Option<Bound<'py, PyAny>>,
    Bound<'py, PyAny>,
    Bound<'py, PyAny>,
    Option<Bound<'py, PyString>>,
    Option<Bound<'py, PyAny>>,
    Bound<'py, PyTuple>,
);

/// The analysed application.
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent facts of one application"
)]
#[pyclass(frozen, module = "fast_cache_middleware._core")]
pub(crate) struct Application {
    pub(crate) table: Table,
    pub(crate) memo: Memo,
    pub(crate) recent: Recent,
    pub(crate) routes: Vec<Route>,
    pub(crate) has_configs: bool,
    /// For some route the responses themselves say for how long they are good, so writes tell what they have changed.
    pub(crate) has_http: bool,
    /// The application keeps telemetry of its own, which wants to know the route.
    pub(crate) has_telemetry: bool,
    /// Something is mounted.
    pub(crate) has_mounts: bool,
    /// The `root_path` that the application will write into the scope, where it has not done so yet.
    pub(crate) root_path: Option<String>,
    watch: Vec<Watched>,
    overrides: Vec<Overrides>,
}

#[pymethods]
impl Application {
    /// Reads the rows of an analysis. `watch` are the route lists whose change calls for another analysis, each with
    /// whose `routes` it is; `overriders` are the applications whose `dependency_overrides` do, the root first.
    #[new]
    #[pyo3(signature = (store, namespace, rows, watch, overriders, root_path=None, options=Options::default()))]
    fn new(
        store: &Bound<'_, HostStore>,
        namespace: &str,
        rows: Vec<Row<'_>>,
        watch: Vec<(Bound<'_, PyAny>, Bound<'_, PyList>)>,
        overriders: Vec<Bound<'_, PyAny>>,
        root_path: Option<String>,
        options: Options,
    ) -> PyResult<Self> {
        let (own_labels, labels) = endpoint_labels(namespace, &rows)?;
        let mut has_mounts = false;
        let mut specs = SpecReader::default();
        let mut names = MethodNames::default();
        let uncounted = Arc::default();
        let mut table = TableBuilder::new();
        let mut routes = Vec::with_capacity(rows.len());
        for (row, label) in rows.iter().zip(own_labels) {
            let (kind, template, methods, endpoint, route, host, cached, drops) = row;
            let template = template.to_str()?;
            match kind.to_str()? {
                "opaque" => {
                    has_mounts = true;
                    if table.opaque(template).is_err() {
                        table.ask("");
                    }
                    continue;
                }
                "ask" => {
                    table.ask(template);
                    continue;
                }
                // Behind an `ask`: only the framework finds it.
                "asked" => {}
                _ => {
                    let methods = match methods {
                        Some(methods) => Some(names.texts(methods)?),
                        None => None,
                    };
                    let target = u32::try_from(routes.len()).unwrap_or(u32::MAX);
                    match table.route(template, methods.as_deref(), target) {
                        Ok(()) => {}
                        // What the table cannot hold, the framework is asked for.
                        Err(PatternError::NoLeadingSlash) => {
                            return Err(PyValueError::new_err(format!(
                                "{template}: a path must start with \"/\""
                            )));
                        }
                        Err(_) => table.ask(template),
                    }
                }
            }
            let host = host_of(host.as_ref())?;
            let cached = cached
                .as_ref()
                .zip(label)
                .map(|(spec, label)| specs.cached(spec, namespace, host, template, label))
                .transpose()?;
            let cached = cached.map(|cached| options.apply(cached));
            let drops = drops
                .iter_borrowed()
                .map(|spec| DropRule::read(&spec, store, &labels))
                .collect::<PyResult<Box<[_]>>>()?;
            let some =
                |object: &Bound<'_, PyAny>| (!object.is_none()).then(|| object.clone().unbind());
            let counted = cached.is_some() || !drops.is_empty();
            routes.push(Route {
                counters: if counted {
                    store.get().counters_of(template)
                } else {
                    Arc::clone(&uncounted)
                },
                parameters: parameter_names(store.py(), template, counted),
                template: template.into(),
                endpoint: some(endpoint),
                scope_route: some(route),
                cached,
                drops,
                distrusted: AtomicBool::new(false),
            });
        }
        let has_telemetry =
            |app: &Bound<'_, PyAny>| app.hasattr("_native_telemetry").unwrap_or(false);
        Ok(Self {
            table: table.build(),
            memo: Memo::default(),
            recent: Recent::default(),
            has_configs: routes
                .iter()
                .any(|route| route.cached.is_some() || !route.drops.is_empty()),
            has_http: routes
                .iter()
                .filter_map(|route| route.cached.as_ref())
                .any(|cached| cached.policy.is_http()),
            routes,
            has_telemetry: overriders.iter().any(has_telemetry),
            root_path,
            has_mounts,
            watch: watch
                .iter()
                .map(|(owner, list)| Watched::new(owner, list))
                .collect(),
            overrides: overriders.iter().filter_map(Overrides::of).collect(),
        })
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

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        for watched in &self.watch {
            watched.traverse(visit)?;
        }
        for overrides in &self.overrides {
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

impl Application {
    /// Whether the routes or the dependency overrides have changed since the analysis. `thorough` looks at everything
    /// there is to look at; otherwise a glance falls on the application's own routes and overrides.
    #[inline]
    pub(crate) fn is_outdated(&self, py: Python<'_>, thorough: bool) -> bool {
        let routes = if thorough {
            self.watch
                .iter()
                .any(|watched| watched.has_changed_at_all(py))
        } else {
            self.watch
                .first()
                .is_some_and(|watched| watched.has_changed(py))
        };
        if routes {
            return true;
        }
        let few = if thorough {
            self.overrides.len()
        } else {
            self.overrides.len().min(FEW)
        };
        let overrides = &self.overrides[..few];
        overrides.iter().any(|overrides| overrides.have_changed(py))
    }

    /// Says that the framework took another route where route `index` was predicted.
    pub(crate) fn distrust(&self, index: usize) {
        if let Some(route) = self.routes.get(index) {
            route.distrusted.store(true, Ordering::Relaxed);
            route.counters.mispredicted();
        }
    }
}

/// Reads sets of methods; a route often has the one before it has.
#[derive(Default)]
struct MethodNames<'py> {
    set: Option<Bound<'py, PyAny>>,
    names: SmallVec<[PyBackedStr; 4]>,
}

impl<'py> MethodNames<'py> {
    fn texts(&mut self, set: &Bound<'py, PyAny>) -> PyResult<SmallVec<[&str; 4]>> {
        if !self.set.as_ref().is_some_and(|before| before.is(set)) {
            self.names = set
                .try_iter()?
                .map(|name| name?.extract())
                .collect::<PyResult<_>>()?;
            self.set = Some(set.clone());
        }
        Ok(self.names.iter().map(|name| &**name).collect())
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

fn host_of<'a>(host: Option<&'a Bound<'_, PyString>>) -> PyResult<&'a str> {
    host.map_or(Ok(""), |host| host.to_str())
}

/// The labels by which the answers of each endpoint can be dropped, by the endpoint's address.
type EndpointLabels = HashMap<usize, Vec<Label>>;

/// The label of each row that is cached, and all of them by endpoint.
fn endpoint_labels(
    namespace: &str,
    rows: &[Row<'_>],
) -> PyResult<(Vec<Option<Label>>, EndpointLabels)> {
    let mut by_endpoint = EndpointLabels::new();
    let mut own = Vec::with_capacity(rows.len());
    for (_, template, _, endpoint, _, host, cached, _) in rows {
        if cached.is_none() {
            own.push(None);
            continue;
        }
        let label = endpoint_label(namespace, host_of(host.as_ref())?, template.to_str()?);
        own.push(Some(label));
        if !endpoint.is_none() {
            let same = by_endpoint.entry(endpoint.as_ptr() as usize);
            same.or_default().push(label);
        }
    }
    Ok((own, by_endpoint))
}
