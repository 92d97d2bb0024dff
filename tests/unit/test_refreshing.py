"""Refreshes in the background, apart from what they refresh."""

import asyncio
import inspect

from fast_cache_middleware.refreshing import _running, refresh


def test_a_refresh_that_is_cancelled_before_it_begins_leaves_no_coroutine_behind() -> None:
    async def call() -> None:
        """The application."""

    async def play() -> None:
        refresh(never)
        for task in _running:
            task.cancel()

    never = call()
    asyncio.run(play())
    assert inspect.getcoroutinestate(never) == inspect.CORO_CLOSED
