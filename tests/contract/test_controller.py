"""`Controller`: its settings, and each hook overridden, alone and together."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import pytest
from contract.support import Client, Counter, fastapi_app
from fastapi import FastAPI, Request, Response
from starlette.responses import PlainTextResponse

from fast_cache_middleware import CacheConfig, CacheDropConfig, CacheHandle, Controller


def build(controller: Controller, **options: Any) -> tuple[Client, FastAPI]:
    app: FastAPI = fastapi_app(options={"controller": controller, **options})
    counter = Counter()

    @app.get("/x", dependencies=[CacheConfig(60)])
    async def endpoint(request: Request, response: Response, status: int = 200) -> int:
        response.status_code = status
        return counter()

    app.post("/x", dependencies=[CacheDropConfig(paths=["/x"])])(lambda: None)
    return Client(app), app


# -- settings ---------------------------------------------------------------------------------------------------------


def test_cacheable_status_codes() -> None:
    client, _ = build(Controller(cacheable_status_codes=[200, 404]))
    assert client.outcomes("/x", "/x", "/x?status=404", "/x?status=404") == ["MISS", "HIT", "MISS", "HIT"]
    client, _ = build(Controller(cacheable_status_codes=[404]))
    assert client.outcomes("/x", "/x") == ["MISS", "MISS"]


def test_cacheable_methods() -> None:
    app: FastAPI = fastapi_app(options={"controller": Controller(["GET", "post"])})
    counter = Counter()
    app.api_route("/x", methods=["GET", "POST", "PUT"], dependencies=[CacheConfig(60)])(counter)
    client = Client(app)
    assert [client.request("GET", "/x").body for _ in range(2)] == [b"1", b"1"]
    assert [client.request("POST", "/x").body for _ in range(2)] == [b"2", b"2"]
    assert [client.request("PUT", "/x").body for _ in range(2)] == [b"3", b"4"]
    assert client.request("PUT", "/x").cache == "BYPASS"
    assert client.request("POST", "/x", body=b"with a body").cache == "BYPASS"


def test_only_get_by_default() -> None:
    app: FastAPI = fastapi_app()
    app.api_route("/x", methods=["GET", "POST"], dependencies=[CacheConfig(60)])(Counter())
    client = Client(app)
    assert [client.post("/x").cache for _ in range(2)] == ["BYPASS", "BYPASS"]
    assert client.outcomes("/x", "/x") == ["MISS", "HIT"]


def test_max_body_size() -> None:
    app: FastAPI = fastapi_app(options={"controller": Controller(max_body_size=10)})

    @app.get("/{size}", dependencies=[CacheConfig(60)])
    async def endpoint(size: int) -> Response:
        return PlainTextResponse("x" * size)

    client = Client(app)
    assert client.outcomes("/10", "/10", "/11", "/11") == ["MISS", "HIT", "MISS", "MISS"]
    assert (client.get("/11").body, client.get("/10").body) == (b"x" * 11, b"x" * 10)


def test_the_default_body_limit_is_one_mebibyte() -> None:
    app: FastAPI = fastapi_app()

    @app.get("/{size}", dependencies=[CacheConfig(60)])
    async def endpoint(size: int) -> Response:
        return PlainTextResponse("x" * size)

    at, over = 1 << 20, (1 << 20) + 1
    assert Client(app).outcomes(f"/{at}", f"/{at}", f"/{over}", f"/{over}") == ["MISS", "HIT", "MISS", "MISS"]


# -- hooks ------------------------------------------------------------------------------------------------------------


class CustomController(Controller):
    async def is_cachable_request(self, request):  # type: ignore[no-untyped-def]
        if request.headers.get("x-admin-request"):
            return False
        return await super().should_cache_request(request)

    async def generate_cache_key(self, request):  # type: ignore[no-untyped-def]
        version = request.headers.get("api-version", "v1")
        return f"{version}:{await super().generate_cache_key(request)}"


def test_the_custom_controller_as_documented() -> None:
    client, _ = build(CustomController())
    assert client.outcomes("/x", "/x") == ["MISS", "HIT"]
    admin = [("x-admin-request", "1")]
    answer = client.get("/x", admin)
    assert (answer.cache, answer.body) == ("BYPASS", b"2")
    assert answer.header("cache-status") == "fast-cache; fwd=bypass; detail=hook"
    v2 = [("api-version", "v2")]
    assert [client.get("/x", v2).cache for _ in range(2)] == ["MISS", "HIT"]
    assert client.outcomes("/x", "/x?a=1", "/x?a=1") == ["HIT", "MISS", "HIT"]
    client.post("/x")
    assert [client.get("/x").cache, client.get("/x", v2).cache] == ["MISS", "MISS"]


@pytest.mark.parametrize("name", ["is_cachable_request", "should_cache_request"])
def test_both_names_of_the_request_hook(name: str) -> None:
    async def only_some(self: Controller, request: Request) -> bool:
        return "no" not in request.query_params

    controller = type("Mine", (Controller,), {name: only_some})()
    client, _ = build(controller)
    assert client.outcomes("/x", "/x", "/x?no=1", "/x?no=1") == ["MISS", "HIT", "BYPASS", "BYPASS"]


def test_is_cachable_response() -> None:
    class Mine(Controller):
        async def is_cachable_response(self, response: Response) -> bool:
            return bytes(response.body) != b"1" and await super().is_cachable_response(response)

    client, app = build(Mine())
    assert client.outcomes("/x", "/x", "/x") == ["MISS", "MISS", "HIT"]
    assert client.outcomes("/x?status=404", "/x?status=404") == ["MISS", "MISS"]
    assert CacheHandle(app.state.storage).stats()["stores"] == 1


class WithConfiguration(Controller):
    async def generate_cache_key(self, request: Request, cache_configuration: CacheConfig | None = None) -> str:
        assert cache_configuration is None or isinstance(cache_configuration, CacheConfig)
        return f"{request.headers.get('x-part', '')}/{cache_configuration is not None}"


def test_generate_cache_key_may_take_the_configuration() -> None:
    client, _ = build(WithConfiguration())
    part = [("x-part", "a")]
    assert client.get("/x?a=1", part).cache == "MISS"
    assert client.get("/x?a=2", part).cache == "HIT"
    assert client.get("/x?a=2", [("x-part", "b")]).cache == "MISS"


def test_the_identity_of_the_route_stays_in_a_hooks_key() -> None:
    class Same(Controller):
        async def generate_cache_key(self, request: Request) -> str:  # type: ignore[override]
            return "same"

    app: FastAPI = fastapi_app(options={"controller": Same()})
    app.get("/a", dependencies=[CacheConfig(60)])(lambda: "a")
    app.get("/b", dependencies=[CacheConfig(60)])(lambda: "b")
    client = Client(app)
    assert client.outcomes("/a", "/b", "/a", "/b") == ["MISS", "MISS", "HIT", "HIT"]
    assert client.get("/b").body == b'"b"'


def test_cache_response_and_get_cached_response() -> None:
    kept: dict[str, tuple[Response, Any]] = {}
    seen: list[Any] = []

    class Mine(Controller):
        async def cache_response(
            self, cache_key: str, request: Request, response: Response, storage: Any, max_age: float | None
        ) -> None:
            seen.append((type(request).__name__, response.status_code, max_age))
            await super().cache_response(cache_key, request, response, storage, max_age)

        async def get_cached_response(self, cache_key: str, storage: Any) -> Response | None:
            found = await super().get_cached_response(cache_key, storage)
            seen.append(None if found is None else bytes(found.body))
            return found

    client, _ = build(Mine())
    assert client.outcomes("/x", "/x") == ["MISS", "HIT"]
    assert seen == [None, ("Request", 200, 60.0), b"1"]
    assert not kept
    client.post("/x")
    assert client.get("/x").cache == "MISS"


def test_hooks_that_keep_responses_themselves() -> None:
    kept: dict[str, Response] = {}

    class Mine(Controller):
        async def cache_response(self, cache_key, request, response, storage, max_age):  # type: ignore[no-untyped-def]
            kept[cache_key] = response

        async def get_cached_response(self, cache_key, storage):  # type: ignore[no-untyped-def]
            return kept.get(cache_key)

        async def invalidate_cache(self, cache_drop_config, storage):  # type: ignore[no-untyped-def]
            kept.clear()

    client, app = build(Mine())
    assert client.outcomes("/x", "/x") == ["MISS", "HIT"]
    hit = client.get("/x")
    assert (hit.body, hit.status, hit.header("age")) == (b"1", 200, "0")
    assert (len(kept), len(app.state.storage)) == (1, 0)
    client.post("/x")
    assert client.outcomes("/x", "/x") == ["MISS", "HIT"]


def test_invalidate_cache_gets_each_config_filled_in() -> None:
    seen: list[tuple[list[str], tuple[str, ...]]] = []

    class Mine(Controller):
        async def invalidate_cache(self, cache_drop_config: CacheDropConfig, storage: Any) -> None:
            patterns = cache_drop_config.patterns()
            seen.append(([pattern.pattern for pattern in patterns], cache_drop_config.tags))
            assert all(pattern.match("/users/7/posts") for pattern in patterns)
            await super().invalidate_cache(cache_drop_config, storage)

    app: FastAPI = fastapi_app(options={"controller": Mine()})
    app.get("/users/{user_id}/posts", dependencies=[CacheConfig(60)])(Counter())
    drops = [CacheDropConfig(paths=["/users/{user_id}"], tags=["user:{user_id}"]), CacheDropConfig(paths=["/users/*"])]
    app.put("/users/{user_id}", dependencies=drops)(lambda: None)
    client = Client(app)
    assert client.outcomes("/users/7/posts", "/users/7/posts") == ["MISS", "HIT"]
    assert client.request("PUT", "/users/7").status == 200
    assert [tags for _, tags in seen[:2]] == [("user:7",), ()]
    assert client.get("/users/7/posts").cache == "MISS"


def test_an_invalidate_cache_that_does_nothing_still_leaves_the_drop() -> None:
    """What was promised to the writer holds whatever a hook does."""

    class Mine(Controller):
        async def invalidate_cache(self, cache_drop_config: CacheDropConfig, storage: Any) -> None:
            return None

    client, _ = build(Mine())
    assert client.outcomes("/x", "/x") == ["MISS", "HIT"]
    client.post("/x")
    assert client.get("/x").cache == "MISS"


def test_all_hooks_together_in_order() -> None:
    called: list[str] = []

    class Mine(Controller):
        async def is_cachable_request(self, request: Request) -> bool:
            called.append("is_cachable_request")
            return await super().is_cachable_request(request)

        async def is_cachable_response(self, response: Response) -> bool:
            called.append("is_cachable_response")
            return await super().is_cachable_response(response)

        async def generate_cache_key(self, request: Request, cache_configuration: CacheConfig | None = None) -> str:
            called.append("generate_cache_key")
            return await super().generate_cache_key(request, cache_configuration)

        async def cache_response(self, *arguments: Any) -> None:
            called.append("cache_response")
            await super().cache_response(*arguments)

        async def get_cached_response(self, *arguments: Any) -> Response | None:
            called.append("get_cached_response")
            return await super().get_cached_response(*arguments)

        async def invalidate_cache(self, *arguments: Any) -> None:
            called.append("invalidate_cache")
            await super().invalidate_cache(*arguments)

    client, _ = build(Mine())
    before = ["is_cachable_request", "generate_cache_key", "get_cached_response"]
    assert client.get("/x").cache == "MISS"
    assert called == [*before, "is_cachable_response", "cache_response"]
    called.clear()
    assert client.get("/x").cache == "HIT"
    assert called == before
    called.clear()
    client.post("/x")
    assert set(called) == {"invalidate_cache"}
    assert client.get("/x").cache == "MISS"


@pytest.mark.parametrize("hook", ["is_cachable_request", "generate_cache_key"])
def test_a_hook_that_raises_before_the_lookup_bypasses(hook: str, caplog: pytest.LogCaptureFixture) -> None:
    async def fail(self: Controller, *arguments: Any) -> Any:
        raise RuntimeError("a hook failed")

    client, _ = build(type("Mine", (Controller,), {hook: fail})())
    answers = [client.get("/x") for _ in range(2)]
    assert [(a.status, a.body, a.cache) for a in answers] == [(200, b"1", "BYPASS"), (200, b"2", "BYPASS")]
    assert "detail=hook-failed" in (answers[0].header("cache-status") or "")
    assert "a hook failed" in caplog.text


@pytest.mark.parametrize("hook", ["is_cachable_response", "cache_response", "get_cached_response"])
def test_a_hook_that_raises_later_is_a_miss(hook: str, caplog: pytest.LogCaptureFixture) -> None:
    async def fail(self: Controller, *arguments: Any) -> Any:
        raise RuntimeError("a hook failed")

    client, _ = build(type("Mine", (Controller,), {hook: fail})())
    answers = [client.get("/x") for _ in range(2)]
    assert [(a.status, a.body, a.cache) for a in answers] == [(200, b"1", "MISS"), (200, b"2", "MISS")]
    assert "a hook failed" in caplog.text


def test_an_invalidate_cache_that_raises_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Mine(Controller):
        async def invalidate_cache(self, cache_drop_config: CacheDropConfig, storage: Any) -> None:
            raise RuntimeError("a hook failed")

    client, _ = build(Mine())
    client.get("/x")
    assert client.post("/x").status == 200
    assert client.get("/x").cache == "MISS"
    assert "a hook failed" in caplog.text


def test_a_controller_without_overrides_runs_in_the_core() -> None:
    class Empty(Controller):
        """Only settings."""

    called: list[str] = []

    class Spying(Empty):
        def __getattribute__(self, name: str) -> Any:
            called.append(name)
            return super().__getattribute__(name)

    client, _ = build(Spying(default_ttl=5))
    client.start()
    called.clear()
    assert client.outcomes("/x", "/x") == ["MISS", "HIT"]
    assert called == []


def test_hooks_may_wait() -> None:
    class Mine(Controller):
        async def is_cachable_request(self, request: Request) -> bool:
            await asyncio.sleep(0)
            return True

        async def get_cached_response(self, cache_key: str, storage: Any) -> Response | None:
            await asyncio.sleep(0)
            return await super().get_cached_response(cache_key, storage)

    client, _ = build(Mine())
    assert client.outcomes("/x", "/x") == ["MISS", "HIT"]


def test_credentials_are_looked_after_beside_a_hook() -> None:
    """A controller's key does not make an answer anybody's."""

    class Mine(Controller):
        async def is_cachable_request(self, request: Request) -> bool:
            return True

    client, _ = build(Mine())
    mine, yours = [("authorization", "a")], [("authorization", "b")]
    assert [client.get("/x", headers).cache for headers in (mine, yours, mine)] == ["BYPASS"] * 3


def test_the_metadata_a_storage_sees_is_plain() -> None:
    given: list[Mapping[str, Any]] = []

    class Mine(Controller):
        async def cache_response(self, cache_key, request, response, storage, max_age):  # type: ignore[no-untyped-def]
            given.append({"ttl": max_age})
            await storage.set(cache_key, response, request, {"note": "mine"})

    logging.getLogger("fast_cache_middleware").debug("as an application would")
    client, app = build(Mine())
    assert client.outcomes("/x", "/x") == ["MISS", "HIT"]
    assert given == [{"ttl": 60.0}]
    assert len(app.state.storage) == 1
