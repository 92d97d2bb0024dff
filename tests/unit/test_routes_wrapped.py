"""Middlewares of one route or one mounted app: a hit would skip them, so what stands behind them is only dropped."""

import functools
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route, Router

from fast_cache_middleware import CacheConfig, CacheDropConfig, CacheRule, FastCacheMiddleware, cached, drops
from fast_cache_middleware.compiling import unmatched_endpoints
from fast_cache_middleware.routes import RouteRecord, analyse, ask_framework


class Guard:
    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


def guarding(app: Any) -> Any:
    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    return guarded


def disguised(app: Any) -> Any:
    @functools.wraps(app)
    async def wrapper(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    return wrapper


@cached(60)
@drops(tags=["written"])
async def endpoint(request: Request) -> PlainTextResponse:
    return PlainTextResponse("")


class OwnApp(Starlette):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await super().__call__(scope, receive, send)


class OwnMount(Mount):
    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        await super().handle(scope, receive, send)


async def one() -> int:
    return 1


def only(record: RouteRecord) -> tuple[bool, int]:
    return record.cache is not None, len(record.drops)


def test_a_route_in_a_middleware_is_not_cached() -> None:
    guards = [Middleware(GZipMiddleware), Middleware(Guard), Middleware(guarding)]
    analysis = analyse(Starlette(routes=[Route("/x", endpoint, middleware=guards), Route("/y", endpoint)]))
    assert [only(record) for record in analysis.records] == [(False, 1), (True, 1)]
    assert analysis.warnings == (
        "GET /x: it is wrapped in Guard, guarding, which a hit would skip, so it is not cached",
    )
    assert analysis.skipped == (endpoint,)


def test_a_wrapper_that_takes_the_name_of_the_handler_is_seen() -> None:
    analysis = analyse(Starlette(routes=[Route("/x", endpoint, middleware=[Middleware(disguised)])]))
    assert only(analysis.records[0]) == (False, 1)
    assert "disguised" in analysis.warnings[0]


def test_a_route_in_a_neutral_middleware_is_cached() -> None:
    class Page:
        app = Guard(None)

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...

    routes = [
        Route("/gzip", endpoint, middleware=[Middleware(GZipMiddleware)]),
        Route("/cors", endpoint, middleware=[Middleware(CORSMiddleware)]),
        Route("/page", cached(60)(Page())),
    ]
    analysis = analyse(Starlette(routes=routes))
    assert all(record.cache is not None for record in analysis.records)
    assert [record.inputs.headers for record in analysis.records if record.inputs] == [(), ("origin",), ()]
    assert analysis.warnings == () == analysis.skipped


def test_a_rule_does_not_cache_such_a_route_either() -> None:
    async def unmarked(request: Request) -> None: ...

    app = Starlette(routes=[Route("/x", unmarked, middleware=[Middleware(Guard)])])
    analysis = analyse(app, rules=[CacheRule("/x", CacheConfig(5))])
    assert [only(record) for record in analysis.records] == [(False, 0)]
    assert analysis.warnings == ("GET /x: it is wrapped in Guard, which a hit would skip, so it is not cached",)


def test_a_route_of_fastapi_that_was_wrapped_by_hand() -> None:
    fastapi: Any = pytest.importorskip("fastapi")
    app: Any = fastapi.FastAPI(openapi_url=None)
    for path, wrapper in (("/guarded", Guard), ("/gzip", GZipMiddleware), ("/cors", CORSMiddleware)):
        app.get(path, dependencies=[CacheConfig(60), CacheDropConfig(tags=["written"])])(one)
        app.router.routes[-1].app = wrapper(app.router.routes[-1].app)
    analysis = analyse(app)
    assert [only(record) for record in analysis.records] == [(False, 1), (True, 1), (True, 1)]
    assert analysis.warnings == ("GET /guarded: it is wrapped in Guard, which a hit would skip, so it is not cached",)
    assert [record.inputs.headers for record in analysis.records if record.inputs] == [(), (), ("origin",)]


@pytest.mark.parametrize(
    ("mount", "name"),
    [
        (Mount("/sub", routes=[Route("/x", endpoint)], middleware=[Middleware(Guard)]), "Guard"),
        (Mount("/sub", app=Starlette(routes=[Route("/x", endpoint)], middleware=[Middleware(Guard)])), "Guard"),
        (Mount("/sub", app=Router(routes=[Route("/x", endpoint)], middleware=[Middleware(Guard)])), "Guard"),
        (Mount("/sub", app=guarding(Guard(Router(routes=[Route("/x", endpoint)])))), "guarding, Guard"),
        (Mount("/sub", app=OwnApp(routes=[Route("/x", endpoint)])), "OwnApp"),
        (OwnMount("/sub", routes=[Route("/x", endpoint)]), "OwnMount"),
        (Mount("/sub", app=Router([OwnMount("", app=GZipMiddleware(Router([Route("/x", endpoint)])))])), None),
    ],
)
def test_a_mounted_app_with_middleware_drops_and_is_not_cached(mount: Mount, name: str | None) -> None:
    app = Starlette(routes=[mount])
    analysis = analyse(app)
    record, *others = analysis.records
    assert (record.kind, record.path, only(record)) == ("route", "/sub/x", (False, 1))
    assert {(other.kind, other.path) for other in others} == {("opaque", "/sub")}
    (warning,) = analysis.warnings
    shown = "OwnMount, GZipMiddleware" if name is None else name
    assert warning == (
        f"/sub is mounted with middleware of its own ({shown}), which a hit would skip, so its routes are not cached"
    )
    scope = {"type": "http", "method": "GET", "path": "/sub/x", "root_path": "", "headers": [], "query_string": b""}
    assert ask_framework(analysis, scope) is record


def test_a_warning_needs_a_cache_config() -> None:
    @drops(tags=["written"])
    async def writing(request: Request) -> None: ...

    inner = Starlette(routes=[Route("/x", writing)], middleware=[Middleware(Guard)])
    analysis = analyse(Starlette(routes=[Mount("/a", app=inner), Host("b.example", app=inner)]))
    assert only(analysis.records[0]) == (False, 1) == only(analysis.asked[0])
    assert analysis.warnings == ()


def test_a_mounted_app_with_a_cache_of_its_own_is_left_to_it() -> None:
    async def writing(request: Request) -> None: ...

    inner = Starlette(routes=[Route("/x", endpoint), Route("/y", drops(methods=[endpoint])(writing))])
    inner.add_middleware(FastCacheMiddleware)
    analysis = analyse(Starlette(routes=[Mount("/sub", app=inner)]))
    assert [only(record) for record in analysis.records[:2]] == [(False, 1), (False, 1)]
    assert (*analysis.warnings, *unmatched_endpoints(analysis)) == ()


def test_apps_that_make_up_their_attributes_end() -> None:
    class Endless:
        def __call__(self, *args: Any) -> None: ...

        def __getattr__(self, name: str) -> "Endless":
            return Endless()

    class Unready:
        def __call__(self, *args: Any) -> None: ...

        def __getattr__(self, name: str) -> None:
            raise RuntimeError("nothing to stand for yet")

    endless: Any = Endless()
    unready: Any = Unready()
    analysis = analyse(Starlette(routes=[Mount("/endless", app=endless), Mount("/unready", app=unready)]))
    assert [(record.kind, record.path) for record in analysis.records] == [
        ("opaque", "/endless"),
        ("opaque", "/unready"),
    ]
