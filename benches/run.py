"""The benchmarks: what they measure, on which machine, and whether the targets are met.

python benches/run.py                    all of them
python benches/run.py hit miss           only these
python benches/run.py --strict           exit with 1 where a target is missed
python benches/run.py --rounds 40        fewer rounds: quicker, noisier
python benches/run.py --smoke            only show that they run; the numbers mean nothing
"""

import argparse
import importlib
import importlib.metadata
import logging
import os
import platform
import shlex
import subprocess
import sys
import time
from pathlib import Path

from measure import Effort, Report, Verdict

BENCHMARKS = (
    "hit",
    "instructions",
    "passthrough",
    "miss",
    "routes",
    "drops",
    "memory",
    "waiting",
    "storages",
    "servers",
)
PACKAGES = ("fast-cache-middleware", "fastapi", "starlette", "pydantic", "uvicorn", "granian", "uvloop", "httptools")
ROUNDS, OPERATIONS = 200, 1_000
HERE = Path(__file__).parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="name", help=f"which ones: {', '.join(BENCHMARKS)}")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds of the interleaved benchmarks")
    parser.add_argument("--operations", type=int, default=OPERATIONS, help="operations in a round")
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a target is missed")
    parser.add_argument("--smoke", action="store_true", help="as little work as possible; the numbers mean nothing")
    chosen = parser.parse_args()
    unknown = set(chosen.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    effort = Effort(2, 50, smoke=True) if chosen.smoke else Effort(chosen.rounds, chosen.operations)
    logging.getLogger("fast_cache_middleware").setLevel(logging.ERROR)
    _print_machine()
    verdicts: list[Verdict] = []
    for name in chosen.names or BENCHMARKS:
        began = time.monotonic()
        report = importlib.import_module(name).run(effort)
        verdicts += report.verdicts
        _print_report(name, report, time.monotonic() - began)
    _print_verdicts(verdicts)
    if chosen.smoke:
        print("\nA smoke run: the numbers mean nothing.")
    return int(chosen.strict and any(verdict.passed is False for verdict in verdicts))


def _print_machine() -> None:
    print("machine   ", f"{_processor()}, {os.cpu_count()} cores, {_memory()}")
    print("system    ", f"{platform.system()} {platform.release()}, load {_load()}")
    print("python    ", f"{platform.python_implementation()} {platform.python_version()}, {platform.python_compiler()}")
    print("versions  ", ", ".join(f"{name} {_version(name)}" for name in PACKAGES))
    print("commit    ", _commit())
    print("command   ", shlex.join(["python", *sys.argv]))
    print("time      ", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()))


def _print_report(name: str, report: Report, seconds: float) -> None:
    print(f"\n== {name}: {report.title}  [{seconds:.0f} s]")
    for line in report.lines:
        print("  ", line)
    sys.stdout.flush()


def _print_verdicts(verdicts: list[Verdict]) -> None:
    rows = [("what", "target", "measured", "")]
    for verdict in verdicts:
        outcome = {True: "pass", False: "FAIL", None: f"not measured: {verdict.note}"}[verdict.passed]
        rows.append((verdict.name, verdict.target, verdict.measured or "-", outcome))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    print("\n== targets")
    for row in rows:
        name, target, measured, outcome = row
        print(f"   {name:<{widths[0]}}  {target:>{widths[1]}}  {measured:>{widths[2]}}  {outcome}".rstrip())


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / (1 << 30):.0f} GiB"
    except (ValueError, OSError):
        return "memory unknown"


def _load() -> str:
    try:
        return " ".join(f"{load:.1f}" for load in os.getloadavg())
    except OSError:
        return "unknown"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(HERE), *arguments], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return git("rev-parse", "--short", "HEAD") + (" and changes" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


if __name__ == "__main__":
    sys.exit(main())
