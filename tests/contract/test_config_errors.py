"""Impossible settings: at construction, or when the routes are read, and always by name."""

import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest
from asgi_client import lifespan
from contract.support import Client, Counter, fastapi_app
from fastapi import APIRouter, Depends, FastAPI

from fast_cache_middleware import (
    CacheConfig,
    CacheDropConfig,
    CacheRule,
    ConfigError,
    Controller,
    DropRule,
    FastCacheMiddleware,
    FastCacheMiddlewareError,
    InMemoryStorage,
    StorageError,
)


@pytest.mark.parametrize(
    "field,arguments",
    [
        ("max_age", {"max_age": -1}),
        ("max_age", {"max_age": float("nan")}),
        ("max_age", {"max_age": timedelta(seconds=-1)}),
        ("max_age", {"max_age": "300"}),
        ("max_age", {"max_age": True}),
        ("key_func", {"key_func": "not callable"}),
        ("vary", {"vary": "accept"}),
        ("vary", {"vary": ["*"]}),
        ("vary", {"vary": ["a b"]}),
        ("vary", {"vary": ["cookie:"]}),
        ("query", {"query": "page"}),
        ("ignore_query", {"ignore_query": [1]}),
        ("tags", {"tags": "users"}),
        ("tags", {"tags": [""]}),
        ("tags", {"tags": ["\ud800"]}),
        ("query", {"query": ["\ud800"]}),
        ("stale_while_revalidate", {"stale_while_revalidate": -1}),
        ("stale_if_error", {"stale_if_error": float("nan")}),
        ("early_refresh", {"early_refresh": -1}),
        ("early_refresh", {"early_refresh": float("inf")}),
        ("early_refresh", {"early_refresh": 10**400}),
        ("early_refresh", {"early_refresh": "1"}),
        ("jitter", {"jitter": 1}),
        ("jitter", {"jitter": float("nan")}),
        ("jitter", {"jitter": True}),
        ("coalesce", {"coalesce": 1}),
        ("follower_timeout", {"follower_timeout": -1}),
        ("follower_timeout", {"follower_timeout": 5, "coalesce": False}),
        ("public", {"public": "yes"}),
        ("strict_inputs", {"strict_inputs": None}),
        ("etag", {"etag": 1}),
    ],
)
def test_cache_config(field: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=rf"CacheConfig\.{field}"):
        CacheConfig(**arguments)


@pytest.mark.parametrize(
    "field,arguments",
    [
        ("paths", {"paths": "/users"}),
        ("paths", {"paths": ["users"]}),
        ("paths", {"paths": [""]}),
        ("paths", {"paths": ["^("]}),
        ("paths", {"paths": [b"/users"]}),
        ("paths", {"paths": ["/users/{"]}),
        ("paths", {"paths": ["/users/\ud800"]}),
        ("paths", {"paths": [re.compile("^/\ud800")]}),
        ("methods", {"methods": ["endpoint"]}),
        ("tags", {"tags": "users"}),
        ("soft", {"tags": ["a"], "soft": 1}),
        ("on", {"tags": ["a"], "on": 200}),
        ("on", {"tags": ["a"], "on": []}),
        ("on", {"tags": ["a"], "on": [99]}),
        ("CacheDropConfig", {}),
    ],
)
def test_cache_drop_config(field: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=field):
        CacheDropConfig(**arguments)


@pytest.mark.parametrize(
    "named,arguments",
    [
        ("namespace", {"namespace": 1}),
        ("cache_status", {"cache_status": "a b\n"}),
        ("controller", {"controller": object()}),
        ("storage", {"storage": object()}),
        ("storage", {"storage": InMemoryStorage}),
        ("rules", {"rules": [CacheConfig()]}),
        ("rules", {"rules": CacheRule("/a", CacheConfig())}),
        ("follower_timeout", {"follower_timeout": -1}),
        ("handler_timeout", {"handler_timeout": float("nan")}),
        ("client_directives", {"client_directives": "no"}),
        ("head_from_get", {"head_from_get": None}),
        ("coalesce", {"coalesce": 1}),
        ("undeclared_headers", {"undeclared_headers": "x-a"}),
        ("heuristics", {"heuristics": 1}),
        ("cdn_cache_control", {"cdn_cache_control": 1}),
        ("stale_on_error", {"stale_on_error": 1}),
        ("normalize_language", {"normalize_language": 1}),
    ],
)
def test_middleware(named: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=named):
        FastCacheMiddleware(FastAPI(), **arguments)


def test_middleware_options_are_keyword_only() -> None:
    with pytest.raises(TypeError):
        FastCacheMiddleware(FastAPI(), None, None, ())  # type: ignore[misc]


