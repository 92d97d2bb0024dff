//! The middleware: one call per request. A hit is answered here; a miss goes to the application with a `send` that
//! records; everything else is the inner application's own coroutine, untouched.

use crate::answer::{StatusLines, messages};
use crate::application::{Application, Cached, Route};
use crate::awaitable::SendMessages;
use crate::drops::DroppingSend;
use crate::names;
use crate::parameters::Parameters;
use crate::recorder::{Errand, Recorder, RecordingSend};
use crate::scope::{Details, Target};
use crate::store::MemoryStore;
use fast_cache_core::exchange::{Decision, Outcome, begin};
use fast_cache_core::fields::cache_status::cache_name;
use fast_cache_core::key::build_key;
use fast_cache_core::reason::Reason;
use fast_cache_core::request::route_path;
use fast_cache_core::route::Resolution;
use fast_cache_core::rules::request::Noted;
use fast_cache_engine::find::find;
use fast_cache_store::LocalStore;
use parking_lot::RwLock;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::{PyDict, PyTuple};
use std::cell::RefCell;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

thread_local! {
    /// Where keys are built: a primary one and a variant's.
    static BUFFERS: RefCell<(Vec<u8>, Vec<u8>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

/// The base of `FastCacheMiddleware`.
#[pyclass(subclass, frozen, module = "fast_cache_middleware._core")]
pub(crate) struct Middleware {
    installed: OnceLock<Installed>,
}

pub(crate) struct Installed {
    app: Py<PyAny>,
    /// The Python side: `analyse(scope)`, `lifespan(…)`, `ask(scope)`, `respond(…)`, `drop(…)`.
    host: Py<PyAny>,
    pub(crate) store: Py<MemoryStore>,
    pub(crate) status_lines: Arc<StatusLines>,
    head_from_get: bool,
    current: RwLock<Option<Py<Application>>>,
}

/// A route that takes the request.
struct Taken<'a> {
    index: usize,
    route: &'a Route,
    parameters: Parameters<'a>,
    /// The route does not take `HEAD`; only a stored answer to `GET` will do.
    head_from_get: bool,
}

#[pymethods]
impl Middleware {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self {
            installed: OnceLock::new(),
        }
    }

    /// Ties the middleware to the application inside it, to its Python side and to its store. Once.
    fn install(
        &self,
        app: Py<PyAny>,
        host: Py<PyAny>,
        store: Py<MemoryStore>,
        cache_status: &str,
        head_from_get: bool,
    ) -> PyResult<()> {
        let name =
            cache_name(cache_status).map_err(|error| PyValueError::new_err(error.to_string()))?;
        let status_lines = Arc::new(StatusLines::new(name));
        let installed = Installed {
            app,
            host,
            store,
            status_lines,
            head_from_get,
            current: RwLock::new(None),
        };
        self.installed
            .set(installed)
            .map_err(|_| PyRuntimeError::new_err("the middleware is installed already"))
    }

    /// Puts an analysed application to use.
    fn adopt(&self, application: Py<Application>) -> PyResult<()> {
        *self.installed()?.current.write() = Some(application);
        Ok(())
    }

    /// The analysed application in use.
    #[getter]
    fn application(&self, py: Python<'_>) -> PyResult<Option<Py<Application>>> {
        Ok(self
            .installed()?
            .current
            .read()
            .as_ref()
            .map(|application| application.clone_ref(py)))
    }

    /// What would be done with a request; nothing is counted or changed.
    fn explain<'py>(
        &self,
        py: Python<'py>,
        scope: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let installed = self.installed()?;
        let application = installed.application(py, scope)?;
        let target =
            Target::read(scope).ok_or_else(|| PyValueError::new_err("not an HTTP scope"))?;
        let application_ref = application.get();
        let root_path = application_ref
            .root_path
            .as_deref()
            .or_else(|| target.root_path());
        let (Some(method), Some(path), Some(root_path)) =
            (target.method(), target.path(), root_path)
        else {
            return Err(PyValueError::new_err("the path is not valid text"));
        };
        let taken = installed.resolve(py, application_ref, scope, method, path, root_path)?;
        let taken = taken.map(|taken| (taken.index, taken.parameters.to_texts()));
        crate::explain::explain(
            py,
            &application,
            installed.store.get(),
            scope,
            root_path,
            taken,
        )
    }

    fn __call__(
        &self,
        py: Python<'_>,
        scope: Bound<'_, PyAny>,
        receive: Bound<'_, PyAny>,
        send: Bound<'_, PyAny>,
    ) -> PyResult<Py<PyAny>> {
        let installed = self.installed()?;
        let pass = || installed.app.call1(py, (&scope, &receive, &send));
        let Ok(http) = scope.cast::<PyDict>() else {
            return pass();
        };
        match http.get_item(names::type_(py))? {
            Some(kind) if kind.is(names::http(py)) || kind.eq(names::http(py))? => {}
            Some(kind) if kind.eq("lifespan")? => {
                return installed
                    .host
                    .call_method1(py, "lifespan", (&scope, &receive, &send));
            }
            _ => return pass(),
        }
        let application = installed.application(py, http)?;
        let application_ref = application.get();
        if !application_ref.has_configs {
            return pass();
        }
        let Some(target) = Target::read(http) else {
            return pass();
        };
        let root_path = application_ref
            .root_path
            .as_deref()
            .or_else(|| target.root_path());
        let (Some(method), Some(path), Some(root_path)) =
            (target.method(), target.path(), root_path)
        else {
            return pass();
        };
        let taken = installed.resolve(py, application_ref, http, method, path, root_path)?;
        let Some(taken) = taken else { return pass() };
        let visit = Visit {
            installed,
            py,
            application: &application,
            taken: &taken,
            scope: http,
            send: &send,
            root_path,
        };
        if taken
            .route
            .cached
            .as_ref()
            .is_some_and(|cached| cached.hooked)
        {
            return if taken.head_from_get {
                pass()
            } else {
                visit.hand_over(&receive)
            };
        }
        let Some(cached) = &taken.route.cached else {
            return visit.drop_after(&receive);
        };
        match visit.answer(cached, &target, method)? {
            Step::Answer(answer) => Ok(answer),
            Step::Forward(sender, scope) => visit.forward(&scope, &receive, sender),
            Step::Pass => pass(),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(installed) = self.installed.get() else {
            return Ok(());
        };
        visit.call(&installed.app)?;
        visit.call(&installed.host)?;
        visit.call(&installed.store)?;
        match installed.current.try_read() {
            Some(current) => visit.call(&*current),
            None => Ok(()),
        }
    }
}

