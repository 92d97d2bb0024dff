"""Storages written in Python: a `BaseStorage`, or anything with its methods."""

import asyncio
import copy
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any

import pytest
from asgi_client import Message
from asgi_client import request as send_request
from contract.support import START, Client, Counter, fastapi_app
from fastapi import FastAPI, Request, Response, Security
from fastapi.security import APIKeyHeader
from starlette.responses import StreamingResponse

from fast_cache_middleware import (
    BaseSerializer,
    BaseStorage,
    CacheConfig,
    CacheDropConfig,
    CacheHandle,
    DefaultSerializer,
    InMemoryStorage,
    JSONSerializer,
    NotFoundStorageError,
    TTLExpiredStorageError,
)
from fast_cache_middleware._core import SystemClock

Kept = tuple[Response, Request, Mapping[str, Any]]


class DictStorage(BaseStorage):
    """The smallest storage."""

    def __init__(self) -> None:
        self.kept: dict[str, Kept] = {}
        self.deleted: list[re.Pattern[str]] = []
        self.closed = 0

    async def set(self, key: str, response: Response, request: Request, metadata: Mapping[str, Any]) -> None:
        self.kept[key] = (response, request, metadata)

    async def get(self, key: str) -> Kept | None:
        return self.kept.get(key)

    async def delete(self, path: re.Pattern[str]) -> None:
        self.deleted.append(path)
        self.kept = {key: kept for key, kept in self.kept.items() if not path.match(kept[1].url.path)}

    async def close(self) -> None:
        self.closed += 1


class RaisingNotFound(DictStorage):
    async def get(self, key: str) -> Kept | None:
        if key not in self.kept:
            raise NotFoundStorageError(key)
        return self.kept[key]


class RaisingExpired(DictStorage):
    async def get(self, key: str) -> Kept | None:
        if key not in self.kept:
            raise TTLExpiredStorageError(key)
        return self.kept[key]


class StoreRetrieve:
    """A class of one's own with `store` and `retrieve`, and nothing else in common."""

    def __init__(self) -> None:
        self.kept: dict[str, Kept] = {}

    async def store(self, key: str, response: Response, request: Request, metadata: Mapping[str, Any]) -> None:
        self.kept[key] = (response, request, metadata)

    async def retrieve(self, key: str) -> Kept | None:
        return self.kept.get(key)

    async def delete(self, path: re.Pattern[str]) -> None:
        self.kept = {key: kept for key, kept in self.kept.items() if not path.match(kept[1].url.path)}


class Serializing(BaseStorage):
    """Keeps what a serializer makes, as a database would."""

    def __init__(self, serializer: BaseSerializer) -> None:
        self.serializer = serializer
        self.kept: dict[str, bytes | str] = {}
        self.paths: dict[str, str] = {}

    async def set(self, key: str, response: Response, request: Request, metadata: Mapping[str, Any]) -> None:
        data = await self.serializer.dumps(response, request, metadata)
        assert isinstance(data, bytes if self.serializer.is_binary else str)
        self.kept[key], self.paths[key] = data, request.url.path

    async def get(self, key: str) -> Kept | None:
        return await self.serializer.loads(self.kept[key]) if key in self.kept else None

    async def delete(self, path: re.Pattern[str]) -> None:
        for key in [key for key, known in self.paths.items() if path.match(known)]:
            del self.kept[key], self.paths[key]


