"""The public contract for Starlette alone and for raw ASGI applications: `@cached`, `@drops` and `rules=`."""

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import pytest
from asgi_client import Answer, lifespan, request
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, Router

from fast_cache_middleware import (
    CacheConfig,
    CacheDropConfig,
    CacheHandle,
    CacheRule,
    ConfigError,
    Controller,
    DropRule,
    FastCacheMiddleware,
    InMemoryStorage,
    cached,
    drops,
    get_cache,
)
from fast_cache_middleware._core import SystemClock

START = 1_700_000_000.0


def call(app: Any, method: str, target: str, *headers: tuple[str, str], **more: Any) -> Answer:
    return asyncio.run(request(app, method, target, headers, **more))


def outcomes(app: Any, *targets: str) -> list[str | None]:
    return [call(app, "GET", target).cache for target in targets]


def counting(calls: list[str] | None = None) -> Callable[[Request], Any]:
    seen: list[str] = [] if calls is None else calls

    async def endpoint(request: Request) -> Response:
        seen.append(request.url.path)
        return PlainTextResponse(str(len(seen)))

    return endpoint


def starlette(*routes: Any, **options: Any) -> Starlette:
    return Starlette(routes=list(routes), middleware=[Middleware(FastCacheMiddleware, **options)])


def test_marks_on_endpoints() -> None:
    clock = SystemClock(START)

    @cached(max_age=60, tags=["user:{user_id}"])
    async def read(request: Request) -> Response:
        return JSONResponse(request.path_params)

    @drops(paths=["/users/{user_id}"])
    async def write(request: Request) -> Response:
        return Response(status_code=204)

    @drops(tags=["user:{user_id}"], on=[404])
    @drops(methods=[read], on=[409])
    async def strange(request: Request) -> Response:
        return Response(status_code=int(request.query_params["status"]))

    app = starlette(
        Route("/users/{user_id:int}", read),
        Route("/users/{user_id:int}", write, methods=["PUT"]),
        Route("/users/{user_id:int}", strange, methods=["DELETE"]),
        clock=clock,
    )
    assert outcomes(app, "/users/1", "/users/1", "/users/2") == ["MISS", "HIT", "MISS"]
    hit = call(app, "GET", "/users/1")
    assert (hit.body, hit.header("age")) == (b'{"user_id":1}', "0")
    assert call(app, "PUT", "/users/1").status == 204
    assert outcomes(app, "/users/1", "/users/2") == ["MISS", "HIT"]
    for status, expected in ((404, ["MISS", "HIT"]), (200, ["HIT", "HIT"]), (409, ["MISS", "MISS"])):
        assert call(app, "DELETE", f"/users/1?status={status}").status == status
        assert outcomes(app, "/users/1", "/users/2") == expected, status
    clock.advance(61)
    assert outcomes(app, "/users/1") == ["MISS"]


def test_the_marked_endpoint_is_the_endpoint() -> None:
    async def endpoint(request: Request) -> Response:
        return Response()

    assert cached(60)(endpoint) is endpoint
    assert drops(paths=["/x"])(endpoint) is endpoint
    for decorator in (cached, drops):
        with pytest.raises(ConfigError, match="must be called"):
            decorator(endpoint)  # type: ignore[operator]


def test_configs_in_decorators_and_every_kind_of_endpoint() -> None:
    calls: list[str] = []

    @cached(CacheConfig(60))
    class Class(HTTPEndpoint):
        async def get(self, request: Request) -> Response:
            calls.append("class")
            return PlainTextResponse("class")

    def sync(request: Request) -> Response:
        calls.append("sync")
        return PlainTextResponse("sync")

    async def with_argument(name: str, request: Request) -> Response:
        calls.append(name)
        return PlainTextResponse(name)

    @drops(CacheDropConfig(paths=["/"]))
    async def write(request: Request) -> Response:
        return Response()

    app = starlette(
        Route("/class", Class),
        Route("/sync", cached(max_age=60)(sync)),
        Route("/partial", functools.partial(cached(60)(with_argument), "partial")),
        Route("/write", write, methods=["POST"]),
    )
    paths = ("/class", "/sync", "/partial")
    assert outcomes(app, *paths, *paths) == ["MISS"] * 3 + ["HIT"] * 3
    assert calls == ["class", "sync", "partial"]
    call(app, "POST", "/write")
    assert outcomes(app, *paths) == ["MISS"] * 3


def test_rules_for_an_application_that_cannot_be_decorated() -> None:
    app = starlette(
        Route("/users/{id}", counting(), methods=["GET", "POST", "PUT"]),
        Route("/other", counting()),
        rules=[
            CacheRule("/users/{id}", CacheConfig(60)),
            DropRule("/users/{id}", CacheDropConfig(paths=["/users/{id}"]), methods=["POST"]),
        ],
    )
    assert outcomes(app, "/users/1", "/users/1", "/users/2", "/other", "/other") == ["MISS", "HIT", "MISS", None, None]
    call(app, "PUT", "/users/1")
    assert outcomes(app, "/users/1") == ["HIT"]
    call(app, "POST", "/users/1")
    assert outcomes(app, "/users/1", "/users/2") == ["MISS", "HIT"]