def test_controller_and_storage() -> None:
    with pytest.raises(ValueError, match="cacheable_methods"):
        Controller(cacheable_methods=["GETT"])
    with pytest.raises(ValueError, match="cacheable_status_codes"):
        Controller(cacheable_status_codes=[1000])
    for arguments in (
        {"max_size": 0},
        {"max_size": -1},
        {"ttl": 0},
        {"ttl": -1.0},
        {"max_bytes": 0},
        {"max_size": 2**70},
    ):
        with pytest.raises(StorageError, match=next(iter(arguments))):
            InMemoryStorage(**arguments)  # type: ignore[arg-type]


def cached_tag() -> FastAPI:
    app = fastapi_app()
    app.get("/users/{user_id}", dependencies=[CacheConfig(60, tags=["user:{nobody}"])])(Counter())
    return app


def drop_tag() -> FastAPI:
    app = fastapi_app()
    app.put("/users/{user_id}", dependencies=[CacheDropConfig(tags=["user:{nobody}"])])(Counter())
    return app


def drop_path() -> FastAPI:
    app = fastapi_app()
    router = APIRouter(prefix="/users")
    router.delete("/{user_id}", dependencies=[CacheDropConfig(paths=["/users/{nobody}"])])(Counter())
    app.include_router(router)
    return app


def in_a_mount() -> FastAPI:
    app, inner = fastapi_app(), FastAPI()
    inner.get("/users/{user_id}", dependencies=[CacheConfig(60, tags=["{nobody}"])])(Counter())
    app.mount("/api", inner)
    return app


def on_the_app() -> FastAPI:
    app = fastapi_app(dependencies=[CacheConfig(60, tags=["user:{nobody}"])])
    app.get("/users/{user_id}")(Counter())
    return app


PARTS = [
    (cached_tag, ["GET", "/users/{user_id}", "CacheConfig", "tags", "nobody"]),
    (drop_tag, ["PUT", "/users/{user_id}", "CacheDropConfig", "tags", "nobody"]),
    (drop_path, ["DELETE", "/users/{user_id}", "CacheDropConfig", "paths", "nobody"]),
    (in_a_mount, ["GET", "/api/users/{user_id}", "CacheConfig", "tags", "nobody"]),
    (on_the_app, ["GET", "/users/{user_id}", "CacheConfig", "tags", "nobody"]),
]


@pytest.mark.parametrize("build,parts", PARTS)
def test_the_lifespan_says_why_it_will_not_start(build: Any, parts: list[str]) -> None:
    sent: list[dict[str, Any]] = []

    async def run() -> None:
        received = [{"type": "lifespan.startup"}]

        async def receive() -> dict[str, Any]:
            return received.pop(0)

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await build()({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)

    with pytest.raises(ConfigError) as raised:
        asyncio.run(run())
    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    for part in parts:
        assert part in str(raised.value)
        assert part in sent[0]["message"]


@pytest.mark.parametrize("build,parts", PARTS)
def test_without_a_lifespan_the_first_request_says_it(build: Any, parts: list[str]) -> None:
    client = Client(build())
    for _ in range(2):
        with pytest.raises(ConfigError) as raised:
            client.get("/anything")
        assert all(part in str(raised.value) for part in parts)


def test_a_lifespan_of_the_users_own_does_not_run_then() -> None:
    ran: list[str] = []

    class Lifespan:
        def __init__(self, app: Any) -> None:
            pass

        async def __aenter__(self) -> None:
            ran.append("entered")

        async def __aexit__(self, *error: object) -> None:
            ran.append("left")

    app = fastapi_app(lifespan=Lifespan)
    app.get("/x/{a}", dependencies=[CacheConfig(60, tags=["{b}"])])(Counter())
    with pytest.raises(ConfigError):
        asyncio.run(lifespan(app))
    assert ran == []


def test_factories_that_fail_are_named() -> None:
    def broken() -> CacheConfig:
        raise RuntimeError("no settings")

    async def later() -> CacheConfig:
        return CacheConfig(60)

    for factory, said in ((broken, "no settings"), (later, "async")):
        app = fastapi_app()
        app.get("/x", dependencies=[Depends(factory)])(Counter())
        with pytest.raises(ConfigError, match=f"{factory.__name__}.*{said}"):
            Client(app).start()


def test_rules_name_their_path() -> None:
    with pytest.raises(ConfigError, match="path"):
        CacheRule("users", CacheConfig(60))
    with pytest.raises(ConfigError, match=r"/users/\{id\}.*nobody"):
        CacheRule("/users/{id}", CacheConfig(60, tags=["{nobody}"]))
    with pytest.raises(ConfigError, match="config"):
        DropRule("/users", CacheConfig(60))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="methods"):
        DropRule("/users", CacheDropConfig(tags=["a"]), methods=[])


def test_all_of_them_are_the_packages_own() -> None:
    assert issubclass(ConfigError, FastCacheMiddlewareError)
    assert issubclass(StorageError, FastCacheMiddlewareError)
    assert not issubclass(ConfigError, StorageError)