def build(storage: Any, clock: SystemClock | None = None) -> tuple[Client, FastAPI]:
    clock = clock or SystemClock(START)
    app: FastAPI = fastapi_app(clock, options={"storage": storage, "clock": clock})
    counter = Counter()

    @app.get("/x/{item}", dependencies=[CacheConfig(60, tags=["items", "item:{item}"])])
    async def endpoint(item: str, response: Response, vary: str | None = None, part: str | None = None) -> list[Any]:
        if vary is not None:
            response.headers["vary"] = vary
        return [item, counter()]

    @app.get("/binary", dependencies=[CacheConfig(60)])
    async def binary() -> Response:
        response = Response(bytes(range(256)))
        response.raw_headers += [(b"link", b"<a>"), (b"link", b"<b>"), (b"x-latin", b"\xe9")]
        return response

    app.post("/drop/path", dependencies=[CacheDropConfig(paths=["/x/1"])])(lambda: None)
    app.post("/drop/two", dependencies=[CacheDropConfig(paths=["/x/1", "^/x/2$"])])(lambda: None)
    app.post("/drop/tag", dependencies=[CacheDropConfig(tags=["item:1"])])(lambda: None)
    app.post("/drop/endpoint", dependencies=[CacheDropConfig(methods=[endpoint])])(lambda: None)
    app.put("/x/{item}", dependencies=[CacheDropConfig(paths=["/x/{item}"])])(lambda: None)
    return Client(app), app


KINDS: list[Any] = [
    DictStorage,
    RaisingNotFound,
    RaisingExpired,
    StoreRetrieve,
    lambda: Serializing(DefaultSerializer()),
    lambda: Serializing(JSONSerializer()),
    InMemoryStorage,
]
NAMES = ["dict", "not-found", "expired", "store-retrieve", "binary", "json", "memory"]


@pytest.fixture(params=KINDS, ids=NAMES)
def storage(request: pytest.FixtureRequest) -> Any:
    return request.param()


def test_hits_ages_and_expiry(storage: Any) -> None:
    clock = SystemClock(START)
    if isinstance(storage, InMemoryStorage):
        storage = InMemoryStorage(clock=clock)
    client, _ = build(storage, clock)
    miss = client.get("/x/1")
    said = "; stored" if isinstance(storage, InMemoryStorage) else ""
    assert (miss.cache, miss.header("cache-status")) == ("MISS", f"fast-cache; fwd=uri-miss{said}")
    clock.advance(59)
    hit = client.get("/x/1")
    assert (hit.cache, hit.body, hit.status, hit.header("age")) == ("HIT", miss.body, 200, "59")
    assert hit.header("cache-status") == "fast-cache; hit; ttl=1"
    tag = hit.header("etag")
    assert tag is not None
    assert client.get("/x/1", [("if-none-match", tag)]).status == 304
    clock.advance(1.5)
    assert client.get("/x/1").cache == "MISS"
    assert client.get("/x/1").header("age") == "0"


def test_bodies_and_repeated_lines_come_back(storage: Any) -> None:
    client, _ = build(storage)
    miss, hit = client.get("/binary"), client.get("/binary")
    assert (miss.cache, hit.cache) == ("MISS", "HIT")
    assert hit.body == bytes(range(256))
    assert hit.all("link") == ["<a>", "<b>"]
    assert hit.header("x-latin") == "\xe9"


def test_each_way_to_drop(storage: Any) -> None:
    client, _ = build(storage)
    read = ("/x/1", "/x/2")
    for method, target, expected in (
        ("POST", "/drop/path", ["MISS", "HIT"]),
        ("POST", "/drop/two", ["MISS", "MISS"]),
        ("POST", "/drop/tag", ["MISS", "HIT"]),
        ("POST", "/drop/endpoint", ["MISS", "MISS"]),
        ("PUT", "/x/2", ["HIT", "MISS"]),
    ):
        client.outcomes(*read)
        assert client.outcomes(*read) == ["HIT", "HIT"]
        assert client.request(method, target).status == 200
        assert client.outcomes(*read) == expected, target


def test_drops_from_code(storage: Any) -> None:
    client, app = build(storage)
    cache = CacheHandle(storage, app=app)
    for drop, expected in (
        (lambda: cache.drop(paths=["/x/1"]), ["MISS", "HIT"]),
        (lambda: cache.drop(tags=["item:2"]), ["HIT", "MISS"]),
        (lambda: cache.drop(paths=["^/x/"]), ["MISS", "MISS"]),
        (lambda: cache.clear(), ["MISS", "MISS"]),
    ):
        client.outcomes("/x/1", "/x/2")
        asyncio.run(drop())
        assert client.outcomes("/x/1", "/x/2") == expected


