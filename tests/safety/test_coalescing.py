"""Coalescing: concurrent misses of one key make one call, and nobody suffers for another one's failure."""

import asyncio

import pytest
from asgi_client import Answer
from fastapi import HTTPException, Request, Response
from safety.gated import Hooked, Site, settled

from fast_cache_middleware import CacheConfig, CacheHandle


@pytest.mark.parametrize("kind", ["plain", "key_func", "hooked", "own storage"])
def test_30_a_thousand_misses_make_one_call(kind: str) -> None:
    async def play() -> None:
        config = CacheConfig(max_age=60, key_func=(lambda request: "item") if kind == "key_func" else None)
        site = Site(config, controller=Hooked() if kind == "hooked" else None, own=kind == "own storage")
        tasks = await site.started(1000)
        assert site.calls == 1
        site.gate.set()
        answers = await asyncio.gather(*tasks)
        assert site.calls == 1
        assert {answer.body for answer in answers} == {b"answer 1"}
        assert [answer.cache for answer in answers] == ["MISS"] + ["HIT"] * 999

    asyncio.run(play())


def test_30_expiry_makes_one_call_too() -> None:
    async def play() -> None:
        site = Site()
        site.gate.set()
        await site.get()
        site.clock.advance(61)
        site.gate.clear()
        tasks = await site.started(10)
        site.gate.set()
        assert {answer.body for answer in await asyncio.gather(*tasks)} == {b"answer 2"}
        assert site.calls == 2

    asyncio.run(play())


def test_31_an_answer_for_one_client_lets_all_go_on_at_once_and_is_remembered() -> None:
    async def private(call: int, _: Request) -> Response:
        return Response(f"answer {call}", headers={"cache-control": "private"})

    async def play() -> None:
        site = Site()
        site.endpoint = private
        tasks = await site.started(10)
        assert site.calls == 1
        site.gate.set()
        answers = await asyncio.gather(*tasks)
        assert len({answer.body for answer in answers}) == site.calls == 10
        site.gate.clear()
        tasks = await site.started(10)
        assert site.calls == 20
        site.gate.set()
        await asyncio.gather(*tasks)

    asyncio.run(play())


@pytest.mark.parametrize("hooked", [False, True])
@pytest.mark.parametrize("status", [None, 500])
def test_31_after_a_failure_one_leads_once_more(status: int | None, hooked: bool) -> None:
    async def fails_once(call: int, _: Request) -> Response:
        if call == 1:
            if status is None:
                raise RuntimeError("broken")
            raise HTTPException(status)
        return Response(f"answer {call}")

    async def play() -> None:
        site = Site(controller=Hooked() if hooked else None)
        site.endpoint = fails_once
        tasks = await site.started(10)
        site.gate.set()
        first, *others = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(first, RuntimeError) or (isinstance(first, Answer) and first.status == status)
        assert {answer.body for answer in others if isinstance(answer, Answer)} == {b"answer 2"}
        assert site.calls == 2

    asyncio.run(play())


def test_31_after_two_failures_all_go_on_at_once() -> None:
    async def broken(call: int, _: Request) -> Response:
        return Response(f"call {call}", 500, {"cache-control": "private"})

    async def play() -> None:
        site = Site()
        site.endpoint = broken
        tasks = await site.started(10)
        site.gate.set()
        answers = await asyncio.gather(*tasks)
        assert {answer.status for answer in answers} == {500}
        assert site.calls == 10

    asyncio.run(play())


@pytest.mark.parametrize("hooked", [False, True])
def test_31_a_leader_that_is_cancelled_hands_on(hooked: bool) -> None:
    async def play() -> None:
        site = Site(controller=Hooked() if hooked else None)
        leader, *others = await site.started(5)
        leader.cancel()
        await settled()
        assert site.calls == 2
        site.gate.set()
        answers = await asyncio.gather(*others)
        assert {answer.body for answer in answers} == {b"answer 2"}
        assert site.calls == 2

    asyncio.run(play())


def test_31_a_follower_that_is_cancelled_is_no_loss() -> None:
    async def play() -> None:
        site = Site()
        leader, follower, other = await site.started(3)
        follower.cancel()
        await settled()
        site.gate.set()
        assert (await leader).cache == "MISS"
        assert (await other).cache == "HIT"
        assert site.calls == 1

    asyncio.run(play())


def test_31_nobody_waits_longer_than_the_limit() -> None:
    async def play() -> None:
        site = Site(follower_timeout=0.001)
        leader, *others = await site.started(3)
        await site.third.wait()
        site.gate.set()
        assert len({answer.body for answer in await asyncio.gather(leader, *others)}) == 3

    asyncio.run(play())


