//! What came back, against what a step says.

use crate::corpus::{Origin, Step, bytes, line};
use crate::host::Call;
use crate::wire::{Answer, OwnedLine};
use fast_cache_core::exchange::Outcome;
use std::collections::HashMap;

/// Compares an answer, and what the endpoints saw of the request, with what its step says.
pub(crate) fn compare(
    step: &Step,
    origin: Option<&Origin>,
    answer: &Answer,
    calls: &[Call],
) -> Result<(), String> {
    let outcome = answer.outcome.map_or("none", Outcome::word);
    let cache = step
        .cache
        .as_deref()
        .expect("every request says its cache status");
    let why = String::from_utf8_lossy(&answer.cache_status);
    same(&format!("cache ({why})"), outcome, cache)?;
    same(
        "calls of the endpoint",
        calls.len(),
        usize::from(origin.is_some()),
    )?;
    if let [call] = calls {
        compare_call(step, call)?;
    }
    if outcome != "none" {
        compare_cache_status(step, outcome, &why)?;
    }
    let from_cache = matches!(outcome, "HIT" | "STALE" | "REVALIDATED");
    assert!(
        !from_cache || step.body.is_some(),
        "an answer from the cache says which body comes back"
    );
    let origin = origin.filter(|_| !from_cache);
    let status = origin.map_or(200, |origin| origin.status.unwrap_or(200));
    same("status", answer.status, step.status.unwrap_or(status))?;
    let pieces = origin
        .map(Origin::pieces)
        .filter(|pieces| !pieces.is_empty());
    let boundary = boundary(answer);
    let filled = |text: &str| text.replace("$boundary", &boundary);
    let body = step
        .body
        .as_deref()
        .map(|text| bytes(&filled(text)))
        .or(pieces.map(|pieces| pieces.concat()));
    if let Some(body) = body {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        same("body", text(&answer.body), text(&body))?;
    }
    match step.age {
        Some(age) => same("age", answer.all("age"), vec![age.to_string().into_bytes()])?,
        None if from_cache => same("lines of Age", answer.all("age").len(), 1)?,
        None => {}
    }
    let head = step
        .request
        .as_deref()
        .is_some_and(|request| request.starts_with("HEAD "));
    if from_cache
        && answer.status != 304
        && !head
        && let Some(length) = answer.all("content-length").first()
    {
        let is = String::from_utf8_lossy(length).into_owned();
        same("content-length", is, answer.body.len().to_string())?;
    }
    let expected: Vec<String> = step.lines.iter().map(|text| filled(text)).collect();
    compare_lines(&expected, &step.without, |name| answer.all(name))
}

/// Compares what the endpoint saw.
fn compare_call(step: &Step, call: &Call) -> Result<(), String> {
    if let Some(route) = &step.route {
        same("route", &call.route, route)?;
    }
    let seen = |name: &str| all(&call.lines, name);
    compare_lines(&step.sees, &step.sees_not, seen)
        .map_err(|problem| format!("the endpoint's request: {problem}"))
}

/// For every name in `expected`, exactly these lines in this order; those in `without` do not stand.
fn compare_lines(
    expected: &[String],
    without: &[String],
    found: impl Fn(&str) -> Vec<Vec<u8>>,
) -> Result<(), String> {
    let mut values: HashMap<String, Vec<Vec<u8>>> = HashMap::new();
    for (name, value) in expected.iter().map(|text| line(text)) {
        let name = String::from_utf8_lossy(&name).to_ascii_lowercase();
        values.entry(name).or_default().push(value);
    }
    for (name, values) in values {
        same(&name, texts(found(&name)), texts(values))?;
    }
    for name in without {
        same(name, texts(found(name)), Vec::new())?;
    }
    Ok(())
}

fn compare_cache_status(step: &Step, outcome: &str, member: &str) -> Result<(), String> {
    let parameters: HashMap<&str, &str> = member
        .split("; ")
        .skip(1)
        .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
        .collect();
    let said = |name: &str| parameters.get(name).copied();
    let hit = outcome == "HIT" || (outcome == "STALE" && step.forward.is_none());
    same("hit", said("hit").is_some(), hit)?;
    if let Some(ttl) = step.ttl {
        same("ttl", said("ttl"), Some(&*ttl.to_string()))?;
    }
    if hit {
        return Ok(());
    }
    same("reason", said("detail"), step.reason.as_deref())?;
    let stored = step.stored.unwrap_or(step.reason.is_none());
    same("stored", said("stored").is_some(), stored)?;
    if let Some(forward) = &step.forward {
        same("forward", said("fwd"), Some(forward))?;
    }
    let confirmed = (outcome == "REVALIDATED").then_some(304);
    let status = step.forward_status.or(confirmed);
    let status = status.map(|status| status.to_string());
    same("forward_status", said("fwd-status"), status.as_deref())
}

/// The boundary between the parts of an answer in several.
fn boundary(answer: &Answer) -> String {
    let of = |value: &Vec<u8>| {
        let value = String::from_utf8_lossy(value).into_owned();
        let (_, boundary) = value.split_once("boundary=")?;
        Some(boundary.to_owned())
    };
    answer
        .all("content-type")
        .iter()
        .find_map(of)
        .unwrap_or_default()
}

fn all(lines: &[OwnedLine], name: &str) -> Vec<Vec<u8>> {
    lines
        .iter()
        .filter(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes()))
        .map(|(_, value)| value.clone())
        .collect()
}

fn texts(values: Vec<Vec<u8>>) -> Vec<String> {
    let text = |value: Vec<u8>| String::from_utf8_lossy(&value).into_owned();
    values.into_iter().map(text).collect()
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "calls read better without borrows"
)]
fn same<T: PartialEq + std::fmt::Debug>(what: &str, is: T, should_be: T) -> Result<(), String> {
    if is == should_be {
        return Ok(());
    }
    Err(format!("{what} is {is:?}, should be {should_be:?}"))
}
