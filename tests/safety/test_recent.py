"""The memo of recent requests: whatever changes from one request to the next, it answers as if it were not there."""

import asyncio
import warnings
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import pytest
from asgi_client import request, scope_for
from fastapi import Cookie, Depends, FastAPI, Header, Query, Request
from fastapi.security import APIKeyQuery
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from fast_cache_middleware import CacheConfig, CacheDropConfig, FastCacheMiddleware, InMemoryStorage, cached
from fast_cache_middleware._core import SystemClock

App = Callable[..., Awaitable[None]]

OFTEN = 6
"""So many requests make sure that the memo knows one."""


def declared() -> Any:
    app = FastAPI()

    @app.get("/items/{item}", dependencies=[CacheConfig(60)])
    async def item(
        item: int,
        q: str = "",
        language: Annotated[str | None, Header(alias="accept-language")] = None,
        tenant: Annotated[str | None, Header(alias="x-tenant")] = None,
        session: Annotated[str | None, Cookie()] = None,
    ) -> list[Any]:
        return [item, q, language, tenant, session]

    return app


def with_a_key_in_the_query() -> Any:
    app = FastAPI()

    @app.get("/items/{item}", dependencies=[CacheConfig(60)])
    async def item(item: int, key: Annotated[str, Depends(APIKeyQuery(name="q", auto_error=False))]) -> list[Any]:
        return [item, key]

    return app


def strict() -> Any:
    app = FastAPI()

    @app.get("/items/{item}", dependencies=[CacheConfig(60, strict_inputs=True)])
    async def item(item: int, q: Annotated[str, Query()] = "") -> list[Any]:
        return [item, q]

    return app


def raw() -> Any:
    async def item(request: Request) -> PlainTextResponse:
        return PlainTextResponse(repr((str(request.url), request.headers.raw)))

    return Starlette(routes=[Route("/items/{item:int}", cached(60)(item), methods=["GET", "POST"])])


def varying() -> Any:
    async def item(request: Request) -> PlainTextResponse:
        chosen = request.headers.get("accept-language", "")
        return PlainTextResponse(chosen, headers={"vary": "accept-language"})

    return Starlette(routes=[Route("/items/{item:int}", cached(60)(item))])


def following_the_response() -> Any:
    async def item(request: Request) -> PlainTextResponse:
        told = {
            "cache-control": "max-age=60, stale-while-revalidate=60",
            "last-modified": "Mon, 01 Jan 2024 00:00:00 GMT",
        }
        return PlainTextResponse(request.headers.get("authorization", ""), headers=told)

    return Starlette(routes=[Route("/items/{item:int}", cached(CacheConfig(None))(item))])


APPS: dict[str, Callable[[], Any]] = {
    "declared": declared,
    "key_in_query": with_a_key_in_the_query,
    "strict": strict,
    "raw": raw,
    "varying": varying,
    "following_the_response": following_the_response,
}


def with_lines(*lines: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"headers": [(b"host", b"testserver"), *lines]}


class User:
    is_authenticated = True


