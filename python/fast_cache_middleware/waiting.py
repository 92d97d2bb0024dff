"""Waiting: for another request's answer, and for a handler that takes too long."""

import asyncio
import logging
import weakref
from collections.abc import Awaitable
from typing import Final

from starlette.types import Message, Send

from . import _core

logger: Final = logging.getLogger("fast_cache_middleware")


_bridges: Final["weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _core.Bridge | None]"] = (
    weakref.WeakKeyDictionary()
)


def bridge_of(loop: asyncio.AbstractEventLoop) -> _core.Bridge | None:
    """The way by which other threads end futures of this event loop; `None` where the loop watches no sockets."""
    try:
        return _bridges[loop]
    except KeyError:
        pass
    # What was to end after the last turn of its loop would hold on to that for ever.
    for over in [known for known in _bridges if known.is_closed()]:
        del _bridges[over]
    bridge: _core.Bridge | None
    try:
        bridge = _core.Bridge()
        loop.add_reader(bridge.fileno(), bridge.drain)
    except (NotImplementedError, OSError):
        bridge = None
    _bridges[loop] = bridge
    return bridge


def wake(future: asyncio.Future[None]) -> None:
    """End the wait on a future, unless it has ended."""
    if not future.done():
        future.set_result(None)


async def send_settled(settling: Awaitable[None], send: Send, message: Message) -> None:
    """Send a message once drops hold for everybody."""
    await settling
    await send(message)


async def settled(settling: Awaitable[None] | None) -> None:
    """Wait for drops to hold for everybody, where they do not yet."""
    if settling is not None:
        await settling


async def limit(call: Awaitable[None], sender: _core.RecordingSend, seconds: float) -> None:
    """Await a call of the application. If it has not answered in time, a stale answer goes out and it is cancelled.

    Where no stale answer may stand in, or the answer has begun, the call takes the time it takes.
    """
    try:
        task = asyncio.get_running_loop().create_task(_run(call))
    except RuntimeError:
        # Another kind of event loop, or none: nobody keeps the time.
        await call
        return
    try:
        await asyncio.wait({task}, timeout=seconds)
        instead = None if task.done() else sender.instead()
        if instead is not None:
            logger.warning("the application took longer than %g s; a stale answer was sent instead", seconds)
            task.add_done_callback(_report)
            await instead
            task.cancel()
            await asyncio.wait({task})
            return
        await task
    finally:
        if not task.done():
            task.add_done_callback(_report)
            task.cancel()
            await asyncio.wait({task})


def _report(task: asyncio.Task[None]) -> None:
    """Log what a call raised that nobody waits for any more."""
    error = None if task.cancelled() else task.exception()
    if error is not None:
        logger.warning("the application failed after its time was over", exc_info=error)


async def _run(call: Awaitable[None]) -> None:
    await call
