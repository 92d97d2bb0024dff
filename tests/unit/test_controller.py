import asyncio
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response

from fast_cache_middleware.config import CacheConfig, CacheDropConfig
from fast_cache_middleware.controller import (
    HOOKS,
    Controller,
    call_generate_cache_key,
    overridden_hooks,
    request_key,
)
from fast_cache_middleware.exceptions import ConfigError, NotFoundStorageError, TTLExpiredStorageError
from fast_cache_middleware.storages.base import BaseStorage


def request(**changes: Any) -> Request:
    scope = {
        "type": "http", "method": "GET", "scheme": "http", "path": "/users/1", "raw_path": b"/users/1",
        "query_string": b"", "headers": [(b"host", b"example.org")], "server": ("127.0.0.1", 80),
    }  # fmt: skip
    return Request({**scope, **changes})


def with_headers(**headers: str) -> Request:
    lines = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return request(headers=[(b"host", b"example.org"), *lines])


class CustomController(Controller):
    async def is_cachable_request(self, request: Request) -> bool:
        if request.headers.get("x-admin-request"):
            return False
        return await super().should_cache_request(request)

    async def generate_cache_key(self, request: Request) -> str:
        version = request.headers.get("api-version", "v1")
        return f"{version}:{await super().generate_cache_key(request)}"


def test_settings_have_defaults() -> None:
    controller = Controller()
    assert controller.cacheable_methods == {"GET"}
    assert controller.cacheable_status_codes == {200, 301, 308}
    assert controller.default_ttl is None
    assert controller.max_body_size == 1024 * 1024


def test_settings_are_normalised() -> None:
    controller = Controller(["get", "HEAD"], [200, 404], default_ttl=5, max_body_size=10)
    assert controller.cacheable_methods == {"GET", "HEAD"}
    assert controller.cacheable_status_codes == {200, 404}
    assert (controller.default_ttl, controller.max_body_size) == (5.0, 10)
    assert Controller([], []).cacheable_methods == Controller([], []).cacheable_status_codes == frozenset()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("cacheable_methods", value) for value in (["NOPE"], "GET", [""], [5], ["G T"])),
        *(("cacheable_status_codes", value) for value in ([99], [600], [True], ["200"], 200)),
        *(("default_ttl", value) for value in (-1, float("nan"), float("inf"), True, "60")),
        *(("max_body_size", value) for value in (0, -1, 1.5, True, None, "1")),
    ],
)
def test_impossible_settings_raise_value_error(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"Controller\.{field} "):
        Controller(**{field: value})


def test_the_default_hooks_follow_the_settings() -> None:
    controller = Controller(["GET", "HEAD"], [200, 404])
    for name in ("is_cachable_request", "should_cache_request"):
        hook = getattr(controller, name)
        assert asyncio.run(hook(request(method="HEAD"))) is True
        assert asyncio.run(hook(request(method="POST"))) is False
    assert asyncio.run(controller.is_cachable_response(Response(status_code=404))) is True
    assert asyncio.run(controller.is_cachable_response(Response(status_code=301))) is False


def test_the_documented_controller() -> None:
    controller = CustomController()
    assert overridden_hooks(controller) == {"is_cachable_request", "generate_cache_key"}
    for name in ("is_cachable_request", "should_cache_request"):
        assert asyncio.run(getattr(controller, name)(with_headers(x_admin_request="1"))) is False
        assert asyncio.run(getattr(controller, name)(request())) is True
        assert asyncio.run(getattr(controller, name)(request(method="POST"))) is False
    key = asyncio.run(call_generate_cache_key(controller, with_headers(api_version="v2"), CacheConfig()))
    assert key == f"v2:{request_key(request())}"


