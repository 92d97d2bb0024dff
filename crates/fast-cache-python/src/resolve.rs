//! Which route takes a request: predicted from the table, or asked of the framework.

use crate::answer::StatusLines;
use crate::application::{Application, Route};
use crate::attached::Attached;
use crate::glance::Layout;
use crate::parameters::Parameters;
use crate::recent::Leads;
use crate::store::HostStore;
use fast_cache_core::request::route_path;
use fast_cache_core::route::Resolution;
use fast_cache_core::time::Timestamp;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// What a middleware is tied to.
pub(crate) struct Installed {
    pub(crate) app: Py<PyAny>,
    /// The Python side: `analyse(scope)`, `lifespan(…)`, `ask(scope)`, `respond(…)`, `drop_after(…)`.
    pub(crate) host: Py<PyAny>,
    pub(crate) store: Py<HostStore>,
    pub(crate) status_lines: Arc<StatusLines>,
    pub(crate) head_from_get: bool,
    /// Seconds after which a stale answer stands in for a handler that has not answered, if it does.
    pub(crate) handler_timeout: Option<f64>,
    pub(crate) current: Attached<Option<Py<Application>>>,
    /// When the application was last looked at thoroughly.
    pub(crate) looked: AtomicI64,
    /// Where the fields of the last scope stood.
    pub(crate) layout: Layout,
}

/// A route that takes the request and has a configuration.
pub(crate) struct Taken<'a> {
    pub(crate) index: usize,
    pub(crate) route: &'a Route,
    pub(crate) parameters: Parameters<'a>,
    /// The route does not take `HEAD`; only a stored answer to `GET` will do.
    pub(crate) head_from_get: bool,
}

impl Installed {
    /// The analysed application; analysed now if it was not, or if its routes have changed since.
    pub(crate) fn application(
        &self,
        py: Python<'_>,
        scope: &Bound<'_, PyDict>,
    ) -> PyResult<Py<Application>> {
        self.application_at(py, scope, self.store.get().now())
    }

    /// The same for one who knows the time.
    #[inline]
    pub(crate) fn application_at(
        &self,
        py: Python<'_>,
        scope: &Bound<'_, PyDict>,
        now: Timestamp,
    ) -> PyResult<Py<Application>> {
        match self.adopted(py) {
            Some(application) if !application.get().is_outdated(py, self.is_new_tick(now)) => {
                Ok(application)
            }
            _ => self.analyse(py, scope),
        }
    }

    /// The analysed application in use.
    #[inline]
    pub(crate) fn adopted(&self, py: Python<'_>) -> Option<Py<Application>> {
        let current = self.current.take(py)?;
        current
            .as_ref()
            .map(|application| application.clone_ref(py))
    }

    /// Whether this is the first request since the clock last moved on: a good time to look thoroughly for changes.
    #[inline]
    fn is_new_tick(&self, now: Timestamp) -> bool {
        if self.store.get().clock.get().clock.is_held() {
            return true;
        }
        let tick = now.micros();
        self.looked.load(Ordering::Relaxed) != tick && {
            self.looked.store(tick, Ordering::Relaxed);
            true
        }
    }

    /// Analyses the application now.
    #[cold]
    pub(crate) fn analyse(
        &self,
        py: Python<'_>,
        scope: &Bound<'_, PyDict>,
    ) -> PyResult<Py<Application>> {
        let application: Py<Application> = self
            .host
            .call_method1(py, "analyse", (scope,))?
            .extract(py)?;
        self.adopt(py, application.clone_ref(py));
        Ok(application)
    }

    /// Puts an analysed application to use.
    pub(crate) fn adopt(&self, py: Python<'_>, application: Py<Application>) {
        let before = self
            .current
            .take(py)
            .and_then(|mut current| current.replace(application));
        // Only now that it can be taken again: what goes may run Python code.
        drop(before);
    }

    /// The route that takes the request, if it has a configuration.
    pub(crate) fn resolve<'a>(
        &self,
        py: Python<'_>,
        application: &'a Application,
        scope: &Bound<'_, PyDict>,
        method: &str,
        path: &'a str,
        root_path: &str,
    ) -> PyResult<Option<Taken<'a>>> {
        let below = route_path(path, root_path);
        // Mounts see another path than the table does where the path does not carry the prefix.
        if application.has_mounts && !root_path.is_empty() && below.len() == path.len() {
            return self.resolve_by_asking(py, application, scope);
        }
        let mut head_from_get = false;
        let mut resolution =
            application
                .table
                .resolve_remembering(&application.memo, method, below);
        if self.head_from_get && method == "HEAD" && matches!(resolution, Resolution::None) {
            resolution = application.table.resolve("GET", below);
            head_from_get = true;
        }
        let matched = match resolution {
            Resolution::Route(matched) => matched,
            Resolution::Opaque | Resolution::None => {
                let past = Leads::Past(None);
                application
                    .recent
                    .remember_way(py, [method, path, root_path], past);
                return Ok(None);
            }
            Resolution::Ask => return self.resolve_by_asking(py, application, scope),
        };
        let index = matched.target as usize;
        let Some(route) = application.routes.get(index) else {
            return Ok(None);
        };
        if route.distrusted.load(Ordering::Relaxed) {
            let asked = self.resolve_by_asking(py, application, scope)?;
            if asked.as_ref().is_some_and(|asked| asked.index == index) {
                // The framework agrees again. A wrong prediction costs no more than an answer that is not stored.
                route.distrusted.store(false, Ordering::Relaxed);
            }
            return Ok(asked);
        }
        let configured = route.cached.is_some() || (!route.drops.is_empty() && !head_from_get);
        if !head_from_get {
            let leads = match (&route.cached, configured) {
                (Some(cached), _) => (!cached.hooked).then_some(Leads::Cached(index)),
                (None, true) => None,
                (None, false) => Some(Leads::Past(Some(index))),
            };
            if let Some(leads) = leads {
                application
                    .recent
                    .remember_way(py, [method, path, root_path], leads);
            }
        }
        Ok(configured.then_some(Taken {
            index,
            route,
            parameters: Parameters::Captured(matched.captures),
            head_from_get,
        }))
    }

    /// Asks the framework which route takes the request.
    #[cold]
    fn resolve_by_asking<'a>(
        &self,
        py: Python<'_>,
        application: &'a Application,
        scope: &Bound<'_, PyDict>,
    ) -> PyResult<Option<Taken<'a>>> {
        let answer = self.host.call_method1(py, "ask", (scope,))?;
        if answer.is_none(py) {
            return Ok(None);
        }
        let (index, parameters): (usize, Bound<'_, PyDict>) = answer.extract(py)?;
        let Some(route) = application.routes.get(index) else {
            return Ok(None);
        };
        let configured = route.cached.is_some() || !route.drops.is_empty();
        Ok(configured.then_some(Taken {
            index,
            route,
            parameters: Parameters::asked(&parameters)?,
            head_from_get: false,
        }))
    }
}
