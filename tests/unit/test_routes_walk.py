"""Routes become records in the framework's own order, and what plain data cannot say becomes `ask` or `opaque`."""

import re
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.endpoints import HTTPEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Host, Match, Mount, Route, Router, WebSocketRoute

from fast_cache_middleware.config import CacheConfig
from fast_cache_middleware.routes import Analysis, analyse, ask_framework
from fast_cache_middleware.rules import cached


async def endpoint(request: Request) -> PlainTextResponse:
    return PlainTextResponse("")


async def asgi(scope: Any, receive: Any, send: Any) -> None: ...


class HexConvertor(IntegerConvertor):
    regex = "[0-9a-f]+"


register_url_convertor("hexadecimal", HexConvertor())


def lines(analysis: Analysis) -> list[tuple[str, str]]:
    return [(record.kind, record.path) for record in analysis.records]


def scope_of(path: str, **more: Any) -> dict[str, Any]:
    return {"type": "http", "method": "GET", "path": path, "root_path": "", "headers": [], "query_string": b"", **more}


def test_a_starlette_app_in_order() -> None:
    class Page(HTTPEndpoint): ...

    app = Starlette(
        routes=[
            Route("/users/me", endpoint),
            Route("/users/{user_id:int}", endpoint, methods=["POST"]),
            WebSocketRoute("/live", endpoint),
            Route("/page", Page),
        ]
    )
    analysis = analyse(app)
    assert lines(analysis) == [("route", "/users/me"), ("route", "/users/{user_id:int}"), ("route", "/page")]
    assert [record.methods for record in analysis.records] == [frozenset({"GET", "HEAD"}), frozenset({"POST"}), None]
    assert analysis.records[2].endpoint is Page
    assert analysis.root is app
    assert analyse(app.router).root is app.router


def test_mounts_are_resolved_and_closed() -> None:
    inner = Router(routes=[Route("/{item}", endpoint), Mount("/deep", app=asgi)])
    app = Starlette(routes=[Mount("/{tenant}/sub/", app=inner), Mount("/static", app=asgi), Route("/last", endpoint)])
    analysis = analyse(app)
    assert lines(analysis) == [
        ("route", "/{tenant}/sub/{item}"),
        ("opaque", "/{tenant}/sub/deep"),
        ("opaque", "/{tenant}/sub"),
        ("opaque", "/static"),
        ("route", "/last"),
    ]
    assert analysis.records[1].endpoint is asgi


def test_subclasses_that_route_on_their_own_are_not_resolved_into() -> None:
    class OwnRouter(Router):
        async def app(self, scope: Any, receive: Any, send: Any) -> None:
            await super().app(scope, receive, send)

    analysis = analyse(Starlette(routes=[Mount("/b", app=OwnRouter([Route("/x", endpoint)]))]))
    assert lines(analysis) == [("opaque", "/b")]
    (warning,) = analysis.warnings
    assert warning.startswith("/b: ")
    assert warning.endswith("OwnRouter routes in its own way, so nothing behind it is cached or dropped")
    top = analyse(OwnRouter([Route("/x", endpoint)]))
    assert lines(top) == [("opaque", "")]
    assert "OwnRouter" in top.warnings[0]
    assert ask_framework(top, scope_of("/x")) is None


def test_an_app_mounted_in_itself_ends() -> None:
    app = Starlette()
    app.router.routes.append(Mount("/again", app=app))
    assert lines(analyse(app)) == [("opaque", "/again")]


def test_a_custom_convertor_is_asked_for() -> None:
    @cached(5)
    async def marked(request: Request) -> None: ...

    app = Starlette(routes=[Mount("/m", routes=[Route("/v/{number:hexadecimal}/x", marked)])])
    analysis = analyse(app)
    assert lines(analysis) == [("ask", "/m/v/"), ("opaque", "/m")]
    (hidden,) = analysis.asked
    assert hidden.path == "/m/v/{number:hexadecimal}/x"
    assert hidden.cache is not None
    assert ask_framework(analysis, scope_of("/m/v/12/x")) is hidden
    assert ask_framework(analysis, scope_of("/m/v/none/x")) is analysis.records[1]
    assert ask_framework(analysis, scope_of("/nowhere")) is None


