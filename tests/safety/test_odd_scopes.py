"""Whatever a server puts into the scope: the client gets what the application would have said."""

import asyncio
from collections import UserDict, defaultdict
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import pytest
from asgi_client import scope_for
from fastapi import FastAPI, Request
from safety.differential import seen, wrapped
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from fast_cache_middleware import CacheConfig, FastCacheMiddleware, cached


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Says what it sees of the scope; reads the headers as frameworks do, by iterating."""
    headers = [tuple(map(read, pair)) for pair in scope.get("headers", ())]
    told = repr((scope.get("method"), scope.get("path"), scope.get("query_string"), headers)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": told})


def read(part: Any) -> Any:
    return part.tobytes() if isinstance(part, memoryview) else part


def with_headers(make: Callable[[], Any]) -> Callable[[], Any]:
    return lambda: {**scope_for("GET", "/a"), "headers": make()}


def changed(**more: Any) -> Callable[[], Any]:
    return lambda: {**scope_for("GET", "/a"), **more}


def without(name: str) -> Callable[[], Any]:
    return lambda: {key: value for key, value in scope_for("GET", "/a").items() if key != name}


class Loud(dict[str, Any]):
    """A scope whose reads go through Python."""

    def __getitem__(self, name: str) -> Any:
        return super().__getitem__(name)


PAIR = (b"x-a", b"1")
ODD: dict[str, Callable[[], Any]] = {
    "headers_tuple": with_headers(lambda: (PAIR, PAIR)),
    "headers_lists_as_pairs": with_headers(lambda: [list(PAIR)]),
    "headers_generator": with_headers(lambda: (pair for pair in [PAIR, PAIR])),
    "headers_iterator": with_headers(lambda: iter([PAIR])),
    "headers_generators_as_pairs": with_headers(lambda: [iter(PAIR)]),
    "headers_dict_view": with_headers(lambda: dict([PAIR]).items()),
    "headers_text": with_headers(lambda: [("x-a", "1")]),
    "headers_none": with_headers(lambda: None),
    "headers_number": with_headers(lambda: 7),
    "headers_triples": with_headers(lambda: [(b"a", b"b", b"c")]),
    "headers_bytearray": with_headers(lambda: [(bytearray(b"x-a"), bytearray(b"1"))]),
    "headers_memoryview": with_headers(lambda: [(memoryview(b"x-a"), memoryview(b"1"))]),
    "headers_of_numbers": with_headers(lambda: [(1, 2)]),
    "headers_huge": with_headers(lambda: [(b"x-a", b"v" * 5_000_000)]),
    "headers_many": with_headers(lambda: [(b"x-%d" % number, b"v") for number in range(20_000)]),
    "headers_upper_case": with_headers(lambda: [(b"HOST", b"a"), (b"X-A", b"1")]),
    "header_bytes_odd": with_headers(lambda: [(b"\x00\xff", b"\r\n\x80"), (b"", b"")]),
    "path_surrogate": changed(path="/\ud800"),
    "path_bytes": changed(path=b"/a"),
    "path_none": changed(path=None),
    "path_empty": changed(path=""),
    "path_without_slash": changed(path="a"),
    "path_absolute_form": changed(path="http://other/a", raw_path=b"http://other/a"),
    "path_huge": changed(path="/" + "a" * 3_000_000),
    "path_control": changed(path="/\x00\n\r\x7f"),
    "raw_path_text": changed(raw_path="/a"),
    "raw_path_none": changed(raw_path=None),
    "query_text": changed(query_string="a=1"),
    "query_none": changed(query_string=None),
    "query_raw_bytes": changed(query_string=b"\xff\xfe=\x00&&&=&;"),
    "query_bytearray": changed(query_string=bytearray(b"a=1")),
    "method_lower": changed(method="get"),
    "method_bytes": changed(method=b"GET"),
    "method_empty": changed(method=""),
    "method_surrogate": changed(method="\udcff"),
    "method_odd": changed(method="GET\r\nX: y"),
    "root_path_none": changed(root_path=None),
    "root_path_surrogate": changed(root_path="/\udc80"),
    "root_path_bytes": changed(root_path=b"/"),
    "root_path_foreign": changed(root_path="/elsewhere"),
    "root_path_itself": changed(root_path="/a"),
    "scheme_bytes": changed(scheme=b"http"),
    "scheme_none": changed(scheme=None),
    "scheme_surrogate": changed(scheme="\ud800"),
    "server_odd": changed(server="nowhere", client=7),
    "version_odd": changed(http_version=None),
    "app_odd": changed(app=object()),
    "endpoint_odd": changed(endpoint=7, path_params=None, route=()),
    "type_unknown": changed(type="http.future"),
    "type_bytes": changed(type=b"http"),
    "type_none": changed(type=None),
    **{f"{name}_missing": without(name) for name in scope_for("GET", "/a")},
    "empty": dict,
    "subclass": lambda: Loud(scope_for("GET", "/a")),
    "defaultdict": lambda: defaultdict(str, scope_for("GET", "/a")),
    "user_dict": lambda: UserDict(scope_for("GET", "/a")),
    "mapping_proxy": lambda: MappingProxyType(scope_for("GET", "/a")),
    "keys_that_are_no_text": lambda: {**scope_for("GET", "/a"), 1: 2, (3,): None},
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_scope_gets_what_the_app_says(name: str) -> None:
    async def run() -> None:
        make = ODD[name]
        expected = await seen(echo, make())
        cache = wrapped(echo)
        for _ in range(3):
            assert await seen(cache, make()) == expected

    asyncio.run(run())


@pytest.mark.parametrize("name", ["none", "text", "number", "list", "bytes"])
def test_a_scope_that_is_no_dict_gets_what_the_app_says(name: str) -> None:
    scope: Any = {"none": None, "text": "http", "number": 7, "list": [("type", "http")], "bytes": b"http"}[name]

    async def run() -> None:
        assert await seen(wrapped(echo), scope) == await seen(echo, scope)

    asyncio.run(run())


def frameworks() -> dict[str, tuple[Any, Any]]:
    async def read(request: Request) -> PlainTextResponse:
        return PlainTextResponse(repr((request.method, request.url.path, sorted(request.query_params.multi_items()))))

    bare_fastapi, cached_fastapi = FastAPI(), FastAPI()
    bare_fastapi.add_api_route("/a", read)
    cached_fastapi.add_api_route("/a", read, dependencies=[CacheConfig(60)])
    cached_fastapi.add_middleware(FastCacheMiddleware)
    bare = Starlette(routes=[Route("/a", read)])
    inner = Starlette(routes=[Route("/a", cached(60)(read))])
    return {"fastapi": (bare_fastapi, cached_fastapi), "starlette": (bare, FastCacheMiddleware(inner))}


@pytest.mark.parametrize("framework", ["fastapi", "starlette"])
@pytest.mark.parametrize("name", ODD)
def test_an_odd_scope_gets_what_the_framework_says(name: str, framework: str) -> None:
    async def run() -> None:
        bare, behind = frameworks()[framework]
        make = ODD[name]
        expected = await seen(bare, make())
        for _ in range(3):
            assert await seen(behind, make()) == expected

    asyncio.run(run())
