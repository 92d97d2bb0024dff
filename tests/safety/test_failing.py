"""Those who wait share a failure, where it may be shared: no storm, no queue, and nobody waits twice."""

import asyncio
from typing import Any

import pytest
from asgi_client import Answer
from fastapi import HTTPException, Request, Response
from safety.failures import BrokenError, answering, calls_of, crowd, raising
from safety.gated import Hooked, Site, settled

from fast_cache_middleware import CacheConfig, CacheHandle


class RareError(HTTPException):
    """One that an author may have a handler for."""


class Sessions:
    """An outer middleware that knows who the client is."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app({**scope, "session": {"user": 7}}, receive, send)


@pytest.mark.parametrize("kind", ["plain", "key_func", "hooked", "own storage"])
@pytest.mark.parametrize("endpoint", [raising, answering()])
def test_31_a_failing_application_is_asked_twice_and_then_once_at_a_time(kind: str, endpoint: Any) -> None:
    async def play() -> None:
        config = CacheConfig(max_age=60, key_func=(lambda request: "item") if kind == "key_func" else None)
        site = Site(config, controller=Hooked() if kind == "hooked" else None, own=kind == "own storage")
        site.endpoint = endpoint
        assert calls_of(await crowd(site, 1000)) == [1] + [2] * 999
        for wave in range(3, 6):
            assert calls_of(await crowd(site, 1000)) == [wave] * 1000
            site.clock.advance(4)
        site.clock.advance(2)
        assert calls_of(await crowd(site, 10)) == [6] + [7] * 9
        assert site.calls == 7

    if kind == "own storage" and endpoint is not raising:
        pytest.skip("what a storage of somebody else's would not be asked to keep is not shared")
    asyncio.run(play())


def test_31_a_success_ends_that_a_key_is_known_to_be_failing() -> None:
    async def play() -> None:
        # It is over while the key would be known to be failing still.
        site = Site(CacheConfig(max_age=2))
        site.endpoint = raising
        await crowd(site, 5)
        site.endpoint = site.plain
        good = await crowd(site, 5)
        assert [one.cache for one in good if isinstance(one, Answer)] == ["MISS"] + ["HIT"] * 4
        site.clock.advance(3)
        site.endpoint = raising
        assert calls_of(await crowd(site, 5)) == [4, 5, 5, 5, 5]

    asyncio.run(play())


@pytest.mark.parametrize("hooked", [False, True])
def test_a_shared_failure_is_a_miss_without_an_age(hooked: bool) -> None:
    async def play() -> None:
        site = Site(controller=Hooked() if hooked else None)
        site.endpoint = answering(("retry-after", "1"))
        _, leader, *others = await crowd(site, 5)
        assert isinstance(leader, Answer)
        assert leader.header("cache-status") == "fast-cache; fwd=uri-miss; detail=status"
        for answer in others:
            assert isinstance(answer, Answer)
            assert (answer.status, answer.cache, answer.header("age")) == (503, "MISS", None)
            assert answer.header("cache-status") == "fast-cache; fwd=uri-miss; collapsed; detail=status"
            assert answer.header("retry-after") == "1"
            assert answer.scope["path_params"] == {}
        stats = CacheHandle(site.storage).stats()
        assert (stats["misses"], stats["hits"], stats["entries"]) == (5, 0, 0)

    asyncio.run(play())


@pytest.mark.parametrize("hooked", [False, True])
def test_a_shared_failure_keeps_the_age_that_it_came_with(hooked: bool) -> None:
    async def play() -> None:
        site = Site(controller=Hooked() if hooked else None)
        site.endpoint = answering(("age", "100"))
        got = await crowd(site, 5)
        assert calls_of(got) == [1] + [2] * 4
        assert {one.header("age") for one in got if isinstance(one, Answer)} == {"100"}

    asyncio.run(play())


@pytest.mark.parametrize(
    "headers",
    [
        [("set-cookie", "session=1")],
        [("cache-control", "private")],
        [("cache-control", "no-store")],
        [("vary", "*")],
        [("vary", "x-request-id")],
        [("content-type", "text/event-stream")],
    ],
)
def test_16_to_19_a_failure_that_is_no_one_elses_stays_with_its_client(headers: list[tuple[str, str]]) -> None:
    async def play() -> None:
        site = Site()
        site.endpoint = answering(*headers)
        tasks = [site.get(("x-request-id", str(number))) for number in range(10)]
        await settled()
        site.gate.set()
        got = await asyncio.gather(*tasks)
        assert len(set(calls_of(list(got)))) == site.calls == 10

    asyncio.run(play())


async def unavailable(call: int, _: Request) -> Response:
    raise HTTPException(503, f"call {call}", {"retry-after": "1"})


def test_31_what_the_frameworks_own_handler_answers_is_the_exceptions_alone() -> None:
    async def play() -> None:
        site = Site()
        site.endpoint = unavailable
        first = await crowd(site, 100)
        second = await crowd(site, 100)
        bodies = [one.body for one in first + second if isinstance(one, Answer)]
        assert bodies == [b'{"detail":"call %d"}' % call for call in [1] + [2] * 99 + [3] * 100]
        assert {one.header("retry-after") for one in second if isinstance(one, Answer)} == {"1"}

    asyncio.run(play())


@pytest.mark.parametrize("by", [HTTPException, 503, RareError, Exception])
def test_16_what_an_authors_handler_answers_stays_with_its_client_and_nobody_waits_for_the_next(by: Any) -> None:
    async def handler(request: Request, error: Exception) -> Response:
        return Response(f"for {request.headers['user-agent']}", 503)

    async def broken(call: int, _: Request) -> Response:
        raise RareError(503, f"call {call}") if by is not Exception else BrokenError(call)

    async def play() -> None:
        site = Site(outside=by is Exception)
        site.endpoint = broken
        site.app.add_exception_handler(by, handler)
        site.gate.clear()
        tasks = [site.get(("user-agent", str(number))) for number in range(10)]
        await settled()
        site.gate.set()
        got = await asyncio.gather(*tasks, return_exceptions=True)
        if by is not Exception:
            assert [one.body for one in got if isinstance(one, Answer)] == [b"for %d" % n for n in range(10)]
        assert site.calls == 10
        site.gate.clear()
        tasks = await site.started(10)
        assert site.calls == 20
        site.gate.set()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(play())


def test_16_what_a_client_with_a_session_gets_stays_with_it() -> None:
    async def play() -> None:
        site = Site()
        site.endpoint = unavailable
        site.app.add_middleware(Sessions)
        got = await crowd(site, 10)
        assert len({one.body for one in got if isinstance(one, Answer)}) == site.calls == 10

    asyncio.run(play())


def test_31_an_application_wrapped_from_outside_is_asked_twice_and_then_once_at_a_time() -> None:
    async def play() -> None:
        site = Site(outside=True)
        site.endpoint = raising
        for calls in (2, 3, 4):
            statuses = [one.status if isinstance(one, Answer) else 0 for one in await crowd(site, 100)]
            # The server of a leader gets the exception after the answer.
            assert statuses.count(500) >= 98
            assert site.calls == calls

    asyncio.run(play())


def test_16_a_session_that_a_failing_endpoint_has_filled_keeps_the_failure_to_its_client() -> None:
    async def broken(call: int, asked: Request) -> Response:
        asked.scope["session"] = {"user": call}
        return Response(f"failure {call}", 503)

    async def play() -> None:
        site = Site()
        site.endpoint = broken
        assert len(set(calls_of(await crowd(site, 5)))) == 5

    asyncio.run(play())


def test_16_credentials_neither_wait_for_a_failure_nor_give_theirs() -> None:
    async def play() -> None:
        site = Site()
        site.endpoint = raising
        tasks = [site.get(("authorization", name)) for name in ("mine", "yours")]
        tasks += [site.get() for _ in range(3)]
        await settled()
        assert site.calls == 3
        site.gate.set()
        got = await asyncio.gather(*tasks, return_exceptions=True)
        assert calls_of(got) == [1, 2, 3, 4, 4]

    asyncio.run(play())


@pytest.mark.parametrize("endpoint", [raising, answering()])
def test_18_a_failure_is_one_of_the_variant_that_is_known(endpoint: Any) -> None:
    async def varying(call: int, _: Request) -> Response:
        return Response(f"good {call}", headers={"vary": "accept-language"})

    async def play() -> None:
        site = Site()
        site.gate.set()
        site.endpoint = varying
        await site.get(("accept-language", "de"))
        site.clock.advance(61)
        site.gate.clear()
        site.endpoint = endpoint
        tasks = [site.get(("accept-language", language)) for language in ("de", "de", "en", "de", "en", "en")]
        await settled()
        site.gate.set()
        got = calls_of(await asyncio.gather(*tasks, return_exceptions=True))
        assert {got[0], got[1], got[3]}.isdisjoint({got[2], got[4], got[5]})
        assert got[1] == got[3]

    asyncio.run(play())


def test_24_an_answer_that_ends_early_is_nobodys_failure() -> None:
    async def play() -> None:
        site = Site()
        site.endpoint = answering(("content-length", "99"))
        got = await crowd(site, 5)
        assert len(set(calls_of(got))) == 5

    asyncio.run(play())


def test_32_a_drop_while_a_failure_was_made_leaves_it_to_its_client() -> None:
    async def play(path: str, calls: int) -> None:
        site = Site()
        second = asyncio.Event()

        async def broken(call: int, _: Request) -> Response:
            if call == 2:
                await CacheHandle(site.storage).drop(paths=[path])
                second.set()
            raise BrokenError(call)

        site.endpoint = broken
        await crowd(site, 5)
        assert second.is_set()
        assert site.calls == calls

    asyncio.run(play("/item", 5))
    asyncio.run(play("/other", 2))
