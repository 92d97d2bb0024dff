"""What a hit leaves in the scope is what the router would have left there."""

import asyncio
from typing import Any, Literal
from uuid import UUID

import pytest
from asgi_client import request, scope_for
from contract.support import START, fastapi_app
from fastapi import APIRouter, FastAPI

from fast_cache_middleware import CacheConfig, Controller, FastCacheMiddleware, InMemoryStorage
from fast_cache_middleware._core import SystemClock

UUID_TEXT = "9b2e7c0a-6f4f-4a57-9a39-0a4f3c6b1d11"
NAMES = ("route", "endpoint", "path_params")

Hosting = Literal["added", "outside"]


class Mine(Controller):
    """A controller with a hook, so that Python drives the exchange."""

    async def is_cachable_request(self, request: Any) -> bool:
        return True


def build(app: Any) -> Any:
    cached = [CacheConfig(60)]

    async def none() -> int:
        return 0

    async def one(a: str) -> str:
        return a

    async def number(a: int) -> int:
        return a

    async def uuid(a: UUID) -> UUID:
        return a

    async def two(a: int, b: str) -> list[Any]:
        return [a, b]

    app.get("/plain", dependencies=cached)(none)
    app.get("/param/{a}", dependencies=cached)(one)
    app.get("/typed/{a}", dependencies=cached)(number)
    app.get("/int/{a:int}", dependencies=cached)(number)
    app.get("/float/{a:float}", dependencies=cached)(one_float)
    app.get("/uuid/{a:uuid}", dependencies=cached)(uuid)
    app.get("/path/{a:path}", dependencies=cached)(one)
    app.get("/two/{a:int}-{b}", dependencies=cached)(two)
    router = APIRouter(prefix="/included")
    router.get("/{a}", dependencies=cached)(one)
    inner = APIRouter(prefix="/nested")
    inner.get("/{a:int}", dependencies=cached)(number)
    router.include_router(inner)
    app.include_router(router)
    mounted = FastAPI()
    mounted.get("/{b}", dependencies=cached)(echo)
    mounted_router = APIRouter(prefix="/deep")
    mounted_router.get("/{b}", dependencies=cached)(echo)
    mounted.include_router(mounted_router)
    app.mount("/mounted", mounted)
    app.mount("/tenants/{tenant}", mounted)
    return app


async def one_float(a: float) -> float:
    return a


async def echo(b: str) -> str:
    return b


PATHS = [
    "/plain",
    "/param/x",
    "/param/%C3%A9%20z",
    "/typed/7",
    "/int/7",
    "/float/1.5",
    f"/uuid/{UUID_TEXT}",
    "/path/a/b/c",
    "/two/3-x",
    "/included/x",
    "/included/nested/4",
    "/mounted/x",
    "/mounted/deep/x",
    "/tenants/t1/x",
]


async def left(app: Any, target: str) -> tuple[dict[str, Any], str | None]:
    answer = await request(app, "GET", target)
    assert answer.status == 200, target
    return {name: answer.scope[name] for name in NAMES if name in answer.scope}, answer.cache


@pytest.mark.parametrize("controller", [None, Mine()], ids=["core", "hooked"])
@pytest.mark.parametrize("hosting", ["added", "outside"])
@pytest.mark.parametrize("target", PATHS)
def test_a_hit_leaves_what_the_router_leaves(hosting: Hosting, controller: Controller | None, target: str) -> None:
    async def run() -> None:
        plain = build(FastAPI())
        app: Any
        if hosting == "added":
            app = build(fastapi_app(options={"controller": controller}))
        else:
            app = FastCacheMiddleware(build(FastAPI()), controller=controller)
        expected, _ = await left(plain, target)
        missed, first = await left(app, target)
        hit, second = await left(app, target)
        assert (first, second) == ("MISS", "HIT")
        for name in NAMES:
            assert (name in missed) == (name in expected), name
            assert (name in hit) == (name in missed), name
            if name != "path_params" and name in missed:
                assert hit[name] is missed[name], name
        assert hit["path_params"] == missed["path_params"] == expected["path_params"]
        assert [type(value) for value in hit["path_params"].values()] == [
            type(value) for value in missed["path_params"].values()
        ]

    asyncio.run(run())


def test_each_hit_has_path_parameters_of_its_own() -> None:
    async def run() -> None:
        app = build(fastapi_app())
        await left(app, "/param/x")
        first, _ = await left(app, "/param/x")
        first["path_params"]["a"] = "changed"
        second, _ = await left(app, "/param/x")
        assert second["path_params"] == {"a": "x"}

    asyncio.run(run())


def test_outer_middleware_sees_the_route() -> None:
    seen: list[Any] = []

    class Metrics:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            try:
                await self.app(scope, receive, send)
            finally:
                if scope["type"] == "http":
                    seen.append((scope["endpoint"].__name__, scope["path_params"]))

    app = FastAPI()
    app.add_middleware(FastCacheMiddleware, storage=InMemoryStorage(clock=SystemClock(START)))
    app.add_middleware(Metrics)
    build(app)

    async def run() -> None:
        for _ in range(2):
            await request(app, "GET", "/int/7")

    asyncio.run(run())
    assert seen == [("number", {"a": 7}), ("number", {"a": 7})]


def test_nothing_else_in_the_scope_changes_on_a_hit() -> None:
    async def run() -> None:
        app = FastCacheMiddleware(build(FastAPI()))
        await request(app, "GET", "/mounted/x")
        scope = scope_for("GET", "/mounted/x")
        before = dict(scope)
        sent: list[Any] = []

        async def receive() -> Any:
            raise AssertionError("a hit needs no body")

        async def send(message: Any) -> None:
            sent.append(message)

        await app(scope, receive, send)
        assert (b"x-cache-status", b"HIT") in sent[0]["headers"]
        assert {name: value for name, value in scope.items() if name not in NAMES} == before

    asyncio.run(run())
