"""Resident memory: of a full store, and of a response of 1 KB. Filled through FastAPI in a process of its own.

`python benches/memory.py RESPONSES MAX_BYTES SIZE…` is that process, with bodies of these sizes in turn; it prints the
growth of its resident memory in bytes, the number of entries, and the bytes that the store counts.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

from measure import Effort, Report

MAX_BYTES = 64 << 20
FULL_LIMIT = 1.2
RESPONSE_LIMIT = 1.7
SIZES = (1024,)
MIXED_SIZES = (150, 1024, 40, 700, 9000, 3000, 300, 24_000)
STATM = Path("/proc/self/statm")


def run(effort: Effort) -> Report:
    report = Report("Resident memory, filled through FastAPI with distinct responses of 1 KB")
    full, mixed, each = (
        "a full store of 1 KB responses / max_bytes",
        "a full store of mixed sizes / max_bytes",
        "a response of 1 KB, all told",
    )
    if not STATM.exists():
        for name in (full, mixed):
            report.skipped(name, f"<= {FULL_LIMIT}", "the system has no /proc")
        report.skipped(each, f"<= {RESPONSE_LIMIT} KB", "the system has no /proc")
        return report
    max_bytes = MAX_BYTES // 64 if effort.smoke else MAX_BYTES
    many = max_bytes // 1024
    for name, sizes in ((full, SIZES), (mixed, MIXED_SIZES)):
        grown, entries, counted = _filled(3 * many, max_bytes, sizes)
        report.say(
            f"bodies of {', '.join(map(str, sizes))} bytes: {grown:,} bytes resident for max_bytes={max_bytes:,}; "
            f"{entries:,} entries, {counted:,} bytes counted"
        )
        report.at_most(name, grown / max_bytes, FULL_LIMIT)
    grown, entries, counted = _filled(many, 1 << 40, SIZES)
    report.say(f"{entries:,} responses: {grown / entries:,.0f} bytes resident each, {counted / entries:,.0f} counted")
    report.at_most(each, grown / entries / 1024, RESPONSE_LIMIT, "KB")
    return report


def _filled(responses: int, max_bytes: int, sizes: tuple[int, ...]) -> tuple[int, int, int]:
    command = [sys.executable, __file__, str(responses), str(max_bytes), *map(str, sizes)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    grown, entries, counted = map(int, done.stdout.split())
    return grown, entries, counted


def _fill(responses: int, max_bytes: int, *sizes: int) -> None:
    import gc
    import resource

    import apps
    from fastapi import FastAPI
    from fastapi.responses import Response
    from measure import complete
    from traffic import Scope, receive, scope_for, send

    from fast_cache_middleware import CacheConfig, FastCacheMiddleware, InMemoryStorage

    def resident() -> int:
        gc.collect()
        return int(STATM.read_text().split()[1]) * resource.getpagesize()

    def application(storage: InMemoryStorage) -> FastAPI:
        app = FastAPI()

        @app.get("/items/{item_id}", dependencies=[CacheConfig(apps.MAX_AGE, public=True)])
        async def item(item_id: int) -> Response:
            size = sizes[item_id % len(sizes)] - len('{"text":""}')
            text = (f"{item_id:010}" * (size // 10 + 1))[:size]
            return Response(f'{{"text":"{text}"}}', media_type="application/json")

        app.add_middleware(FastCacheMiddleware, storage=storage)
        return app

    async def ask(app: Any, first: int, count: int) -> None:
        for number in range(first, first + count):
            scope: Scope = scope_for(f"/items/{number}")
            await app(scope, receive, send)

    warm = application(InMemoryStorage())
    complete(ask(warm, 0, 500))
    storage = InMemoryStorage(1 << 40, max_bytes=max_bytes)
    app = application(storage)
    complete(ask(app, 0, 1))
    before = resident()
    complete(ask(app, 1, responses))
    print(resident() - before, len(storage), storage.core.stats()["bytes"])


if __name__ == "__main__":
    _fill(*map(int, sys.argv[1:]))
