"""`get_cache` and `CacheHandle`: the cache from code."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import pytest
from asgi_client import request as send_request
from contract.support import Client, Counter, fastapi_app
from fastapi import Depends, FastAPI, Request
from fastapi.security import HTTPBearer

from fast_cache_middleware import CacheConfig, CacheHandle, ConfigError, FastCacheMiddleware, get_cache

Dropping = Callable[[CacheHandle], Awaitable[None]]


async def read_user(user_id: int) -> int:
    return user_id


async def read_other() -> int:
    return 0


def build(drop: Dropping | None = None) -> FastAPI:
    app: FastAPI = fastapi_app()
    config = CacheConfig(60, tags=["users", "user:{user_id}"])
    app.get("/users/{user_id}", dependencies=[config])(read_user)
    app.get("/other", dependencies=[CacheConfig(60, tags=["other"])])(read_other)

    @app.post("/by-request")
    async def by_request(request: Request) -> None:
        if drop is not None:
            await drop(get_cache(request))

    @app.post("/by-depends")
    async def by_depends(cache: Annotated[CacheHandle, Depends(get_cache)]) -> None:
        if drop is not None:
            await drop(cache)

    return app


READ = ("/users/1", "/users/2", "/other")

DROPS: list[tuple[str, Dropping, list[str]]] = [
    ("path", lambda cache: cache.drop(paths=["/users/1"]), ["/users/1"]),
    ("glob", lambda cache: cache.drop(paths=["/users/*"]), ["/users/1", "/users/2"]),
    ("regex", lambda cache: cache.drop(paths=[r"^/users/[2-9]$"]), ["/users/2"]),
    ("compiled", lambda cache: cache.drop(paths=[re.compile("/OTHER", re.I)]), ["/other"]),
    ("tag", lambda cache: cache.drop(tags=["user:2"]), ["/users/2"]),
    ("tags", lambda cache: cache.drop(tags=["users", "other"]), list(READ)),
    ("endpoint", lambda cache: cache.drop(endpoints=[read_user]), ["/users/1", "/users/2"]),
    ("all", lambda cache: cache.drop(["/users/1"], tags=["other"], endpoints=[read_other]), ["/users/1", "/other"]),
    ("soft", lambda cache: cache.drop(tags=["users"], soft=True), ["/users/1", "/users/2"]),
    ("nothing", lambda cache: cache.drop(), []),
    ("positional", lambda cache: cache.drop(["/users/1"]), ["/users/1"]),
    ("clear", lambda cache: cache.clear(), list(READ)),
]  # fmt: skip


@pytest.mark.parametrize("where", ["/by-request", "/by-depends", "storage"])
@pytest.mark.parametrize("drop,dropped", [case[1:] for case in DROPS], ids=[case[0] for case in DROPS])
def test_drop(where: str, drop: Dropping, dropped: list[str]) -> None:
    app = build(drop)
    client = Client(app)
    client.outcomes(*READ)
    assert client.outcomes(*READ) == ["HIT"] * 3
    if where == "storage":
        asyncio.run(drop(CacheHandle(app.state.storage, app=app)))
    else:
        assert client.post(where).status == 200
    assert [path for path in READ if client.get(path).cache == "MISS"] == dropped


def test_a_handle_on_the_storage_alone_needs_no_app() -> None:
    app = build()
    client = Client(app)
    client.outcomes(*READ)
    cache = CacheHandle(app.state.storage)
    asyncio.run(cache.drop(tags=["user:1"]))
    assert client.outcomes(*READ) == ["MISS", "HIT", "HIT"]
    with pytest.raises(ConfigError, match="endpoints"):
        asyncio.run(cache.drop(endpoints=[read_user]))
    asyncio.run(CacheHandle(app.state.storage, app=app).drop(endpoints=[read_user]))
    assert client.outcomes(*READ) == ["MISS", "MISS", "HIT"]


def test_impossible_drops_are_refused() -> None:
    app = build()
    Client(app).start()
    cache = CacheHandle(app.state.storage, app=app)
    for arguments, said in (
        ({"paths": ["users"]}, "paths"),
        ({"paths": ["/users/{user_id}"]}, "user_id"),
        ({"paths": ["^("]}, "paths"),
        ({"tags": "users"}, "tags"),
        ({"endpoints": [print]}, "print"),
        ({"tags": ["a"], "soft": 1}, "soft"),
    ):
        with pytest.raises(ConfigError, match=said):
            asyncio.run(cache.drop(**arguments))  # type: ignore[arg-type]


def test_a_drop_that_returned_is_seen_by_every_later_request() -> None:
    app = build()

    async def run() -> list[str | None]:
        cache = CacheHandle(app.state.storage)
        seen = []
        for _ in range(3):
            await send_request(app, "GET", "/other")
            await cache.drop(paths=["^/other"])
            seen.append((await send_request(app, "GET", "/other")).cache)
        return seen

    assert asyncio.run(run()) == ["MISS"] * 3


def test_without_the_middleware_there_is_no_cache() -> None:
    app = FastAPI()

    @app.get("/x")
    async def endpoint(request: Request) -> str:
        with pytest.raises(ConfigError, match="FastCacheMiddleware"):
            get_cache(request)
        return "no cache"

    # Another application in this process has one: two of them, so that it is clear that none is meant.
    others = [build(), build()]
    for other in others:
        Client(other).start()
    assert Client(app).get("/x").status == 200


STATS = {"hits", "misses", "stale", "revalidated", "bypasses", "stores", "drops", "evictions", "entries", "bytes"}


def test_stats() -> None:
    app = build(lambda cache: cache.drop(paths=["/users/1"]))
    client = Client(app)
    cache = CacheHandle(app.state.storage)
    assert {name: cache.stats()[name] for name in STATS} == dict.fromkeys(STATS, 0)
    client.outcomes("/users/1", "/users/1", "/users/1", "/users/2", "/other", "/users/x")
    client.get("/other", [("if-match", "*")])
    client.post("/by-request")
    stats = cache.stats()
    assert set(stats) == STATS | {"by_route"}
    assert {name: stats[name] for name in STATS - {"bytes", "entries"}} == {
        "hits": 2, "misses": 3, "stale": 0, "revalidated": 0, "bypasses": 2, "stores": 3, "drops": 1, "evictions": 0,
    }  # fmt: skip
    assert stats["entries"] in (2, 3)
    assert 0 < stats["bytes"] < 10_000
    users = stats["by_route"]["/users/{user_id}"]
    # The parameter of "/users/x" is not the integer that it must be, so the cache keeps out of it.
    assert (users["hits"], users["misses"], users["bypasses"], users["stores"]) == (2, 2, 1, 2)
    assert set(users) == STATS
    assert {name: stats["by_route"]["/other"][name] for name in ("hits", "misses", "bypasses", "stores")} == {
        "hits": 0, "misses": 1, "bypasses": 1, "stores": 1,
    }  # fmt: skip
    json.dumps(stats)
    asyncio.run(cache.clear())
    assert (cache.stats()["entries"], len(app.state.storage)) == (0, 0)
    assert cache.stats()["hits"] == 2


def test_explain() -> None:
    app: FastAPI = fastapi_app()
    config = CacheConfig(60, tags=["users", "user:{user_id}"], vary=["accept-language", "x-secret"])

    @app.get("/users/{user_id}", dependencies=[config])
    async def read(user_id: int, token: Annotated[Any, Depends(HTTPBearer(auto_error=False))], page: int = 1) -> int:
        return user_id

    app.get("/plain")(Counter())
    explained: dict[str, Any] = {}

    @app.middleware("http")
    async def explain(request: Request, call_next: Any) -> Any:
        explained.clear()
        explained.update(get_cache(request).explain(request))
        return await call_next(request)

    headers = [("authorization", "Bearer s3cret"), ("accept-language", "de"), ("x-secret", "hush")]
    client = Client(app)
    client.start()
    client.get("/users/7?page=2", headers)
    keys = {"outcome", "reason", "route", "key", "age", "remaining", "tags"}
    assert set(explained) == keys
    assert (explained["outcome"], explained["reason"], explained["age"], explained["remaining"]) == (
        "MISS", "absent", None, None,
    )  # fmt: skip
    app.state.clock.advance(10)
    assert client.get("/users/7?page=2", headers).cache == "HIT"
    assert set(explained) == keys
    assert (explained["outcome"], explained["reason"], explained["route"]) == ("HIT", None, "/users/{user_id}")
    assert (explained["age"], explained["remaining"]) == (10.0, 50.0)
    assert explained["tags"] == ["users", "user:7"]
    key = explained["key"]
    assert (key["scheme"], key["host"], key["path"], key["raw_path"]) == ("http", "testserver", "/users/7", "/users/7")
    assert (key["query:page"], key["header:accept-language"]) == ("2", "de")
    assert key["header:authorization"].startswith("hashed:")
    assert "s3cret" not in json.dumps(explained) and "hush" not in json.dumps(explained)
    assert client.get("/users/7", [("if-match", "*")]).cache == "BYPASS"
    assert (explained["outcome"], explained["reason"]) == ("BYPASS", "request-precondition")
    client.get("/plain")
    assert (explained["outcome"], explained["route"], explained["key"]) == (None, None, {})
    before = CacheHandle(app.state.storage).stats()
    asyncio.run(_explain_only(app))
    assert CacheHandle(app.state.storage).stats() == before


async def _explain_only(app: FastAPI) -> None:
    from asgi_client import scope_for

    scope = scope_for("GET", "/users/7?page=2")
    CacheHandle(app.state.storage, app=app).explain(Request(scope))


def test_explain_inside_a_mounted_application() -> None:
    inner = FastAPI()
    explained: list[dict[str, Any]] = []

    @inner.get("/x", dependencies=[CacheConfig(60)])
    async def read(request: Request, cache: Annotated[CacheHandle, Depends(get_cache)]) -> None:
        explained.append(cache.explain(request))

    outer: FastAPI = fastapi_app()
    outer.get("/x", dependencies=[CacheConfig(60)])(Counter())
    outer.mount("/in", inner)
    assert Client(outer).get("/in/x").cache == "MISS"
    assert (explained[0]["outcome"], explained[0]["route"]) == ("MISS", "/in/x")


def test_a_mounted_application_may_bring_its_own_cache() -> None:
    inner, outer = fastapi_app(), fastapi_app()

    @inner.post("/w")
    async def write(cache: Annotated[CacheHandle, Depends(get_cache)]) -> None:
        await cache.clear()

    inner.get("/x", dependencies=[CacheConfig(60)])(Counter())
    outer.get("/x", dependencies=[CacheConfig(60)])(Counter())
    outer.mount("/in", inner)
    client = Client(outer)
    assert client.outcomes("/x", "/x", "/in/x", "/in/x") == ["MISS", "HIT", "MISS", "HIT"]
    assert client.post("/in/w").status == 200
    assert client.outcomes("/x", "/in/x") == ["HIT", "MISS"]


@pytest.mark.parametrize("outside", [False, True])
def test_get_cache_inside_a_mounted_application(outside: bool) -> None:
    inner = FastAPI()

    @inner.post("/w")
    async def write(cache: Annotated[CacheHandle, Depends(get_cache)]) -> None:
        await cache.drop(tags=["t"])

    inner.get("/x", dependencies=[CacheConfig(60, tags=["t"])])(Counter())
    outer: Any = FastAPI() if outside else fastapi_app()
    outer.mount("/in", inner)
    client = Client(FastCacheMiddleware(outer) if outside else outer)
    others = [build(), build()]
    for other in others:
        Client(other).start()
    assert client.outcomes("/in/x", "/in/x") == ["MISS", "HIT"]
    assert client.post("/in/w").status == 200
    assert client.get("/in/x").cache == "MISS"


def test_a_route_that_takes_the_handle_is_not_raw() -> None:
    app: FastAPI = fastapi_app()
    counter = Counter()

    @app.get("/x", dependencies=[CacheConfig(60)])
    async def read(cache: Annotated[CacheHandle, Depends(get_cache)]) -> int:
        return counter()

    client = Client(app)
    assert client.outcomes("/x", "/x?utm_source=a") == ["MISS", "HIT"]
    assert client.get("/x", [("cookie", "a=b")]).cache == "HIT"
