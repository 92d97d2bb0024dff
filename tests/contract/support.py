"""What the tests of the public contract share: an application with a clock that stands still, and a client."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from asgi_client import Answer, Headers, Message, lifespan, request

from fast_cache_middleware import FastCacheMiddleware, InMemoryStorage
from fast_cache_middleware._core import SystemClock

START = 1_700_000_000.0
"""Where the clock stands; seconds since 1970, 2023-11-14 22:13:20 UTC."""


class Client:
    """Sends single requests to an application."""

    def __init__(self, app: Callable[..., Awaitable[None]], **scope: Any) -> None:
        self.app = app
        self.scope = scope

    def request(
        self, method: str, target: str, headers: Headers = (), body: bytes | Sequence[bytes] = b"", **more: Any
    ) -> Answer:
        return asyncio.run(request(self.app, method, target, headers, body, **{**self.scope, **more}))

    def get(self, target: str, headers: Headers = (), **more: Any) -> Answer:
        return self.request("GET", target, headers, **more)

    def post(self, target: str, headers: Headers = (), body: bytes = b"", **more: Any) -> Answer:
        return self.request("POST", target, headers, body, **more)

    def outcomes(self, *targets: str, headers: Headers = ()) -> list[str | None]:
        """`X-Cache-Status` of one GET after another."""
        lines = list(headers)
        return [self.get(target, lines).cache for target in targets]

    def start(self) -> list[Message]:
        """Start and stop the application."""
        return asyncio.run(lifespan(self.app))


class Counter:
    """Counts the calls of a handler, which answers with the number."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        return self.calls


def fastapi_app(clock: SystemClock | None = None, *, options: dict[str, Any] | None = None, **settings: Any) -> Any:
    """A FastAPI application with the middleware, by `add_middleware`; `app.state.clock` is its clock."""
    from fastapi import FastAPI

    app = FastAPI(**settings)
    options = dict(options or {})
    app.state.clock = SystemClock(START) if clock is None else clock
    if "storage" not in options:
        options["storage"] = InMemoryStorage(clock=app.state.clock)
    app.state.storage = options["storage"]
    app.add_middleware(FastCacheMiddleware, **options)
    return app
