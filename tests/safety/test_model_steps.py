"""The middleware against the naive model of `safety/model.py`, for as many steps as one likes: `make model`."""

import asyncio
import logging
import os
from collections import Counter

import pytest
from safety.model import Run

STEPS = int(os.environ.get("FAST_CACHE_STEPS", "10000"))
SEED = int(os.environ.get("FAST_CACHE_SEED", "1"))
STEPS_OF_A_RUN = 250


@pytest.mark.slow
def test_never_an_answer_that_is_older_than_a_finished_drop(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "fast_cache_middleware")
    said: Counter[str] = Counter()
    for seed in range(SEED, SEED - -STEPS // STEPS_OF_A_RUN):
        try:
            stats = asyncio.run(Run(seed).play(STEPS_OF_A_RUN))
        except BaseException as error:
            error.add_note(f"FAST_CACHE_SEED={seed} FAST_CACHE_STEPS={STEPS_OF_A_RUN}")
            raise
        said.update({name: stats[name] for name in ("hits", "stale", "misses", "stores", "evictions", "shared")})
    assert min(said.values()) > STEPS / 1000, said
