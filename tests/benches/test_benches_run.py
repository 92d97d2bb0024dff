"""Every benchmark runs and says what it measured. What the numbers are is not for a test to say."""

import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / "benches" / "run.py"
pytestmark = pytest.mark.slow

TARGETS = {
    "hit": ["hit on FastAPI / floor", "hit on Starlette / floor", "hit from outside, whole"],
    "instructions": ["instructions in the middleware itself"],
    "passthrough": ["pass-through, added / added by a no-op"],
    "miss": ["miss, added to the whole app", "miss, in the middleware itself"],
    "routes": ["hit, 10,000 routes / 10", "pass-through, 10,000 routes / 10", "analysis of 1,000 routes"],
    "drops": ["drop by tag, 1,000,000 entries", "drop by prefix, 1,000,000 entries", "a route that drops"],
    "memory": ["a full store of 1 KB responses / max_bytes", "a response of 1 KB, all told"],
    "storages": [
        "a hit of SharedStorage, near, beside memory",
        "lookups in Redis at 32 concurrent / redis.asyncio GET",
    ],
    "waiting": ["1,000 concurrent misses, calls of the handler", "a follower, beside its own task"],
}
SERVED = ["uvicorn, hits / floor", "granian, hits / floor"]


@pytest.mark.parametrize("name", TARGETS)
def test_runs(name: str) -> None:
    _shows(name, TARGETS[name])


@pytest.mark.server
def test_runs_behind_servers() -> None:
    _shows("servers", SERVED)


def test_every_benchmark_is_tested() -> None:
    listed = _run("--help").stdout.partition("which ones: ")[2].partition("\n\n")[0]
    for line in ("options:", "--"):
        listed = listed.partition(line)[0]
    assert {name.strip() for name in listed.replace("\n", " ").split(",")} == {*TARGETS, "servers"}


def test_an_unknown_name_is_refused() -> None:
    done = _run("--smoke", "no-such-benchmark", check=False)
    assert done.returncode == 2
    assert "no such benchmark: no-such-benchmark" in done.stderr


def _shows(name: str, targets: list[str]) -> None:
    machine, _, rest = _run("--smoke", name).stdout.partition(f"== {name}: ")
    for word in ("machine ", "python ", "fastapi ", "command "):
        assert word in machine
    numbers, _, table = rest.partition("== targets")
    assert numbers.strip()
    for target in targets:
        row = next(line for line in table.splitlines() if target in line)
        assert row.split()[-1] in ("pass", "FAIL") or "not measured:" in row


def _run(*arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run([sys.executable, str(RUN), *arguments], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done
