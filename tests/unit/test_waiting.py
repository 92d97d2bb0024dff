"""The way from other threads into an event loop."""

import asyncio
import gc
import weakref

import pytest

from fast_cache_middleware import waiting


def test_there_is_one_way_into_each_loop_and_none_into_those_that_are_over() -> None:
    async def run() -> "weakref.ref[asyncio.AbstractEventLoop]":
        loop = asyncio.get_running_loop()
        bridge = waiting.bridge_of(loop)
        assert bridge is not None and waiting.bridge_of(loop) is bridge
        return weakref.ref(loop)

    first = asyncio.run(run())
    second = asyncio.run(run())
    assert len([loop for loop in waiting._bridges if not loop.is_closed()]) == 0
    gc.collect()
    assert first() is None
    assert second() is None or second() in waiting._bridges


def test_a_loop_that_watches_no_sockets_has_none() -> None:
    class Deaf(asyncio.SelectorEventLoop):
        def add_reader(self, *_arguments: object) -> None:
            raise NotImplementedError

    loop = Deaf()
    try:
        assert waiting.bridge_of(loop) is None
    finally:
        loop.close()


@pytest.mark.parametrize("times", [1, 3])
def test_what_ends_twice_has_ended(times: int) -> None:
    async def run() -> None:
        future = asyncio.get_running_loop().create_future()
        for _ in range(times):
            waiting.wake(future)
        assert await future is None

    asyncio.run(run())
