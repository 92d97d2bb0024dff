"""An application whose endpoint waits at a gate."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from asgi_client import Answer, request
from fastapi import FastAPI, Request, Response
from own_storage import OwnStorage

from fast_cache_middleware import CacheConfig, Controller, FastCacheMiddleware, InMemoryStorage, _core


class Site:
    """An application with one cached route, `/item`, whose endpoint waits at a gate."""

    def __init__(
        self, config: CacheConfig | None = None, *, own: bool = False, outside: bool = False, **options: Any
    ) -> None:
        self.clock = _core.SystemClock(1_700_000_000.0)
        self.storage: Any = OwnStorage() if own else InMemoryStorage(clock=self.clock)
        self.calls = 0
        self.gate = asyncio.Event()
        self.third = asyncio.Event()
        self.endpoint: Callable[[int, Request], Awaitable[Response]] = self.plain
        self.app = FastAPI()
        options |= {"storage": self.storage, "clock": self.clock}
        self.site: Any = FastCacheMiddleware(self.app, **options) if outside else self.app
        if not outside:
            self.app.add_middleware(FastCacheMiddleware, **options)

        @self.app.get("/item", dependencies=[CacheConfig(max_age=60) if config is None else config])
        async def item(request: Request) -> Response:
            self.calls += 1
            call = self.calls
            if call == 3:
                self.third.set()
            await self.gate.wait()
            return await self.endpoint(call, request)

    async def plain(self, call: int, _: Request) -> Response:
        return Response(f"answer {call}")

    def get(self, *headers: tuple[str, str]) -> asyncio.Task[Answer]:
        return asyncio.create_task(request(self.site, "GET", "/item", headers))

    async def started(self, number: int) -> list[asyncio.Task[Answer]]:
        """So many requests, all of them as far as they get by themselves."""
        tasks = [self.get() for _ in range(number)]
        await settled()
        return tasks


async def settled() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


class Hooked(Controller):
    """Has a say in every exchange."""

    async def is_cachable_request(self, request: Request) -> bool:
        return True
