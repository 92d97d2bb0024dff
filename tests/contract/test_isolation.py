"""An application of FastAPI's, isolated: its endpoints, their drops and its schema go by the isolated cache."""

import asyncio
from typing import Annotated

from fastapi import Depends, FastAPI
from tests.asgi_client import lifespan, request

from fast_cache_middleware import CacheConfig, CacheDropConfig, CacheHandle, FastCacheMiddleware, get_cache
from fast_cache_middleware.testing import assert_hit, assert_miss, isolated

app = FastAPI()
app.add_middleware(FastCacheMiddleware)


@app.get("/users/{user_id}", dependencies=[CacheConfig(300, tags=["users"])])
async def get_user(user_id: int) -> int:
    return user_id


@app.post("/users/{user_id}", dependencies=[CacheDropConfig(paths=["/users/{user_id}"])])
async def update_user(user_id: int) -> int:
    return user_id


@app.post("/drop")
async def drop(cache: Annotated[CacheHandle, Depends(get_cache)]) -> None:
    await cache.drop(tags=["users"], endpoints=[get_user])


async def play() -> None:
    stack = app.middleware_stack
    with isolated(app) as cache:
        assert stack is None or app.middleware_stack is stack
        for change in ("/users/7", "/drop"):
            assert_miss((await request(app, "GET", "/users/7")).lines)
            assert_hit((await request(app, "GET", "/users/7")).lines)
            assert (await request(app, "POST", change)).status == 200
        assert_miss((await request(app, "GET", "/users/7")).lines)
        cache.clock.advance(299)
        assert_hit((await request(app, "GET", "/users/7")).lines)
        await cache.drop(endpoints=[get_user])
        assert_miss((await request(app, "GET", "/users/7")).lines)
        assert (cache.stats()["hits"], cache.stats()["misses"]) == (3, 4)


def test_one_isolation_after_another_begins_alike() -> None:
    for _ in range(3):
        asyncio.run(play())
    asyncio.run(lifespan(app))
    asyncio.run(play())
    assert app.openapi()["paths"]["/users/{user_id}"]["get"]["x-cache-age"] == 300