impl Middleware {
    pub(crate) fn installed(&self) -> PyResult<&Installed> {
        self.installed
            .get()
            .ok_or_else(|| PyRuntimeError::new_err("the middleware is not installed"))
    }
}

impl Installed {
    /// The analysed application; analysed now if it was not, or if its routes have changed since.
    fn application(&self, py: Python<'_>, scope: &Bound<'_, PyDict>) -> PyResult<Py<Application>> {
        let current = self
            .current
            .read()
            .as_ref()
            .map(|application| application.clone_ref(py));
        if let Some(application) = current
            && !application.get().is_outdated(py, false)
        {
            return Ok(application);
        }
        self.analyse(py, scope)
    }

    fn analyse(&self, py: Python<'_>, scope: &Bound<'_, PyDict>) -> PyResult<Py<Application>> {
        let application: Py<Application> = self
            .host
            .call_method1(py, "analyse", (scope,))?
            .extract(py)?;
        *self.current.write() = Some(application.clone_ref(py));
        Ok(application)
    }

    /// The route that takes the request, if it has a configuration.
    fn resolve<'a>(
        &self,
        py: Python<'_>,
        application: &'a Application,
        scope: &Bound<'_, PyDict>,
        method: &str,
        path: &'a str,
        root_path: &str,
    ) -> PyResult<Option<Taken<'a>>> {
        let below = route_path(path, root_path);
        let mut head_from_get = false;
        let mut resolution = application.table.resolve(method, below);
        if self.head_from_get && method == "HEAD" && matches!(resolution, Resolution::None) {
            resolution = application.table.resolve("GET", below);
            head_from_get = true;
        }
        let (index, parameters) = match resolution {
            Resolution::Route(matched) => (
                matched.target as usize,
                Parameters::Captured(matched.captures),
            ),
            Resolution::Opaque | Resolution::None => return Ok(None),
            Resolution::Ask => match self.ask(py, scope)? {
                Some(asked) => asked,
                None => return Ok(None),
            },
        };
        let Some(mut route) = application.routes.get(index) else {
            return Ok(None);
        };
        let (mut index, mut parameters) = (index, parameters);
        if route.distrusted.load(Ordering::Relaxed) && matches!(parameters, Parameters::Captured(_))
        {
            let Some(asked) = self.ask(py, scope)? else {
                return Ok(None);
            };
            (index, parameters) = asked;
            let Some(asked_route) = application.routes.get(index) else {
                return Ok(None);
            };
            route = asked_route;
        }
        // A prefix that the path does not carry: mounts then see another path than the table does.
        if !root_path.is_empty() && below.len() == path.len() && path != root_path {
            match self.ask(py, scope)? {
                Some((asked, found)) => {
                    let Some(asked_route) = application.routes.get(asked) else {
                        return Ok(None);
                    };
                    (index, parameters, route) = (asked, found, asked_route);
                }
                None => return Ok(None),
            }
        }
        let configured = route.cached.is_some() || (!route.drops.is_empty() && !head_from_get);
        Ok(configured.then_some(Taken {
            index,
            route,
            parameters,
            head_from_get,
        }))
    }

    /// Asks the framework which route takes the request.
    fn ask<'a>(
        &self,
        py: Python<'_>,
        scope: &Bound<'_, PyDict>,
    ) -> PyResult<Option<(usize, Parameters<'a>)>> {
        let answer = self.host.call_method1(py, "ask", (scope,))?;
        if answer.is_none(py) {
            return Ok(None);
        }
        let (index, parameters): (usize, Bound<'_, PyDict>) = answer.extract(py)?;
        Ok(Some((index, Parameters::asked(&parameters)?)))
    }
}