def test_variants(storage: Any) -> None:
    client, _ = build(storage)
    target = "/x/1?vary=accept-language"
    german, french = [("accept-language", "de")], [("accept-language", "fr")]
    bodies = [client.get(target, headers).body for headers in (german, french, german, french, ())]
    assert bodies == [b'["1",1]', b'["1",2]', b'["1",1]', b'["1",2]', b'["1",3]']


def test_delete_is_called_once_for_each_pattern_of_a_drop() -> None:
    storage = DictStorage()
    client, _ = build(storage)
    client.start()
    assert client.post("/drop/two").status == 200
    assert [bool(pattern.match("/x/1")) for pattern in storage.deleted] == [True, False]
    assert [bool(pattern.match("/x/2")) for pattern in storage.deleted] == [False, True]
    storage.deleted.clear()
    assert client.request("PUT", "/x/7").status == 200
    [pattern] = storage.deleted
    assert pattern.match("/x/7") and pattern.match("/x/7/more") and not pattern.match("/x/71")
    storage.deleted.clear()
    asyncio.run(CacheHandle(storage).drop(paths=["/a", "/b/*"]))
    assert [bool(pattern.match("/b/1")) for pattern in storage.deleted] == [False, True]


def test_delete_is_called_again_where_something_was_kept_while_the_answer_went_out() -> None:
    """A dependency may commit after the response, and the storage may outlive the process."""
    storage = DictStorage()
    _, app = build(storage)

    async def look(message: Message) -> None:
        await send_request(app, "GET", "/x/1")

    async def run() -> None:
        await send_request(app, "POST", "/drop/path", on_message=look)

    asyncio.run(run())
    assert [pattern.pattern for pattern in storage.deleted] == [storage.deleted[0].pattern] * 2
    assert storage.kept == {}


def test_the_request_it_gets_carries_no_credentials() -> None:
    storage = DictStorage()
    app: FastAPI = fastapi_app(options={"storage": storage})
    scheme = APIKeyHeader(name="X-Key", auto_error=False)

    @app.get("/x", dependencies=[CacheConfig(60, vary=["authorization", "cookie:sid"])])
    async def endpoint(request: Request) -> str:
        await scheme(request)
        return "x"

    @app.get("/key", dependencies=[CacheConfig(60)])
    async def by_key(key: Annotated[str | None, Security(scheme)]) -> str:
        return "y"

    headers = [("authorization", "Bearer s3cret"), ("cookie", "sid=s3cret"), ("proxy-authorization", "s3cret")]
    client = Client(app)
    assert client.get("/x?a=1", [*headers, ("accept", "text/plain")]).cache == "MISS"
    assert client.get("/key", [("x-key", "s3cret")]).cache == "MISS"
    assert len(storage.kept) == 2
    for key, (_, request, metadata) in storage.kept.items():
        seen = repr((key, request.scope, request.headers.raw, json.dumps(metadata)))
        assert "s3cret" not in seen
    (_, request, _) = next(iter(storage.kept.values()))
    assert (request.method, request.url.path, request.url.query) == ("GET", "/x", "a=1")
    assert request.headers["accept"] == "text/plain"


def test_the_metadata_says_how_long_and_survives_json() -> None:
    storage = DictStorage()
    client, _ = build(storage)
    client.get("/x/1")
    [(response, _, metadata)] = storage.kept.values()
    assert metadata["ttl"] == 60
    assert json.loads(json.dumps(metadata)) == metadata
    assert (response.status_code, bytes(response.body)) == (200, b'["1",1]')
    assert "x-cache-status" not in response.headers


class Failing(DictStorage):
    def __init__(self, *names: str) -> None:
        super().__init__()
        self.names = names

    def check(self, name: str) -> None:
        if name in self.names:
            raise OSError(f"{name} is out of order")

    async def set(self, key: str, response: Response, request: Request, metadata: Mapping[str, Any]) -> None:
        self.check("set")
        await super().set(key, response, request, metadata)

    async def get(self, key: str) -> Kept | None:
        self.check("get")
        return await super().get(key)

    async def delete(self, path: re.Pattern[str]) -> None:
        self.check("delete")
        await super().delete(path)


