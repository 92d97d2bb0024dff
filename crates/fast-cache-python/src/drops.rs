//! What a writing route drops, and the `send` that does it.

use crate::names;
use crate::patterns::path_pattern;
use crate::settling::{Settling, send_settled, settling};
use crate::store::HostStore;
use fast_cache_core::policy::Statuses;
use fast_cache_core::purge::{Cover, Label, Purge};
use fast_cache_core::route::parse_template;
use fast_cache_engine::drops::Filled;
use fast_cache_engine::observe::RouteCounters;
use fast_cache_store::LocalStore;
use parking_lot::Mutex;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::PyDict;
use std::collections::HashMap;
use std::sync::Arc;

/// What one `CacheDropConfig` drops.
#[derive(Debug)]
pub(crate) struct DropRule {
    on: On,
    soft: bool,
    /// What is known from the start.
    fixed: Vec<Cover>,
    /// What is filled from the writing request's path parameters.
    filled: Vec<Filled>,
}

#[derive(Debug)]
enum On {
    Statuses(Statuses),
    Call(Py<PyAny>),
}

/// A `CacheDropConfig` as the Python side hands it over.
#[derive(FromPyObject)]
struct DropSpec<'py> {
    paths: Vec<(String, String, Option<Py<PyAny>>)>,
    tags: Vec<String>,
    endpoints: Vec<Bound<'py, PyAny>>,
    soft: bool,
    statuses: Option<Vec<u16>>,
    on: Option<Py<PyAny>>,
}

impl DropRule {
    pub(crate) fn read(
        spec: &Bound<'_, PyAny>,
        store: &Bound<'_, HostStore>,
        labels: &HashMap<usize, Vec<Label>>,
    ) -> PyResult<Self> {
        let spec: DropSpec<'_> = spec.extract()?;
        let template = |text: &str| {
            parse_template(text)
                .map_err(|error| PyValueError::new_err(format!("{text:?}: {error}")))
        };
        let mut fixed = Vec::new();
        let mut filled = Vec::new();
        for (kind, text, pattern) in spec.paths {
            match kind.as_str() {
                "template" => filled.push(Filled::Subtree(template(&text)?)),
                "template_glob" => filled.push(Filled::Glob(template(&text)?)),
                _ => {
                    let pattern = path_pattern(&kind, &text, pattern)?;
                    fixed.push(Cover::Registered(store.get().store.register(pattern)));
                }
            }
        }
        for tag in spec.tags {
            let tag = template(&tag)?;
            match tag.fill(|_| None) {
                Some(tag) => fixed.push(Cover::Label(Label::tag(&tag))),
                None => filled.push(Filled::Tag(tag)),
            }
        }
        for endpoint in spec.endpoints {
            let labels = labels
                .get(&(endpoint.as_ptr() as usize))
                .map(Vec::as_slice)
                .unwrap_or_default();
            fixed.extend(labels.iter().copied().map(Cover::Label));
        }
        let on = match (spec.on, spec.statuses) {
            (Some(call), _) => On::Call(call),
            (None, Some(codes)) => {
                On::Statuses(codes.into_iter().fold(Statuses::NONE, Statuses::with))
            }
            (None, None) => On::Statuses((100..400).fold(Statuses::NONE, Statuses::with)),
        };
        Ok(Self {
            on,
            soft: spec.soft,
            fixed,
            filled,
        })
    }

    fn applies(&self, py: Python<'_>, status: u16) -> bool {
        match &self.on {
            On::Statuses(statuses) => statuses.contains(status),
            // A predicate that raises drops: a miss is the safe side.
            On::Call(call) => call
                .bind(py)
                .call1((status,))
                .and_then(|answer| answer.is_truthy())
                .unwrap_or(true),
        }
    }

    /// The drop for a request with these path parameters.
    pub(crate) fn purge<'v>(&self, parameter: impl Fn(&str) -> Option<&'v str>) -> Purge {
        let filled = self
            .filled
            .iter()
            .flat_map(|filled| filled.covers(&parameter));
        let covers = self.fixed.iter().cloned().chain(filled).collect();
        Purge {
            covers,
            soft: self.soft,
        }
    }

    pub(crate) fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match &self.on {
            On::Call(call) => visit.call(call),
            On::Statuses(_) => Ok(()),
        }
    }
}

/// A `send` that drops once the handler is known to have succeeded, before the client sees a byte.
#[pyclass(frozen, module = "fast_cache_middleware._core")]
pub(crate) struct DroppingSend {
    send: Py<PyAny>,
    application: Py<crate::application::Application>,
    route: usize,
    store: Py<HostStore>,
    purges: Vec<Purge>,
    done: Mutex<Vec<Purge>>,
    counters: Arc<RouteCounters>,
}

impl DroppingSend {
    pub(crate) fn new<'v>(
        send: Py<PyAny>,
        application: Py<crate::application::Application>,
        route: usize,
        store: Py<HostStore>,
        parameter: impl Fn(&str) -> Option<&'v str>,
    ) -> Self {
        let found = &application.get().routes[route];
        let purges = found
            .drops
            .iter()
            .map(|rule| rule.purge(&parameter))
            .collect();
        let counters = Arc::clone(&found.counters);
        Self {
            send,
            application,
            route,
            store,
            purges,
            done: Mutex::new(Vec::new()),
            counters,
        }
    }
}

#[pymethods]
impl DroppingSend {
    fn __call__(&self, py: Python<'_>, message: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        if let Some(status) = started(message) {
            let rules = &self.application.get().routes[self.route].drops;
            let applying: Vec<Purge> = rules
                .iter()
                .zip(&self.purges)
                .filter(|(rule, _)| rule.applies(py, status))
                .map(|(_, purge)| purge.clone())
                .collect();
            if !applying.is_empty() {
                self.counters.dropped();
            }
            for purge in &applying {
                let _walk = self.store.get().store.purge(purge);
            }
            let dropped = !applying.is_empty();
            *self.done.lock() = applying;
            if dropped {
                return send_settled(&self.send, message, &self.store);
            }
        }
        self.send.call1(py, (message,))
    }

    /// Drops once more, as the application call has ended: a dependency may have committed only now. What is to be awaited
    /// until that holds for everybody, if anything.
    fn finish(&self, py: Python<'_>) -> PyResult<Option<Py<Settling>>> {
        let done = std::mem::take(&mut *self.done.lock());
        for purge in &done {
            let _walk = self.store.get().store.purge(purge);
        }
        if done.is_empty() {
            return Ok(None);
        }
        settling(py, &self.store)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.send)?;
        visit.call(&self.application)?;
        visit.call(&self.store)
    }
}

/// The status of a message that starts a response.
pub(crate) fn started(message: &Bound<'_, PyAny>) -> Option<u16> {
    let py = message.py();
    let message = message.cast::<PyDict>().ok()?;
    let kind = message.get_item(names::type_(py)).ok()??;
    if !kind.eq(names::response_start(py)).ok()? {
        return None;
    }
    message.get_item(names::status(py)).ok()??.extract().ok()
}
