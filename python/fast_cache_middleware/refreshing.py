"""Refreshing stale answers in the background: the application is called once more, and nobody gets its answer."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Coroutine
from typing import Final

from starlette.types import Message, Receive

logger: Final = logging.getLogger("fast_cache_middleware")

_running: Final[set[asyncio.Task[None]]] = set()
"""Tasks that nobody else holds on to."""


def refresh(call: Awaitable[None]) -> None:
    """Run a call of the application to its end, beside the request that it is made for."""
    coroutine = _run(call)
    try:
        task = asyncio.get_running_loop().create_task(coroutine)
    except RuntimeError:
        # Another kind of event loop, or none: what is stale is refreshed by a request once its window is over.
        coroutine.close()
        _close(call)
        return
    _running.add(task)
    task.add_done_callback(_running.discard)
    # One that is cancelled before its first step has awaited nothing.
    task.add_done_callback(lambda _: _close(call))


async def settle(seconds: float) -> None:
    """Wait for the refreshes of this event loop, but no longer than that."""
    loop = asyncio.get_running_loop()
    mine = {task for task in _running if task.get_loop() is loop}
    if mine:
        await asyncio.wait(mine, timeout=seconds)


def settling(receive: Receive, seconds: float) -> Receive:
    """A lifespan's `receive` that lets the refreshes end before the application hears of the shutdown."""

    async def settled() -> Message:
        message = await receive()
        if message["type"] == "lifespan.shutdown":
            # Another kind of event loop runs no refreshes.
            with contextlib.suppress(RuntimeError):
                await settle(seconds)
        return message

    return settled


async def discard(message: Message) -> None:
    """A `send` to nobody."""


def nothing_to_receive() -> Receive:
    """A `receive` of a request without a body, whose client never leaves."""
    received = False

    async def receive() -> Message:
        nonlocal received
        if received:
            await asyncio.get_running_loop().create_future()
        received = True
        return {"type": "http.request", "body": b"", "more_body": False}

    return receive


async def _run(call: Awaitable[None]) -> None:
    try:
        await call
    except Exception:
        logger.warning("a refresh in the background failed; the stale answer stays", exc_info=True)


def _close(call: Awaitable[None]) -> None:
    if isinstance(call, Coroutine):
        call.close()
