"""`x-cache-age` in the OpenAPI schema."""

import json
from typing import Any

from contract.support import Client, Counter, fastapi_app
from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi

from fast_cache_middleware import CacheConfig, CacheDropConfig, Controller, FastCacheMiddleware


def ages(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        f"{method} {path}": operation["x-cache-age"]
        for path, item in schema["paths"].items()
        for method, operation in item.items()
        if "x-cache-age" in operation
    }


def build(**options: Any) -> FastAPI:
    app: FastAPI = fastapi_app(options=options)
    app.get("/whole/{item:int}", dependencies=[CacheConfig(60)])(Counter())
    app.get("/half", dependencies=[CacheConfig(0.5)])(Counter())
    app.get("/left-out", dependencies=[CacheConfig()])(Counter())
    app.get("/http", dependencies=[CacheConfig(None)])(Counter())
    app.get("/none")(Counter())
    app.post("/half", dependencies=[CacheDropConfig(paths=["/half"])])(Counter())
    router = APIRouter(prefix="/r", dependencies=[CacheConfig(7)])
    router.get("/x")(Counter())
    app.include_router(router)
    return app


EXPECTED = {"get /whole/{item}": 60, "get /half": 0.5, "get /left-out": 300, "get /r/x": 7}


def test_cached_operations_carry_their_seconds() -> None:
    app = build()
    Client(app).start()
    assert ages(app.openapi()) == EXPECTED
    assert ages(app.openapi()) == EXPECTED
    untouched = FastAPI()
    assert set(app.openapi()) == set(untouched.openapi())


def test_also_over_http_and_without_a_lifespan() -> None:
    app = build()
    client = Client(app)
    assert ages(json.loads(client.get("/openapi.json").body)) == EXPECTED
    assert client.get("/docs").status == 200


def test_the_default_of_the_controller() -> None:
    app = build(controller=Controller(default_ttl=12))
    Client(app).start()
    assert ages(app.openapi()) == {**EXPECTED, "get /left-out": 12}


def test_a_schema_that_was_made_before_the_start() -> None:
    app = build()
    assert ages(app.openapi()) == {}
    client = Client(app)
    client.start()
    assert ages(app.openapi()) == EXPECTED
    assert ages(json.loads(client.get("/openapi.json").body)) == EXPECTED


def test_a_custom_openapi_function() -> None:
    app = build()

    def custom() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = get_openapi(title="Mine", version="7", routes=app.routes)
            app.openapi_schema["info"]["x-logo"] = "logo.png"
        return app.openapi_schema

    app.openapi = custom  # type: ignore[method-assign]
    client = Client(app)
    served = json.loads(client.get("/openapi.json").body)
    assert (served["info"]["title"], served["info"]["x-logo"]) == ("Mine", "logo.png")
    assert ages(served) == ages(app.openapi()) == EXPECTED


def test_a_regenerated_schema_and_late_routes() -> None:
    app = build()
    client = Client(app)
    assert ages(json.loads(client.get("/openapi.json").body)) == EXPECTED
    app.get("/late", dependencies=[CacheConfig(9)])(Counter())
    app.openapi_schema = None
    assert client.get("/late").cache == "MISS"
    assert ages(json.loads(client.get("/openapi.json").body)) == {**EXPECTED, "get /late": 9}


def test_a_mounted_application() -> None:
    outer: FastAPI = fastapi_app()
    inner = FastAPI()
    inner.get("/x", dependencies=[CacheConfig(5)])(Counter())
    outer.mount("/in", inner)
    client = Client(outer)
    assert client.outcomes("/in/x", "/in/x") == ["MISS", "HIT"]
    assert "/in/x" not in json.loads(client.get("/openapi.json").body)["paths"]
    assert ages(json.loads(client.get("/in/openapi.json").body)) == {"get /x": 5}


def test_applications_mounted_deeper_and_under_parameters() -> None:
    outer: FastAPI = fastapi_app()
    middle, inner = FastAPI(), FastAPI()
    inner.get("/x", dependencies=[CacheConfig(5)])(Counter())
    middle.get("/x", dependencies=[CacheConfig(6)])(Counter())
    outer.get("/x", dependencies=[CacheConfig(7)])(Counter())
    middle.mount("/deep", inner)
    outer.mount("/tenants/{tenant:int}", middle)
    Client(outer).start()
    assert [ages(app.openapi()) for app in (outer, middle, inner)] == [{"get /x": 7}, {"get /x": 6}, {"get /x": 5}]


def test_wrapped_from_outside() -> None:
    app = FastAPI()
    app.get("/x", dependencies=[CacheConfig(5)])(Counter())
    client = Client(FastCacheMiddleware(app))
    assert ages(json.loads(client.get("/openapi.json").body)) == {"get /x": 5}
    assert ages(app.openapi()) == {"get /x": 5}
