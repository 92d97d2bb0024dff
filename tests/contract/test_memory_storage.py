"""`InMemoryStorage`: behind the middleware and by hand; and the exceptions."""

import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest
from asgi_client import scope_for
from contract.support import START, Client, Counter, fastapi_app
from fastapi import Request, Response

from fast_cache_middleware import (
    BaseSerializer,
    CacheConfig,
    CacheHandle,
    DefaultSerializer,
    FastCacheMiddlewareError,
    InMemoryStorage,
    JSONSerializer,
    NotFoundStorageError,
    StorageError,
    TTLExpiredStorageError,
)
from fast_cache_middleware._core import SystemClock


def build(storage: Any) -> Client:
    app = fastapi_app(options={"storage": storage})
    counter = Counter()

    @app.get("/x/{item}", dependencies=[CacheConfig(60)])
    async def endpoint(item: str) -> list[Any]:
        return [item, counter()]

    return Client(app)


def test_namespaces_keep_apart() -> None:
    storage = InMemoryStorage(clock=SystemClock(START))
    clients = []
    for namespace in ("a", "b"):
        app = fastapi_app(options={"storage": storage, "namespace": namespace})
        app.get("/x", dependencies=[CacheConfig(60)])(Counter())
        clients.append(Client(app))
    assert [client.get("/x").cache for client in (*clients, *clients)] == ["MISS", "MISS", "HIT", "HIT"]


def request_for(path: str) -> Request:
    return Request(scope_for("GET", path))


@pytest.mark.parametrize("serializer", [None, DefaultSerializer(), JSONSerializer()])
def test_the_memory_storage_by_hand(serializer: BaseSerializer | None) -> None:
    async def run() -> None:
        clock = SystemClock(START)
        storage = InMemoryStorage(10, serializer, 5, clock=clock)
        assert len(storage) == 0
        assert await storage.get("k") is None
        response = Response(b"\x00\xff", 203, {"x-a": "1"})
        await storage.set("k", response, request_for("/x/1?a=1"), {"note": [1, None]})
        found = await storage.get("k")
        assert found is not None
        assert (bytes(found[0].body), found[0].status_code, found[0].headers["x-a"]) == (b"\x00\xff", 203, "1")
        assert (found[1].url.path, found[2]["note"]) == ("/x/1", [1, None])
        assert len(storage) == 1
        await storage.delete(re.compile("/y"))
        assert await storage.get("k") is not None
        await storage.delete(re.compile("/x"))
        assert await storage.get("k") is None
        await storage.set("k", response, request_for("/x/1"), {})
        clock.advance(6)
        assert await storage.get("k") is None
        await storage.set("k", response, request_for("/x/1"), {})
        await storage.close()
        assert (await storage.get("k"), len(storage)) == (None, 0)

    asyncio.run(run())


def test_the_memory_storage_is_bounded() -> None:
    clock = SystemClock(START)
    storage = InMemoryStorage(5, clock=clock)
    client = build(storage)
    for number in range(20):
        client.get(f"/x/{number}")
    assert len(storage) <= 5
    stats = CacheHandle(storage).stats()
    assert stats["evictions"] >= 15
    assert sum(route["evictions"] for route in stats["by_route"].values()) == stats["evictions"]


def test_the_ttl_of_the_storage_bounds_that_of_the_route() -> None:
    clock = SystemClock(START)
    client = build(InMemoryStorage(ttl=timedelta(seconds=5), clock=clock))
    client.get("/x/1")
    clock.advance(4)
    assert client.get("/x/1").cache == "HIT"
    clock.advance(2)
    assert client.get("/x/1").cache == "MISS"


def test_delete_on_the_storage_drops_the_middlewares_entries_too() -> None:
    clock = SystemClock(START)
    storage = InMemoryStorage(clock=clock)
    client = build(storage)
    client.outcomes("/x/1", "/x/2")
    asyncio.run(storage.delete(re.compile(r"/x/1$")))
    assert client.outcomes("/x/1", "/x/2") == ["MISS", "HIT"]


def test_exceptions() -> None:
    assert issubclass(StorageError, FastCacheMiddlewareError)
    for kind in (NotFoundStorageError, TTLExpiredStorageError):
        assert issubclass(kind, StorageError)
        error = kind("the key")
        assert error.key == "the key"
        assert "the key" in str(error)
