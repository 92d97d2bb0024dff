"""Stale answers: standing in for failures, confirmed by the application; and what writes make stale."""

import asyncio
import gc
from typing import Any

import pytest
from asgi_client import request
from contract.site import Site
from fastapi import FastAPI, HTTPException, Request, Response

from fast_cache_middleware import (
    CacheConfig,
    CacheHandle,
    Controller,
    FastCacheMiddleware,
    InMemoryStorage,
    _core,
)


@pytest.mark.parametrize("controller", [None, "hooked"])
@pytest.mark.parametrize("raises", [True, False])
def test_a_stale_answer_stands_in_for_a_failure(controller: str | None, raises: bool) -> None:
    class Hooked(Controller):
        async def is_cachable_request(self, request: Request) -> bool:
            return True

    site = Site(CacheConfig(max_age=10, stale_if_error=60), Hooked() if controller else None)

    async def play() -> None:
        await site.get()
        site.clock.advance(15)

        async def broken(_: Request) -> Response:
            if raises:
                raise RuntimeError("broken")
            raise HTTPException(503)

        site.endpoint = broken
        answer = await site.get()
        assert (answer.status, answer.cache, answer.body) == (200, "STALE", b"answer 1")
        assert answer.header("age") == "15"
        assert (await site.get(("range", "bytes=0-2"))).body == b"ans"
        await CacheHandle(site.storage).drop(paths=["/item"])
        if raises:
            with pytest.raises(RuntimeError):
                await site.get()
        else:
            assert (await site.get()).status == 503

    asyncio.run(play())


def test_nothing_stands_in_once_a_drop_has_covered_it_meanwhile() -> None:
    site = Site(CacheConfig(max_age=10, stale_if_error=60))

    async def play() -> None:
        await site.get()
        site.clock.advance(15)

        async def broken(_: Request) -> Response:
            await CacheHandle(site.storage).drop(paths=["/item"])
            raise HTTPException(503)

        site.endpoint = broken
        assert (await site.get()).status == 503

    asyncio.run(play())


@pytest.mark.parametrize("controller", [None, "hooked"])
def test_the_application_is_asked_to_confirm_and_the_client_is_not_told(controller: str | None) -> None:
    class Hooked(Controller):
        async def is_cachable_request(self, request: Request) -> bool:
            return True

    site = Site(CacheConfig(max_age=10), Hooked() if controller else None)

    async def tagged(asked: Request) -> Response:
        if asked.headers.get("if-none-match") == '"one"':
            return Response(status_code=304, headers={"etag": '"one"', "x-renewed": "yes"})
        return Response("body", headers={"etag": '"one"', "x-kept": "yes"})

    async def play() -> None:
        site.endpoint = tagged
        await site.get()
        site.clock.advance(15)
        answer = await site.get(("range", "bytes=1-2"), ("if-modified-since", "yesterday"))
        assert site.seen[-1]["if-none-match"] == '"one"'
        assert not {"range", "if-modified-since"} & site.seen[-1].keys()
        assert (answer.status, answer.cache, answer.body) == (206, "REVALIDATED", b"od")
        assert (answer.header("x-kept"), answer.header("x-renewed")) == ("yes", "yes")
        answer = await site.get(("if-none-match", '"one"'))
        assert (answer.status, answer.cache, answer.body) == (304, "HIT", b"")
        site.clock.advance(15)
        answer = await site.get(("if-none-match", '"other"'))
        assert site.seen[-1]["if-none-match"] == '"one"'
        assert (answer.status, answer.cache, answer.body) == (200, "REVALIDATED", b"body")
        assert site.calls == 3

    asyncio.run(play())


def test_a_confirmation_never_reaches_a_client_that_did_not_ask_for_it() -> None:
    """Also where something in the request forbids to keep the answer, which is known only once it is being made."""
    site = Site(CacheConfig(max_age=10))

    async def tagged(asked: Request) -> Response:
        if asked.headers.get("if-none-match"):
            await asked.body()
            return Response(status_code=304)
        return Response("body", headers={"etag": '"one"'})

    async def play() -> None:
        site.endpoint = tagged
        await site.get()
        site.clock.advance(15)
        answer = await request(site.app, "GET", "/item", body=b"unannounced", http_version="2")
        assert (answer.status, answer.body) in {(200, b"body")}

    asyncio.run(play())


def test_stats_count_what_became_of_a_request() -> None:
    site = Site(CacheConfig(max_age=10, stale_if_error=60))

    async def play() -> None:
        await site.get()
        site.clock.advance(15)

        async def broken(_: Request) -> Response:
            raise HTTPException(500)

        site.endpoint = broken
        await site.get()
        stats = CacheHandle(site.storage).stats()
        assert (stats["misses"], stats["stale"], stats["hits"]) == (1, 1, 0)

    asyncio.run(play())


