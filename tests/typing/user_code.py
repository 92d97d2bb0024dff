"""What users write, read by mypy and never run: it must type-check, and what is marked as wrong must not."""

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from datetime import timedelta
from typing import Annotated, Any, assert_type

import uvicorn
from fastapi import APIRouter, Depends, FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from fast_cache_middleware import (
    BaseStorage,
    CacheConfig,
    CacheDropConfig,
    CacheHandle,
    CacheRule,
    Controller,
    DropRule,
    FastCacheMiddleware,
    InMemoryStorage,
    RedisStorage,
    SharedStorage,
    cached,
    drops,
    get_cache,
)
from fast_cache_middleware.testing import (
    Clock,
    FailingStorage,
    IsolatedCache,
    assert_bypass,
    assert_hit,
    assert_miss,
    isolated,
)


def key_func(request: Request) -> str:
    return request.url.path


async def async_key_func(request: Request) -> str:
    return request.url.path


def factory() -> CacheConfig:
    return CacheConfig(timedelta(minutes=5), key_func=async_key_func)


app = FastAPI(dependencies=[CacheConfig(60)])
app.add_middleware(FastCacheMiddleware)
app.add_middleware(FastCacheMiddleware, InMemoryStorage(max_size=10), namespace="a", undeclared_headers=["x-trace"])
app.add_middleware(FastCacheMiddleware, storage=SharedStorage("/var/cache/app", max_bytes=1 << 30))
app.add_middleware(FastCacheMiddleware, storage=RedisStorage("redis://host", coherence="strict", timeout=0.1))
app.add_middleware(FastCacheMiddleware, storage=RedisStorage("redis://host", coherence="never"))  # type: ignore[arg-type]
app.add_middleware(FastCacheMiddleware, namespace=1)  # type: ignore[arg-type]
router = APIRouter(dependencies=[Depends(CacheConfig(None))])


@app.get("/users/{user_id}", dependencies=[CacheConfig(max_age=300, tags=["user:{user_id}"]), Depends(factory)])
async def get_user(user_id: int, cache: Annotated[CacheHandle, Depends(get_cache)]) -> dict[str, Any]:
    await cache.drop(paths=["/users/*", re.compile("^/a")], tags={"b"}, endpoints=[get_user], soft=True)
    return assert_type(cache.stats(), dict[str, Any])


@router.post("/users/{user_id}", dependencies=[CacheDropConfig(["/users/*"], methods=[get_user], on={200, 201})])
def update_user(user_id: int, _: Annotated[None, CacheDropConfig(tags=["a"], on=lambda status: status < 300)]) -> str:
    return "updated"


CacheConfig(max_age="300")  # type: ignore[arg-type]
CacheConfig(60, key_func=lambda request: 1)  # type: ignore[arg-type, return-value]
CacheDropConfig(paths=[1])  # type: ignore[list-item]


@cached(timedelta(seconds=60), key_func=key_func)
async def show(request: Request) -> PlainTextResponse:
    return PlainTextResponse("shown")


@drops(paths=["/show"])
async def change(request: Request) -> PlainTextResponse:
    return await show(request)


class OwnController(Controller):
    async def is_cachable_request(self, request: Request) -> bool:
        return "x-admin" not in request.headers and await super().should_cache_request(request)

    async def generate_cache_key(self, request: Request, cache_configuration: CacheConfig | None = None) -> str:
        return "v1:" + await super().generate_cache_key(request, cache_configuration)


class OwnStorage(BaseStorage):
    async def set(self, key: str, response: Response, request: Request, metadata: Mapping[str, Any]) -> None:
        await super().set(key, response, request, metadata)

    async def get(self, key: str) -> tuple[Response, Request, Mapping[str, Any]] | None:
        return None

    async def delete(self, path: re.Pattern[str]) -> None:
        await super().delete(path)


starlette = Starlette(
    routes=[Route("/show", show), Route("/change", change, methods=["POST"])],
    middleware=[Middleware(FastCacheMiddleware, storage=OwnStorage(), controller=OwnController(default_ttl=5))],
)
starlette.add_middleware(FastCacheMiddleware, rules=[CacheRule("/show", CacheConfig(60))])


async def plain(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})


wrapped = FastCacheMiddleware(starlette, rules=[DropRule("/change", CacheDropConfig(["/show"]), methods=["POST"])])
around_fastapi: ASGIApp = FastCacheMiddleware(app)
around_a_function: ASGIApp = FastCacheMiddleware(plain)
around_another: ASGIApp = FastCacheMiddleware(FastCacheMiddleware(wrapped))
FastCacheMiddleware("app")  # type: ignore[arg-type]


async def call(scope: Scope, receive: Receive, send: Send) -> None:
    assert_type(wrapped(scope, receive, send), Awaitable[None])
    await wrapped(scope, receive, send)
    await around_fastapi({**scope}, receive, send)
    await wrapped(scope)  # type: ignore[call-arg]


uvicorn.run(wrapped)


def test_code(
    isolated_cache: Callable[[object], IsolatedCache], failing_storage: FailingStorage, response: Response
) -> None:
    cache = isolated_cache(app)
    cache.clock.advance(timedelta(minutes=1))
    cache.clock.advance("1")  # type: ignore[arg-type]
    assert_hit(response)
    assert_bypass(response.headers, reason="cookie")
    assert_miss([(b"x-cache-status", b"MISS")])
    assert_hit(1)  # type: ignore[arg-type]
    failing_storage.fail("get", "set", times=2)
    failing_storage.fail("put")  # type: ignore[arg-type]
    with isolated(app, clock=Clock(0)) as other:
        assert_type(other.stats(), dict[str, Any])
    InMemoryStorage(clock=Clock())
