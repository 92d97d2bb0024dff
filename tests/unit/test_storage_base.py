import asyncio
import re
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from fast_cache_middleware.exceptions import ConfigError
from fast_cache_middleware.storages import BaseStorage, as_storage, request_without_credentials


class Calls:
    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    async def delete(self, path: re.Pattern[str]) -> None:
        self.calls.append(("delete", path))


class Duck(Calls):
    async def set(self, key: Any, response: Any, request: Any, metadata: Any) -> None:
        self.calls.append(("set", key, response, request, metadata))

    async def get(self, key: str) -> Any:
        self.calls.append(("get", key))
        return "found"


class Closable(Duck):
    async def close(self) -> None:
        self.calls.append(("close",))


class Older(Calls):
    async def store(self, key: Any, response: Any, request: Any, metadata: Any) -> None:
        self.calls.append(("set", key, response, request, metadata))

    async def retrieve(self, key: str) -> Any:
        self.calls.append(("get", key))
        return "found"

    async def close(self) -> None:
        self.calls.append(("close",))


class OlderSubclass(Older, BaseStorage): ...


class Complete(Duck, BaseStorage): ...


@pytest.mark.parametrize("kind", [Duck, Closable, Older, OlderSubclass, Complete])
def test_every_form_of_storage_is_called_alike(kind: type[Calls]) -> None:
    async def main(storage: BaseStorage) -> None:
        await storage.set("key", Response(), Request({"type": "http"}), {"ttl": 1})
        assert await storage.get("key") == "found"
        await storage.delete(re.compile("/a"))
        await storage.close()

    inner = kind()
    storage = as_storage(inner)
    assert isinstance(storage, BaseStorage)
    assert as_storage(storage) is storage
    assert (storage is inner) == (kind is Complete)
    asyncio.run(main(storage))
    expected = ["set", "get", "delete"] + ["close"] * hasattr(kind, "store") + ["close"] * (kind is Closable)
    assert [call[0] for call in inner.calls] == expected
    assert inner.calls[0][1] == "key"
    assert inner.calls[0][4] == {"ttl": 1}


def test_methods_may_sit_on_the_instance() -> None:
    async def nothing(*args: object) -> None: ...

    storage = BaseStorage()
    storage.set = storage.get = storage.delete = nothing
    assert as_storage(storage) is storage


class OnlyGet(BaseStorage):
    async def get(self, key: str) -> None:
        return None


@pytest.mark.parametrize(
    ("storage", "why"),
    [
        (BaseStorage(), "lacks the methods: set, get, delete"),
        (OnlyGet(), "OnlyGet lacks the methods: set, delete"),
        (Calls(), "lacks the methods: set, get"),
        ({}, "dict lacks the methods: set, delete"),
        (None, "lacks the methods"),
        ("redis://localhost", "str lacks the methods"),
        (Complete, r"write Complete\(\)"),
    ],
)
def test_what_is_no_storage_is_refused(storage: object, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        as_storage(storage)


def test_the_base_class_itself_stores_nothing() -> None:
    async def main() -> None:
        storage, response, request = BaseStorage(), Response(), Request({"type": "http"})
        with pytest.raises(NotImplementedError):
            await storage.set("key", response, request, {})
        with pytest.raises(NotImplementedError):
            await storage.get("key")
        with pytest.raises(NotImplementedError):
            await storage.delete(re.compile("/"))
        await storage.close()

    asyncio.run(main())


SCOPE: dict[str, Any] = {
    "type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "path": "/a", "root_path": "/r",
    "raw_path": b"/r/a?token=s3cret", "server": ("h", 80),
    "query_string": b"a=1&to%6ben=s3cret&b&token=x&a=2&x+y=s3cret",
    "headers": [
        (b"host", b"h"), (b"Authorization", b"s3cret"), (b"cookie", b"s3cret"), (b"accept", b"a"), (b"accept", b"b"),
        (b"Proxy-Authorization", b"s3cret"), (b"x-api-key", b"s3cret"), (b"COOKIE", b"s3cret"),
    ],
    "session": {"user": "s3cret"}, "user": "s3cret", "state": {"db": "s3cret"}, "app": "s3cret",
}  # fmt: skip


def test_a_kept_request_carries_no_credentials() -> None:
    kept = request_without_credentials(Request(SCOPE), headers=["X-API-Key"], query=["token", "x y"])
    assert "s3cret" not in repr(kept.scope)
    assert kept.scope["headers"] == [(b"host", b"h"), (b"accept", b"a"), (b"accept", b"b")]
    assert kept.scope["query_string"] == b"a=1&b&a=2"
    assert (kept.method, kept.scope["path"], kept.scope["raw_path"]) == ("GET", "/a", b"/r/a")
    assert kept.scope["server"] == ("h", 80)


def test_what_is_not_named_stays_byte_for_byte() -> None:
    query = b"&&a=%zz&=&\xff=1;b"
    kept = request_without_credentials(Request({**SCOPE, "query_string": query, "raw_path": None}))
    assert kept.scope["query_string"] == query
    assert "raw_path" not in kept.scope
    assert (b"x-api-key", b"s3cret") in kept.scope["headers"]
    assert len(SCOPE["headers"]) == 8
    hidden = request_without_credentials(Request({**SCOPE, "query_string": query}), query=["a"])
    assert hidden.scope["query_string"] == b"&&=&\xff=1;b"
