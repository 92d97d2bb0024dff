"""Which configs count for a route, wherever they stand."""

import functools
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from fast_cache_middleware.config import CacheConfig, CacheDropConfig
from fast_cache_middleware.exceptions import ConfigError
from fast_cache_middleware.routes import RouteRecord, analyse
from fast_cache_middleware.rules import CacheRule, DropRule, cached, drops

fastapi: Any
try:
    import fastapi
    from fastapi import Depends
except ModuleNotFoundError:
    fastapi = Depends = None

needs_fastapi = pytest.mark.skipif(fastapi is None, reason="needs FastAPI")
DROP = CacheDropConfig(["/users/*"])
calls: list[str] = []


def endpoint(request: Request) -> PlainTextResponse:
    return PlainTextResponse("")


def make_config() -> CacheConfig:
    calls.append("made")
    return CacheConfig(33)


def make_drop() -> "CacheDropConfig":
    return DROP


def with_parameters(q: str = "") -> CacheConfig:
    raise AssertionError("never called by the analysis")


def unannotated():  # type: ignore[no-untyped-def]
    raise AssertionError("never called by the analysis")


def age(record: RouteRecord) -> float | None:
    return None if record.cache is None else record.cache.max_age


def first(app: Any, **options: Any) -> RouteRecord:
    return analyse(app, **options).records[0]


@needs_fastapi
def test_the_most_specific_place_wins_and_drops_add_up() -> None:
    other = CacheDropConfig(["/b"])
    router = fastapi.APIRouter(dependencies=[CacheConfig(3), DROP])
    router.get("/route", dependencies=[CacheConfig(4), DROP, other])(lambda: 1)
    router.get("/router")(lambda: 1)
    plain = fastapi.APIRouter()
    plain.get("/include")(lambda: 1)
    app = fastapi.FastAPI(openapi_url=None, dependencies=[CacheConfig(1)])
    app.include_router(router, dependencies=[CacheConfig(2)])
    app.include_router(plain, dependencies=[CacheConfig(2)])
    app.get("/app")(lambda: 1)
    records = analyse(app).records
    assert {record.path: age(record) for record in records} == {"/route": 4, "/router": 3, "/include": 2, "/app": 1}
    assert records[0].drops == (DROP, other)


@needs_fastapi
@pytest.mark.parametrize(
    "write",
    [
        lambda config: {"dependencies": [Depends(config)]},
        lambda config: {"annotation": Annotated[None, config]},
        lambda config: {"annotation": Annotated[None, Depends(config)]},
        lambda config: {"dependencies": [Depends(_nested(config))]},
    ],
)
@pytest.mark.parametrize("config", [CacheConfig(9), DROP])
def test_every_way_to_write_it(write: Callable[[Any], dict[str, Any]], config: Any) -> None:
    written = write(config)

    async def handler(_: Any = None) -> None: ...

    handler.__annotations__["_"] = written.get("annotation", int)
    if "annotation" in written:
        handler.__defaults__ = None
    app = fastapi.FastAPI(openapi_url=None)
    app.get("/x", dependencies=written.get("dependencies"))(handler)
    record = first(app)
    assert (record.cache is config) if isinstance(config, CacheConfig) else (record.drops == (config,))


def _nested(config: Any) -> Callable[..., None]:
    def dependency(_: Any) -> None: ...

    dependency.__annotations__["_"] = Annotated[None, config]
    return dependency


@needs_fastapi
def test_factories_are_called_once_if_they_say_what_they_make() -> None:
    calls.clear()
    app = fastapi.FastAPI(openapi_url=None)
    for path in ("/a", "/b"):
        app.get(path, dependencies=[Depends(make_config), Depends(make_drop)])(lambda: 1)
    app.get("/c", dependencies=[Depends(with_parameters), Depends(unannotated)])(lambda: 1)
    a, b, c = analyse(app).records
    assert a.cache is b.cache and age(a) == 33 and a.drops == (DROP,)
    assert calls == ["made"]
    assert c.cache is None


@needs_fastapi
def test_factories_that_cannot_be_used_are_refused() -> None:
    async def waits() -> CacheConfig:
        return CacheConfig()

    def fails() -> CacheConfig:
        raise RuntimeError("no settings")

    def lies() -> CacheConfig:
        return DROP  # type: ignore[return-value]

    for factory, message in ((waits, "plain function"), (fails, "no settings"), (lies, "must return a CacheConfig")):
        app = fastapi.FastAPI(openapi_url=None)
        app.get("/x", dependencies=[Depends(factory)])(lambda: 1)
        with pytest.raises(ConfigError, match=message):
            analyse(app)


