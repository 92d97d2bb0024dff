"""Runs an ASGI application bare and behind the cache, and compares all that can be seen from outside."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fast_cache_middleware import CacheConfig, CacheRule, FastCacheMiddleware

App = Callable[[Any, Any, Any], Awaitable[None]]
OURS = (b"x-cache-status", b"cache-status", b"age")


@dataclass
class Seen:
    """The messages that reached the server, and what was raised."""

    messages: list[Any] = field(default_factory=list)
    raised: str | None = None


def wrapped(app: App, **options: Any) -> FastCacheMiddleware:
    """`app` behind a cache that takes everything below `/`."""
    return FastCacheMiddleware(app, rules=[CacheRule("/{rest:path}", CacheConfig(60))], **options)


async def seen(app: App, scope: Any) -> Seen:
    """One call of `app`, watched from outside."""
    found = Seen()

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        found.messages.append(plain(message))

    try:
        await app(scope, receive, send)
    except Exception as error:
        found.raised = f"{type(error).__name__}: {error}"
    return found


def plain(message: Any) -> Any:
    """A message as a server reads it, without the lines that the cache adds."""
    if not isinstance(message, Mapping):
        return message
    read = dict(message)
    if read.get("type") == "http.response.start":
        read["headers"] = lines(read.get("headers", []))
    if isinstance(read.get("body"), (bytearray, memoryview)):
        read["body"] = bytes(read["body"])
    return read


def lines(headers: Any) -> Any:
    """Header lines as a server iterates over them; what is no list of pairs stays what it is."""
    try:
        pairs = [tuple(pair) for pair in headers]
        return [pair for pair in pairs if len(pair) != 2 or (pair[0] not in OURS and not _made_etag(pair))]
    except TypeError:
        return repr(headers)


def _made_etag(pair: tuple[Any, ...]) -> bool:
    return bool(pair[0] == b"etag" and pair[1] != b'"given"')
