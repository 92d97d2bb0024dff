"""A hit on each storage beside one in memory, and lookups that go to Redis beside `redis.asyncio`.

All in one process, in turns. The Redis is one that this starts and stops.
"""

import asyncio
import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import apps
from measure import Effort, Report, interleaved, micros
from traffic import expect, receive, repeated, requests, scope_for

from fast_cache_middleware import FastCacheMiddleware, RedisStorage, SharedStorage

CONCURRENT = 32
TESTS = Path(__file__).parents[1] / "tests"


def run(effort: Effort) -> Report:
    report = Report("Hits on storages that others share (1 KB)")
    with tempfile.TemporaryDirectory() as folder:
        _shared(effort, report, folder)
    name = "lookups in Redis at 32 concurrent / redis.asyncio GET"
    if importlib.util.find_spec("redis") is None or not _has_redis():
        report.skipped(name, ">= 3", "there is no Redis server, or no redis package to compare with")
    else:
        sys.path.append(str(TESTS))
        asyncio.run(_redis(effort, report, name))
    return report


def _shared(effort: Effort, report: Report, folder: str) -> None:
    number = apps.ROUTES // 2
    inner = apps.starlette()
    subjects = {
        "memory": FastCacheMiddleware(inner),
        "shared, near": FastCacheMiddleware(inner, SharedStorage(f"{folder}/near")),
        "shared, from the map": FastCacheMiddleware(inner, SharedStorage(f"{folder}/far", near_bytes=0)),
    }
    for app in subjects.values():
        expect(app, apps.path(number), "MISS")
        expect(app, apps.path(number), "HIT")
    scopes = repeated(apps.path(number))
    times = interleaved({name: requests(app, scopes, effort.operations) for name, app in subjects.items()}, effort)
    report.times(times, "memory")
    near, far = (times.difference(name, "memory") for name in ("shared, near", "shared, from the map"))
    report.say(f"dearer than in memory: {micros(near)} near, {micros(far)} from the map")
    report.at_most("a hit of SharedStorage, near, beside memory", near * 1e6, 0.1, "µs")
    report.at_most("a hit of SharedStorage, from the map, beside memory", far * 1e6, 3.0, "µs")


async def _redis(effort: Effort, report: Report, name: str) -> None:
    import redis.asyncio
    from redis_servers import RedisServer

    with RedisServer() as server:
        storage = RedisStorage(server.url, namespace="bench", coherence="strict", timeout=1)
        app = FastCacheMiddleware(apps.starlette(), storage)
        client = redis.asyncio.Redis(port=server.port)
        await client.set("k", b"x" * 1000)
        number = apps.ROUTES // 2
        hits = 0

        async def sent(message: Any) -> None:
            nonlocal hits
            if message["type"] == "http.response.start":
                hits += (b"x-cache-status", b"HIT") in message["headers"]

        async def look_up() -> None:
            await app(scope_for(apps.path(number)), receive, sent)

        while not hits:
            await look_up()
        ratios, rates = [], []
        for _ in range(2 if effort.smoke else 8):
            hits = 0
            ours = await _rate(look_up, 320 if effort.smoke else 6400)
            assert hits, "the lookups found nothing"
            theirs = await _rate(lambda: client.get("k"), 320 if effort.smoke else 6400)
            ratios.append(ours / theirs)
            rates.append((ours, theirs))
        await client.aclose()
        await storage.close()
    ours, theirs = (statistics.median(rate) for rate in zip(*rates, strict=True))
    report.say(f"lookups that go to Redis, whole hits: {ours:,.0f}/s; redis.asyncio GET: {theirs:,.0f}/s")
    report.at_least(name, statistics.median(ratios), 3.0)


async def _rate(work: Callable[[], Awaitable[Any]], operations: int) -> float:
    async def some() -> None:
        for _ in range(operations // CONCURRENT):
            await work()

    began = time.perf_counter()
    await asyncio.gather(*(some() for _ in range(CONCURRENT)))
    return operations / (time.perf_counter() - began)


def _has_redis() -> bool:
    named = os.environ.get("REDIS_SERVER")
    if named:
        return named != "none"
    script = Path(__file__).parents[1] / "scripts/redis_server.py"
    command = [sys.executable, str(script), str(script.parents[1] / ".cache/redis")]
    found = shutil.which("redis-server") or subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return bool(found)
