//! What would be done with a request, in words.

use crate::application::Application;
use crate::client::note;
use crate::scope::{Details, Target};
use crate::store::MemoryStore;
use fast_cache_core::exchange::{Decision, Outcome, begin};
use fast_cache_core::key::{build_key, explain::explain_key};
use fast_cache_core::reason::Reason;
use fast_cache_core::rules::freshness::remaining;
use fast_cache_engine::find::find;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Looks a request up and says what was found. `taken` is its route, if that has a configuration, and its parameters.
pub(crate) fn explain<'py>(
    py: Python<'py>,
    application: &Py<Application>,
    store: &MemoryStore,
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
    let parts = PyDict::new(py);
    for (name, value) in explain_key(&cached.inputs, &store.secret, &request, noted.host) {
        parts.set_item(name, value)?;
    }
    said.set_item("key", parts)?;
    let lookup = match begin(&request, &noted, &cached.policy, parameter) {
        Ok(lookup) => lookup,
        Err(reason) => {
            bypass(reason)?;
            return Ok(said);
        }
    };
    if cached.hooked {
        bypass(Reason::Hook)?;
        return Ok(said);
    }
    let mut primary = Vec::new();
    let key = build_key(
        identity,
        &cached.inputs,
        &store.secret,
        &request,
        noted.host,
        &mut primary,
    );
    let finding = find(&store.store, key, &store.secret, cached.selecting(&lines));
    let stored = finding
        .found
        .as_ref()
        .and_then(|found| Some((found.entry.response()?, found.soft)));
    if let Some((stored, _)) = stored {
        let left = remaining(stored, store.now());
        said.set_item("age", left.age.as_secs_f64())?;
        said.set_item(
            "remaining",
            left.fresh_for.map_or(0.0, |left| left.as_secs_f64()),
        )?;
    }
    match lookup.decide(stored, finding.absent, store.now()) {
        Decision::Serve(serve) if serve.stale => {
            said.set_item("outcome", Outcome::Stale.word())?;
        }
        Decision::Serve(_) => said.set_item("outcome", Outcome::Hit.word())?,
        Decision::Unsatisfied => {
            said.set_item("outcome", Outcome::Miss.word())?;
            said.set_item("reason", Reason::OnlyIfCached.token())?;
        }
        Decision::Forward(forward) => {
            said.set_item("outcome", Outcome::of_forward(forward.reason).word())?;
            said.set_item("reason", forward.reason.token())?;
        }
    }
    Ok(said)
}
