"""Requests that wait for one another: what a crowd, a failing handler, a follower and coalescing itself cost.

`python benches/waiting.py WHERE REQUESTS` is a process that lets so many requests wait, in the application itself
(`bare`) or behind the cache (`cached`); it prints how many bytes of resident memory each of them takes. What coalescing
adds to a hit and to a miss, `instructions` counts.
"""

import asyncio
import contextlib
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import apps
from fastapi import FastAPI, HTTPException, Request, Response
from measure import Effort, Report
from traffic import Scope, receive, scope_for, send

from fast_cache_middleware import CacheConfig, FastCacheMiddleware

STATM = Path("/proc/self/statm")
HANDLER = 0.1
"""Seconds that the handler of a crowd takes."""
RAISES = "raises"
HANDLED = "raises HTTPException(503)"
BY_AUTHOR = "raises what a handler of the author's answers"
SHARED = (RAISES, HANDLED, "answers 503")
"""How a handler fails where its failure is shared."""
CROWDS = 5
"""How many come, one after the other."""


def run(effort: Effort) -> Report:
    report = Report("Waiting for one another")
    crowd = 50 if effort.smoke else 1000
    [(calls, times)] = asyncio.run(_crowds(crowd, 1))
    slow = times[int(len(times) * 0.99)]
    report.say(
        f"{crowd} concurrent misses: {calls} call, p99 {slow * 1e3:,.1f} ms for a handler of {HANDLER * 1e3:.0f} ms"
    )
    report.at_most("1,000 concurrent misses, calls of the handler", calls, 1)
    report.at_most("1,000 concurrent misses, p99 / the handler's time", slow / HANDLER, 3.0)
    for how in (*SHARED, BY_AUTHOR):
        for number in (crowd, 10):
            _failing(report, number, how, judged=number == crowd and how in SHARED)
    name = "a follower, beside its own task"
    if STATM.exists():
        number = 1000 if effort.smoke else 100_000
        bare, cached = _waiting("bare", number), _waiting("cached", number)
        report.say(f"a request that waits: {cached:,.0f} bytes behind the cache, {bare:,.0f} in the application itself")
        report.at_most(name, cached - bare, 1024, "bytes", digits=0)
    else:
        report.skipped(name, "<= 1,024 bytes", "the system has no /proc")
    return report


def _failing(report: Report, number: int, how: str, *, judged: bool) -> None:
    """Some crowds in a row, of which all but the first find the key known to be failing, beside no coalescing."""
    waves = asyncio.run(_crowds(number, CROWDS, fails=how))
    alone = asyncio.run(_crowds(number, CROWDS, fails=how, coalesce=False))
    (ours, first, later), (others, first_alone, later_alone) = _summed(waves), _summed(alone)
    time = (first + later) / (first_alone + later_alone)
    rest = CROWDS - 1
    report.say(
        f"{CROWDS} crowds of {number}, a handler that always {how}: "
        f"{ours} calls, {first * 1e3:,.1f} ms and then {later / rest * 1e3:,.1f} ms a crowd; "
        f"without coalescing {others} calls, {first_alone * 1e3:,.1f} and {later_alone / rest * 1e3:,.1f} ms; "
        f"{first / first_alone:.2f} and {later / later_alone:.2f} times that, {time:.2f} in all"
    )
    if judged:
        report.at_most(f"a handler that always {how}, calls / without coalescing", ours / others, 1.0)
        report.at_most(f"a handler that always {how}, total time / without coalescing", time, 1.0)


def _summed(waves: list[tuple[int, list[float]]]) -> tuple[int, float, float]:
    """The calls of all crowds, and for how long the first of them took, and the others together."""
    times = [taken[-1] for _, taken in waves]
    return sum(calls for calls, _ in waves), times[0], sum(times[1:])


async def _crowds(
    number: int, waves: int, *, coalesce: bool = True, fails: str | None = None
) -> list[tuple[int, list[float]]]:
    """Of some crowds, one after the other: the handler's calls, and for how long each of the requests took, sorted."""
    calls = 0
    app = FastAPI()
    app.add_middleware(FastCacheMiddleware, coalesce=coalesce)

    @app.get("/x", dependencies=[CacheConfig(apps.MAX_AGE)])
    async def x() -> Response:
        nonlocal calls
        calls += 1
        await asyncio.sleep(HANDLER)
        if fails == RAISES:
            raise ValueError
        if fails == HANDLED:
            raise HTTPException(503)
        if fails == BY_AUTHOR:
            raise LookupError
        return Response(str(calls), 503 if fails else 200)

    async def answer(request: Request, error: Exception) -> Response:
        return Response(status_code=503)

    app.add_exception_handler(LookupError, answer)
    # The routes are read with the first request.
    await app(scope_for("/other"), receive, send)

    async def one() -> float:
        began = time.perf_counter()
        with contextlib.suppress(ValueError):
            await app(scope_for("/x"), receive, send)
        return time.perf_counter() - began

    came = []
    for _ in range(waves):
        before = calls
        taken = sorted(await asyncio.gather(*(one() for _ in range(number))))
        came.append((calls - before, taken))
    return came


def _waiting(where: str, number: int) -> float:
    command = [sys.executable, __file__, where, str(number)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return float(done.stdout)


async def _wait(where: str, number: int) -> None:
    import gc
    import resource

    def resident() -> int:
        gc.collect()
        return int(STATM.read_text().split()[1]) * resource.getpagesize()

    forever = asyncio.Event()

    async def bare(scope: Scope, receive: Any, send: Any) -> None:
        await forever.wait()

    inner = FastAPI()

    @inner.get("/x", dependencies=[CacheConfig(apps.MAX_AGE)])
    async def x() -> None:
        await forever.wait()

    middleware = FastCacheMiddleware(inner, follower_timeout=3600)
    await middleware(scope_for("/other"), receive, send)
    app: Any = bare if where == "bare" else middleware
    tasks = [asyncio.create_task(_asked(app)) for _ in range(100)]
    await asyncio.sleep(0)
    before = resident()
    tasks += [asyncio.create_task(_asked(app)) for _ in range(number)]
    for _ in range(3):
        await asyncio.sleep(0)
    print((resident() - before) / number)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _asked(app: Any) -> None:
    await app(scope_for("/x"), receive, send)


if __name__ == "__main__":
    asyncio.run(_wait(sys.argv[1], int(sys.argv[2])))
