import asyncio
import json
from hashlib import blake2b
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from fast_cache_middleware.exceptions import StorageError
from fast_cache_middleware.storages import BaseSerializer, DefaultSerializer, JSONSerializer

SERIALIZERS: list[BaseSerializer] = [DefaultSerializer(), JSONSerializer()]
both = pytest.mark.parametrize("serializer", SERIALIZERS, ids=["default", "json"])

LINES = st.lists(st.tuples(st.binary(max_size=5), st.binary(max_size=5)), max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
SCOPES = st.fixed_dictionaries(
    {
        "type": st.just("http"),
        "method": st.sampled_from(["GET", "HEAD"]),
        "path": st.text(st.characters(), max_size=5),
        "query_string": st.binary(max_size=5),
        "headers": LINES,
    },
    optional={
        "scheme": st.sampled_from(["http", "https"]),
        "raw_path": st.binary(max_size=5),
        "server": st.tuples(st.text(max_size=3), st.none() | st.integers(0, 65535)),
    },
)


def response_of(status: int, lines: list[tuple[bytes, bytes]], body: bytes) -> Response:
    response = Response(body, status)
    response.raw_headers = list(lines)
    return response


RESPONSES = st.builds(response_of, st.integers(100, 599), LINES, st.binary(max_size=40))
STORED = st.tuples(RESPONSES, st.builds(Request, SCOPES), st.dictionaries(st.text(max_size=3), JSON, max_size=3))


def plain(stored: Any) -> tuple[Any, ...]:
    response, request, metadata = stored
    lines = [(bytes(name), bytes(value)) for name, value in response.raw_headers]
    # repr tells 1 from 1.0 and from True
    return response.status_code, lines, response.body, response.media_type, request.scope, repr(metadata)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STORED)
@both
def test_what_is_written_is_read(serializer: BaseSerializer, stored: Any) -> None:
    async def main() -> None:
        data = await serializer.dumps(*stored)
        assert isinstance(data, bytes if serializer.is_binary else str)
        assert plain(await serializer.loads(data)) == plain(stored)

    asyncio.run(main())


@both
def test_repeated_lines_and_media_type_survive(serializer: BaseSerializer) -> None:
    response = JSONResponse({"a": 1})
    response.headers.append("Set-Cookie", "a=1")
    response.headers.append("X-Latin", "caf\u00e9")
    response.headers.append("Set-Cookie", "b=2")
    request = Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []})

    async def main() -> None:
        read, asked, metadata = await serializer.loads(await serializer.dumps(response, request, {"ttl": 1.5}))
        assert read.raw_headers == response.raw_headers
        assert read.headers.getlist("set-cookie") == ["a=1", "b=2"]
        assert (read.media_type, read.body) == ("application/json", b'{"a":1}')
        assert (asked.method, metadata) == ("GET", {"ttl": 1.5})

    asyncio.run(main())


async def entry(serializer: BaseSerializer) -> bytes:
    request = Request({"type": "http", "method": "GET", "path": "/\u00e9", "query_string": b"a", "headers": []})
    lines = [(b"content-type", b"text/plain"), (b"x", b"\xff"), (b"x", b"2")]
    data = await serializer.dumps(response_of(200, lines, bytes(range(64))), request, {"ttl": 60.0, "n": [1, None]})
    return data if isinstance(data, bytes) else data.encode()


@st.composite
def damages(draw: st.DrawFn) -> Any:
    flips = draw(st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 255)), max_size=4))
    cut = draw(st.none() | st.integers(0, 2000))
    return flips, cut, draw(st.binary(max_size=3))


def damaged(data: bytes, damage: Any) -> bytes:
    flips, cut, tail = damage
    changed = bytearray(data)
    for position, mask in flips:
        changed[position % len(changed)] ^= mask
    return bytes(changed[: None if cut is None else cut % len(changed)]) + tail


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(damages())
@both
def test_damage_is_a_storage_error_or_changes_nothing(serializer: BaseSerializer, damage: Any) -> None:
    async def main() -> None:
        whole = await entry(serializer)
        data = damaged(whole, damage)
        try:
            read = await serializer.loads(data)
        except StorageError:
            assert data != whole
        else:
            assert data == whole or not serializer.is_binary
            assert plain(read) == plain(await serializer.loads(whole))

    asyncio.run(main())


