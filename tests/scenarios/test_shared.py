"""Every scenario of `testdata/scenarios`, on FastAPI with the storage that all processes of a machine share."""

from pathlib import Path

import pytest

pytest.importorskip("fastapi")

from scenarios import corpus, drive, on_fastapi

from fast_cache_middleware import SharedStorage

pytestmark = pytest.mark.slow

SCENARIOS = corpus.load()


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str, tmp_path: Path) -> None:
    scenario = SCENARIOS[name]
    reason = scenario.skipped_on("fastapi")
    if reason is not None:
        pytest.skip(reason)
    stage = drive.stage_for(scenario, lambda clock: SharedStorage(tmp_path / "cache", clock=clock, max_bytes=16 << 20))
    drive.play(scenario, on_fastapi.build(scenario, stage), stage)