CHANGES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "method_head": {"method": "HEAD"},
    "method_lower": {"method": "get"},
    "method_post": {"method": "POST"},
    "path": {"path": "/items/8", "raw_path": b"/items/8"},
    "path_alone": {"path": "/items/8"},
    "noncanonical_path": {"path": "/items/07", "raw_path": b"/items/07"},
    "longer_path": {"path": "/items/7/", "raw_path": b"/items/7/"},
    "raw_path": {"raw_path": b"/items/%37"},
    "no_raw_path": {"raw_path": None},
    "query": {"query_string": b"q=1"},
    "scheme": {"scheme": "https"},
    "root_path": {"root_path": "/api", "path": "/api/items/7"},
    "foreign_root_path": {"root_path": "/api"},
    "host": {"headers": [(b"host", b"elsewhere")]},
    "no_host": {"headers": []},
    "two_hosts": with_lines((b"host", b"testserver")),
    "host_in_capitals": {"headers": [(b"Host", b"testserver")]},
    "authorization": with_lines((b"authorization", b"Bearer a")),
    "proxy_authorization": with_lines((b"proxy-authorization", b"Basic a")),
    "cookie": with_lines((b"cookie", b"session=ann")),
    "other_cookie": with_lines((b"cookie", b"other=1")),
    "language": with_lines((b"accept-language", b"de")),
    "language_in_capitals": with_lines((b"Accept-Language", b"de")),
    "two_languages": with_lines((b"accept-language", b"de"), (b"accept-language", b"en")),
    "tenant": with_lines((b"x-tenant", b"ann")),
    "forwarded_host": with_lines((b"x-forwarded-host", b"evil")),
    "user_agent": with_lines((b"user-agent", b"other")),
    "body": with_lines((b"content-length", b"3")),
    "no_body": with_lines((b"content-length", b"0")),
    "chunked": with_lines((b"transfer-encoding", b"chunked")),
    "no_cache": with_lines((b"cache-control", b"no-cache")),
    "no_store": with_lines((b"cache-control", b"no-store")),
    "range": with_lines((b"range", b"bytes=0-1")),
    "range_if_same": with_lines((b"range", b"bytes=0-1"), (b"if-range", b'"a"')),
    "unless_modified": with_lines((b"if-modified-since", b"Mon, 01 Jan 2024 00:00:00 GMT")),
    "only_if_cached": with_lines((b"cache-control", b"only-if-cached")),
    "young": with_lines((b"cache-control", b"max-age=0")),
    "long_fresh": with_lines((b"cache-control", b"min-fresh=100")),
    "precondition": with_lines((b"if-match", b'"a"')),
    "condition": with_lines((b"if-none-match", b"*")),
    "certificate": {"extensions": {"tls": {"client_cert_name": "CN=ann"}}},
    "certificate_chain": {"extensions": {"tls": {"client_cert_chain": ["x"]}}},
    "no_certificate": {"extensions": {"tls": {"client_cert_name": None, "client_cert_chain": ()}}},
    "other_extensions": {"extensions": {"http.response.pathsend": {}}},
    "session": {"session": {"user": "ann"}},
    "empty_session": {"session": {}},
    "user": {"user": User()},
    "headers_as_tuple": {"headers": ((b"host", b"testserver"),)},
    "headers_as_lists": {"headers": [[b"host", b"testserver"]]},
    "headers_as_iterator": {"headers": iter([(b"host", b"testserver")])},
    "headers_of_text": {"headers": [("host", "testserver")]},
    "headers_of_three": {"headers": [(b"host", b"testserver", b"x")]},
    "headers_of_one": {"headers": [(b"host",)]},
    "no_headers": {"headers": None},
    "surrogate_in_path": {"path": "/items/\udc80"},
    "websocket": {"type": "websocket.http"},
}


async def ask(app: App, scope: dict[str, Any]) -> Any:
    """What the client gets, and what the scope says afterwards."""
    messages: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    try:
        await app(scope, receive, send)
    except Exception as error:
        messages.append(type(error))
    return messages, scope.get("path_params"), scope.get("endpoint") is not None, scope.get("route") is not None


def plain(**more: Any) -> dict[str, Any]:
    return {**scope_for("GET", "/items/7"), **more}


async def outcome(make: Callable[[], Any], change: dict[str, Any], often: int) -> Any:
    app = FastCacheMiddleware(make(), clock=SystemClock(1_700_000_000.0))
    for _ in range(often):
        await ask(app, plain())
    first = await ask(app, plain(**change))
    return first, await ask(app, plain(**change)), await ask(app, plain())


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("make", APPS)
def test_a_change_is_seen_as_if_there_were_no_memo(make: str, change: str) -> None:
    if change == "headers_as_iterator":
        # It can be read only once.
        changes = lambda: {"headers": iter([(b"host", b"testserver")])}  # noqa: E731
    else:
        changes = lambda: CHANGES[change]  # noqa: E731
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # After one request the answer is there, and the memo knows nothing yet.
        unknown = asyncio.run(outcome(APPS[make], changes(), 1))
        known = asyncio.run(outcome(APPS[make], changes(), OFTEN))
    assert known == unknown


@pytest.mark.parametrize("make", APPS)
@pytest.mark.parametrize("first", CHANGES)
def test_what_was_asked_often_does_not_shape_the_plain_answer(make: str, first: str) -> None:
    async def run(often: int) -> Any:
        app = FastCacheMiddleware(APPS[make](), clock=SystemClock(1_700_000_000.0))
        for _ in range(often):
            await ask(app, plain(**CHANGES[first]))
        return [await ask(app, plain()) for _ in range(3)]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert asyncio.run(run(OFTEN)) == asyncio.run(run(2))


async def known(app: App, target: str = "/items/7", **more: Any) -> None:
    for _ in range(OFTEN):
        answer = await request(app, "GET", target, **more)
    assert answer.cache == "HIT"


