"""What is left behind: nothing. Applications are collected, requests and cancellations leave no objects."""

import asyncio
import gc
import sys
import tracemalloc
import weakref
from typing import Any

import pytest
from asgi_client import request, scope_for
from fastapi import FastAPI, Request
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from fast_cache_middleware import (
    CacheConfig,
    CacheDropConfig,
    CacheHandle,
    Controller,
    FastCacheMiddleware,
    InMemoryStorage,
    cached,
)


class Hooked(Controller):
    """A controller with a hook, so that Python drives the exchange."""

    async def is_cachable_request(self, request: Request) -> bool:
        return await super().is_cachable_request(request)


def built(kind: str) -> tuple[Any, list["weakref.ref[Any]"]]:
    """An application of each kind, and weak references to what must go with it."""
    if kind == "starlette":

        async def endpoint(request: Request) -> PlainTextResponse:
            return PlainTextResponse("ok")

        inner = Starlette(routes=[Route("/a", cached(60)(endpoint))])
        app: Any = FastCacheMiddleware(inner)
        return app, [weakref.ref(app), weakref.ref(inner), weakref.ref(app.storage)]
    storage = InMemoryStorage()
    app = FastAPI()
    options: dict[str, Any] = {"controller": Hooked()} if kind == "hooked" else {}
    key_func = (lambda request: "key") if kind == "key_func" else None
    app.add_api_route("/a", lambda: "ok", dependencies=[CacheConfig(60, key_func=key_func)])
    drops = CacheDropConfig(paths=["/a", "^/b", "/{x}/*"], tags=["t"], on=lambda status: True)
    app.add_api_route("/drop/{x}", lambda x: x, methods=["POST"], dependencies=[drops])
    app.add_middleware(FastCacheMiddleware, storage=storage, **options)
    return app, [weakref.ref(app), weakref.ref(storage)]


async def use(app: Any) -> None:
    for _ in range(3):
        await request(app, "GET", "/a")
    if isinstance(app, FastAPI):
        await request(app, "POST", "/drop/1")
        app.openapi()
        await CacheHandle(app.user_middleware[0].kwargs["storage"], app=app).drop(paths=["/a"])


@pytest.mark.parametrize("kind", ["fastapi", "hooked", "key_func", "starlette"])
def test_an_application_with_the_middleware_is_collected_after_use(kind: str) -> None:
    app, left = built(kind)
    asyncio.run(use(app))
    if isinstance(app, FastAPI):
        left.append(weakref.ref(app.middleware_stack))
    del app
    gc.collect()
    gc.collect()
    assert [reference() for reference in left] == [None] * len(left)


async def rounds(app: Any, count: int) -> None:
    """Hits, misses, bypasses, drops, failures, cancellations: everything that a request can be."""
    for number in range(count):
        await request(app, "GET", "/a")
        await request(app, "GET", "/a", [("cache-control", "no-store")])
        await request(app, "GET", "/a", [("cache-control", "no-cache")])
        await request(app, "GET", "/raw", [("x-number", str(number))])
        await request(app, "POST", "/drop/1")
        task = asyncio.ensure_future(request(app, "GET", "/slow"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        try:
            await request(app, "GET", "/fail")
        except ValueError:
            continue


def everything(**options: Any) -> FastAPI:
    app = FastAPI()

    async def raw(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.headers["x-number"])

    async def slow() -> None:
        await asyncio.Event().wait()

    async def fail() -> None:
        raise ValueError("fail")

    config = [CacheConfig(60, tags=["t"])]
    app.add_api_route("/a", lambda: "ok", dependencies=config)
    app.add_api_route("/raw", raw, dependencies=config, response_model=None)
    app.add_api_route("/slow", slow, dependencies=config)
    app.add_api_route("/fail", fail, dependencies=config)
    drops = CacheDropConfig(paths=["/{x}", "/raw", "^/nothing"], tags=["u:{x}"])
    app.add_api_route("/drop/{x}", lambda x: x, methods=["POST"], dependencies=[drops])
    app.add_middleware(FastCacheMiddleware, storage=InMemoryStorage(20), **options)
    return app


@pytest.mark.slow
@pytest.mark.parametrize("hooked", [False, True])
def test_requests_leave_no_objects_behind(hooked: bool) -> None:
    async def run() -> tuple[int, int]:
        app = everything(**({"controller": Hooked()} if hooked else {}))
        await rounds(app, 100)
        gc.collect()
        before = len(gc.get_objects())
        await rounds(app, 400)
        gc.collect()
        return before, len(gc.get_objects())

    before, after = asyncio.run(run())
    assert after - before < 150, "2,800 requests of seven kinds"


@pytest.mark.slow
def test_ten_thousand_hits_grow_nothing() -> None:
    async def run() -> None:
        app = everything()
        await request(app, "GET", "/a")
        scope = scope_for("GET", "/a")

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                assert message["body"] == b'"ok"'

        async def hits(count: int) -> None:
            for _ in range(count):
                await app(dict(scope), receive, send)

        await hits(500)
        gc.collect()
        endpoint = app.routes[-1]
        references = [sys.getrefcount(thing) for thing in (None, app, send, endpoint, scope["headers"], True)]
        tracemalloc.start()
        try:
            await hits(100)
            gc.collect()
            before, _ = tracemalloc.get_traced_memory()
            await hits(10_000)
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert after - before < 20_000, "bytes after 10,000 hits"
        now = [sys.getrefcount(thing) for thing in (None, app, send, endpoint, scope["headers"], True)]
        grown = [new - old for old, new in zip(references, now, strict=True)]
        assert all(abs(count) < 100 for count in grown), grown

    asyncio.run(run())


def test_cancelled_requests_leave_nothing() -> None:
    async def run() -> None:
        app = everything()
        left: list[weakref.ref[Any]] = []

        class Marker:
            """Something that a request holds on to."""

        async def ask() -> None:
            marker = Marker()
            left.append(weakref.ref(marker))

            async def send(message: Any, keep: Any = marker) -> None:
                return None

            async def receive(keep: Any = marker) -> Any:
                await asyncio.Event().wait()

            await app({**scope_for("GET", "/slow"), "state": {"marker": marker}}, receive, send)

        tasks = [asyncio.ensure_future(ask()) for _ in range(50)]
        for _ in range(5):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        tasks.clear()
        del task
        gc.collect()
        assert [reference() for reference in left] == [None] * 50
        assert len(app.user_middleware[0].kwargs["storage"]) == 0

    asyncio.run(run())


def test_an_answer_that_is_never_awaited_leaves_nothing() -> None:
    async def run() -> None:
        app = FastCacheMiddleware(everything_starlette())
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request"}

        async def send(message: Any) -> None:
            sent.append(message)

        await app(scope_for("GET", "/a"), receive, send)
        sent.clear()
        before = sys.getrefcount(send)
        for _ in range(100):
            # As of any coroutine; it goes at once.
            with pytest.warns(RuntimeWarning, match="never awaited"):
                app(scope_for("GET", "/a"), receive, send)
        gc.collect()
        assert sys.getrefcount(send) == before
        assert not sent

    asyncio.run(run())


def everything_starlette() -> Starlette:
    async def endpoint(request: Request) -> PlainTextResponse:
        return PlainTextResponse("ok")

    return Starlette(routes=[Route("/a", cached(60)(endpoint))])