def test_rules_around_a_raw_asgi_application() -> None:
    calls: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        calls.append(scope["method"] + scope["path"])
        status = 500 if scope["path"].endswith("/broken") else 200
        await send({"type": "http.response.start", "status": status, "headers": [(b"x-a", b"1"), (b"x-a", b"2")]})
        await send({"type": "http.response.body", "body": b"first ", "more_body": True})
        await send({"type": "http.response.body", "body": str(len(calls)).encode()})

    wrapped = FastCacheMiddleware(
        app,
        rules=[
            CacheRule("/users/{id}", CacheConfig(60, tags=["user:{id}"])),
            DropRule("/users/{id}", CacheDropConfig(tags=["user:{id}"]), methods=["POST"]),
            DropRule("/users/{id}/broken", CacheDropConfig(tags=["user:{id}"])),
        ],
        clock=SystemClock(START),
    )
    assert outcomes(wrapped, "/users/1", "/users/1", "/users/2", "/else", "/users/1/x") == [
        "MISS", "HIT", "MISS", None, None,
    ]  # fmt: skip
    hit = call(wrapped, "GET", "/users/1")
    assert (hit.body, hit.all("x-a")) == (b"first 1", ["1", "2"])
    assert call(wrapped, "POST", "/users/1/broken").status == 500
    assert outcomes(wrapped, "/users/1") == ["HIT"]
    call(wrapped, "POST", "/users/1")
    assert outcomes(wrapped, "/users/1", "/users/2") == ["MISS", "HIT"]


def test_wrapped_from_outside_and_mounted() -> None:
    inner = Router([Route("/x", cached(60)(counting()))])
    app = Starlette(routes=[Mount("/in", inner), Route("/x", cached(60)(counting()))])
    wrapped = FastCacheMiddleware(app)
    assert outcomes(wrapped, "/in/x", "/in/x", "/x", "/x") == ["MISS", "HIT", "MISS", "HIT"]
    assert FastCacheMiddleware(inner)
    assert outcomes(FastCacheMiddleware(inner), "/x", "/x") == ["MISS", "HIT"]


def test_the_scope_after_a_hit_is_that_of_a_miss() -> None:
    endpoint = cached(60)(counting())
    app = starlette(
        Route("/int/{a:int}", endpoint),
        Route("/float/{a:float}", endpoint),
        Route("/uuid/{a:uuid}", endpoint),
        Route("/path/{a:path}", endpoint),
        Mount("/m/{tenant}", routes=[Route("/{b}", endpoint)]),
    )
    for target in ("/int/7", "/float/1.5", "/uuid/9b2e7c0a-6f4f-4a57-9a39-0a4f3c6b1d11", "/path/a/b", "/m/t/x"):
        miss, hit = call(app, "GET", target), call(app, "GET", target)
        assert (miss.cache, hit.cache) == ("MISS", "HIT"), target
        for name in ("route", "endpoint"):
            assert miss.scope.get(name) is hit.scope.get(name), (target, name)
        assert hit.scope["path_params"] == miss.scope["path_params"]


def test_head_of_starlettes_routes() -> None:
    app = starlette(Route("/x", cached(60)(counting())))
    get = call(app, "GET", "/x")
    head = call(app, "HEAD", "/x")
    assert (head.status, head.cache, head.body, head.header("content-length")) == (200, "HIT", b"", "1")
    assert head.header("etag") == get.header("etag")


def test_the_handle_and_the_lifespan() -> None:
    storage = InMemoryStorage()

    async def write(request: Request) -> Response:
        await get_cache(request).drop(endpoints=[read])
        return Response()

    read = cached(60)(counting())
    app = starlette(Route("/x", read), Route("/w", write, methods=["POST"]), storage=storage)
    assert [message["type"] for message in asyncio.run(lifespan(app))] == [
        "lifespan.startup.complete", "lifespan.shutdown.complete",
    ]  # fmt: skip
    assert outcomes(app, "/x", "/x") == ["MISS", "HIT"]
    call(app, "POST", "/w")
    assert outcomes(app, "/x") == ["MISS"]
    asyncio.run(CacheHandle(storage).clear())
    assert outcomes(app, "/x") == ["MISS"]
    assert CacheHandle(storage).stats()["misses"] == 3


def test_an_impossible_mark_fails_at_the_start() -> None:
    app = starlette(Route("/users/{id}", cached(60, tags=["user:{nobody}"])(counting())))
    with pytest.raises(ConfigError, match=r"GET /users/\{id\}.*tags.*nobody"):
        call(app, "GET", "/anything")


def test_a_controller_with_a_hook() -> None:
    class Mine(Controller):
        async def is_cachable_request(self, request: Request) -> bool:
            return request.headers.get("x-admin") is None

    app = starlette(Route("/x", cached(60)(counting())), controller=Mine())
    assert outcomes(app, "/x", "/x") == ["MISS", "HIT"]
    assert call(app, "GET", "/x", ("x-admin", "1")).cache == "BYPASS"
