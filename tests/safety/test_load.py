"""Load: bounds hold whatever is asked."""

import asyncio
import gc
import time
import tracemalloc
from typing import Any

import pytest
from asgi_client import request, scope_for
from fastapi import FastAPI, Request
from safety.differential import wrapped
from starlette.responses import PlainTextResponse, StreamingResponse

from fast_cache_middleware import CacheConfig, CacheDropConfig, CacheHandle, FastCacheMiddleware, InMemoryStorage


def app_with(endpoint: Any, config: CacheConfig | None = None, **options: Any) -> FastAPI:
    app = FastAPI()
    app.add_api_route("/a", endpoint, dependencies=[config or CacheConfig(60)], response_model=None)
    app.add_middleware(FastCacheMiddleware, **options)
    return app


@pytest.mark.parametrize("what", ["query", "header", "vary", "cookie"])
def test_35_a_flood_of_random_inputs_keeps_the_bounds(what: str) -> None:
    async def run() -> None:
        limit = 300_000
        storage = InMemoryStorage(10_000, max_bytes=limit)

        async def raw(request: Request) -> PlainTextResponse:
            return PlainTextResponse("x" * 900, headers={"vary": "accept-language"} if what == "vary" else {})

        config = CacheConfig(60, vary=["cookie:c"]) if what == "cookie" else CacheConfig(60)
        app = app_with(raw, config, storage=storage)
        for number in range(3000):
            target = f"/a?q={number}" if what == "query" else "/a"
            headers = {
                "query": [],
                "header": [("x-random", str(number))],
                "vary": [("accept-language", str(number))],
                "cookie": [("cookie", f"c={number}")],
            }[what]
            assert (await request(app, "GET", target, headers)).status == 200
            if number % 100 == 0:
                assert CacheHandle(storage).stats()["bytes"] <= limit
        stats = CacheHandle(storage).stats()
        assert stats["evictions"] > 1000
        assert 0 < stats["bytes"] <= limit

    asyncio.run(run())


def test_35_what_an_endpoint_cannot_see_floods_nothing() -> None:
    async def run() -> None:
        storage = InMemoryStorage()
        app = app_with(lambda: "ok", storage=storage)
        for number in range(200):
            await request(app, "GET", f"/a?random={number}", [("x-random", str(number)), ("cookie", f"r={number}")])
        assert CacheHandle(storage).stats()["entries"] == 1

    asyncio.run(run())


@pytest.mark.slow
def test_36_a_stream_of_10_gigabytes_takes_constant_memory() -> None:
    async def run() -> None:
        chunk = b"\x00" * (1 << 20)
        count = 10 * 1024
        seen = {"bytes": 0, "first": -1}
        made = {"chunks": 0}

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(count):
                made["chunks"] += 1
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                if seen["first"] < 0:
                    seen["first"] = made["chunks"]
                seen["bytes"] += len(message.get("body", b""))

        cache = wrapped(app)
        gc.collect()
        tracemalloc.start()
        try:
            await cache(scope_for("GET", "/a"), None, send)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert seen == {"bytes": 10 << 30, "first": 1}
        assert peak < 4 << 20
        assert CacheHandle(cache.storage).stats()["entries"] == 0

    asyncio.run(run())


@pytest.mark.parametrize("length", [None, "1000"])
def test_36_the_first_byte_of_an_event_stream_does_not_wait_for_the_last(length: str | None) -> None:
    async def run() -> None:
        got = asyncio.Event()
        messages: list[Any] = []

        async def events() -> Any:
            yield b"data: 1\n\n"
            await asyncio.wait_for(got.wait(), 60)
            yield b"data: 2\n\n"

        async def endpoint() -> StreamingResponse:
            headers = {} if length is None else {"content-length": length}
            return StreamingResponse(events(), media_type="text/event-stream", headers=headers)

        async def on_message(message: Any) -> None:
            messages.append(message)
            if message.get("body"):
                got.set()

        app = app_with(endpoint)
        answer = await request(app, "GET", "/a", on_message=on_message)
        assert answer.body == b"data: 1\n\ndata: 2\n\n"

    asyncio.run(run())


@pytest.mark.parametrize("announced", [False, True])
def test_36_a_body_over_the_limit_is_passed_on_and_not_stored(announced: bool) -> None:
    async def run() -> None:
        app = app_with(lambda: large(announced))
        answers = [await request(app, "GET", "/a") for _ in range(2)]
        assert [answer.cache for answer in answers] == ["MISS"] * 2
        assert [len(answer.body) for answer in answers] == [(1 << 20) + 1] * 2

    asyncio.run(run())


def large(announced: bool) -> Any:
    body = b"x" * ((1 << 20) + 1)
    return PlainTextResponse(body) if announced else StreamingResponse(iter([body[:500_000], body[500_000:]]))


@pytest.mark.slow
def test_37_a_catastrophic_regex_does_not_stall_a_hit() -> None:
    async def run() -> None:
        app = FastAPI()
        app.add_api_route("/{rest:path}", lambda rest: rest, dependencies=[CacheConfig(60)])
        drops = CacheDropConfig(paths=[r"^/(a+)+$"])
        app.add_api_route("/drop", lambda: "ok", methods=["POST"], dependencies=[drops])
        app.add_middleware(FastCacheMiddleware)
        target = "/" + "a" * 22 + "!"
        began = time.perf_counter()
        assert (await request(app, "GET", target)).cache == "MISS"
        storing = time.perf_counter() - began
        await request(app, "POST", "/drop")
        began = time.perf_counter()
        for _ in range(20):
            assert (await request(app, "GET", target)).cache == "HIT"
        hits = time.perf_counter() - began
        assert hits < storing, "twenty hits take less than the one store that ran the expression"

    asyncio.run(run())


@pytest.mark.parametrize("header", ["cache-tag", "surrogate-key", "cache-groups"])
def test_38_too_many_or_too_long_tags_are_not_stored(header: str) -> None:
    async def run() -> None:
        separator = " " if header == "surrogate-key" else ", "

        async def raw(request: Request) -> PlainTextResponse:
            count, length = int(request.query_params["count"]), int(request.query_params["length"])
            tags = [f"{number:0{length}}" for number in range(count)]
            quoted = [f'"{tag}"' for tag in tags] if header == "cache-groups" else tags
            return PlainTextResponse("ok", headers={header: separator.join(quoted)})

        app = app_with(raw)
        for count, length, stored in (
            (100, 10, True),
            (129, 10, False),
            (1, 256, True),
            (1, 257, False),
            (5000, 4, False),
        ):
            target = f"/a?count={count}&length={length}"
            answers = [await request(app, "GET", target) for _ in range(2)]
            assert [answer.body for answer in answers] == [b"ok", b"ok"]
            assert (answers[1].cache == "HIT") is stored, (count, length)

    asyncio.run(run())


@pytest.mark.parametrize("method", ["PURGE", "BAN", "DELETE", "POST"])
def test_39_no_request_purges_unless_a_route_of_the_application_says_so(method: str) -> None:
    async def run() -> None:
        app = app_with(lambda: "ok")
        await request(app, "GET", "/a")
        purging = [("x-purge", "1"), ("surrogate-key", "*"), ("cache-tag", "*"), ("x-http-method-override", "PURGE")]
        assert (await request(app, method, "/a", purging)).status == 405
        assert (await request(app, "GET", "/a")).cache == "HIT"

    asyncio.run(run())