@pytest.mark.parametrize("names", [("get",), ("set",), ("get", "set", "delete")])
def test_a_storage_that_raises_is_a_miss(names: tuple[str, ...], caplog: pytest.LogCaptureFixture) -> None:
    client, _ = build(Failing(*names))
    answers = [client.get("/x/1") for _ in range(2)]
    assert [(a.status, a.body, a.cache) for a in answers] == [(200, b'["1",1]', "MISS"), (200, b'["1",2]', "MISS")]
    assert all(f"{name} is out of order" in caplog.text for name in names[:2])
    binary = client.get("/binary")
    assert binary.body == bytes(range(256))


def test_a_delete_that_raises_leaves_the_write_and_the_drop(caplog: pytest.LogCaptureFixture) -> None:
    client, _ = build(Failing("delete"))
    assert client.outcomes("/x/1", "/x/1") == ["MISS", "HIT"]
    assert client.post("/drop/path").status == 200
    assert "delete is out of order" in caplog.text
    assert client.get("/x/1").cache == "MISS"


class Forging(DictStorage):
    """Gives back something else than it was given."""

    def __init__(self, change: Any) -> None:
        super().__init__()
        self.change = change

    async def get(self, key: str) -> Kept | None:
        found = await super().get(key)
        return None if found is None else self.change(*found)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "change",
    [
        lambda response, request, metadata: (response, request, {}),
        lambda response, request, metadata: (response, request, {"fast_cache": {}}),
        lambda response, request, metadata: (Response(b"not as long"), request, metadata),
        lambda response, request, metadata: (StreamingResponse(iter([b"x"])), request, metadata),
        lambda response, request, metadata: (response,),
        lambda response, request, metadata: "text",
        lambda response, request, metadata: (None, None, None),
        lambda response, request, metadata: (response, request, {**metadata, "fast_cache": "text"}),
    ],
)  # fmt: skip
def test_what_is_damaged_or_foreign_is_a_miss(change: Any) -> None:
    client, _ = build(Forging(change))
    answers = [client.get("/x/1") for _ in range(2)]
    assert [(a.status, a.body, a.cache) for a in answers] == [(200, b'["1",1]', "MISS"), (200, b'["1",2]', "MISS")]


def test_an_entry_of_another_key_is_a_miss() -> None:
    class Confusing(DictStorage):
        async def get(self, key: str) -> Kept | None:
            return next(iter(self.kept.values()), None)

    client, _ = build(Confusing())
    assert client.get("/x/1").body == b'["1",1]'
    answer = client.get("/x/2")
    assert (answer.body, answer.cache) == (b'["2",2]', "MISS")


def test_after_a_restart_the_storage_still_serves() -> None:
    """Keys and route identity are the same in every process; so is what a serializer wrote."""
    clock = SystemClock(START)
    storage = Serializing(DefaultSerializer())
    first, _ = build(storage, clock)
    body = first.get("/x/1").body
    after = Serializing(DefaultSerializer())
    after.kept, after.paths = copy.deepcopy(storage.kept), copy.deepcopy(storage.paths)
    second, _ = build(after, clock)
    clock.advance(10)
    hit = second.get("/x/1")
    assert (hit.cache, hit.body, hit.header("age")) == ("HIT", body, "10")
    second.post("/drop/path")
    assert second.get("/x/1").cache == "MISS"


def test_a_custom_storage_of_two_apps_sees_each_others_drops() -> None:
    storage = DictStorage()
    clock = SystemClock(START)
    first, _ = build(storage, clock)
    second, _ = build(storage, clock)
    assert first.outcomes("/x/1", "/x/1") == ["MISS", "HIT"]
    assert second.get("/x/1").cache == "HIT"
    second.post("/drop/tag")
    assert first.get("/x/1").cache == "MISS"