def test_a_convertor_that_replaced_a_built_in_one_is_asked_for() -> None:
    route = Route("/x/{number:int}", endpoint)
    route.param_convertors["number"] = HexConvertor()
    assert lines(analyse(Starlette(routes=[route]))) == [("ask", "/x/")]


def test_a_changed_regex_is_asked_for() -> None:
    route = Route("/x/{y}", endpoint)
    route.path_regex = re.compile(route.path_regex.pattern, re.IGNORECASE)
    analysis = analyse(Starlette(routes=[route]))
    assert lines(analysis) == [("ask", "")]
    assert ask_framework(analysis, scope_of("/X/1")) is analysis.asked[0]


def test_own_matches_and_unknown_routes_are_asked_for() -> None:
    class Picky(Route):
        def matches(self, scope: Any) -> Any:
            return (Match.NONE, {}) if scope.get("picky") else super().matches(scope)

    class Unknown(BaseRoute):
        def matches(self, scope: Any) -> Any:
            return Match.NONE, {}

    patched = Route("/patched", endpoint)
    patched.matches = lambda scope: (Match.NONE, {})  # type: ignore[method-assign]
    analysis = analyse(Starlette(routes=[Picky("/x", endpoint), Unknown(), patched]))
    assert lines(analysis) == [("ask", ""), ("ask", ""), ("ask", "")]
    assert ask_framework(analysis, scope_of("/x")) is analysis.asked[0]
    assert ask_framework(analysis, scope_of("/x", picky=True)) is None
    assert ask_framework(analysis, scope_of("/patched")) is None


def test_hosts_are_asked_for() -> None:
    other = Route("/x", endpoint)
    app = Starlette(routes=[Host("{tenant}.test", app=Router([Route("/x", endpoint)])), other])
    analysis = analyse(app)
    assert lines(analysis) == [("ask", ""), ("route", "/x")]
    assert analysis.asked[0].host == "{tenant}.test"
    found = ask_framework(analysis, scope_of("/x", headers=[(b"host", b"one.test")]))
    assert found is analysis.asked[0]
    assert ask_framework(analysis, scope_of("/x", headers=[(b"host", b"elsewhere")])) is analysis.records[1]


@pytest.mark.parametrize("prefix", ["/{rest:path}", "/{item}"])
def test_mounts_that_a_template_cannot_describe_are_asked_for(prefix: str) -> None:
    app = Starlette(routes=[Mount(prefix, routes=[Route("/{item}", endpoint)])])
    analysis = analyse(app)
    assert analysis.records[0].kind == "ask"
    assert ask_framework(analysis, scope_of("/a/x")) is analysis.asked[0]


def test_the_method_decides() -> None:
    app = Starlette(routes=[Route("/x", endpoint, methods=["POST"]), Route("/x", endpoint)])
    analysis = analyse(app)
    assert ask_framework(analysis, scope_of("/x")) is analysis.records[1]
    assert ask_framework(analysis, scope_of("/x", method="POST")) is analysis.records[0]
    assert ask_framework(analysis, scope_of("/x", method="PUT")) is None


def test_late_routes_are_noticed() -> None:
    inner = Router()
    app = Starlette(routes=[Mount("/sub", app=inner)])
    analysis = analyse(app)
    assert not analysis.watch.changed()
    inner.routes.append(Route("/x", endpoint))
    assert analysis.watch.changed()
    assert analysis.watch.lists[0] is app.router.routes
    assert analysis.watch.owners == (app.router, inner)


def test_a_replaced_list_of_routes_is_noticed() -> None:
    app = Starlette(routes=[Route("/x", endpoint), Route("/y", endpoint)])
    analysis = analyse(app)
    routes = app.router.routes
    app.router.routes = list(routes)
    assert analysis.watch.changed()
    app.router.routes = routes
    assert not analysis.watch.changed()
    routes[-1] = Route("/z", endpoint)
    assert analysis.watch.changed()


