//! The middleware: one call per request. A hit is answered here; a miss goes to the application with a `send` that
//! records; everything else is the inner application's own coroutine, untouched.

use crate::answer::StatusLines;
use crate::application::Application;
use crate::attached::Attached;
use crate::failing::Part;
use crate::follower::Follower;
use crate::glance::Layout;
use crate::names;
use crate::recall::Recalled;
use crate::resolve::Installed;
use crate::scope::Target;
use crate::store::HostStore;
use crate::visit::{Step, Visit};
use fast_cache_core::fields::cache_status::cache_name;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::{PyDict, PyTuple};
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, OnceLock};

/// The base of `FastCacheMiddleware`.
#[pyclass(subclass, frozen, module = "fast_cache_middleware._core")]
pub(crate) struct Middleware {
    installed: OnceLock<Arc<Installed>>,
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

    /// Ties the middleware to the application inside it, to its Python side and to its store. Once. `handler_timeout` are
    /// the seconds for which a handler is waited for where a stale answer may stand in; `None` for as long as it takes.
    fn install(
        &self,
        app: Py<PyAny>,
        host: Py<PyAny>,
        store: Py<HostStore>,
        cache_status: &str,
        head_from_get: bool,
        handler_timeout: Option<f64>,
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
            handler_timeout,
            current: Attached::new(None),
            looked: AtomicI64::new(0),
            layout: Layout::default(),
        };
        self.installed
            .set(Arc::new(installed))
            .map_err(|_| PyRuntimeError::new_err("the middleware is installed already"))
    }

    /// Puts an analysed application to use.
    fn adopt(&self, py: Python<'_>, application: Py<Application>) -> PyResult<()> {
        self.installed()?.adopt(py, application);
        Ok(())
    }

    /// The analysed application in use.
    #[getter]
    fn application(&self, py: Python<'_>) -> PyResult<Option<Py<Application>>> {
        Ok(self.installed()?.adopted(py))
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

    /// `middleware(scope, receive, send)`; the arguments are taken as they come, to be passed on as they came.
    #[pyo3(signature = (*arguments, **named))]
    fn __call__(
        &self,
        py: Python<'_>,
        arguments: &Bound<'_, PyTuple>,
        named: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        let installed = self.installed()?;
        let pass = || installed.app.call(py, arguments, named);
        if named.is_none()
            && arguments.len() == 3
            && let Ok(scope) = arguments.get_borrowed_item(0)
            && let Ok(receive) = arguments.get_borrowed_item(1)
            && let Ok(send) = arguments.get_borrowed_item(2)
        {
            return installed.answer(&scope, &receive, &send, pass);
        }
        match three(arguments, named) {
            Some([scope, receive, send]) => installed.answer(&scope, &receive, &send, pass),
            None => pass(),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(installed) = self.installed.get() else {
            return Ok(());
        };
        visit.call(&installed.app)?;
        visit.call(&installed.host)?;
        visit.call(&installed.store)?;
        // SAFETY: the collector runs in a thread that is attached, and the token goes no further than this.
        let py = unsafe { Python::assume_attached() };
        match installed.current.take(py) {
            Some(current) => visit.call(&*current),
            None => Ok(()),
        }
    }
}

/// Scope, receive and send, by position or by name; `None` where they are anything else.
#[inline]
fn three<'py>(
    arguments: &Bound<'py, PyTuple>,
    named: Option<&Bound<'py, PyDict>>,
) -> Option<[Bound<'py, PyAny>; 3]> {
    let mut found = ["scope", "receive", "send"].map(|_| None);
    for (place, argument) in found.iter_mut().zip(arguments.iter_borrowed()) {
        *place = Some(argument.to_owned());
    }
    if let Some(named) = named {
        for (place, name) in found.iter_mut().zip(["scope", "receive", "send"]) {
            if place.is_none() {
                *place = named.get_item(name).ok()?;
            }
        }
    }
    match (found, arguments.len() + named.map_or(0, PyDictMethods::len)) {
        ([Some(scope), Some(receive), Some(send)], 3) => Some([scope, receive, send]),
        _ => None,
    }
}