def test_expiry_and_age_are_judged_each_time() -> None:
    async def run() -> None:
        clock = SystemClock(1_700_000_000.0)
        app = FastCacheMiddleware(declared(), clock=clock)
        await known(app)
        for age in range(1, 60):
            clock.advance(1)
            answer = await request(app, "GET", "/items/7")
            assert (answer.cache, answer.header("age")) == ("HIT", str(age))
        clock.advance(1)
        assert (await request(app, "GET", "/items/7")).cache == "MISS"

    asyncio.run(run())


def test_a_drop_is_seen_at_once() -> None:
    async def run() -> None:
        app = declared()
        counter = iter(range(100))

        @app.get("/count", dependencies=[CacheConfig(60)])  # type: ignore[untyped-decorator, unused-ignore]
        async def count() -> int:
            return next(counter)

        @app.post("/count", dependencies=[CacheDropConfig(paths=["/count"])])  # type: ignore[untyped-decorator, unused-ignore]
        async def drop() -> None:
            return None

        cache = FastCacheMiddleware(app)
        for round_ in range(3):
            for asked in range(OFTEN):
                answer = await request(cache, "GET", "/count")
                assert (answer.cache, answer.body) == ("HIT" if asked else "MISS", str(round_).encode())
            await request(cache, "POST", "/count")

    asyncio.run(run())


def test_a_full_store_does_not_answer_what_it_let_go() -> None:
    async def run() -> None:
        app = FastCacheMiddleware(declared(), InMemoryStorage(max_size=1))
        await known(app)
        await known(app, "/items/8")
        assert (await request(app, "GET", "/items/7")).cache == "MISS"

    asyncio.run(run())


def test_routes_and_overrides_that_change_are_seen() -> None:
    async def run() -> None:
        async def dependency() -> int:
            return 1

        app = FastAPI()

        @app.get("/items/{item}", dependencies=[CacheConfig(60)])  # type: ignore[untyped-decorator, unused-ignore]
        async def item(item: int, number: Annotated[int, Depends(dependency)]) -> int:
            return number

        cache = FastCacheMiddleware(app)
        await known(cache)

        async def another(header: Annotated[str, Header()]) -> str:
            return header

        app.dependency_overrides[dependency] = another
        answer = await request(cache, "GET", "/items/7", [("header", "2")])
        assert (answer.cache, answer.body) == ("MISS", b"2")
        app.dependency_overrides.clear()
        await known(cache)

        for _ in range(OFTEN):
            assert (await request(cache, "GET", "/late")).status == 404

        @app.get("/late", dependencies=[CacheConfig(60)])  # type: ignore[untyped-decorator, unused-ignore]
        async def late() -> int:
            return 3

        await known(cache, "/late")

    asyncio.run(run())


def test_a_scope_filled_in_any_order_under_any_names_is_read() -> None:
    async def run() -> None:
        app = FastCacheMiddleware(declared())
        await known(app)
        for turn in range(14):
            items = list(plain(state={}).items())
            items = items[turn:] + items[:turn]
            # Names that are equal to the usual ones, and other objects.
            other = {"".join(list(name)): value for name, value in items} if turn % 2 else dict(items)
            messages, parameters, *_ = await ask(app, other)
            assert dict(messages[0]["headers"])[b"x-cache-status"] == b"HIT"
            assert parameters == {"item": "7"}

    asyncio.run(run())


def test_a_scope_that_changes_while_it_is_read_harms_nobody() -> None:
    class Meddling(str):
        """A name that is asked whenever a look-up meets it, and then empties the scope."""

        scope: Any = None

        def __hash__(self) -> int:
            return hash("extensions")

        def __eq__(self, other: object) -> bool:
            if self.scope is not None and other == "extensions":
                for name in ("path", "raw_path", "headers", "query_string", "method", "root_path", "scheme"):
                    self.scope.pop(name, None)
            return False

    async def run() -> None:
        app = FastCacheMiddleware(raw())
        await known(app)
        for _ in range(OFTEN):
            name = Meddling("meddling")
            scope: dict[Any, Any] = plain(path="/items/" + str(7), query_string=bytes(bytearray()))
            scope[name] = 1
            name.scope = scope
            await ask(app, scope)
        assert (await request(app, "GET", "/items/7")).cache == "HIT"

    asyncio.run(run())


def test_more_requests_than_the_memo_holds() -> None:
    async def run() -> None:
        app = FastCacheMiddleware(declared())
        for _ in range(3):
            for number in range(1_000):
                answer = await request(app, "GET", f"/items/{number}?q={number % 7}")
                assert answer.body == f'[{number},"{number % 7}",null,null,null]'.encode()
                assert answer.scope["path_params"] == {"item": str(number)}
        assert answer.cache == "HIT"

    asyncio.run(run())
