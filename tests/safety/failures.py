"""Endpoints that fail, and crowds that ask them."""

import asyncio
from collections.abc import Callable
from typing import Any

from asgi_client import Answer
from fastapi import Request, Response
from safety.gated import Site, settled


class BrokenError(Exception):
    """What a broken endpoint raises; each says which call it was."""


async def raising(call: int, _: Request) -> Response:
    raise BrokenError(call)


def answering(*headers: tuple[str, str], status: int = 503) -> Callable[[int, Request], Any]:
    async def answer(call: int, _: Request) -> Response:
        response = Response(f"failure {call}", status)
        for name, value in headers:
            response.headers.append(name, value)
        return response

    return answer


async def crowd(site: Site, number: int, *headers: tuple[str, str]) -> list[Answer | BaseException]:
    """What so many requests get that come together."""
    site.gate.clear()
    tasks = [site.get(*headers) for _ in range(number)]
    await settled()
    site.gate.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


def calls_of(got: list[Answer | BaseException]) -> list[int]:
    """Which call each of them got."""
    return [call_of(one) for one in got]


def call_of(got: Answer | BaseException) -> int:
    match got:
        # Streams of older Starlettes run in a group of tasks.
        case BaseExceptionGroup(exceptions=[only]):
            return call_of(only)
        case BrokenError(args=[call]):
            return int(call)
        case BaseException():
            raise got
    return int(got.body.split()[-1])