impl Installed {
    /// One call; `pass` calls the application as the middleware was called.
    #[inline]
    fn answer<'py>(
        self: &Arc<Self>,
        scope: &Bound<'py, PyAny>,
        receive: &Bound<'py, PyAny>,
        send: &Bound<'py, PyAny>,
        pass: impl Fn() -> PyResult<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let py = scope.py();
        let Ok(http) = scope.cast::<PyDict>() else {
            return pass();
        };
        if self.layout.is_http(http).is_none() {
            match http.get_item(names::type_(py))? {
                Some(kind) if kind.eq(names::http(py))? => {}
                Some(kind) if kind.eq("lifespan")? => {
                    return self
                        .host
                        .call_method1(py, "lifespan", (scope, receive, send));
                }
                _ => return pass(),
            }
        }
        let now = self.store.get().now();
        let application = self.application_at(py, http, now)?;
        let application_ref = application.get();
        if !application_ref.has_configs {
            return pass();
        }
        if application_ref.has_http
            && let Some(sender) = self.invalidating(http, send)?
        {
            let finishing = sender.clone();
            let sender = sender.into_any();
            let call = self.visit(
                &application,
                http,
                receive,
                &sender,
                (Part::Board, &[]),
                || self.app.call1(py, (scope, receive, &sender)),
            )?;
            return self
                .host
                .call_method1(py, "finish_after", (call, finishing));
        }
        match self.recall(application_ref, http, send, now)? {
            Recalled::Answer(answer) => Ok(answer.unbind()),
            Recalled::Pass => pass(),
            Recalled::Nothing => {
                self.visit(&application, http, receive, send, (Part::Board, &[]), pass)
            }
        }
    }

    /// One call that a glance does not settle.
    fn visit<'py>(
        self: &Arc<Self>,
        application: &Py<Application>,
        http: &Bound<'py, PyDict>,
        receive: &Bound<'py, PyAny>,
        send: &Bound<'py, PyAny>,
        (part, asked): (Part, &[u128]),
        pass: impl Fn() -> PyResult<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let (py, application_ref) = (http.py(), application.get());
        let Some(target) = Target::read_at(&self.layout, http) else {
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
        let taken = self.resolve(py, application_ref, http, method, path, root_path)?;
        let Some(taken) = taken else { return pass() };
        let visit = Visit {
            installed: self,
            py,
            application,
            taken: &taken,
            scope: http,
            target: &target,
            send,
            root_path,
            asked,
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
                visit.hand_over(receive)
            };
        }
        let Some(cached) = &taken.route.cached else {
            return visit.drop_after(receive);
        };
        match visit.answer(cached, method, part)? {
            Step::Answer(answer) => Ok(answer),
            Step::Forward(sender, scope, watched) => {
                visit.forward(&scope, receive, sender, watched)
            }
            Step::Wait(awaited) => {
                let installed = Arc::clone(self);
                let limit = cached.policy.follower_timeout;
                let asked = asked.iter().copied().chain(awaited.asked()).collect();
                let follower = Follower::new(installed, awaited, limit, asked, http, receive, send);
                Ok(Py::new(py, follower)?.into_any())
            }
            Step::Pass => pass(),
        }
    }

    /// One call again, after it has waited for another one's answer.
    pub(crate) fn visit_again(
        self: &Arc<Self>,
        http: &Bound<'_, PyDict>,
        receive: &Bound<'_, PyAny>,
        send: &Bound<'_, PyAny>,
        part: Part,
        asked: &[u128],
    ) -> PyResult<Py<PyAny>> {
        let py = http.py();
        let application = self.application(py, http)?;
        self.visit(&application, http, receive, send, (part, asked), || {
            self.app.call1(py, (http, receive, send))
        })
    }
}

impl Middleware {
    pub(crate) fn installed(&self) -> PyResult<&Arc<Installed>> {
        self.installed
            .get()
            .ok_or_else(|| PyRuntimeError::new_err("the middleware is not installed"))
    }
}
