"""Hot answers that are refreshed before they expire, and answers that expire apart."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from asgi_client import request
from contract.site import Site, refreshed
from contract.support import Client, fastapi_app
from fastapi import FastAPI, Request, Response
from own_storage import OwnStorage

from fast_cache_middleware import CacheConfig, CacheHandle, FastCacheMiddleware

KEY_FUNCTIONS = [None, lambda request: "item"]


class Slow(Site):
    """Its endpoint takes a second by the cache's clock."""

    async def count(self, _: Request) -> Response:
        number = self.calls
        self.clock.advance(1)
        return Response(f"answer {number}")


@pytest.mark.parametrize("key_func", KEY_FUNCTIONS)
def test_of_a_crowd_of_hits_one_refreshes_the_answer_in_time(key_func: Callable[[Request], str] | None) -> None:
    site = Slow(CacheConfig(max_age=60, early_refresh=1, key_func=key_func))

    async def play() -> None:
        # Seen again far from its end, so that the next ones are like a recent one.
        assert [(await site.get()).cache for _ in range(5)] == ["MISS", "HIT", "HIT", "HIT", "HIT"]
        await refreshed()
        assert site.calls == 1
        site.clock.advance(59.99)
        gate = asyncio.Event()

        async def slow(_: Request) -> Response:
            await gate.wait()
            return Response("new")

        site.endpoint = slow
        answers = [await site.get() for _ in range(200)]
        assert {(answer.cache, answer.body) for answer in answers} == {("HIT", b"answer 1")}
        assert {answer.header("cache-status") for answer in answers} == {"fast-cache; hit; ttl=0"}
        await asyncio.sleep(0)
        assert site.calls == 2
        gate.set()
        await refreshed()
        answer = await site.get()
        assert (answer.cache, answer.body, answer.header("age")) == ("HIT", b"new", "0")

    asyncio.run(play())


@pytest.mark.parametrize("key_func", KEY_FUNCTIONS)
@pytest.mark.parametrize("config", [{}, {"early_refresh": 0}, {"early_refresh": 1e-9}, {"early_refresh": False}])
def test_without_it_an_answer_lives_to_its_end(config: dict[str, Any], key_func: Any) -> None:
    site = Slow(CacheConfig(max_age=60, key_func=key_func, **config))

    async def play() -> None:
        await site.get()
        site.clock.advance(59.99)
        assert {(await site.get()).cache for _ in range(200)} == {"HIT"}
        await refreshed()
        assert site.calls == 1

    asyncio.run(play())


def test_an_answer_that_was_made_at_once_is_not_refreshed_early() -> None:
    site = Site(CacheConfig(max_age=60, early_refresh=True))

    async def play() -> None:
        await site.get()
        site.clock.advance(59.99)
        assert {(await site.get()).cache for _ in range(200)} == {"HIT"}
        await refreshed()
        assert site.calls == 1

    asyncio.run(play())


@pytest.mark.parametrize("header", [("if-none-match", "*"), ("range", "bytes=0-1")])
def test_an_answer_in_another_form_refreshes_as_well(header: tuple[str, str]) -> None:
    site = Slow(CacheConfig(max_age=60, early_refresh=1e9))

    async def play() -> None:
        await site.get()
        assert (await site.get(header)).status in (206, 304)
        await refreshed()
        assert site.calls == 2
        assert header[0] not in site.seen[-1]
        answer = await site.get()
        assert (answer.status, answer.body) == (200, b"answer 2")

    asyncio.run(play())


def test_an_early_refresh_begun_before_a_drop_brings_nothing_back() -> None:
    site = Slow(CacheConfig(max_age=60, early_refresh=1e9))

    async def play() -> None:
        await site.get()
        gate = asyncio.Event()

        async def slow(_: Request) -> Response:
            await gate.wait()
            return Response("old news")

        site.endpoint = slow
        assert (await site.get()).cache == "HIT"
        await asyncio.sleep(0)
        assert site.calls == 2
        await CacheHandle(site.storage).drop(paths=["/item"])
        gate.set()
        await refreshed()
        site.endpoint = site.count
        answer = await site.get()
        assert (answer.cache, answer.body) == ("MISS", b"answer 3")

    asyncio.run(play())


def test_a_failed_early_refresh_leaves_the_answer() -> None:
    site = Slow(CacheConfig(max_age=60, early_refresh=1e9))

    async def play() -> None:
        await site.get()

        async def broken(_: Request) -> Response:
            return Response("broken", 500)

        site.endpoint = broken
        for calls in (2, 3):
            answer = await site.get()
            assert (answer.cache, answer.body) == ("HIT", b"answer 1")
            await refreshed()
            assert site.calls == calls

    asyncio.run(play())


def test_a_storage_of_ones_own_keeps_how_long_an_answer_took() -> None:
    from fast_cache_middleware._core import SystemClock

    clock = SystemClock(1_700_000_000.0)
    calls = 0
    app = FastAPI()
    app.add_middleware(FastCacheMiddleware, storage=OwnStorage(), clock=clock)

    @app.get("/item", dependencies=[CacheConfig(60, early_refresh=1e9)])
    async def item() -> int:
        nonlocal calls
        calls += 1
        clock.advance(1)
        return calls

    async def play() -> None:
        for expected in (b"1", b"1", b"2"):
            assert (await request(app, "GET", "/item")).body == expected
            await refreshed()

    asyncio.run(play())


def test_answers_stored_together_expire_apart() -> None:
    app = fastapi_app()

    @app.get("/items/{item}", dependencies=[CacheConfig(1000, jitter=0.5)])
    async def item(item: int) -> int:
        return item

    @app.get("/plain/{item}", dependencies=[CacheConfig(1000)])
    async def plain(item: int) -> int:
        return item

    client = Client(app)

    def left(path: str) -> list[int]:
        client.outcomes(*(f"/{path}/{number}" for number in range(40)))
        said = (client.get(f"/{path}/{number}").header("cache-status") for number in range(40))
        return [int((one or "").rpartition("ttl=")[2]) for one in said]

    apart = left("items")
    assert all(500 <= seconds <= 1000 for seconds in apart)
    assert len(set(apart)) > 30 and min(apart) < 600 and max(apart) > 900
    assert set(left("plain")) == {1000}
    app.state.clock.advance(750)
    outcomes = client.outcomes(*(f"/items/{number}" for number in range(40)))
    assert set(outcomes) == {"MISS", "HIT"}


def test_jitter_shortens_what_a_response_says_of_itself_too() -> None:
    app = fastapi_app()

    @app.get("/x", dependencies=[CacheConfig(None, jitter=0.9)])
    async def x(response: Response) -> int:
        response.headers["cache-control"] = "max-age=1000"
        response.headers["age"] = "500"
        return 1

    client = Client(app)
    client.get("/x")
    said = client.get("/x").header("cache-status") or ""
    assert 50 <= int(said.rpartition("ttl=")[2]) < 500
