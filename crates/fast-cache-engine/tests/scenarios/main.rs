//! The scenarios of `testdata/scenarios`, played without a framework: core, engine and memory store, a simulated origin
//! and a clock that stands still.

mod application;
mod compare;
mod corpus;
mod host;
mod wire;

use application::Application;
use corpus::{Answered, Scenario};
use fast_cache_core::fields::cache_status::cache_name;
use fast_cache_core::key::Secret;
use fast_cache_core::time::Timestamp;
use fast_cache_engine::clock::Clock;
use fast_cache_store::{Limits, LocalStore, MemoryStore};
use host::Host;
use std::cell::RefCell;
use std::collections::HashSet;
use wire::Wire;

/// Tue, 14 Nov 2023 22:13:20 GMT.
const START: Timestamp = Timestamp::from_seconds(1_700_000_000);

#[test]
#[expect(
    clippy::disallowed_macros,
    reason = "what is skipped is never skipped in silence"
)]
fn every_scenario_holds() {
    let mut failures = Vec::new();
    let (mut played, mut skipped) = (0, Vec::new());
    let mut names = HashSet::new();
    for (subject, scenarios) in corpus::load() {
        for scenario in scenarios {
            let name = format!("{subject}/{}", scenario.name);
            assert!(names.insert(name.clone()), "{name} stands twice");
            assert!(!scenario.rule.is_empty(), "{name} names no rule");
            if !scenario.is_for_core() {
                skipped.push(name);
                continue;
            }
            played += 1;
            let variants: &[bool] = if scenario.is_open() {
                &[false, true]
            } else {
                &[false]
            };
            for &raw in variants {
                if let Err(problem) = play(&scenario, raw) {
                    let reads = if raw { " (raw)" } else { "" };
                    failures.push(format!("{name}{reads}: {problem}"));
                }
            }
        }
    }
    let summary = format!(
        "{played} scenarios played, {} skipped: {skipped:?}",
        skipped.len()
    );
    assert!(failures.is_empty(), "{}\n{summary}", failures.join("\n"));
    assert!(played >= 400 && skipped.len() <= 5, "{summary}");
    println!("{summary}");
}

/// Takes every step; the first that comes out otherwise than it says.
fn play(scenario: &Scenario, raw: bool) -> Result<(), String> {
    let application = Application::new(&scenario.all_routes(raw), &scenario.options);
    let host = Host {
        application,
        store: MemoryStore::new(Limits {
            max_entries: 1000,
            max_bytes: 16 << 20,
        }),
        clock: Clock::manual(START),
        secret: Secret::from_bytes(&[7; 48]),
        name: cache_name("fast-cache").expect("a name"),
        head_from_get: scenario.options.head_from_get,
        calls: RefCell::default(),
    };
    let mut etag = String::new();
    for (number, step) in scenario.steps.iter().enumerate() {
        host.advance(step.after);
        if let Some(drop) = &step.drop {
            host.drop(&host.application.purge(drop, &[]));
        } else if step.clear {
            host.store.clear();
        } else {
            let origin = step.origin.as_ref().map(Answered::full);
            let answer = host.exchange(&Wire::of(step, &etag), origin.as_ref());
            if let Some(tag) = answer.all("etag").first() {
                etag = String::from_utf8_lossy(tag).into_owned();
            }
            let calls = host.calls.take();
            compare::compare(step, origin.as_ref(), &answer, &calls).map_err(|problem| {
                let request = step.request.as_deref().unwrap_or_default();
                format!("step {}, {request}: {problem}", number + 1)
            })?;
        }
    }
    Ok(())
}