def test_30_requests_with_answers_of_their_own_do_not_wait() -> None:
    async def play() -> None:
        site = Site(CacheConfig(max_age=60))
        tasks = [
            site.get(("authorization", "Bearer a")),
            site.get(("authorization", "Bearer b")),
            site.get(("cache-control", "no-cache")),
            site.get(("cache-control", "no-store")),
        ]
        await settled()
        assert site.calls == 4
        site.gate.set()
        await asyncio.gather(*tasks)

    asyncio.run(play())


def test_31_a_drop_while_others_wait_leaves_nobody_an_old_answer() -> None:
    async def play() -> None:
        site = Site()
        tasks = await site.started(5)
        await CacheHandle(site.storage).drop(paths=["/item"])
        site.gate.set()
        leader, *others = await asyncio.gather(*tasks)
        assert leader.body == b"answer 1"
        assert b"answer 1" not in {answer.body for answer in others}

    asyncio.run(play())


def test_31_a_stream_of_events_keeps_nobody_waiting() -> None:
    async def events(call: int, _: Request) -> Response:
        return Response(f"data: {call}\n\n", media_type="text/event-stream")

    async def play() -> None:
        site = Site()
        site.endpoint = events
        tasks = await site.started(3)
        site.gate.set()
        assert len(await asyncio.gather(*tasks)) == 3

    asyncio.run(play())


def test_30_it_can_be_switched_off() -> None:
    async def play() -> None:
        site = Site(coalesce=False)
        tasks = await site.started(5)
        assert site.calls == 5
        site.gate.set()
        await asyncio.gather(*tasks)

    asyncio.run(play())


def test_30_variants_are_told_apart_after_the_wait() -> None:
    async def varying(_: int, asked: Request) -> Response:
        return Response(asked.headers.get("accept-language", ""), headers={"vary": "accept-language"})

    async def play() -> None:
        site = Site()
        site.endpoint = varying
        languages = ["de", "en", "de", "fr"]
        tasks = [site.get(("accept-language", language)) for language in languages]
        await settled()
        site.gate.set()
        assert [answer.body.decode() for answer in await asyncio.gather(*tasks)] == languages
        assert site.calls == 3

    asyncio.run(play())


@pytest.mark.parametrize("expired", [True, False])
def test_30_variants_that_are_known_make_one_call_each_and_do_not_wait_for_each_other(expired: bool) -> None:
    async def varying(_: int, asked: Request) -> Response:
        headers = {"vary": "accept-language", "cache-control": "max-age=60"}
        return Response(asked.headers["accept-language"], headers=headers)

    async def play() -> None:
        site = Site(CacheConfig(max_age=None))
        site.endpoint = varying
        languages = ["de", "en", "fr"]
        site.gate.set()
        for language in languages if expired else ["it"]:
            await site.get(("accept-language", language))
        site.clock.advance(61 if expired else 0)
        site.gate.clear()
        site.calls = 0
        tasks = [site.get(("accept-language", language)) for language in languages * 5]
        await settled()
        assert site.calls == 3
        site.gate.set()
        assert [answer.body.decode() for answer in await asyncio.gather(*tasks)] == languages * 5
        assert site.calls == 3

    asyncio.run(play())


def test_31_who_comes_after_a_drop_does_not_wait_for_what_was_begun_before_it() -> None:
    async def play() -> None:
        site = Site()
        old = await site.started(2)
        await CacheHandle(site.storage).drop(paths=["/item"])
        new = await site.started(3)
        assert site.calls == 2
        site.gate.set()
        assert {answer.body for answer in await asyncio.gather(*new)} == {b"answer 2"}
        assert (await old[0]).body == b"answer 1"
        await old[1]

    asyncio.run(play())


@pytest.mark.parametrize("raises", [True, False])
def test_31_a_stale_answer_that_stands_in_stands_in_for_all_who_wait(raises: bool) -> None:
    async def broken(_call: int, _: Request) -> Response:
        if raises:
            raise RuntimeError("broken")
        raise HTTPException(503)

    async def play() -> None:
        site = Site(CacheConfig(max_age=60, stale_if_error=600))
        site.gate.set()
        await site.get()
        site.clock.advance(61)
        site.gate.clear()
        site.endpoint = broken
        tasks = await site.started(20)
        site.gate.set()
        answers = await asyncio.gather(*tasks)
        assert {(answer.cache, answer.body) for answer in answers} == {("STALE", b"answer 1")}
        assert site.calls == 2

    asyncio.run(play())


def test_31_newcomers_do_not_wait_for_one_that_others_gave_up() -> None:
    async def play() -> None:
        site = Site(follower_timeout=0.001)
        first = await site.started(3)
        await site.third.wait()
        newcomer = site.get()
        await settled()
        assert site.calls == 4
        site.gate.set()
        await asyncio.gather(newcomer, *first)

    asyncio.run(play())
