"""A storage of somebody else's making."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from fast_cache_middleware import BaseStorage


class OwnStorage(BaseStorage):
    """A storage of somebody else's making."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    async def set(self, key: str, response: Response, request: Request, metadata: Any) -> None:
        await asyncio.sleep(0)
        self.kept[key] = (response, request, metadata)

    async def get(self, key: str) -> Any:
        return self.kept.get(key)

    async def delete(self, path: Any) -> None:
        self.kept.clear()

    async def close(self) -> None:
        self.kept.clear()
