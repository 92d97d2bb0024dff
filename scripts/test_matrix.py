"""Run the Python tests against one framework version after another.

Usage: python3 scripts/test_matrix.py [--select EXPRESSION] WHEEL VERSION...

A VERSION is a FastAPI release, or `starlette` for Starlette alone. Each has an environment of its own in `.venvs/`.
The one for Starlette alone gets the package by a plain `pip install .`, as a user would, and is asked to import it
before anything else is installed; it runs the tests in `tests/without_fastapi`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from environment import ROOT, SetupError, ensure, install, run

ENVIRONMENTS = ROOT / ".venvs"
TOOLS = ROOT / "requirements" / "matrix.txt"
STARLETTE = "starlette"
STARLETTE_TESTS = "tests/without_fastapi"


@dataclass(frozen=True)
class Result:
    """How one version fared."""

    version: str
    passed: int
    failed: int
    skipped: int
    seconds: float
    problem: str = ""


def test(version: str, wheel: Path, select: str) -> Result:
    """Run the tests for one version; whatever goes wrong is in the result."""
    started = time.monotonic()
    print(f"\n== {_title(version)}", flush=True)
    try:
        python = _prepare(version, wheel)
    except SetupError as problem:
        return Result(version, 0, 1, 0, time.monotonic() - started, str(problem))
    report = ENVIRONMENTS / f"{version}.xml"
    report.unlink(missing_ok=True)
    command = [str(python), "-m", "pytest", "-q", f"--junitxml={report}", "-m", select]
    if version == STARLETTE:
        command.append(STARLETTE_TESTS)
    else:
        # What an old framework does in an outdated way is shown, not held against us.
        command += ["-W", "default::DeprecationWarning", "-W", "default::PendingDeprecationWarning"]
    status = subprocess.run(command, cwd=ROOT, check=False).returncode
    return _read(version, report, status, time.monotonic() - started)


def _prepare(version: str, wheel: Path) -> Path:
    if version == STARLETTE:
        python = ensure(ENVIRONMENTS / STARLETTE, [])
        install(python, "--force-reinstall", str(ROOT))
        run([python, "-c", "import fast_cache_middleware"])
        install(python, "-r", str(TOOLS))
    else:
        python = ensure(ENVIRONMENTS / f"fastapi-{version}", [f"fastapi=={version}"], [TOOLS])
        install(python, "--force-reinstall", "--no-deps", str(wheel))
    run([python, "-m", "pip", "check"])
    return python


def _read(version: str, report: Path, status: int, seconds: float) -> Result:
    try:
        suites = ElementTree.parse(report).getroot().iter("testsuite")
    except (OSError, ElementTree.ParseError):
        return Result(version, 0, 1, 0, seconds, f"pytest ended with status {status} and left no report.")
    total = failed = skipped = 0
    for suite in suites:
        total += int(suite.get("tests", 0))
        failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
    problem = f"pytest ended with status {status}." if status and not failed else ""
    return Result(version, max(total - failed - skipped, 0), failed + bool(problem), skipped, seconds, problem)


def _title(version: str) -> str:
    return "Starlette alone" if version == STARLETTE else f"FastAPI {version}"


def main() -> int:
    """Read the command line, run every version, and end with a table and one line that counts."""
    parser = argparse.ArgumentParser(description="Run the Python tests against one framework version after another.")
    parser.add_argument("--select", default="not server and not slow", help="pytest's -m expression")
    parser.add_argument("wheel", type=Path)
    parser.add_argument("versions", metavar="VERSION", nargs="+")
    arguments = parser.parse_args()
    results = [test(version, arguments.wheel, arguments.select) for version in arguments.versions]
    print()
    for result in results:
        verdict = "FAILED" if result.failed else "ok"
        counts = f"{result.passed:5} passed {result.failed:4} failed {result.skipped:4} skipped"
        print(f"{_title(result.version):18} {verdict:7} {counts} {result.seconds:6.1f} s  {result.problem}".rstrip())
    passed, failed, skipped = (
        sum(getattr(result, name) for result in results) for name in ("passed", "failed", "skipped")
    )
    print(f"\n{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
