"""Stale answers that are refreshed in the background."""

import asyncio
import gc
import logging
from collections.abc import Callable
from typing import Any

import pytest
from asgi_client import scope_for
from contract.site import Site, refreshed
from fastapi import Request, Response

from fast_cache_middleware import (
    CacheConfig,
    CacheHandle,
    CacheRule,
    FastCacheMiddleware,
    InMemoryStorage,
    _core,
)


@pytest.mark.parametrize("key_func", [None, lambda request: "item"])
def test_many_stale_answers_make_one_refresh(key_func: Callable[[Request], str] | None) -> None:
    site = Site(CacheConfig(max_age=10, stale_while_revalidate=60, key_func=key_func))

    async def play() -> None:
        await site.get()
        site.clock.advance(15)
        gate = asyncio.Event()

        async def slow(_: Request) -> Response:
            await gate.wait()
            return Response("new")

        site.endpoint = slow
        answers = [await site.get() for _ in range(5)]
        assert [(answer.cache, answer.body) for answer in answers] == [("STALE", b"answer 1")] * 5
        gate.set()
        await refreshed()
        assert site.calls == 2
        answer = await site.get()
        assert (answer.cache, answer.body) == ("HIT", b"new")

    asyncio.run(play())


@pytest.mark.parametrize("key_func", [None, lambda request: "item"])
def test_a_refresh_that_fails_leaves_the_stale_answer_and_may_be_tried_again(
    caplog: pytest.LogCaptureFixture, key_func: Callable[[Request], str] | None
) -> None:
    site = Site(CacheConfig(max_age=10, stale_while_revalidate=60, key_func=key_func))

    async def play() -> None:
        await site.get()
        site.clock.advance(15)

        async def broken(_: Request) -> Response:
            raise RuntimeError("broken")

        site.endpoint = broken
        for calls in (2, 3):
            assert (await site.get()).body == b"answer 1"
            await refreshed()
            assert site.calls == calls

    with caplog.at_level(logging.WARNING, "fast_cache_middleware"):
        asyncio.run(play())
    assert "a refresh in the background failed" in caplog.text


def test_a_refresh_begun_before_a_drop_brings_nothing_back() -> None:
    site = Site(CacheConfig(max_age=10, stale_while_revalidate=60))

    async def play() -> None:
        await site.get()
        site.clock.advance(15)
        gate = asyncio.Event()

        async def slow(_: Request) -> Response:
            await gate.wait()
            return Response("old news")

        site.endpoint = slow
        await site.get()
        await asyncio.sleep(0)
        await CacheHandle(site.storage).drop(paths=["/item"])
        gate.set()
        await refreshed()
        site.endpoint = site.count
        answer = await site.get()
        assert (answer.cache, answer.body) == ("MISS", b"answer 3")

    asyncio.run(play())


def test_a_shutdown_waits_for_refreshes() -> None:
    site = Site(CacheConfig(max_age=10, stale_while_revalidate=60))

    async def play() -> None:
        await site.get()
        site.clock.advance(15)
        gate = asyncio.Event()

        async def slow(_: Request) -> Response:
            await gate.wait()
            return Response("new")

        site.endpoint = slow
        await site.get()
        await asyncio.sleep(0)
        sent: list[str] = []
        down = asyncio.Event()
        messages = ["lifespan.startup"]

        async def receive() -> dict[str, str]:
            if messages:
                return {"type": messages.pop()}
            await down.wait()
            return {"type": "lifespan.shutdown"}

        async def send(message: Any) -> None:
            sent.append(message["type"])

        lifespan = asyncio.create_task(site.app({"type": "lifespan", "app": site.app}, receive, send))
        down.set()
        for _ in range(10):
            await asyncio.sleep(0)
        assert sent == ["lifespan.startup.complete"]
        gate.set()
        await lifespan
        assert sent[-1] == "lifespan.shutdown.complete"
        assert (await site.get()).body == b"new"

    asyncio.run(play())


@pytest.mark.parametrize("key_func", [None, lambda request: "item"])
def test_without_a_loop_that_can_refresh_nothing_is_left_behind(
    key_func: Callable[[Request], str] | None, recwarn: pytest.WarningsRecorder
) -> None:
    clock = _core.SystemClock(1_700_000_000.0)

    async def origin(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]})
        await send({"type": "http.response.body", "body": b"one"})

    rule = CacheRule("/item", CacheConfig(10, stale_while_revalidate=60, key_func=key_func))
    cached = FastCacheMiddleware(origin, InMemoryStorage(clock=clock), rules=[rule])

    def play() -> str | None:
        sent: list[dict[str, Any]] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def ask() -> None:
            await cached(scope_for("GET", "/item"), send, send)

        with pytest.raises(StopIteration):
            ask().send(None)
        return next(value.decode() for name, value in sent[0]["headers"] if name == b"x-cache-status")

    assert play() == "MISS"
    clock.advance(15)
    assert [play(), play()] == ["STALE", "STALE"]
    gc.collect()
    assert [str(warning.message) for warning in recwarn] == []