/// What to do with a request for a cached route.
enum Step<'py> {
    /// Await this: it is the answer.
    Answer(Py<PyAny>),
    /// Call the application with this `send` and scope.
    Forward(Bound<'py, PyAny>, Bound<'py, PyDict>),
    /// Call the application as it was called.
    Pass,
}

/// One request for a route with a configuration.
struct Visit<'v, 'a, 'py> {
    installed: &'v Installed,
    py: Python<'py>,
    application: &'v Py<Application>,
    taken: &'v Taken<'a>,
    scope: &'v Bound<'py, PyDict>,
    send: &'v Bound<'py, PyAny>,
    root_path: &'v str,
}

impl<'py> Visit<'_, '_, 'py> {
    /// Answers from the cache, or says how to ask the application.
    fn answer(&self, cached: &Cached, target: &Target<'_>, method: &str) -> PyResult<Step<'py>> {
        let py = self.py;
        let bypass = |reason| self.bypass(reason);
        let Some(details) = Details::read(self.scope) else {
            return bypass(Reason::MalformedRequest);
        };
        let Some(identity) = cached.identity(method) else {
            return bypass(Reason::Method);
        };
        let lines = details.headers.lines();
        let noted = Noted::from_lines(&lines);
        let Some(request) = details.request(target, self.root_path, &lines) else {
            return bypass(Reason::MalformedRequest);
        };
        let parameter = |name: &str| self.taken.parameters.get(name);
        let lookup = match begin(&request, &noted, &cached.policy, parameter) {
            Ok(lookup) => lookup,
            Err(reason) => return bypass(reason),
        };
        let store = self.installed.store.get();
        BUFFERS.with(|buffers| {
            let Ok(mut buffers) = buffers.try_borrow_mut() else {
                return bypass(Reason::StoreFailed);
            };
            let (primary, variant) = &mut *buffers;
            let key = build_key(
                identity,
                &cached.inputs,
                &store.secret,
                &request,
                noted.host,
                primary,
            );
            let mut absent = Reason::Absent;
            let mut found = None;
            if lookup.wants_stored() {
                let finding = find(&store.store, key, &store.secret, &lines, variant);
                (found, absent) = (finding.found, finding.absent);
            }
            let stored = found
                .as_ref()
                .and_then(|found| Some((found.entry.response()?, found.soft)));
            match lookup.decide(stored, absent, store.now()) {
                Decision::Serve(serve) => {
                    let Some((stored, _)) = stored else {
                        return bypass(Reason::StoreFailed);
                    };
                    let (start, body) = messages(py, &self.installed.status_lines, stored, serve)?;
                    self.note_route()?;
                    self.taken.route.counters.outcome(Outcome::Hit);
                    let send = self.send.clone().unbind();
                    let answer = SendMessages::new(send, Some(start.unbind()), Some(body.unbind()));
                    Ok(Step::Answer(Py::new(py, answer)?.into_any()))
                }
                Decision::Forward(_) if self.taken.head_from_get => Ok(Step::Pass),
                Decision::Forward(forward) => {
                    let key = key.to_owned();
                    drop(buffers);
                    if self.application.get().is_outdated(py, true) {
                        // The routes have changed: this request is answered without us, the next by a new analysis.
                        self.installed.analyse(py, self.scope)?;
                        return bypass(Reason::RouteMismatch);
                    }
                    let reason = forward.reason;
                    let outcome = Outcome::of_forward(reason);
                    let mut errand = self.errand(reason, outcome, details.headers.pairs());
                    if cached.strict {
                        crate::strict::hide(py, &mut errand, cached, &lines)?;
                    }
                    let scope = errand.scope.bind(py).clone();
                    let recorder =
                        Recorder::storing(errand, forward.fetch(store.store.birth()), key);
                    self.sender(recorder, outcome)
                        .map(|sender| Step::Forward(sender, scope))
                }
            }
        })
    }

    /// The cache keeps out of it, and says so.
    fn bypass(&self, reason: Reason) -> PyResult<Step<'py>> {
        if self.taken.head_from_get {
            return Ok(Step::Pass);
        }
        let errand = self.errand(reason, Outcome::Bypass, &PyTuple::empty(self.py));
        let sender = self.sender(Recorder::passing(errand), Outcome::Bypass)?;
        Ok(Step::Forward(sender, self.scope.clone()))
    }

