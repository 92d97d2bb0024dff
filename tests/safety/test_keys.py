"""Keys: two requests that may get different answers never share one."""

import asyncio
import json
from typing import Any

import pytest
from asgi_client import request, scope_for
from fastapi import FastAPI, Query, Request
from hypothesis import given, settings
from hypothesis import strategies as st
from safety.differential import seen
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route

from fast_cache_middleware import (
    CacheConfig,
    CacheRule,
    Controller,
    FastCacheMiddleware,
    InMemoryStorage,
    _core,
    cached,
)


async def whole(scope: Any, receive: Any, send: Any) -> None:
    """Answers with everything that a key must tell apart."""
    names = ("method", "scheme", "root_path", "path", "raw_path", "query_string", "headers")
    told = repr([scope.get(name) for name in names]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": told})


def everything(app: Any = whole, **options: Any) -> FastCacheMiddleware:
    rules = [CacheRule("/{rest:path}", CacheConfig(60))]
    return FastCacheMiddleware(app, InMemoryStorage(100_000), rules=rules, **options)


async def raw_echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(repr((str(request.url), request.scope["raw_path"], sorted(request.path_params.items()))))


paths = st.text(st.sampled_from("ab/%.;é\x00 ~"), max_size=5).map(lambda text: "/" + text)
# In lower case, as ASGI has it: names that differ in case only are one name, and share keys.
names = st.sampled_from([b"x-a", b"x-b", b"x-ab"])
values = st.binary(max_size=3)
scopes = st.fixed_dictionaries(
    {
        "path": paths,
        "raw_path": st.none() | st.binary(max_size=4).map(lambda raw: b"/" + raw),
        "query_string": st.lists(st.sampled_from([b"a", b"=", b"&", b"%26", b"1", b"\xff", b";"]), max_size=5).map(
            b"".join
        ),
        "scheme": st.sampled_from(["http", "https", "httpx"]),
        "root_path": st.sampled_from(["", "/a", "/b"]),
        "headers": st.lists(st.tuples(names, values), max_size=4),
    }
)


@settings(max_examples=150)
@given(st.lists(scopes, min_size=2, max_size=12))
def test_01_key_encoding_is_injective(parts: list[dict[str, Any]]) -> None:
    async def run() -> None:
        cache = everything()
        for more in parts * 2:
            scope = {**scope_for("GET", "/"), **more}
            bare = await seen(whole, dict(scope))
            assert (await seen(cache, dict(scope))).messages[1] == bare.messages[1]

    asyncio.run(run())


def test_02_encoded_question_mark_is_not_a_query() -> None:
    async def run() -> None:
        app = FastAPI()
        app.add_api_route("/items/{item:path}", raw_echo, dependencies=[CacheConfig(60)])
        app.add_middleware(FastCacheMiddleware)
        encoded = await request(app, "GET", "/items/x%3Fa=1")
        plain = await request(app, "GET", "/items/x?a=1")
        assert [encoded.cache, plain.cache] == ["MISS", "MISS"]
        assert encoded.body != plain.body
        assert (await request(app, "GET", "/items/x%3Fa=1")).body == encoded.body
        assert (await request(app, "GET", "/items/x?a=1")).body == plain.body

    asyncio.run(run())


def test_03_host_scheme_root_path_and_mounts_count() -> None:
    async def run() -> None:
        routes = [Route("/a", cached(60)(raw_echo))]
        inner = Starlette(routes=[*routes, Mount("/one", routes=routes), Mount("/two", routes=routes)])
        app = FastCacheMiddleware(inner)
        asks: list[tuple[str, list[tuple[str, str]], dict[str, Any]]] = [
            ("/a", [("host", "one.example")], {}),
            ("/a", [("host", "two.example")], {}),
            ("/a", [("host", "one.example:81")], {}),
            ("/a", [("host", "one.example")], {"scheme": "https"}),
            ("/a", [("host", "one.example")], {"root_path": "/prefix", "path": "/prefix/a"}),
            ("/one/a", [("host", "one.example")], {}),
            ("/two/a", [("host", "one.example")], {}),
        ]
        first = [await request(app, "GET", target, headers, **more) for target, headers, more in asks]
        again = [await request(app, "GET", target, headers, **more) for target, headers, more in asks]
        assert [answer.cache for answer in first] == ["MISS"] * len(asks)
        assert [answer.cache for answer in again] == ["HIT"] * len(asks)
        assert [answer.body for answer in first] == [answer.body for answer in again]
        assert len({answer.body for answer in first}) == len(asks)

    asyncio.run(run())


def test_03_hosts_with_routes_of_their_own_stay_apart() -> None:
    async def run() -> None:
        def answering(word: str) -> Any:
            async def endpoint(request: Request) -> PlainTextResponse:
                return PlainTextResponse(word)

            return Starlette(routes=[Route("/a", cached(60)(endpoint))])

        inner = Starlette(routes=[Host("one.example", answering("one")), Host("{any}.example", answering("other"))])
        app = FastCacheMiddleware(inner)
        for _ in range(3):
            for host, word in (("one.example", b"one"), ("two.example", b"other"), ("three.example", b"other")):
                answer = await request(app, "GET", "/a", [("host", host)])
                assert (answer.status, answer.body) == (200, word)

    asyncio.run(run())


def test_03_a_repeated_host_is_bypassed() -> None:
    async def run() -> None:
        app = everything()
        hosts = [("host", "one.example"), ("host", "two.example")]
        assert [(await request(app, "GET", "/a", hosts)).cache for _ in range(2)] == ["BYPASS"] * 2

    asyncio.run(run())


@pytest.mark.parametrize("query", [b"\xff", b"q=\xe9", b"%ff=%zz", b"\xf0\x28=1&\x00", b"%", b"q=%C3%A9&q=\xc3\xa9"])
def test_04_raw_bytes_in_query_and_headers_never_raise(query: bytes) -> None:
    async def run() -> None:
        app = FastAPI()
        bare = FastAPI()

        async def read(q: str = "") -> str:
            return q

        app.add_api_route("/a", read, dependencies=[CacheConfig(60, ignore_query=["utm_*"])])
        bare.add_api_route("/a", read)
        app.add_middleware(FastCacheMiddleware)
        headers = [(b"x-latin", "grüße".encode("latin-1")), (b"cookie", b"\xff=\xfe"), (b"accept-language", b"\xe9")]
        for _ in range(2):
            expected = await request(bare, "GET", "/a", headers, query_string=query)
            answer = await request(app, "GET", "/a", headers, query_string=query)
            assert (answer.status, answer.body) == (expected.status, expected.body)

    asyncio.run(run())


def test_04_a_parameter_with_a_non_ascii_name_joins_the_key_however_it_is_written() -> None:
    async def run() -> None:
        app = FastAPI()

        async def read(size: str = Query("", alias="größe")) -> str:
            return size

        app.add_api_route("/a", read, dependencies=[CacheConfig(60)])
        app.add_middleware(FastCacheMiddleware)
        spellings = [b"gr%C3%B6%C3%9Fe=evil", "größe=evil".encode("latin-1"), b"gr%C3%B6\xdfe=evil", b""]
        for query in spellings * 2:
            bare = FastAPI()
            bare.add_api_route("/a", read)
            expected = await request(bare, "GET", "/a", query_string=query)
            assert (await request(app, "GET", "/a", query_string=query)).body == expected.body

    asyncio.run(run())


@pytest.mark.parametrize("hook", ["key_func", "generate_cache_key"])
def test_04_a_key_of_the_authors_that_is_no_valid_text_never_raises(hook: str) -> None:
    def key(request: Request) -> str:
        return str(json.loads(request.query_params["name"]))

    class ByName(Controller):
        async def generate_cache_key(self, request: Request) -> str:
            return key(request)

    async def run() -> None:
        app = FastAPI()
        config = CacheConfig(60, key_func=key) if hook == "key_func" else CacheConfig(60)

        async def read() -> str:
            return "read"

        app.add_api_route("/a", read, dependencies=[config])
        app.add_middleware(FastCacheMiddleware, controller=Controller() if hook == "key_func" else ByName())
        assert [(await request(app, "GET", "/a?name=%22b%22")).cache for _ in range(2)] == ["MISS", "HIT"]
        for _ in range(2):
            answer = await request(app, "GET", r"/a?name=%22\ud800%22")
            assert (answer.status, answer.cache) == (200, "BYPASS")
            assert "detail=hook-failed" in str(answer.header("cache-status"))

    asyncio.run(run())


def test_05_lookalike_paths_stay_apart() -> None:
    spellings = [
        "/a/b", "/a%2Fb", "/a%2fb", "/a//b", "/a/./b", "/a/x/../b", "/a/b/", "/a/b;", "/a/b;x=1", "/a/b%3B", "/A/b",
        "/a/b%00", "/a/b%20", "/a/b+", "/caf%C3%A9", "/cafe%CC%81", "/caf%E9", "/caf%EF%BF%BD", "//a/b", "/a%252Fb",
    ]  # fmt: skip

    async def run() -> None:
        app = everything()
        first = [await request(app, "GET", target) for target in spellings]
        again = [await request(app, "GET", target) for target in spellings]
        assert [answer.cache for answer in first] == ["MISS"] * len(spellings)
        assert [answer.body for answer in first] == [answer.body for answer in again]
        assert [answer.cache for answer in again] == ["HIT"] * len(spellings)

    asyncio.run(run())


def test_06_repeated_parameters_and_their_order_count() -> None:
    queries = ["", "q=1", "q=2", "q=1&q=2", "q=2&q=1", "q=1&q=1", "q=12", "q=1%262", "q", "q=", "q=&q=", "r=1&q=1"]

    async def run() -> None:
        app = FastAPI()
        bare = FastAPI()

        async def read(q: list[str] = Query([])) -> list[str]:  # noqa: B008 - how FastAPI declares it
            return q

        app.add_api_route("/a", read, dependencies=[CacheConfig(60)])
        bare.add_api_route("/a", read)
        app.add_middleware(FastCacheMiddleware)
        for query in queries * 2:
            expected = await request(bare, "GET", f"/a?{query}")
            assert (await request(app, "GET", f"/a?{query}")).body == expected.body
        # What the endpoint cannot see neither splits nor floods.
        assert (await request(app, "GET", "/a?q=1&utm_source=x&zzz")).cache == "HIT"

    asyncio.run(run())


def test_07_two_routes_with_one_key_func_share_nothing() -> None:
    def same(request: Request) -> str:
        return "one key for all"

    async def run() -> None:
        app = FastAPI()
        for word in ("one", "two"):
            config = CacheConfig(60, key_func=same)
            app.add_api_route(f"/{word}", lambda word=word: word, dependencies=[config])
        app.add_api_route("/three/{x}", lambda x: x, dependencies=[CacheConfig(60, key_func=same)])
        app.add_middleware(FastCacheMiddleware)
        for _ in range(2):
            assert (await request(app, "GET", "/one")).body == b'"one"'
            assert (await request(app, "GET", "/two")).body == b'"two"'
            assert (await request(app, "GET", "/three/x")).body == b'"x"'

    asyncio.run(run())


def test_08_a_custom_storage_that_answers_for_another_key_is_a_miss() -> None:
    class Confused:
        """Gives whatever it was given last, for any key."""

        last: Any = None

        async def set(self, key: str, response: Any, request: Any, metadata: Any) -> None:
            self.last = (response, request, metadata)

        async def get(self, key: str) -> Any:
            return self.last

        async def delete(self, path: Any) -> None:
            self.last = None

    async def run() -> None:
        app = FastAPI()
        app.add_api_route("/a/{x}", lambda x: x, dependencies=[CacheConfig(60)])
        app.add_middleware(FastCacheMiddleware, storage=Confused())
        for word in ("one", "two", "one", "two"):
            answer = await request(app, "GET", f"/a/{word}")
            assert (answer.cache, answer.body) == ("MISS", f'"{word}"'.encode())
        assert (await request(app, "GET", "/a/two")).cache == "HIT"

    asyncio.run(run())


def test_08_stores_with_other_secrets_have_other_keys() -> None:
    async def run() -> None:
        shown = []
        for _ in range(2):
            kept: dict[str, Any] = {}
            storage = InMemoryStorage(clock=_core.SystemClock(0.0))
            app = everything(whole)
            answer = await request(app, "GET", "/a", [("x-token", "s3cret")])
            explained = app.explain(answer.scope)
            kept.update(explained["key"] if isinstance(explained["key"], dict) else {"key": explained["key"]})
            shown.append(repr(kept))
            assert "s3cret" not in shown[-1]
            await storage.close()
        assert shown[0] != shown[1], "one store's keys tell nothing about another's"

    asyncio.run(run())


def test_09_absolute_form_targets_get_what_the_app_says() -> None:
    async def run() -> None:
        app = FastAPI()
        bare = FastAPI()
        for one in (app, bare):
            config = [CacheConfig(60)] if one is app else []
            one.add_api_route("/a", lambda: "a", dependencies=config)
        app.add_middleware(FastCacheMiddleware)
        for target in ("http://evil.example/a", "http://testserver/a", "//evil.example/a", "*", "evil.example:443"):
            more = {"path": target, "raw_path": target.encode()}
            expected = await request(bare, "GET", "/a", **more)
            for _ in range(2):
                answer = await request(app, "GET", "/a", **more)
                assert (answer.status, answer.body) == (expected.status, expected.body)
        assert (await request(app, "GET", "/a")).body == b'"a"'

    asyncio.run(run())