def test_either_name_of_the_request_hook_overrides_both() -> None:
    class OtherName(CustomController):
        async def should_cache_request(self, request: Request) -> bool:
            return not request.headers.get("x-beta") and await super().should_cache_request(request)

    class Mixin:
        async def should_cache_request(self, request: Request) -> bool:
            return False

    class Mixed(Mixin, Controller): ...

    for name in ("is_cachable_request", "should_cache_request"):
        hook = getattr(OtherName(), name)
        assert asyncio.run(hook(with_headers(x_beta="1"))) is False
        assert asyncio.run(hook(with_headers(x_admin_request="1"))) is False
        assert asyncio.run(hook(request())) is True
        assert asyncio.run(getattr(Mixed(), name)(request())) is False
    assert "is_cachable_request" in overridden_hooks(OtherName())
    assert overridden_hooks(Mixed()) == {"is_cachable_request"}


def test_overridden_hooks() -> None:
    class Plain(Controller):
        def helper(self) -> None: ...

    async def never(response: Response) -> bool:
        return False

    assert overridden_hooks(Controller()) == overridden_hooks(Plain()) == frozenset()
    for name in HOOKS:
        assert overridden_hooks(type("Custom", (Plain,), {name: getattr(CustomController, name)})()) <= {name}
        assert overridden_hooks(type("Custom", (Plain,), {name: never})()) == {name}
    controller = Controller()
    controller.is_cachable_response = never
    assert overridden_hooks(controller) == {"is_cachable_response"}


PARTS = st.tuples(
    st.text(max_size=6),
    st.text(max_size=6),
    st.lists(st.binary(max_size=4), max_size=2),
    st.text(st.characters(), max_size=6),
    st.none() | st.binary(max_size=6),
    st.binary(max_size=6),
)


def keyed(parts: Any) -> str:
    method, scheme, hosts, path, raw_path, query = parts
    lines = [(b"Host", host) for host in hosts]
    return request_key(
        request(method=method, scheme=scheme, headers=lines, path=path, raw_path=raw_path, query_string=query)
    )


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(PARTS, PARTS)
def test_the_default_key_is_injective_and_printable(one: Any, other: Any) -> None:
    assert (keyed(one) == keyed(other)) == (one == other)
    assert keyed(one).isascii()
    assert keyed(one).isprintable()


def test_the_default_key_keeps_lookalikes_apart() -> None:
    alike: list[dict[str, Any]] = [
        {},
        {"path": "/items/x?a=1", "raw_path": b"/items/x%3Fa=1"},
        {"path": "/items/x", "raw_path": b"/items/x", "query_string": b"a=1"},
        {"path": "/a/b", "raw_path": b"/a%2Fb"},
        {"path": "/a/b", "raw_path": b"/a/b"},
        {"path": "/a|b", "raw_path": b"/a|b"},
        {"path": "/caf\u00e9\ud800", "query_string": b"\xff"},
        {"scheme": "https"},
        {"method": "HEAD"},
        {"headers": []},
        {"headers": [], "server": None},
        {"raw_path": None},
        {"raw_path": b""},
    ]
    assert len({request_key(request(**changes)) for changes in alike}) == len(alike)


@pytest.mark.parametrize("is_async", [False, True])
def test_a_key_function_replaces_the_request_part(is_async: bool) -> None:
    def plain(request: Request) -> str:
        return f"path={request.url.path}"

    async def slow(request: Request) -> str:
        return plain(request)

    config = CacheConfig(key_func=slow if is_async else plain)
    assert asyncio.run(Controller().generate_cache_key(request(), config)) == "path=/users/1"
    assert asyncio.run(call_generate_cache_key(Controller(), request(), config)) == "path=/users/1"


class Keyword(Controller):
    async def generate_cache_key(self, request: Request, *, cache_configuration: CacheConfig | None = None) -> str:
        return f"k:{await super().generate_cache_key(request, cache_configuration)}"


class Position(Controller):
    async def generate_cache_key(self, request: Request, config: CacheConfig | None, /) -> str:
        return f"p:{await super().generate_cache_key(request, config)}"


class Forgetful(Controller):
    async def generate_cache_key(self, request: Request, cache_configuration: CacheConfig | None = None) -> str:
        return f"f:{await super().generate_cache_key(request)}"


class PassThrough(Controller):
    async def generate_cache_key(self, *args: Any, **kwargs: Any) -> str:
        return f"a:{await super().generate_cache_key(*args, **kwargs)}"


