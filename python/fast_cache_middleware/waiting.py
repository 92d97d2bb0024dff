"""Waiting for another request's answer."""

import asyncio


def wake(future: asyncio.Future[None]) -> None:
    """End the wait on a future, unless it has ended."""
    if not future.done():
        future.set_result(None)
