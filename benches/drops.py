"""Dropping: the same however much is stored, from code and by a route with a `CacheDropConfig`."""

from collections.abc import Awaitable, Callable, Iterator
from itertools import cycle, islice
from time import perf_counter
from typing import Any

import apps
from fastapi import FastAPI, Response
from measure import Effort, Report, Work, complete, interleaved, micros
from traffic import Scope, ask, receive, requests, scope_for, send, status_of

from fast_cache_middleware import CacheConfig, CacheDropConfig, CacheHandle, CacheRule, FastCacheMiddleware
from fast_cache_middleware.storages import InMemoryStorage

FEW, MANY = 100, 1_000_000
TOLERANCE = 1.15
LIMIT = 10.0
DROPPED = range(100_000, 100_400)
"""The items that are dropped, over and over: few beside a million, and fewer than the store remembers one by one."""
Drop = Callable[[Any, int], object]


def run(effort: Effort) -> Report:
    few, many = (FEW, 1_000) if effort.smoke else (FEW, MANY)
    report = Report(f"Dropping, with {few:,} and with {many:,} entries")
    storages = {size: _filled(size) for size in (few, many)}
    _in_the_store(report, storages, effort)
    _from_code(report, storages, effort)
    _by_a_route(report, storages, effort)
    for size, storage in storages.items():
        left = len(storage)
        report.say(f"{size:,} entries at the start, {left:,} now")
        if left < 0.9 * size:
            raise RuntimeError("too few entries are left; the drops that were measured did not meet a full store")
    return report


def _in_the_store(report: Report, storages: dict[int, InMemoryStorage], effort: Effort) -> None:
    kinds: dict[str, Drop] = {
        "tag": lambda core, n: core.purge([], [f"item:{n}"], [], False),
        "prefix": lambda core, n: core.purge([("prefix", f"/items/{n}", None)], [], [], False),
        "glob": lambda core, n: core.purge([("glob", f"/items/{n}*", None)], [], [], False),
    }
    report.say("In the store:")
    for kind, drop in kinds.items():
        subjects = {_name(size): _dropping(storage.core, drop, effort) for size, storage in storages.items()}
        _judge(report, f"drop by {kind}", subjects, effort, limit=LIMIT)


def _from_code(report: Report, storages: dict[int, InMemoryStorage], effort: Effort) -> None:
    fewer = effort.scaled(0.2)
    handles = {size: CacheHandle(storage) for size, storage in storages.items()}
    kinds: dict[str, Callable[[Any, int], Awaitable[None]]] = {
        "tags": lambda handle, n: handle.drop(tags=[f"item:{n}"]),
        "paths": lambda handle, n: handle.drop(paths=[f"/items/{n}"]),
    }
    report.say("From code, CacheHandle.drop and all:")
    for kind, drop in kinds.items():
        subjects = {_name(size): _dropping(handle, _completing(drop), fewer) for size, handle in handles.items()}
        _judge(report, f"CacheHandle.drop({kind}=…)", subjects, fewer)


def _by_a_route(report: Report, storages: dict[int, InMemoryStorage], effort: Effort) -> None:
    plain = _writing([])
    config = _writing([CacheDropConfig(["/items/{item_id}"])])
    subjects: dict[str, Any] = {"neither config nor middleware": plain, "config, no middleware": config}
    for size, storage in storages.items():
        subjects[_name(size)] = _writing([CacheDropConfig(["/items/{item_id}"])])
        subjects[_name(size)].add_middleware(FastCacheMiddleware, storage=storage)
    for app in subjects.values():
        if status_of(ask(app, "/items/1", "POST")) != 200:
            raise RuntimeError("the writing route failed")
    fewer = effort.scaled(0.2)
    times = interleaved({name: requests(app, _writes(), fewer.operations) for name, app in subjects.items()}, fewer)
    report.say('A route with CacheDropConfig(paths=["/items/{item_id}"]):')
    report.times(times, "neither config nor middleware")
    few, many = (_name(size) for size in storages)
    added = times.difference(many, "config, no middleware")
    report.say(f"added by the middleware: {micros(added)}")
    report.at_most("a route that drops, 1,000,000 entries / 100", times.ratio(many, few), TOLERANCE)


def _judge(report: Report, name: str, subjects: dict[str, Work], effort: Effort, *, limit: float | None = None) -> None:
    few, many = subjects
    times = interleaved(subjects, effort)
    report.say(f"  {name}: {micros(times.median(few))} / {micros(times.median(many))}")
    report.at_most(f"{name}, 1,000,000 entries / 100", times.ratio(many, few), TOLERANCE)
    if limit is not None:
        report.at_most(f"{name}, 1,000,000 entries", times.median(many) * 1e6, limit, "µs")


def _dropping(target: Any, drop: Drop, effort: Effort) -> Work:
    numbers = cycle(DROPPED)

    def work() -> float:
        given = list(islice(numbers, effort.operations))
        began = perf_counter()
        for number in given:
            drop(target, number)
        return (perf_counter() - began) / len(given)

    return work


def _completing(drop: Callable[[Any, int], Awaitable[None]]) -> Drop:
    return lambda target, number: complete(_awaited(drop(target, number)))


async def _awaited(awaitable: Awaitable[None]) -> None:
    await awaitable


def _writing(dependencies: list[CacheDropConfig]) -> FastAPI:
    app = FastAPI()

    @app.get("/items/{item_id}", dependencies=[CacheConfig(apps.MAX_AGE)])
    @app.post("/items/{item_id}", dependencies=dependencies)
    async def item(item_id: int) -> Any:
        return Response(b"{}", media_type="application/json")

    return app


def _writes() -> Iterator[Scope]:
    for number in cycle(DROPPED):
        yield scope_for(f"/items/{number}", "POST")


def _filled(entries: int) -> InMemoryStorage:
    """A storage that was filled through the middleware, with a tag of its own for every entry."""
    storage = InMemoryStorage(2 * entries, max_bytes=8 << 30)
    rule = CacheRule("/items/{item_id}", CacheConfig(apps.MAX_AGE, tags=["item:{item_id}"], public=True))
    app = FastCacheMiddleware(_small, storage, rules=[rule])
    start = scope_for("/")

    async def fill() -> None:
        for number in range(entries):
            path = f"/items/{number}"
            await app({**start, "path": path, "raw_path": path.encode()}, receive, send)

    complete(fill())
    if len(storage) != entries:
        raise RuntimeError(f"{len(storage)} entries instead of {entries}")
    return storage


async def _small(scope: Scope, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"small"})


def _name(size: int) -> str:
    return f"{size:,} entries"
