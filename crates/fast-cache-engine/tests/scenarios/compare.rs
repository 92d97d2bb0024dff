//! What came back, against what a step says.

use crate::corpus::{Origin, Step, bytes, line};
use crate::wire::Answer;
use fast_cache_core::exchange::Outcome;
use std::collections::HashMap;

/// Compares an answer with what its step says.
pub(crate) fn compare(step: &Step, origin: Option<&Origin>, answer: &Answer) -> Result<(), String> {
    let outcome = answer.outcome.map_or("none", Outcome::word);
    let cache = step
        .cache
        .as_deref()
        .expect("every request says its cache status");
    let why = String::from_utf8_lossy(&answer.cache_status);
    same(&format!("cache ({why})"), outcome, cache)?;
    same("endpoint called", answer.called.is_some(), origin.is_some())?;
    if let Some(route) = &step.route {
        same("route", answer.called.as_ref(), Some(route))?;
    }
    if outcome != "none" {
        compare_cache_status(step, &why, outcome == "HIT")?;
    }
    let origin_status = origin.map(|origin| origin.status.unwrap_or(200));
    let status = step.status.or(origin_status).unwrap_or(200);
    same("status", answer.status, status)?;
    let pieces = origin
        .map(Origin::pieces)
        .filter(|pieces| !pieces.is_empty());
    let body = step
        .body
        .as_deref()
        .map(bytes)
        .or(pieces.map(|pieces| pieces.concat()));
    assert!(
        outcome != "HIT" || body.is_some(),
        "a HIT says which body comes back"
    );
    if let Some(body) = body {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        same("body", text(&answer.body), text(&body))?;
    }
    if let Some(age) = step.age {
        same("age", answer.all("age"), vec![age.to_string().into_bytes()])?;
    }
    let mut expected: HashMap<String, Vec<Vec<u8>>> = HashMap::new();
    for (name, value) in step.lines.iter().map(|text| line(text)) {
        let name = String::from_utf8_lossy(&name).to_ascii_lowercase();
        expected.entry(name).or_default().push(value);
    }
    for (name, values) in expected {
        same(&name, answer.all(&name), values)?;
    }
    for name in &step.without {
        same(name, answer.all(name), Vec::new())?;
    }
    Ok(())
}

fn compare_cache_status(step: &Step, member: &str, hit: bool) -> Result<(), String> {
    let parameters: HashMap<&str, &str> = member
        .split("; ")
        .skip(1)
        .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
        .collect();
    if hit {
        if let Some(ttl) = step.ttl {
            same(
                "ttl",
                parameters.get("ttl").copied(),
                Some(&*ttl.to_string()),
            )?;
        }
        return Ok(());
    }
    let detail = parameters.get("detail").copied();
    same("reason", detail, step.reason.as_deref())?;
    let stored = step.stored.unwrap_or(step.reason.is_none());
    same("stored", parameters.contains_key("stored"), stored)?;
    if let Some(forward) = &step.forward {
        same("forward", parameters.get("fwd").copied(), Some(forward))?;
    }
    Ok(())
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
