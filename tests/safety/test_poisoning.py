"""Poisoning and deception: what the key does not hold cannot shape a shared answer."""

import asyncio
from typing import Any

import pytest
from asgi_client import request, scope_for
from fastapi import Body, FastAPI, Request
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse

from fast_cache_middleware import CacheConfig, FastCacheMiddleware


def app_with(endpoint: Any, config: CacheConfig | None = None, path: str = "/a") -> FastAPI:
    app = FastAPI()
    app.add_api_route(path, endpoint, dependencies=[config or CacheConfig(60)], response_model=None)
    app.add_middleware(FastCacheMiddleware)
    return app


async def echo_headers(request: Request) -> PlainTextResponse:
    return PlainTextResponse(repr(request.headers.raw))


async def echo_url(request: Request) -> PlainTextResponse:
    names = ("x-forwarded-host", "x-forwarded-proto", "forwarded", "x-original-url", "x-rewrite-url", "x-host")
    return PlainTextResponse(repr([request.headers.get(name) for name in names]))


POISONS = [
    ("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "nothttps"), ("x-forwarded-port", "6666"),
    ("x-forwarded-prefix", "/evil"), ("forwarded", "host=evil"), ("x-original-url", "/evil"), ("x-host", "evil"),
    ("x-rewrite-url", "/evil"), ("origin", "https://evil.example"), ("x-api-key", "k3y"), ("x-tenant", "acme"),
    ("x-http-method-override", "DELETE"), ("x-method-override", "PUT"), ("cf-ipcountry", "XX"), ("", "empty name"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), POISONS)
def test_10_an_unknown_header_cannot_shape_a_shared_answer(name: str, value: str) -> None:
    async def run() -> None:
        app = app_with(echo_headers)
        clean = await request(app, "GET", "/a")
        poisoned = await request(app, "GET", "/a", [(name, value)])
        assert poisoned.cache != "HIT"
        assert value.encode() in poisoned.body
        assert (await request(app, "GET", "/a")).body == clean.body
        fresh = app_with(echo_headers)
        await request(fresh, "GET", "/a", [(name, value)])
        assert value.encode() not in (await request(fresh, "GET", "/a")).body

    asyncio.run(run())


def test_10_strict_inputs_hide_what_the_key_does_not_hold() -> None:
    async def run() -> None:
        app = app_with(echo_url, CacheConfig(60, strict_inputs=True, vary=["x-host"]))
        poisoned = await request(app, "GET", "/a", [("x-forwarded-host", "evil"), ("x-host", "h")])
        assert b"evil" not in poisoned.body
        assert b"'h'" in poisoned.body
        again = await request(app, "GET", "/a", [("x-forwarded-host", "worse"), ("x-host", "h")])
        assert (again.cache, again.body) == ("HIT", poisoned.body)

    asyncio.run(run())


def test_10_a_declared_endpoint_cannot_see_what_is_not_declared() -> None:
    async def run() -> None:
        async def declared(q: str = "") -> str:
            return q

        app = app_with(declared)
        first = await request(app, "GET", "/a?q=1", [("x-forwarded-host", "evil")])
        second = await request(app, "GET", "/a?q=1&x=2")
        assert (first.cache, second.cache) == ("MISS", "HIT")
        assert first.body == second.body == b'"1"'

    asyncio.run(run())


@pytest.mark.parametrize("announced", [True, False])
def test_11_a_get_with_a_body_is_not_shared(announced: bool) -> None:
    async def run() -> None:
        async def read(request: Request) -> PlainTextResponse:
            return PlainTextResponse(b"body:" + await request.body())

        app = app_with(read)
        headers = [("content-length", "4")] if announced else []

        async def ask(body: bytes) -> bytes:
            sent: list[Any] = []
            received = [{"type": "http.request", "body": body, "more_body": False}]

            async def receive() -> Any:
                return received.pop(0)

            async def send(message: Any) -> None:
                sent.append(message)

            version = "1.1" if announced else "2"
            await app(scope_for("GET", "/a", headers if body else [], http_version=version), receive, send)
            return b"".join(message.get("body", b"") for message in sent)

        assert await ask(b"evil") == b"body:evil"
        assert await ask(b"") == b"body:"
        if announced:
            assert await ask(b"evil") == b"body:evil"
        assert await ask(b"") == b"body:"

    asyncio.run(run())


def test_11_an_endpoint_that_declares_a_body_is_never_shared() -> None:
    async def run() -> None:
        async def read(item: dict[str, int] | None = Body(None)) -> Any:  # noqa: B008 - how FastAPI declares it
            return item

        app = app_with(read)
        json = [("content-type", "application/json")]
        assert (await request(app, "GET", "/a", json, b'{"a":1}')).body == b'{"a":1}'
        assert (await request(app, "GET", "/a")).body == b"null"
        assert (await request(app, "GET", "/a", json, b'{"a":2}')).body == b'{"a":2}'

    asyncio.run(run())


@pytest.mark.parametrize("target", ["/me/x.css", "/me/%2e%2e/x.js", "/me;x.css", "/me%09x.css", "/me/x.css?a.js"])
def test_12_a_path_that_looks_static_is_nobody_elses(target: str) -> None:
    async def run() -> None:
        app = FastAPI()

        async def me(request: Request, rest: str = "") -> PlainTextResponse:
            return PlainTextResponse(request.headers.get("authorization", "nobody") + repr(request.cookies))

        app.add_api_route("/{rest:path}", me, dependencies=[CacheConfig(60)], response_model=None)
        app.add_middleware(FastCacheMiddleware)
        assert b"alice" in (await request(app, "GET", target, [("authorization", "alice")])).body
        assert b"alice" in (await request(app, "GET", target, [("cookie", "session=alice")])).body
        assert (await request(app, "GET", target)).body == b"nobody{}"
        assert b"bob" in (await request(app, "GET", target, [("cookie", "session=bob")])).body

    asyncio.run(run())


@pytest.mark.parametrize("credentials", [True, False])
def test_13_an_echoed_cors_origin_is_not_shared(credentials: bool) -> None:
    async def run() -> None:
        app = FastAPI()
        app.add_api_route("/a", lambda: "a", dependencies=[CacheConfig(60)])
        app.add_middleware(CORSMiddleware, allow_origins=["https://one", "https://two"], allow_credentials=credentials)
        app.add_middleware(FastCacheMiddleware)  # outermost: CORS is inside
        for _ in range(2):
            for origin, allowed in (
                ("https://one", "https://one"),
                ("https://two", "https://two"),
                ("https://x", None),
            ):
                answer = await request(app, "GET", "/a", [("origin", origin)])
                assert answer.header("access-control-allow-origin") == allowed
            assert (await request(app, "GET", "/a")).header("access-control-allow-origin") is None

    asyncio.run(run())


def test_13_an_origin_echoed_by_hand_is_not_shared() -> None:
    async def run() -> None:
        async def echo(request: Request) -> PlainTextResponse:
            origin = request.headers.get("origin", "null")
            return PlainTextResponse("a", headers={"access-control-allow-origin": origin})

        app = app_with(echo)
        for origin in ("https://evil", "https://good", "https://evil"):
            answer = await request(app, "GET", "/a", [("origin", origin)])
            assert answer.header("access-control-allow-origin") == origin

    asyncio.run(run())


@pytest.mark.parametrize("status", [400, 403, 404, 405, 413, 414, 431, 500, 503])
def test_14_oversize_or_malformed_headers_never_leave_a_cached_error(status: int) -> None:
    async def run() -> None:
        async def picky(request: Request) -> PlainTextResponse:
            bad = any(len(value) > 1000 for _, value in request.headers.raw)
            return PlainTextResponse("bad", status) if bad else PlainTextResponse("good")

        app = app_with(picky)
        for headers in ([("accept-language", "x" * 5000)], [("sec-x", "x" * 5000)], [("x-meta", "x" * 5000)]):
            assert (await request(app, "GET", "/a", headers)).status == status
        answer = await request(app, "GET", "/a")
        assert (answer.status, answer.body) == (200, b"good")

    asyncio.run(run())


def test_15_method_override_headers_split_the_key() -> None:
    async def run() -> None:
        async def override(request: Request) -> PlainTextResponse:
            names = ("x-http-method-override", "x-http-method", "x-method-override")
            return PlainTextResponse(next((request.headers[name] for name in names if name in request.headers), "GET"))

        app = app_with(override)
        for name in ("x-http-method-override", "x-http-method", "x-method-override"):
            assert (await request(app, "GET", "/a", [(name, "DELETE")])).body == b"DELETE"
            assert (await request(app, "GET", "/a")).body == b"GET"

    asyncio.run(run())


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "get", "G\u0395T", "TRACE"])
def test_15_another_method_gets_no_stored_answer(method: str) -> None:
    async def run() -> None:
        app = app_with(lambda: "got")
        bare = FastAPI()
        bare.add_api_route("/a", lambda: "got")
        await request(app, "GET", "/a")
        expected = await request(bare, method, "/a")
        answer = await request(app, method, "/a")
        assert (answer.status, answer.body) == (expected.status, expected.body)
        assert answer.cache != "HIT"

    asyncio.run(run())
