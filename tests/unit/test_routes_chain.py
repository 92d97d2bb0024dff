"""The middlewares between ours and the router, and what they do to keys."""

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, Router

from fast_cache_middleware.routes import analyse, follow
from fast_cache_middleware.rules import cached


class Tenant:
    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


def wrapping(app: Any) -> Any:
    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    return wrapped


async def add_header(request: Request, call_next: Any) -> Any:
    return await call_next(request)


@cached(60)
async def endpoint(request: Request) -> PlainTextResponse:
    return PlainTextResponse("")


def app_with(*middleware: Any, **options: Any) -> Starlette:
    return Starlette(routes=[Route("/x", endpoint)], middleware=[Middleware(m, **options) for m in middleware])


def names(app: Any) -> list[tuple[str, str]]:
    return [(one.name, one.kind) for one in follow(app).inside]


def test_built_in_ones_are_not_listed() -> None:
    app = app_with()
    assert follow(app).root is app and names(app) == []
    stack = app.build_middleware_stack()
    assert follow(stack).router is app.router and names(stack) == []


def test_what_is_outside_and_what_is_inside() -> None:
    app = app_with(Tenant, GZipMiddleware, TrustedHostMiddleware, CORSMiddleware, wrapping)
    expected = [
        ("Tenant", "unknown"), ("GZipMiddleware", "neutral"), ("TrustedHostMiddleware", "neutral"),
        ("CORSMiddleware", "cors"), ("wrapping", "unknown"),
    ]  # fmt: skip
    assert names(app) == expected
    assert names(app.build_middleware_stack()) == expected
    inner = app.build_middleware_stack().app.app  # type: ignore[attr-defined]
    assert names(inner) == expected[1:]


def test_functions_of_base_http_middleware_are_named() -> None:
    app = app_with(BaseHTTPMiddleware, dispatch=add_header)
    assert names(app) == [("BaseHTTPMiddleware(add_header)", "unknown")]
    assert names(app.build_middleware_stack()) == [("BaseHTTPMiddleware(add_header)", "unknown")]


def test_subclasses_are_strangers() -> None:
    class Own(GZipMiddleware): ...

    class OwnApp(Starlette):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await super().__call__(scope, receive, send)

    assert [kind for _, kind in names(app_with(Own))] == ["unknown"]
    assert [kind for _, kind in names(OwnApp())] == ["unknown"]


def test_known_compression_is_neutral() -> None:
    brotli = type("BrotliMiddleware", (Tenant,), {"__module__": "brotli_asgi"})
    assert names(app_with(brotli)) == [("BrotliMiddleware", "neutral")]


def test_a_router_with_middleware() -> None:
    router = Router([Route("/x", endpoint)], middleware=[Middleware(Tenant)])
    assert names(router) == [("Tenant", "unknown")]
    analysis = analyse(router, inner=router)
    assert [record.path for record in analysis.records] == ["/x"]
    assert len(analysis.warnings) == 1


def test_no_way_to_a_router() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    assert follow(app).root is None and follow(None).root is None
    circle = Tenant(None)
    circle.app = circle
    assert follow(circle).root is None


def test_a_router_that_cannot_be_reached_makes_routes_raw() -> None:
    app = app_with()
    hidden = GZipMiddleware(lambda scope, receive, send: app(scope, receive, send))
    analysis = analyse(app, inner=hidden)
    assert any(one.kind == "unknown" for one in analysis.inside)


def test_strangers_are_named_with_the_better_order() -> None:
    app = app_with(Tenant, wrapping)
    (text,) = analyse(app, inner=app).warnings
    assert text.startswith("Tenant, wrapping run inside FastCacheMiddleware")
    assert "app.add_middleware(FastCacheMiddleware) before you add them" in text
    assert analyse(app).warnings == ()
    uncached = Starlette(middleware=[Middleware(Tenant)])
    assert analyse(uncached, inner=uncached).warnings == ()


def test_the_better_order_is_better() -> None:
    app = Starlette(routes=[Route("/x", endpoint)])
    app.add_middleware(Tenant)
    app.add_middleware(GZipMiddleware)  # stands where ours would
    built = app.build_middleware_stack().app  # type: ignore[attr-defined]
    assert names(built.app) == [("Tenant", "unknown")]
    better = Starlette(routes=[Route("/x", endpoint)])
    better.add_middleware(GZipMiddleware)
    better.add_middleware(Tenant)
    built = better.build_middleware_stack().app  # type: ignore[attr-defined]
    assert names(built.app.app) == []


def test_fastapi_inputs_behind_middleware() -> None:
    fastapi = pytest.importorskip("fastapi")

    def build(*middleware: Any) -> Any:
        app = fastapi.FastAPI(openapi_url=None)
        for one in middleware:
            app.add_middleware(one)

        @app.get("/x")
        @cached(60)
        async def handler(q: str = "") -> int:
            return 1

        (record,) = analyse(app, inner=app).records
        return record.inputs

    assert build() == build(GZipMiddleware) and build().query == ("q",)
    assert build(CORSMiddleware).headers == ("origin",) and not build(CORSMiddleware).raw
    assert build(Tenant).raw and build(Tenant).query is None and build(Tenant).all_headers
    app = fastapi.FastAPI()
    assert names(app.build_middleware_stack()) == []