@both
def test_every_truncation_and_every_single_flip(serializer: BaseSerializer) -> None:
    async def main() -> None:
        whole = await entry(serializer)
        expected = plain(await serializer.loads(whole))
        for position in range(len(whole)):
            with pytest.raises(StorageError):
                await serializer.loads(whole[:position])
            flipped = damaged(whole, ([(position, 0x20)], None, b""))
            try:
                read = await serializer.loads(flipped)
            except StorageError:
                continue
            assert not serializer.is_binary
            assert plain(read) == expected

    asyncio.run(main())


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=60) | st.text(max_size=60))
@both
def test_foreign_data_is_a_storage_error(serializer: BaseSerializer, data: bytes | str) -> None:
    with pytest.raises(StorageError):
        asyncio.run(serializer.loads(data))


GOOD = {"status": 200, "headers": [["a", "b"]], "media_type": None, "metadata": {}, "body": "",
        "request": {"method": "GET", "path": "/", "headers": []}}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        *({"status": value} for value in (None, True, "200", 99, 1000, 200.0)),
        *({"headers": value} for value in (None, ["ab", "c"], [["a"]], [["a", 1]], [["\u20ac", "b"]], {"a": "b"})),
        *({"media_type": value} for value in (5, [])),
        *({"metadata": value} for value in (None, [], "x")),
        *({"body": value} for value in (None, 5, "!", "YQ", "\u00e9")),
        *({"request": value} for value in (None, [], {}, {"headers": 5}, {"headers": [], "path": 5})),
        *({"request": {"headers": [], name: 5}} for name in ("query_string", "raw_path", "server")),
    ],
    ids=repr,
)
def test_wellformed_json_of_a_wrong_shape(change: Any) -> None:
    with pytest.raises(StorageError):
        asyncio.run(JSONSerializer().loads(signed({**GOOD, **change})))


def test_the_shape_that_is_right() -> None:
    assert asyncio.run(JSONSerializer().loads(signed(GOOD)))[0].status_code == 200


def signed(head: Any) -> str:
    """A document whose digest is right, whatever it holds."""
    canonical = json.dumps(head, separators=(",", ":"), sort_keys=True).encode()
    return json.dumps({"version": 1, "digest": blake2b(canonical, digest_size=16).hexdigest(), "entry": head})


@pytest.mark.parametrize("document", [[], 5, None, {}, {"version": 2}, {"version": 1}, {"version": 1, "digest": "x"}])
def test_other_documents(document: Any) -> None:
    with pytest.raises(StorageError):
        asyncio.run(JSONSerializer().loads(json.dumps(document)))


@both
def test_deep_nesting_is_a_storage_error(serializer: BaseSerializer) -> None:
    with pytest.raises(StorageError):
        asyncio.run(JSONSerializer().loads("[" * 200_000))
    deep: list[Any] = []
    for _ in range(200_000):
        deep = [deep]
    with pytest.raises(StorageError):
        asyncio.run(serializer.dumps(Response(), Request({"type": "http", "headers": []}), {"deep": deep}))


@both
@pytest.mark.parametrize("value", [object(), float("nan"), float("inf"), b"x", {1, 2}], ids=repr)
def test_metadata_that_is_not_json(serializer: BaseSerializer, value: object) -> None:
    with pytest.raises(StorageError):
        asyncio.run(serializer.dumps(Response(), Request({"type": "http", "headers": []}), {"a": value}))


@both
def test_a_stream_cannot_be_kept(serializer: BaseSerializer) -> None:
    with pytest.raises(StorageError, match="StreamingResponse has no body"):
        asyncio.run(serializer.dumps(StreamingResponse(iter([b"x"])), Request({"type": "http", "headers": []}), {}))


def test_the_default_format_takes_bytes_only() -> None:
    with pytest.raises(StorageError, match="binary"):
        asyncio.run(DefaultSerializer().loads("text"))
    data = asyncio.run(entry(DefaultSerializer()))
    assert asyncio.run(DefaultSerializer().loads(memoryview(data)))[0].status_code == 200
