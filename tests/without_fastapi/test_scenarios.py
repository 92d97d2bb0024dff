"""Every scenario of `testdata/scenarios` that needs no declared inputs, on Starlette alone."""

import pytest
from scenarios import corpus, drive, on_starlette

SCENARIOS = corpus.load()


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str) -> None:
    scenario = SCENARIOS[name]
    reason = on_starlette.can_express(scenario)
    if reason is not None:
        pytest.skip(reason)
    stage = drive.stage_for(scenario)
    drive.play(scenario, on_starlette.build(scenario, stage), stage)


def test_most_scenarios_run_here() -> None:
    skipped = [name for name, scenario in SCENARIOS.items() if on_starlette.can_express(scenario)]
    assert len(skipped) <= len(SCENARIOS) // 3, skipped