    fn sender(&self, recorder: Recorder, outcome: Outcome) -> PyResult<Bound<'py, PyAny>> {
        self.taken.route.counters.outcome(outcome);
        let send = RecordingSend::new(self.send.clone().unbind(), recorder);
        Ok(Bound::new(self.py, send)?.into_any())
    }

    fn errand(&self, reason: Reason, outcome: Outcome, headers: &Bound<'py, PyTuple>) -> Errand {
        let tags = self
            .taken
            .route
            .cached
            .iter()
            .flat_map(|cached| &cached.tags);
        let parameter = |name: &str| self.taken.parameters.get(name);
        Errand {
            application: self.application.clone_ref(self.py),
            route: self.taken.index,
            store: self.installed.store.clone_ref(self.py),
            status_lines: Arc::clone(&self.installed.status_lines),
            scope: self.scope.clone().unbind(),
            headers: headers.clone().unbind(),
            path: self.route_path(),
            tags: tags.filter_map(|tag| tag.fill(parameter)).collect(),
            outcome,
            reason,
            outer_scope: None,
            hand_out: false,
        }
    }

    fn route_path(&self) -> Box<str> {
        let target = Target::read(self.scope);
        let path = target.as_ref().and_then(|target| target.path());
        path.map_or_else(Box::default, |path| route_path(path, self.root_path).into())
    }

    /// Leaves in the scope what the router would.
    fn note_route(&self) -> PyResult<()> {
        let py = self.py;
        let Some(endpoint) = &self.taken.route.endpoint else {
            return Ok(());
        };
        self.scope.set_item(names::endpoint(py), endpoint)?;
        self.scope
            .set_item(names::path_params(py), self.taken.parameters.to_dict(py)?)?;
        if let Some(route) = &self.taken.route.route {
            self.scope.set_item(names::route(py), route)?;
        }
        if self.scope.contains(names::telemetry(py))? {
            self.installed.host.call_method1(
                py,
                "route_selected",
                (self.scope, &*self.taken.route.template),
            )?;
        }
        Ok(())
    }

    /// Calls the application; where the route drops as well, around it.
    fn forward(
        &self,
        scope: &Bound<'py, PyDict>,
        receive: &Bound<'py, PyAny>,
        sender: Bound<'py, PyAny>,
    ) -> PyResult<Py<PyAny>> {
        if self.taken.route.drops.is_empty() {
            return self.installed.app.call1(self.py, (scope, receive, sender));
        }
        let sender = self.dropping(sender.unbind())?;
        self.call_and_drop(scope, receive, sender)
    }

    fn drop_after(&self, receive: &Bound<'py, PyAny>) -> PyResult<Py<PyAny>> {
        let sender = self.dropping(self.send.clone().unbind())?;
        self.call_and_drop(self.scope, receive, sender)
    }

    fn call_and_drop(
        &self,
        scope: &Bound<'py, PyDict>,
        receive: &Bound<'py, PyAny>,
        sender: Bound<'py, DroppingSend>,
    ) -> PyResult<Py<PyAny>> {
        let (route, parameters) = (self.taken.index, self.taken.parameters.to_texts());
        self.installed.host.call_method1(
            self.py,
            "drop_after",
            (scope, receive, sender, route, parameters),
        )
    }

    fn dropping(&self, send: Py<PyAny>) -> PyResult<Bound<'py, DroppingSend>> {
        let store = self.installed.store.clone_ref(self.py);
        let parameter = |name: &str| self.taken.parameters.get(name);
        let application = self.application.clone_ref(self.py);
        Bound::new(
            self.py,
            DroppingSend::new(send, application, self.taken.index, store, parameter),
        )
    }

    /// Lets Python take over: a hook, a key function or a custom storage has a say.
    fn hand_over(&self, receive: &Bound<'py, PyAny>) -> PyResult<Py<PyAny>> {
        let exchange = crate::exchange::Exchange::new(
            self.application.clone_ref(self.py),
            self.taken.index,
            self.installed.store.clone_ref(self.py),
            Arc::clone(&self.installed.status_lines),
            self.scope.clone().unbind(),
            self.taken.parameters.to_texts(),
            self.root_path.to_owned(),
        );
        let exchange = Bound::new(self.py, exchange)?;
        self.installed.host.call_method1(
            self.py,
            "respond",
            (exchange, self.scope, receive, self.send),
        )
    }
}