class OwnAlone(Controller):
    async def generate_cache_key(self, request: Request) -> str:
        return "mine"


def both(request: Request) -> str:
    return f"user={request.headers.get('x-user', '')}"


@pytest.mark.parametrize(
    ("controller", "key"),
    [
        (Controller(), "user=ann"),
        (Keyword(), "k:user=ann"),
        (Position(), "p:user=ann"),
        (Forgetful(), "f:user=ann"),
        (PassThrough(), "a:user=ann"),
        (CustomController(), "v1:user=ann"),
        (OwnAlone(), "4:mine|user=ann"),
    ],
)
def test_a_key_function_is_never_lost(controller: Controller, key: str) -> None:
    config = CacheConfig(key_func=both)
    assert asyncio.run(call_generate_cache_key(controller, with_headers(x_user="ann"), config)) == key


def test_an_override_may_sit_on_the_instance() -> None:
    async def own(request: Request) -> str:
        return "own"

    controller = Controller()
    controller.generate_cache_key = own
    assert asyncio.run(call_generate_cache_key(controller, request(), None)) == "own"
    assert asyncio.run(call_generate_cache_key(OwnAlone(), request(), CacheConfig())) == "mine"


def test_a_key_that_is_no_text_is_refused() -> None:
    class Wrong(Controller):
        async def generate_cache_key(self, request: Request) -> Any:
            return 5

    with pytest.raises(ConfigError, match=r"Wrong\.generate_cache_key must return a str, got 5"):
        asyncio.run(call_generate_cache_key(Wrong(), request(), None))
    with pytest.raises(ConfigError, match=r"CacheConfig\.key_func must return a str, got None"):
        asyncio.run(Controller().generate_cache_key(request(), CacheConfig(key_func=lambda request: None)))


def test_keys_made_at_the_same_time_do_not_see_each_others_config() -> None:
    async def main() -> list[str]:
        gate = asyncio.Event()

        class Waiting(Controller):
            async def generate_cache_key(self, request: Request) -> str:
                await gate.wait()
                return await super().generate_cache_key(request)

        controller = Waiting()
        configs = [CacheConfig(key_func=lambda request, name=name: name) for name in ("a", "b")]
        calls = [asyncio.create_task(call_generate_cache_key(controller, request(), config)) for config in configs]
        gate.set()
        return list(await asyncio.gather(*calls))

    assert asyncio.run(main()) == ["a", "b"]


class Recording(BaseStorage):
    def __init__(self) -> None:
        self.entries: dict[str, tuple[Response, Request, Mapping[str, Any]]] = {}
        self.deleted: list[re.Pattern[str]] = []

    async def set(self, key: str, response: Response, request: Request, metadata: Mapping[str, Any]) -> None:
        self.entries[key] = (response, request, metadata)

    async def get(self, key: str) -> tuple[Response, Request, Mapping[str, Any]] | None:
        if key == "expired":
            raise TTLExpiredStorageError(key)
        if key == "missing":
            raise NotFoundStorageError(key)
        return self.entries.get(key)

    async def delete(self, path: re.Pattern[str]) -> None:
        self.deleted.append(path)


def test_the_storage_hooks_talk_to_the_storage() -> None:
    async def main() -> None:
        controller, storage, response, asked = Controller(), Recording(), Response("x"), request()
        await controller.cache_response("key", asked, response, storage, 60.0)
        assert storage.entries == {"key": (response, asked, {"ttl": 60.0})}
        assert await controller.get_cached_response("key", storage) is response
        for key in ("other", "expired", "missing"):
            assert await controller.get_cached_response(key, storage) is None
        await controller.invalidate_cache(CacheDropConfig(["/a", "/b/{id}"]).filled({"id": 7}), storage)
        assert [bool(pattern.match("/b/7/x")) for pattern in storage.deleted] == [False, True]
        with pytest.raises(ConfigError, match="'id'"):
            await controller.invalidate_cache(CacheDropConfig(["/b/{id}"]), storage)

    asyncio.run(main())
