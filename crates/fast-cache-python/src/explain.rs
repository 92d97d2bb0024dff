//! What would be done with a request, in words.

use crate::application::Application;
use crate::client::note;
use crate::scope::{Details, Target};
use crate::store::HostStore;
use fast_cache_core::exchange::Outcome;
use fast_cache_core::reason::Reason;
use fast_cache_engine::explain::{Explaining, explain as explain_request};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Looks a request up and says what was found. `taken` is its route, if that has a configuration, and its parameters.
pub(crate) fn explain<'py>(
    py: Python<'py>,
    application: &Py<Application>,
    store: &HostStore,
    scope: &Bound<'py, PyDict>,
    root_path: &str,
    taken: Option<(usize, Vec<(String, String)>)>,
) -> PyResult<Bound<'py, PyDict>> {
    let said = PyDict::new(py);
    for name in ["outcome", "reason", "route", "age", "remaining"] {
        said.set_item(name, py.None())?;
    }
    said.set_item("key", PyDict::new(py))?;
    said.set_item("tags", Vec::<String>::new())?;
    let Some((index, parameters)) = taken else {
        return Ok(said);
    };
    let route = &application.get().routes[index];
    said.set_item("route", &*route.template)?;
    let Some(cached) = &route.cached else {
        return Ok(said);
    };
    let parameter = |name: &str| {
        parameters
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, text)| text.as_str())
    };
    let tags: Vec<String> = cached
        .tags
        .iter()
        .filter_map(|tag| tag.fill(parameter))
        .collect();
    said.set_item("tags", tags)?;

    let bypass = |reason: Reason| {
        said.set_item("outcome", Outcome::Bypass.word())?;
        said.set_item("reason", reason.token())
    };
    let (Some(target), Some(details)) = (Target::read(scope), Details::read(scope)) else {
        bypass(Reason::MalformedRequest)?;
        return Ok(said);
    };
    let lines = details.headers.lines();
    let noted = note(scope, cached, &lines);
    let identity = target.method().and_then(|method| cached.identity(method));
    let (Some(identity), Some(request)) = (identity, details.request(&target, root_path, &lines))
    else {
        bypass(Reason::Method)?;
        return Ok(said);
    };
    let explained = explain_request(
        &store.store,
        &Explaining {
            secret: &store.secret,
            identity,
            policy: &cached.policy,
            inputs: &cached.inputs,
            request: &request,
            noted: &noted,
            custom: None,
            kept_out: cached.hooked.then_some(Reason::Hook),
        },
        parameter,
        store.now(),
    );
    let parts = PyDict::new(py);
    for (name, value) in explained.key {
        parts.set_item(name, value)?;
    }
    said.set_item("key", parts)?;
    said.set_item("outcome", explained.outcome.word())?;
    said.set_item("reason", explained.reason.map(Reason::token))?;
    said.set_item("age", explained.age.map(|age| age.as_secs_f64()))?;
    let remaining = explained.remaining.map(|left| left.as_secs_f64());
    said.set_item("remaining", remaining)?;
    Ok(said)
}
