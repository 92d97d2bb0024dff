"""Coalescing, switched and limited for one route."""

import asyncio
from typing import Any

import pytest
from safety.test_coalescing import Hooked, Site, settled

from fast_cache_middleware import CacheConfig


def _key(_: Any) -> str:
    return "item"


@pytest.mark.parametrize("options", [{}, {"key_func": _key}])
@pytest.mark.parametrize(
    "route,everywhere,calls", [(None, True, 1), (False, True, 5), (True, False, 1), (None, False, 5)]
)
def test_a_route_has_the_last_word_on_coalescing(
    route: bool | None, everywhere: bool, calls: int, options: dict[str, Any]
) -> None:
    async def play() -> None:
        site = Site(CacheConfig(60, coalesce=route, **options), coalesce=everywhere)
        tasks = await site.started(5)
        assert site.calls == calls
        site.gate.set()
        assert {(await task).status for task in tasks} == {200}

    asyncio.run(play())


@pytest.mark.parametrize("controller,own", [(None, False), (Hooked(), False), (None, True)])
def test_a_route_has_the_last_word_on_how_long_is_waited(controller: Hooked | None, own: bool) -> None:
    async def play() -> None:
        config = CacheConfig(60, follower_timeout=0.001)
        site = Site(config, own=own, controller=controller, follower_timeout=3600)
        tasks = [site.get() for _ in range(3)]
        # The leader is not answered before its followers have gone on by themselves.
        await site.third.wait()
        site.gate.set()
        assert {(await task).body for task in tasks} == {b"answer 1", b"answer 2", b"answer 3"}

    asyncio.run(play())


def test_a_limit_alone_does_not_switch_coalescing_on() -> None:
    async def play() -> None:
        site = Site(CacheConfig(60, follower_timeout=3600), coalesce=False)
        tasks = await site.started(3)
        assert site.calls == 3
        site.gate.set()
        await settled()
        assert {(await task).status for task in tasks} == {200}

    asyncio.run(play())
