"""Every place where a config may stand, and which one counts."""

from typing import Annotated, Any

import pytest
from contract.support import Client, Counter, fastapi_app
from fastapi import APIRouter, Depends, FastAPI

from fast_cache_middleware import CacheConfig, CacheDropConfig, FastCacheMiddleware


def lifetime(app: Any, path: str = "/x") -> int | None:
    """How long answers live, by what `Cache-Status` says of a hit."""
    client = Client(app)
    first = client.get(path)
    assert first.status == 200
    if first.cache is None:
        return None
    hit = client.get(path)
    assert hit.cache == "HIT"
    return int((hit.header("cache-status") or "").partition("ttl=")[2])


def on_route(config: Any) -> FastAPI:
    app = fastapi_app()
    app.get("/x", dependencies=[config])(Counter())
    return app


def in_signature(annotation: Any) -> FastAPI:
    app = fastapi_app()
    counter = Counter()

    async def endpoint(config):  # type: ignore[no-untyped-def]
        return counter()

    endpoint.__annotations__["config"] = annotation
    app.get("/x")(endpoint)
    return app


def as_default() -> FastAPI:
    app = fastapi_app()
    counter = Counter()

    @app.get("/x")
    async def endpoint(config: None = Depends(CacheConfig(77))) -> int:
        return counter()

    return app


def bare_default() -> FastAPI:
    app = fastapi_app()
    counter = Counter()

    @app.get("/x")
    async def endpoint(config: None = CacheConfig(77)) -> int:  # type: ignore[assignment]
        return counter()

    return app


def on_router() -> FastAPI:
    app = fastapi_app()
    router = APIRouter(dependencies=[CacheConfig(77)])
    router.get("/x")(Counter())
    app.include_router(router)
    return app


def on_include() -> FastAPI:
    app = fastapi_app()
    router = APIRouter()
    router.get("/x")(Counter())
    app.include_router(router, dependencies=[CacheConfig(77)])
    return app


def on_app() -> FastAPI:
    app = fastapi_app(dependencies=[CacheConfig(77)])
    app.get("/x")(Counter())
    return app


def nested() -> FastAPI:
    app = fastapi_app()
    counter = Counter()

    async def inner(config: Annotated[None, CacheConfig(77)]) -> str:
        return "inner"

    async def outer(value: Annotated[str, Depends(inner)]) -> str:
        return value

    @app.get("/x")
    async def endpoint(value: Annotated[str, Depends(outer)]) -> list[Any]:
        return [value, counter()]

    return app


def make_config() -> CacheConfig:
    return CacheConfig(77)


def make_from_text() -> "CacheConfig":
    return CacheConfig(77)


@pytest.mark.parametrize(
    "app",
    [
        on_route(CacheConfig(77)),
        on_route(Depends(CacheConfig(77))),
        on_route(Depends(make_config)),
        on_route(Depends(make_from_text)),
        in_signature(Annotated[None, CacheConfig(77)]),
        in_signature(Annotated[None, Depends(CacheConfig(77))]),
        in_signature(Annotated[CacheConfig, Depends(make_config)]),
        as_default(),
        bare_default(),
        on_router(),
        on_include(),
        on_app(),
        nested(),
    ],
    ids=[
        "route", "depends", "factory", "factory-text", "annotated", "annotated-depends", "annotated-factory",
        "default-depends", "default", "router", "include", "app", "nested",
    ],
)  # fmt: skip
def test_each_place_counts(app: FastAPI) -> None:
    assert lifetime(app) == 77


def test_the_most_specific_place_wins() -> None:
    """Route, then its router, then `include_router`, then the app."""
    for places, expected in (
        ((1, 2, 3, 4), 1),
        ((None, 2, 3, 4), 2),
        ((None, None, 3, 4), 3),
        ((None, None, None, 4), 4),
        ((1, None, None, 4), 1),
        ((None, 2, None, 4), 2),
        ((None, 2, 3, None), 2),
    ):
        route, router, include, application = (
            [] if seconds is None else [CacheConfig(seconds * 10)] for seconds in places
        )
        app = fastapi_app(dependencies=application)
        inner = APIRouter(dependencies=router)
        inner.get("/x", dependencies=route)(Counter())
        app.include_router(inner, dependencies=include)
        assert lifetime(app) == expected * 10, places


