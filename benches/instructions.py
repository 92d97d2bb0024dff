"""Instructions of a hit and of a pass-through, by callgrind: the difference between runs with N and 2 N requests.

`python benches/instructions.py SUBJECT COUNT` is what valgrind runs. The subject `reading` is for routes.py: so many
readings of 1,000 routes each.
"""

import itertools
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
    "starlette floor": "the floor in Starlette, by add_middleware",
    "starlette hit": "ours in Starlette, by add_middleware",
    "pass none": "a route without config: no middleware",
    "pass nothing": "a route without config: a middleware in Python that does nothing",
    "pass ours": "a route without config: ours",
    "alone hit": "ours from outside, without coalescing",
    "miss": "a miss that is stored: ours, from outside",
    "miss config": "the same request without the middleware: the application, with its configs",
    "miss none": "the same request to an application without configs",
    "miss inside": "a miss that is stored, before a handler that costs next to nothing: ours",
    "alone miss inside": "the same without coalescing",
    "miss floor": "the handler that costs next to nothing, alone",
    "alone miss": "a miss that is stored: ours from outside, without coalescing",
}
SUBJECTS = tuple(MEANING)


def run(effort: Effort) -> Report:
    report = Report("Instructions of a hit, and of a pass-through (callgrind)")
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
        report.say(f"{subject:<18} {count:>10,.0f} instructions  ({MEANING[subject]})")
    whole = counts["bare hit"] - counts.get("loop", 0.0)
    if not effort.smoke:
        bare, in_fastapi = counts["bare hit"] - counts["bare floor"], counts["hit"] - counts["floor"]
        in_starlette = counts["starlette hit"] - counts["starlette floor"]
        report.say(
            f"the hit above the floor: {bare:,.0f} from outside, {in_fastapi:,.0f} in FastAPI, "
            f"{in_starlette:,.0f} in Starlette"
        )
        hit, miss = (counts[name] - counts[f"alone {name.rpartition(' ')[2]}"] for name in ("bare hit", "miss"))
        inside, config = (
            counts[one] - counts[other] for one, other in (("miss inside", "miss floor"), ("miss config", "miss none"))
        )
        report.say(f"added to a miss: {inside:,.0f} by the middleware, {config:,.0f} by the config in the application")
        report.say(f"added by coalescing: {hit:,.0f} to a hit, {miss:,.0f} to a miss")
        ours, nothing = (counts[f"pass {name}"] - counts["pass none"] for name in ("ours", "nothing"))
        report.say(f"added to a pass-through: {ours:,.0f} by ours, {nothing:,.0f} by the one that does nothing")
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
    from traffic import receive, repeated, scope_for, send

    if subject == "reading":
        apps.outside(apps.fastapi(20)).analyse(scope_for("/"))
        unread = [apps.outside(apps.fastapi(1_000)) for _ in range(hits)]
        gc.disable()
        _count("on")
        for one in unread:
            one.analyse(scope_for("/"))
        _count("off")
        return
    passing = subject.startswith("pass")
    target = apps.path(apps.ROUTES // 2 + passing)
    make = apps.starlette if subject.startswith("starlette") else apps.fastapi
    missing, alone = "miss" in subject.split(), subject.startswith("alone")
    bare = subject.startswith("bare") or alone or missing
    ours = apps.outside(make(), coalesce=not alone) if bare else apps.with_cache(make())
    app = ours
    messages = [] if passing else apps.hit_messages(ours, target)
    if subject in ("miss config", "miss none"):
        app = apps.fastapi(configs=subject == "miss config")
    elif subject.endswith("inside"):
        app = apps.outside(apps.answering(), coalesce=not alone)
    elif subject == "miss floor":
        app = apps.answering()
    elif subject == "bare floor":
        app = apps.PreparedAnswer(ours, messages)
    elif subject.endswith("floor"):
        app = apps.with_floor(make(), messages)
    elif subject == "loop":
        app = _Nothing()
    elif passing:
        stop = apps.Stop(apps.fastapi())
        app = {"pass none": stop, "pass nothing": apps.DoNothing(stop), "pass ours": apps.outside(stop)}[subject]
    template = next(repeated(target))

    items = itertools.count(1_000_000)

    async def one(count: int) -> None:
        for _ in range(count):
            scope = dict(template)
            if missing:
                scope["path"] = apps.path(apps.ROUTES // 2, next(items))
                scope["raw_path"] = scope["path"].encode()
            await app(scope, receive, send)

    complete(one(5))
    gc.disable()
    # Until here valgrind only interprets, which is much faster. What else is counted from now on is in both runs.
    _count("on")
    complete(one(hits))


def _count(switch: str) -> None:
    subprocess.run(["callgrind_control", f"--instr={switch}", str(os.getpid())], stdout=subprocess.DEVNULL, check=True)


class _Nothing:
    """An application whose awaitable is done at once."""

    def __call__(self, scope: object, receive: object, send: object) -> "_Nothing":
        return self

    def __await__(self) -> object:
        return iter(())


if __name__ == "__main__":
    _subject(" ".join(sys.argv[1:-1]), int(sys.argv[-1]))
