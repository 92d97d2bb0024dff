"""Requests as a server hands them over, and the loop that sends them."""

from collections.abc import Awaitable, Callable, Iterator, MutableMapping, Sequence
from itertools import islice
from time import perf_counter
from typing import Any

from measure import Work, complete

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
App = Callable[..., Awaitable[None]]

BATCH = 25
"""Requests between two looks at the clock."""

BROWSER: list[tuple[bytes, bytes]] = [
    (b"host", b"api.example.com"),
    (b"connection", b"keep-alive"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    (b"accept", b"application/json, text/plain, */*"),
    (b"accept-language", b"en-GB,en;q=0.8,de;q=0.5"),
    (b"accept-encoding", b"gzip, deflate, br, zstd"),
    (b"referer", b"https://www.example.com/catalogue/overview"),
    (b"sec-fetch-mode", b"cors"),
    (b"sec-fetch-site", b"same-site"),
]
"""Nine lines, as a browser sends them."""


def scope_for(path: str, method: str = "GET") -> Scope:
    """An HTTP scope with the fields that uvicorn gives it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50000),
        "scheme": "http",
        "method": method,
        "root_path": "",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": list(BROWSER),
        "state": {},
    }


async def receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: Message) -> None:
    """Takes a message, as a server with a free socket does."""


def requests(app: App, scopes: Iterator[Scope], count: int) -> Work:
    """A round of `count` requests, each with a scope of its own, made while the clock stands still.

    Few scopes live at a time, as in a server; hundreds would measure the memory allocator.
    """

    async def each(given: Sequence[Scope]) -> None:
        for scope in given:
            await app(scope, receive, send)

    def work() -> float:
        seconds = 0.0
        for done in range(0, count, BATCH):
            given = list(islice(scopes, min(BATCH, count - done)))
            began = perf_counter()
            complete(each(given))
            seconds += perf_counter() - began
        return seconds / count

    return work


def repeated(path: str, method: str = "GET") -> Iterator[Scope]:
    """The same request again and again."""
    template = scope_for(path, method)
    while True:
        yield {**template, "headers": list(template["headers"]), "state": {}}


def ask(app: App, path: str, method: str = "GET") -> list[Message]:
    """The messages of one answer."""
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    async def once() -> None:
        await app(scope_for(path, method), receive, keep)

    complete(once())
    return messages


def status_of(messages: Sequence[Message]) -> int:
    return int(messages[0]["status"])


def outcome_of(messages: Sequence[Message]) -> str | None:
    """`X-Cache-Status`."""
    return next((value.decode() for name, value in messages[0]["headers"] if name == b"x-cache-status"), None)


def expect(app: App, path: str, outcome: str | None, method: str = "GET") -> list[Message]:
    """Ask, and be sure of what is about to be measured."""
    messages = ask(app, path, method)
    if status_of(messages) >= 400 or outcome_of(messages) != outcome:
        raise RuntimeError(f"{method} {path}: {status_of(messages)} {outcome_of(messages)}, not {outcome}")
    return messages
