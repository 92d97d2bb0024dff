"""`x-cache-age` in the schema, whoever generates it and however often."""

import json
from typing import Annotated, Any

import pytest

pytest.importorskip("fastapi")

from fastapi import APIRouter, Body, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.applications import Starlette

from fast_cache_middleware.config import CacheConfig, CacheDropConfig
from fast_cache_middleware.openapi import add_cache_age
from fast_cache_middleware.routes import analyse


def build() -> FastAPI:
    app = FastAPI(dependencies=[])
    router = APIRouter(prefix="/r")
    router.get("/half/{item:int}", dependencies=[CacheConfig(0.5)])(lambda: 1)
    app.include_router(router)
    app.get("/whole", dependencies=[CacheConfig(60)])(lambda: 1)
    app.post("/whole", dependencies=[CacheConfig(60), CacheDropConfig(["/x"])])(lambda: 1)
    app.get("/http", dependencies=[CacheConfig(None)])(lambda: 1)
    app.get("/default", dependencies=[CacheConfig()])(lambda: 1)
    app.get("/none")(lambda: 1)
    return app


def ages(schema: Any) -> dict[str, Any]:
    return {
        f"{method} {path}": operation["x-cache-age"]
        for path, item in schema["paths"].items()
        for method, operation in item.items()
        if "x-cache-age" in operation
    }


EXPECTED = {"get /r/half/{item}": 0.5, "get /whole": 60, "get /default": 300}


def test_cached_operations_carry_their_age() -> None:
    app = build()
    untouched = build()
    add_cache_age(app, lambda: analyse(app))
    assert app.openapi_schema is None
    schema = app.openapi()
    assert ages(schema) == EXPECTED
    assert type(schema["paths"]["/whole"]["get"]["x-cache-age"]) is int
    assert json.loads(json.dumps(schema)) == schema
    assert ages(untouched.openapi()) == {}
    assert ages(app.openapi_schema) == {}


def test_twice_is_once_and_the_newest_analysis_counts() -> None:
    app = build()
    add_cache_age(app, lambda: None)
    assert ages(app.openapi()) == {}
    add_cache_age(app, lambda: analyse(app), default_ttl=30)
    assert ages(app.openapi()) == {**EXPECTED, "get /default": 30}


def test_a_schema_made_before_or_again_is_marked() -> None:
    app = build()
    app.openapi()
    add_cache_age(app, lambda: analyse(app))
    assert ages(app.openapi()) == EXPECTED
    app.get("/late", dependencies=[CacheConfig(5)])(lambda: 1)
    app.openapi_schema = None
    assert ages(app.openapi()) == {**EXPECTED, "get /late": 5}


def test_own_openapi_functions_are_respected() -> None:
    app = build()

    def custom() -> dict[str, Any]:
        if not app.openapi_schema:
            app.openapi_schema = get_openapi(title="Mine", version="7", routes=app.routes)
        return app.openapi_schema

    app.openapi = custom  # type: ignore[method-assign]
    add_cache_age(app, lambda: analyse(app))
    schema = app.openapi()
    assert schema["info"]["title"] == "Mine"
    assert ages(schema) == EXPECTED
    app.openapi = lambda: "no schema"  # type: ignore[method-assign, assignment, return-value]
    add_cache_age(app, lambda: analyse(app))
    assert app.openapi() == "no schema"


def test_only_what_may_be_cached_is_marked() -> None:
    app = build()
    add_cache_age(app, lambda: analyse(app), methods=frozenset({"GET", "POST"}))
    assert ages(app.openapi()) == {**EXPECTED, "post /whole": 60}

    searching = FastAPI()

    @searching.get("/search", dependencies=[CacheConfig(60)])
    async def search(query: Annotated[dict[str, int], Body()]) -> int:
        return 1

    add_cache_age(searching, lambda: analyse(searching))
    assert ages(searching.openapi()) == {}


def test_the_first_route_of_a_path_counts() -> None:
    app = FastAPI()
    app.get("/x")(lambda: 1)
    app.get("/x", dependencies=[CacheConfig(5)], include_in_schema=False)(lambda: 2)
    add_cache_age(app, lambda: analyse(app))
    assert ages(app.openapi()) == {}


def test_apps_without_a_schema_are_left_alone() -> None:
    app = Starlette()
    add_cache_age(app, lambda: analyse(app))
    assert not hasattr(app, "openapi")