def test_the_nearest_of_nested_routers_wins() -> None:
    for outer_config, inner_config, expected in ((10, 20, 20), (10, None, 10)):
        app = fastapi_app()
        inner = APIRouter(prefix="/in", dependencies=[] if inner_config is None else [CacheConfig(inner_config)])
        inner.get("/x")(Counter())
        outer = APIRouter(prefix="/out", dependencies=[CacheConfig(outer_config)])
        outer.include_router(inner)
        app.include_router(outer, prefix="/api")
        assert lifetime(app, "/api/out/in/x") == expected


def test_a_config_in_the_signature_is_the_routes_own() -> None:
    app = fastapi_app(dependencies=[CacheConfig(10)])
    counter = Counter()

    @app.get("/x")
    async def endpoint(config: Annotated[None, CacheConfig(77)]) -> int:
        return counter()

    assert lifetime(app) == 77


def test_routes_without_a_config_are_left_alone() -> None:
    app = fastapi_app()
    app.get("/cached", dependencies=[CacheConfig(60)])(Counter())
    app.get("/x")(Counter())
    client = Client(app)
    answers = [client.get("/x") for _ in range(2)]
    assert [(answer.body, answer.cache, answer.header("cache-status")) for answer in answers] == [
        (b"1", None, None), (b"2", None, None),
    ]  # fmt: skip


def test_other_factories_are_never_called_by_the_analysis() -> None:
    called: list[str] = []

    def with_parameter(seconds: int = 77) -> CacheConfig:
        called.append("with_parameter")
        return CacheConfig(seconds)

    def without_annotation():  # type: ignore[no-untyped-def]
        called.append("without_annotation")
        return CacheConfig(77)

    def of_something_else() -> int:
        called.append("of_something_else")
        return 1

    app = fastapi_app()
    for number, factory in enumerate((with_parameter, without_annotation, of_something_else)):
        app.get(f"/{number}", dependencies=[Depends(factory)])(Counter())
    app.get("/cached", dependencies=[CacheConfig(60)])(Counter())
    client = Client(app)
    client.start()
    assert called == []
    assert client.outcomes("/0", "/1", "/2", "/cached") == [None, None, None, "MISS"]


def make_drop() -> CacheDropConfig:
    return CacheDropConfig(tags=["factory"])


def test_drops_add_up_over_all_places() -> None:
    app = fastapi_app(dependencies=[CacheDropConfig(tags=["app"])])
    router = APIRouter(dependencies=[CacheDropConfig(tags=["router"])])

    async def helper(drop: Annotated[None, CacheDropConfig(tags=["nested"])]) -> None:
        return None

    @router.post("/w", dependencies=[CacheDropConfig(tags=["route"]), Depends(CacheDropConfig(tags=["second"]))])
    async def write(
        value: Annotated[None, Depends(helper)],
        drop: Annotated[None, CacheDropConfig(tags=["signature"])],
        made: Annotated[CacheDropConfig, Depends(make_drop)],
    ) -> None:
        return None

    app.include_router(router, dependencies=[CacheDropConfig(tags=["include"])])
    names = ["app", "router", "include", "route", "second", "signature", "nested", "factory", "untouched"]
    # Another application on the same storage: a read here would drop as well, for what the whole app is given.
    reader = fastapi_app(app.state.clock, options={"storage": app.state.storage})
    for name in names:
        reader.get(f"/r/{name}", dependencies=[CacheConfig(60, tags=[name])])(Counter())
    client = Client(reader)
    assert set(client.outcomes(*(f"/r/{name}" for name in names))) == {"MISS"}
    assert Client(app).post("/w").status == 200
    assert [name for name in names if client.get(f"/r/{name}").cache == "HIT"] == ["untouched"]


def test_a_config_may_stand_on_several_routes_and_apps() -> None:
    shared = CacheConfig(60)
    first, second = fastapi_app(), FastAPI()
    second.add_middleware(FastCacheMiddleware)
    for app in (first, second):
        app.get("/x", dependencies=[shared])(Counter())
        app.get("/y", dependencies=[shared, shared])(Counter())
        assert Client(app).outcomes("/x", "/x", "/y", "/y") == ["MISS", "HIT", "MISS", "HIT"]


def test_the_dependencies_beside_it_still_run() -> None:
    ran: list[str] = []
    app = fastapi_app()

    def audit() -> None:
        ran.append("audit")

    app.get("/x", dependencies=[Depends(audit), CacheConfig(60)])(Counter())
    client = Client(app)
    assert client.outcomes("/x", "/x") == ["MISS", "HIT"]
    assert ran == ["audit"]
