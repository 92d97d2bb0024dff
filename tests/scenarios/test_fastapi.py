"""Every scenario of `testdata/scenarios`, on FastAPI."""

import pytest

pytest.importorskip("fastapi")

from scenarios import corpus, drive, on_fastapi

SCENARIOS = corpus.load()


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str) -> None:
    scenario = SCENARIOS[name]
    reason = scenario.skipped_on("fastapi")
    if reason is not None:
        pytest.skip(reason)
    stage = drive.stage_for(scenario)
    drive.play(scenario, on_fastapi.build(scenario, stage), stage)


def test_there_are_many_scenarios() -> None:
    assert len(SCENARIOS) >= 400


def test_most_scenarios_run_here() -> None:
    skipped = [name for name, scenario in SCENARIOS.items() if scenario.skipped_on("fastapi")]
    assert len(skipped) <= 5, skipped
