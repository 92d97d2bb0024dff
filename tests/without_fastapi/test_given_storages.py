"""A drop from code reaches a custom storage's entries, however its class is written."""

import asyncio
import gc
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from asgi_client import request
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from fast_cache_middleware import BaseStorage, CacheHandle, FastCacheMiddleware, cached, get_cache, registry


class Deaf:
    """Never deletes: only the generations in this process can make its entries go."""

    __slots__ = ("entries",)

    def __init__(self) -> None:
        self.entries: dict[str, Any] = {}

    async def set(self, key: str, response: Response, request: Request, metadata: Mapping[str, Any]) -> None:
        self.entries[key] = (response, request, metadata)

    async def get(self, key: str) -> Any:
        return self.entries.get(key)

    async def delete(self, path: re.Pattern[str]) -> None:
        """Forgets nothing."""


class Plain(Deaf):
    """With a dictionary, a hash and weak references."""


class Layered(Deaf, BaseStorage):
    """Calls another one `inner`, as what wraps it might."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Plain()


@dataclass
class WithoutHash(Deaf):
    entries: dict[str, Any] = field(default_factory=dict)


@cached(max_age=60, tags=["all"])
async def page(_: Request) -> Response:
    return PlainTextResponse("page")


async def drop(request: Request) -> Response:
    await get_cache(request).drop(tags=["all"])
    return PlainTextResponse("dropped")


@pytest.mark.parametrize("kind", [Plain, Deaf, Layered, WithoutHash])
def test_a_drop_from_code_is_seen(kind: type[Deaf]) -> None:
    storage = kind()
    app = Starlette(
        routes=[Route("/page", page), Route("/drop", drop)],
        middleware=[Middleware(FastCacheMiddleware, storage=storage)],
    )

    async def play() -> list[str | None]:
        outcomes = []
        for target in ("/page", "/page", "/drop", "/page", "/page"):
            outcomes.append((await request(app, "GET", target)).cache)
        await CacheHandle(storage).drop(tags=["all"])
        outcomes.append((await request(app, "GET", "/page")).cache)
        return outcomes

    assert asyncio.run(play()) == ["MISS", "HIT", None, "MISS", "HIT", "MISS"]


def test_storages_without_a_hash_are_told_apart_and_let_go() -> None:
    one, other = WithoutHash(), WithoutHash()
    assert registry.ledger_of(one) is registry.ledger_of(one) is not registry.ledger_of(other)
    kept = id(one)
    assert kept in registry._odd_ledgers
    del one
    gc.collect()
    assert kept not in registry._odd_ledgers
