"""One cached route whose endpoint is exchanged at will."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from asgi_client import Answer, request
from fastapi import FastAPI, Request, Response

from fast_cache_middleware import CacheConfig, Controller, FastCacheMiddleware, InMemoryStorage, _core
from fast_cache_middleware.refreshing import _running


class Site:
    """An application with one cached route, `/item`, whose endpoint is exchanged at will."""

    def __init__(self, config: CacheConfig, controller: Controller | None = None, **options: Any) -> None:
        self.clock = _core.SystemClock(1_700_000_000.0)
        self.storage = InMemoryStorage(clock=self.clock)
        self.calls = 0
        self.seen: list[dict[str, str]] = []
        self.endpoint: Callable[[Request], Awaitable[Response]] = self.count
        self.app = FastAPI()
        self.app.add_middleware(FastCacheMiddleware, storage=self.storage, controller=controller, **options)

        @self.app.get("/item", dependencies=[config])
        async def item(request: Request) -> Response:
            self.calls += 1
            self.seen.append(dict(request.headers))
            return await self.endpoint(request)

        @self.app.put("/item")
        async def put() -> dict[str, str]:
            return {}

    async def count(self, _: Request) -> Response:
        return Response(f"answer {self.calls}")

    async def get(self, *headers: tuple[str, str]) -> Answer:
        return await request(self.app, "GET", "/item", headers)


async def refreshed() -> None:
    """Wait for refreshes in the background."""
    await asyncio.gather(*_running)
