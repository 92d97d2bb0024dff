"""The instructions of a hit, counted by callgrind: the difference between a run with N hits and one with 2 N.

`python benches/instructions.py SUBJECT COUNT` is what valgrind runs.
"""

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from measure import Effort, Report, complete

LIMIT = 9_000
HITS = 2_000
MEANING = {
    "loop": "no middleware: the loop of requests alone",
    "bare floor": "the floor alone",
    "bare hit": "ours, wrapped around the application from outside",
    "floor": "the floor in FastAPI, by add_middleware",
    "hit": "ours in FastAPI, by add_middleware",
}
SUBJECTS = tuple(MEANING)


def run(effort: Effort) -> Report:
    report = Report("Instructions of a hit (callgrind)")
    name, target = "instructions in the middleware itself", f"<= {LIMIT:,}"
    if shutil.which("valgrind") is None:
        report.skipped(name, target, "valgrind is not installed")
        return report
    hits = 20 if effort.smoke else HITS
    subjects = ("bare hit",) if effort.smoke else SUBJECTS
    runs = [(subject, count) for subject in subjects for count in (hits, 2 * hits)]
    with ThreadPoolExecutor(max_workers=2) as pool:
        collected = dict(zip(runs, pool.map(lambda one: callgrind(*one), runs), strict=True))
    counts = {subject: (collected[subject, 2 * hits] - collected[subject, hits]) / hits for subject in subjects}
    for subject, count in counts.items():
        report.say(f"{subject:<12} {count:>10,.0f} instructions  ({MEANING[subject]})")
    whole = counts["bare hit"] - counts.get("loop", 0.0)
    if not effort.smoke:
        bare, in_fastapi = counts["bare hit"] - counts["bare floor"], counts["hit"] - counts["floor"]
        report.say(f"the hit above the floor: {bare:,.0f} from outside, {in_fastapi:,.0f} in FastAPI")
    report.say(f"the middleware itself, with both messages and both calls of `send`: {whole:,.0f}")
    report.at_most(name, whole, LIMIT, digits=0)
    return report


def callgrind(subject: str, hits: int, out: Path | str = "/dev/null") -> int:
    """The instructions of a whole run with so many hits; `out` takes the profile."""
    command = [
        "valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}",
        sys.executable, __file__, subject, str(hits),
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    counted = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or counted is None:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return int(counted[1])


def _subject(subject: str, hits: int) -> None:
    import gc

    import apps
    from traffic import receive, repeated, send

    target = apps.path(apps.ROUTES // 2)
    bare = subject.startswith("bare")
    ours = apps.outside(apps.fastapi()) if bare else apps.with_cache(apps.fastapi())
    app = ours
    messages = apps.hit_messages(ours, target)
    if subject == "bare floor":
        app = apps.PreparedAnswer(ours, messages)
    elif subject == "floor":
        app = apps.with_floor(apps.fastapi(), messages)
    elif subject == "loop":
        app = _Nothing()
    template = next(repeated(target))

    async def one(count: int) -> None:
        for _ in range(count):
            await app(dict(template), receive, send)

    complete(one(5))
    gc.disable()
    # Until here valgrind only interprets, which is much faster. What else is counted from now on is in both runs.
    subprocess.run(["callgrind_control", "--instr=on", str(os.getpid())], stdout=subprocess.DEVNULL, check=True)
    complete(one(hits))


class _Nothing:
    """An application whose awaitable is done at once."""

    def __call__(self, scope: object, receive: object, send: object) -> "_Nothing":
        return self

    def __await__(self) -> object:
        return iter(())


if __name__ == "__main__":
    _subject(" ".join(sys.argv[1:-1]), int(sys.argv[-1]))