def test_a_request_for_what_is_stored_only() -> None:
    site = Site(CacheConfig(max_age=10))

    async def play() -> None:
        answer = await site.get(("cache-control", "only-if-cached"))
        assert (answer.status, answer.cache, answer.body) == (504, "MISS", b"")
        assert answer.header("cache-status") == "fast-cache; detail=only-if-cached"
        assert site.calls == 0
        await site.get()
        assert (await site.get(("cache-control", "only-if-cached"))).cache == "HIT"

    asyncio.run(play())


def test_writes_invalidate_in_http_mode_only() -> None:
    async def play(config: CacheConfig, expected: str) -> None:
        site = Site(config)

        async def fresh(_: Request) -> Response:
            return Response("body", headers={"cache-control": "max-age=60"})

        site.endpoint = fresh
        await site.get()
        assert (await site.get()).cache == "HIT"
        await request(site.app, "PUT", "/item")
        assert (await site.get()).cache == expected

    asyncio.run(play(CacheConfig(max_age=None), "MISS"))
    asyncio.run(play(CacheConfig(max_age=60), "HIT"))


def test_a_query_that_does_not_matter() -> None:
    site = Site(CacheConfig(max_age=None))

    async def fresh(asked: Request) -> Response:
        lines = {"cache-control": "max-age=60", "no-vary-search": 'params=("utm")'}
        return Response(asked.query_params.get("page", "none"), headers=lines)

    async def play() -> None:
        site.endpoint = fresh
        outcomes = [
            (await request(site.app, "GET", f"/item?{query}")).cache
            for query in ("page=1&utm=a", "utm=b&page=1", "page=2", "page=1")
        ]
        assert outcomes == ["MISS", "HIT", "MISS", "HIT"]
        await request(site.app, "PUT", "/item?page=1&utm=c")
        answer = await request(site.app, "GET", "/item?page=1")
        assert (answer.cache, answer.body) == ("MISS", b"1")

    asyncio.run(play())


def test_a_stale_answer_stands_in_for_a_handler_that_takes_too_long() -> None:
    site = Site(CacheConfig(max_age=10, stale_if_error=60), handler_timeout=0.001)

    async def play() -> None:
        await site.get()
        site.clock.advance(15)
        cancelled = asyncio.Event()

        async def slow(_: Request) -> Response:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.set()
                raise
            return Response("never")

        site.endpoint = slow
        answer = await site.get()
        assert (answer.cache, answer.body) == ("STALE", b"answer 1")
        assert cancelled.is_set()
        await CacheHandle(site.storage).drop(paths=["/item"])
        site.endpoint = site.count
        assert (await site.get()).cache == "MISS"

    asyncio.run(play())


def test_a_handler_without_a_stale_answer_takes_its_time() -> None:
    site = Site(CacheConfig(max_age=10), handler_timeout=0.001)

    async def play() -> None:
        await site.get()
        site.clock.advance(15)

        async def slow(_: Request) -> Response:
            await asyncio.sleep(0.01)
            return Response("late")

        site.endpoint = slow
        assert (await site.get()).body == b"late"

    asyncio.run(play())


def test_what_a_handler_raises_after_its_time_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def play() -> None:
        site = Site(CacheConfig(60, stale_if_error=600), handler_timeout=0.01)
        unheard: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
        await site.get()
        site.clock.advance(61)

        async def stubborn(_: Request) -> Response:
            try:
                await asyncio.Event().wait()
            finally:
                raise RuntimeError("too late")

        site.endpoint = stubborn
        assert (await site.get()).cache == "STALE"
        gc.collect()
        assert [record.exc_info for record in caplog.records if "after its time" in record.message]
        assert not unheard

    asyncio.run(play())


@pytest.mark.parametrize("confirmation", ["max-age=60", "no-store"])
def test_a_late_confirmation_leaves_what_is_newer_alone(confirmation: str) -> None:
    async def play() -> None:
        app, clock, calls = FastAPI(), _core.SystemClock(1_700_000_000.0), 0
        asked, gate = asyncio.Event(), asyncio.Event()
        app.add_middleware(FastCacheMiddleware, storage=InMemoryStorage(clock=clock))

        @app.get("/item", dependencies=[CacheConfig(max_age=None)])
        async def item() -> Response:
            nonlocal calls
            calls += 1
            if calls == 2:
                asked.set()
                await gate.wait()
                return Response(status_code=304, headers={"ETag": '"a"', "Cache-Control": confirmation})
            tag = '"a"' if calls == 1 else '"b"'
            return Response(tag, headers={"ETag": tag, "Cache-Control": "max-age=10"})

        assert (await request(app, "GET", "/item")).cache == "MISS"
        clock.advance(11)
        late = asyncio.create_task(request(app, "GET", "/item"))
        await asked.wait()
        newer = await request(app, "GET", "/item", [("cache-control", "no-cache")])
        assert (newer.cache, newer.body) == ("MISS", b'"b"')
        gate.set()
        confirmed = await late
        assert (confirmed.cache, confirmed.body) == ("REVALIDATED", b'"a"')
        after = await request(app, "GET", "/item")
        assert (after.cache, after.body) == ("HIT", b'"b"')

    asyncio.run(play())
