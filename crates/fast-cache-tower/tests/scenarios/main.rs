//! The scenarios of `testdata/scenarios`, played through the layers: once with rules for the whole application, once with
//! a layer around each route.
#![cfg(feature = "tokio")]

#[allow(dead_code, reason = "shared with another host, which needs more of it")]
#[path = "../../../fast-cache-engine/tests/scenarios/compare.rs"]
mod compare;
#[allow(dead_code, reason = "shared with another host, which needs more of it")]
#[path = "../../../fast-cache-engine/tests/scenarios/corpus.rs"]
mod corpus;
mod host;
mod policies;
#[allow(dead_code, reason = "shared with another host, which needs more of it")]
#[path = "../../../fast-cache-engine/tests/scenarios/wire.rs"]
mod wire;

use corpus::{Answered, Scenario};
use host::{Arrangement, Host};

#[test]
fn every_scenario_holds_with_rules() {
    play_all(Arrangement::Rules, 8);
}

#[test]
fn every_scenario_holds_with_a_layer_for_each_route() {
    play_all(Arrangement::Routes, 12);
}

#[expect(
    clippy::disallowed_macros,
    reason = "what is skipped is never skipped in silence"
)]
fn play_all(arrangement: Arrangement, most_skipped: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let mut failures = Vec::new();
    let (mut played, mut skipped) = (0, Vec::new());
    for (subject, scenarios) in corpus::load() {
        for scenario in scenarios {
            let name = format!("{subject}/{}", scenario.name);
            if !can_play(&scenario, arrangement) {
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
                let outcome = runtime.block_on(play(&scenario, raw, arrangement));
                if let Err(problem) = outcome {
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
    assert!(played >= 200 && skipped.len() <= most_skipped, "{summary}");
    println!("{summary}");
}

/// Whether the host can express a scenario: no server of Rust hands over a `root_path`, nor a target that is no ASCII.
fn can_play(scenario: &Scenario, arrangement: Arrangement) -> bool {
    let is_beyond_rust = scenario.steps.iter().any(|step| {
        let is_ascii = step.request.as_ref().is_none_or(|text| text.is_ascii());
        !step.root_path.is_empty() || !is_ascii
    });
    let is_for_rules = scenario.options.head_from_get;
    scenario.is_for_core()
        && !is_beyond_rust
        && (arrangement == Arrangement::Rules || !is_for_rules)
}

/// Takes every step; the first that comes out otherwise than it says.
async fn play(scenario: &Scenario, raw: bool, arrangement: Arrangement) -> Result<(), String> {
    let routes = scenario.all_routes(raw);
    let mut host = Host::new(&routes, &scenario.options, arrangement);
    let mut etag = String::new();
    for (number, step) in scenario.steps.iter().enumerate() {
        host.advance(step.after);
        if let Some(drop) = &step.drop {
            host.drop(drop).await;
        } else if step.clear {
            host.cache.clear();
        } else {
            let origin = step.origin.as_ref().map(Answered::full);
            let answer = host.exchange(step, &etag, origin.as_ref()).await?;
            if let Some(tag) = answer.all("etag").first() {
                etag = String::from_utf8_lossy(tag).into_owned();
            }
            let calls = host.calls();
            compare::compare(step, origin.as_ref(), &answer, &calls).map_err(|problem| {
                let request = step.request.as_deref().unwrap_or_default();
                format!("step {}, {request}: {problem}", number + 1)
            })?;
        }
    }
    Ok(())
}