@needs_fastapi
def test_a_mark_wins_over_dependencies() -> None:
    @cached(5)
    @drops(["/b"])
    async def handler() -> None: ...

    app = fastapi.FastAPI(openapi_url=None)
    app.get("/x", dependencies=[CacheConfig(1), DROP])(handler)
    record = first(app)
    assert age(record) == 5 and len(record.drops) == 2


def test_marks_on_starlette_endpoints() -> None:
    @functools.wraps(endpoint)
    def wrapping(request: Request) -> PlainTextResponse:
        return endpoint(request)

    marked = cached(8)(wrapping)
    app = Starlette(routes=[Route("/x/{number:int}", marked), Route("/y", endpoint)])
    record, other = analyse(app).records
    assert age(record) == 8 and other.cache is None and other.inputs is None
    assert record.inputs is not None and record.inputs.raw
    assert record.inputs.canonical == (("number", "int"),)


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        (cached(tags=["user:{user_id}"]), r"GET /m/\{id\}: CacheConfig\.tags names 'user_id'.*it has 'id'"),
        (drops(["/users/{user_id}"]), r"GET /m/\{id\}: CacheDropConfig\.paths names 'user_id'"),
        (drops(tags=["user:{user_id}"]), r"GET /m/\{id\}: CacheDropConfig\.tags names 'user_id'"),
    ],
)
def test_unknown_parameters_name_the_route_and_the_field(mark: Any, message: str) -> None:
    async def handler(request: Request) -> None: ...

    with pytest.raises(ConfigError, match=message):
        analyse(Starlette(routes=[Mount("/m", routes=[Route("/{id}", mark(handler))])]))


def test_parameters_of_mounts_are_known() -> None:
    async def handler(request: Request) -> None: ...

    marked = cached(tags=["t:{tenant}:{id}"])(handler)
    record = first(Starlette(routes=[Mount("/{tenant}", routes=[Route("/{id}", marked)])]))
    assert record.cache is not None


def test_rules_match_by_template_and_method() -> None:
    async def handler(request: Request) -> None: ...

    @cached(1)
    async def own(request: Request) -> None: ...

    app = Starlette(
        routes=[
            Route("/users/{id:int}", handler, methods=["GET", "POST", "PUT"]),
            Route("/own", own),
            Route("/class", type("Page", (), {"__call__": endpoint})()),
        ]
    )
    drop = CacheDropConfig(["/users/{id}"])
    rules = [
        CacheRule("/users/{id}", CacheConfig(60)),
        DropRule("/users/{id}", drop, methods=["POST"]),
        CacheRule("/own", CacheConfig(60)),
        CacheRule("/class", CacheConfig(61)),
        CacheRule("/user/{id}", CacheConfig(60)),
    ]
    analysis = analyse(app, rules=rules)
    seen = [(r.path, None if r.methods is None else sorted(r.methods), age(r), r.drops) for r in analysis.records]
    assert seen == [
        ("/users/{id:int}", ["GET", "HEAD"], 60, ()),
        ("/users/{id:int}", ["POST"], None, (drop,)),
        ("/users/{id:int}", ["PUT"], None, ()),
        ("/own", ["GET", "HEAD"], 1, ()),
        ("/class", ["GET", "HEAD"], 61, ()),
        ("/class", None, None, ()),
    ]
    assert analysis.warnings == ("CacheRule('/user/{id}') matches no route",)


def test_rules_alone_make_the_routes_of_an_app_without_any() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    rules = [CacheRule("/users/{id}", CacheConfig(60)), DropRule("/users/{id}", DROP, methods=["POST", "GET"])]
    analysis = analyse(app, rules=rules, inner=app)
    seen = [(r.kind, r.path, r.methods, age(r), r.drops, r.endpoint) for r in analysis.records]
    assert seen == [
        ("route", "/users/{id}", frozenset({"GET"}), 60, (DROP,), None),
        ("route", "/users/{id}", frozenset({"POST"}), None, (DROP,), None),
    ]
    assert all(record.inputs is not None and record.inputs.raw for record in analysis.records)
    assert analysis.warnings == ()