def test_every_application_whose_overrides_count_is_named() -> None:
    fastapi = pytest.importorskip("fastapi")
    inner, hosted, app = (fastapi.FastAPI(openapi_url=None) for _ in range(3))
    app.mount("/one", inner)
    app.mount("/two", inner)
    app.mount("/plain", Starlette())
    app.router.routes.append(Host("api.example", app=hosted))
    assert [id(one) for one in analyse(app).overriders] == [id(app), id(inner), id(hosted)]
    assert analyse(app.router).overriders[0] is app
    assert analyse(Starlette()).overriders == ()


def test_an_included_router_keeps_order_and_identity() -> None:
    fastapi = pytest.importorskip("fastapi")
    inner = fastapi.APIRouter(prefix="/inner")

    @inner.get("/{item}", dependencies=[CacheConfig(7)])
    async def item(item: int) -> int:
        return item

    inner.mount("/mounted", Router([Route("/x", endpoint)]))
    outer = fastapi.APIRouter()
    outer.include_router(inner, prefix="/outer")
    app = fastapi.FastAPI(openapi_url=None)
    app.include_router(outer)
    app.add_route("/last", endpoint)
    analysis = analyse(app)
    record = analysis.records[0]
    assert (record.kind, record.path, record.endpoint) == ("route", "/outer/inner/{item}", item)
    assert record.cache is not None and record.cache.max_age == 7
    assert isinstance(record.route, fastapi.routing.APIRoute)
    assert analysis.records[-1].path == "/last"
    scope = scope_of("/outer/inner/3", fastapi={})
    assert ask_framework(analysis, scope) is record
    assert scope["fastapi"] == {}
    inner.get("/late/route")(item)
    if record.node is not record.route:
        assert analysis.watch.changed()


def test_a_mounted_root_path_is_asked_for() -> None:
    fastapi = pytest.importorskip("fastapi")
    moved = fastapi.FastAPI(openapi_url=None)
    moved.root_path = "/proxy"

    @moved.get("/sub/x")
    async def moved_endpoint() -> int:
        return 1

    analysis = analyse(Starlette(routes=[Mount("/sub", app=moved)]))
    assert lines(analysis) == [("ask", "/sub")]
    assert ask_framework(analysis, scope_of("/sub/x")) is analysis.asked[0]


def test_frontend_routes_shadow_nothing(tmp_path: Any) -> None:
    fastapi = pytest.importorskip("fastapi")
    app = fastapi.FastAPI(openapi_url=None)
    if not hasattr(app, "frontend"):
        pytest.skip("this FastAPI serves no frontends")
    (tmp_path / "index.html").write_text("front")
    app.frontend("/", directory=str(tmp_path))

    @app.get("/index.html")
    async def page() -> int:
        return 1

    analysis = analyse(app)
    assert lines(analysis) == [("route", "/index.html")]
    assert ask_framework(analysis, scope_of("/index.html")) is analysis.records[0]
    assert ask_framework(analysis, scope_of("/other")) is None


def test_route_classes_with_a_handler_of_their_own_are_raw() -> None:
    fastapi = pytest.importorskip("fastapi")

    class Logged(fastapi.routing.APIRoute):  # type: ignore[misc]
        def get_route_handler(self) -> Any:
            return super().get_route_handler()

    router = fastapi.APIRouter(route_class=Logged)

    @router.get("/x", dependencies=[CacheConfig()])
    async def logged(q: str = "") -> int:
        return 1

    @router.get("/wrapped", dependencies=[CacheConfig()])
    async def wrapped(q: str = "") -> int:
        return 1

    app = fastapi.FastAPI(openapi_url=None)
    app.include_router(router)
    app.get("/plain", dependencies=[CacheConfig()])(logged)
    app.get("/wrapped-app", dependencies=[CacheConfig()])(wrapped)
    app.router.routes[-1].app = GZipMiddleware(app.router.routes[-1].app)
    analysis = analyse(app)
    raw = {record.path: record.inputs is not None and record.inputs.raw for record in analysis.records}
    assert raw == {"/x": True, "/wrapped": True, "/plain": False, "/wrapped-app": True}
