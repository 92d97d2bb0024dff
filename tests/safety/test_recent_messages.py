"""The messages of answers from the cache: everybody gets some of his own, whatever others do with theirs."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from asgi_client import request, scope_for
from fastapi import FastAPI

from fast_cache_middleware import CacheConfig, FastCacheMiddleware
from fast_cache_middleware._core import SystemClock

OFTEN = 6
"""So many requests make sure that the answer is remembered."""


def known() -> Any:
    app = FastAPI()

    @app.get("/items/{item}", dependencies=[CacheConfig(60)])
    async def item(item: int) -> list[int]:
        return [item]

    cache = FastCacheMiddleware(app, clock=SystemClock(1_700_000_000.0))

    async def often() -> None:
        for _ in range(OFTEN):
            answer = await request(cache, "GET", "/items/7")
        assert answer.cache == "HIT"

    asyncio.run(often())
    return cache


async def ask(app: Any, scope: dict[str, Any] | None = None) -> list[Any]:
    messages: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    await app(scope_for("GET", "/items/7") if scope is None else scope, receive, send)
    return messages


def test_nobody_shares_messages_or_parameters() -> None:
    app = known()

    async def run() -> None:
        expected = repr(await ask(app))
        for _ in range(OFTEN):
            scope = scope_for("GET", "/items/7")
            messages = await ask(app, scope)
            assert (repr(messages), scope["path_params"]) == (expected, {"item": "7"})
            messages[0]["headers"].append((b"x", b"y"))
            messages[0]["headers"][0] = (b"etag", b"other")
            messages[0]["status"] = 500
            messages[1]["body"] = b"other"
            messages[1]["more_body"] = True
            scope["path_params"]["item"] = 8
            scope["path_params"]["more"] = 9

    asyncio.run(run())


MEDDLINGS: dict[str, Callable[[Any, Any], object]] = {
    "nothing": lambda start, body: None,
    "another_status": lambda start, body: start.update(status=500),
    "an_equal_status": lambda start, body: start.update(status=200.0),
    "one_more_entry": lambda start, body: start.update(trailers=True),
    "one_entry_less": lambda start, body: start.pop("status"),
    "another_order": lambda start, body: start.update(type=start.pop("type")),
    "another_type": lambda start, body: start.update(type="http.response.debug"),
    "other_headers": lambda start, body: start.update(headers=[]),
    "one_more_line": lambda start, body: start["headers"].append((b"x", b"y")),
    "one_line_less": lambda start, body: start["headers"].pop(),
    "another_line": lambda start, body: start["headers"].__setitem__(0, (b"x", b"y")),
    "lines_turned_round": lambda start, body: start["headers"].reverse(),
    "another_body": lambda start, body: body.update(body=b"other"),
    "more_to_come": lambda start, body: body.update(more_body=True),
    "no_body": lambda start, body: body.pop("body"),
    "another_kind_of_body": lambda start, body: body.update(type="http.response.pathsend"),
}


@pytest.mark.parametrize("meddling", MEDDLINGS)
def test_messages_that_somebody_changed_and_let_go_are_not_sent_again(meddling: str) -> None:
    app = known()

    async def run() -> None:
        expected = repr(await ask(app))
        for _ in range(OFTEN):
            messages = await ask(app)
            assert repr(messages) == expected
            MEDDLINGS[meddling](*messages)
            messages.clear()

    asyncio.run(run())


def test_messages_that_somebody_holds_are_not_sent_again() -> None:
    app = known()

    async def run(part: Callable[[Any], object]) -> None:
        held = [part(await ask(app)) for _ in range(OFTEN)]
        assert len({id(one) for one in held}) == OFTEN

    for part in (lambda messages: messages[0], lambda messages: messages[0]["headers"], lambda messages: messages[1]):
        asyncio.run(run(part))
