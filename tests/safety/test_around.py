"""Other middlewares inside and outside, mounts, hosts, websockets and lifespans."""

import asyncio
import gzip
from typing import Any

import pytest
from asgi_client import Answer, lifespan, request, scope_for
from fastapi import FastAPI, Request, WebSocket
from safety.differential import seen
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Host, Mount, Route, Router

from fast_cache_middleware import CacheConfig, CacheRule, ConfigError, FastCacheMiddleware, cached

TEXT = "x" * 3000


async def ask(app: Any, target: str = "/a", headers: Any = (), **more: Any) -> Answer:
    return await request(app, "GET", target, headers, **more)


class Copying:
    """Hands a copy of the scope to the application."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(dict(scope), receive, send)


class Sessions:
    """Sessions as `SessionMiddleware` keeps them, without the signature."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        cookie = dict(scope["headers"]).get(b"cookie", b"").decode()
        scope["session"] = {"user": cookie.removeprefix("session=")} if cookie.startswith("session=") else {}
        before = dict(scope["session"])

        async def setting(message: Any) -> None:
            if message["type"] == "http.response.start" and scope["session"] != before:
                line = (b"set-cookie", f"session={scope['session']['user']}; path=/".encode())
                message = {**message, "headers": [*message["headers"], line]}
            await send(message)

        await self.app(scope, receive, setting)


class Rewriting:
    """Sends every request to another path than it asked for."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] == "/a":
            scope = {**scope, "path": "/b", "raw_path": b"/b"}
        await self.app(scope, receive, send)


async def passing(request: Request, call_next: Any) -> Response:
    response: Response = await call_next(request)
    response.headers["x-passed"] = "yes"
    return response


LAYERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "base": (BaseHTTPMiddleware, {"dispatch": passing}),
    "gzip": (GZipMiddleware, {"minimum_size": 10}),
    "cors": (CORSMiddleware, {"allow_origins": ["https://one"]}),
    "session": (Sessions, {}),
    "copying": (Copying, {}),
}


def layered(inside: list[str], outside: list[str], cache: bool = True) -> FastAPI:
    app = FastAPI()

    async def stream() -> Any:
        yield TEXT.encode()
        yield b"end"

    app.add_api_route("/a", lambda: PlainTextResponse(TEXT), dependencies=[CacheConfig(60)], response_model=None)
    app.add_api_route("/b", lambda: StreamingResponse(stream()), dependencies=[CacheConfig(60)], response_model=None)
    for name in inside:
        app.add_middleware(LAYERS[name][0], **LAYERS[name][1])
    if cache:
        app.add_middleware(FastCacheMiddleware)
    for name in outside:
        app.add_middleware(LAYERS[name][0], **LAYERS[name][1])
    return app


def told(answer: Answer) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
    """Status, decoded body and the lines that must not differ."""
    body = gzip.decompress(answer.body) if answer.header("content-encoding") == "gzip" else answer.body
    kept = (b"access-control-allow-origin", b"content-type", b"x-passed")
    return answer.status, body, sorted(line for line in answer.lines if line[0] in kept)


ORDERS = [
    (inside, outside)
    for inside in ([], ["base"], ["gzip"], ["cors"], ["session"], ["copying"], ["gzip", "base"], ["base", "cors"])
    for outside in ([], ["base"], ["gzip"], ["cors"], ["session"], ["copying"], ["base", "gzip"])
]


@pytest.mark.parametrize(("inside", "outside"), ORDERS)
def test_any_order_of_middlewares_answers_as_without_the_cache(inside: list[str], outside: list[str]) -> None:
    async def run() -> None:
        app, bare = layered(inside, outside), layered(inside, outside, cache=False)
        variants: list[list[tuple[str, str]]] = [
            [], [("accept-encoding", "gzip")], [("origin", "https://one")], [("origin", "https://two")],
            [("cookie", "session=x")], [("accept-encoding", "gzip"), ("origin", "https://one")],
        ]  # fmt: skip
        for target in ("/a", "/b"):
            for headers in variants * 2:
                assert told(await ask(app, target, headers)) == told(await ask(bare, target, headers))

    asyncio.run(run())


def test_a_middleware_inside_that_rewrites_the_path_is_never_answered_for_wrongly() -> None:
    async def run() -> None:
        app = FastAPI()
        app.add_api_route("/a", lambda: "a", dependencies=[CacheConfig(60)])
        app.add_api_route("/b", lambda: "b", dependencies=[CacheConfig(60)])
        app.add_middleware(Rewriting)
        app.add_middleware(FastCacheMiddleware)
        for _ in range(3):
            assert [(await ask(app, target)).body for target in ("/a", "/b")] == [b'"b"', b'"b"']

    asyncio.run(run())


def test_trusted_host_inside_still_refuses_a_strange_host() -> None:
    async def run() -> None:
        app = FastAPI()
        app.add_api_route("/a", lambda: "a", dependencies=[CacheConfig(60)])
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=["good"])
        app.add_middleware(FastCacheMiddleware)
        for _ in range(2):
            assert (await ask(app, headers=[("host", "good")])).status == 200
            assert (await ask(app, headers=[("host", "evil")])).status == 400

    asyncio.run(run())


def test_a_session_is_nobody_elses() -> None:
    async def run() -> None:
        app = FastAPI()

        async def who(request: Request) -> str:
            return str(request.session.get("user", "nobody"))

        async def login(request: Request, user: str) -> str:
            request.session["user"] = user
            return user

        app.add_api_route("/a", who, dependencies=[CacheConfig(60)])
        app.add_api_route("/login", login, dependencies=[CacheConfig(60)])
        app.add_middleware(Sessions)
        app.add_middleware(FastCacheMiddleware)
        cookies = {}
        for user in ("alice", "bob"):
            answer = await ask(app, f"/login?user={user}")
            cookies[user] = (answer.header("set-cookie") or "").partition(";")[0]
            assert cookies[user]
        for _ in range(2):
            for user, cookie in cookies.items():
                assert (await ask(app, headers=[("cookie", cookie)])).body == f'"{user}"'.encode()
            assert (await ask(app)).body == b'"nobody"'

    asyncio.run(run())


def test_mounted_applications_with_and_without_caches_of_their_own() -> None:
    async def run() -> None:
        def sub(word: str, cache: bool) -> FastAPI:
            app = FastAPI()
            app.add_api_route("/a", lambda: word, dependencies=[CacheConfig(60)])
            if cache:
                app.add_middleware(FastCacheMiddleware)
            return app

        app = FastAPI()
        app.add_api_route("/a", lambda: "top", dependencies=[CacheConfig(60)])
        for word, cache in (("one", True), ("two", True), ("three", False)):
            app.mount(f"/{word}", sub(word, cache))
        app.add_middleware(FastCacheMiddleware)
        for _ in range(3):
            for target, word in (("/a", "top"), ("/one/a", "one"), ("/two/a", "two"), ("/three/a", "three")):
                assert (await ask(app, target)).body == f'"{word}"'.encode()
                served = await ask(app, f"/prefix{target}", root_path="/prefix")
                assert served.body == f'"{word}"'.encode()

    asyncio.run(run())


def test_a_guard_in_front_of_a_mounted_application_is_not_skipped() -> None:
    class Guard:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if (b"x-pass", b"alice") in scope["headers"]:
                await self.app(scope, receive, send)
            else:
                await PlainTextResponse("no", 403)(scope, receive, send)

    async def endpoint(request: Request) -> PlainTextResponse:
        return PlainTextResponse("secret")

    async def run() -> None:
        routes = [Route("/a", cached(60)(endpoint))]
        for inner in (Guard(Starlette(routes=routes)), Guard(Router(routes=routes))):
            app = FastCacheMiddleware(Starlette(routes=[Mount("/m", inner), Host("guarded.example", inner)]))
            for _ in range(2):
                assert (await ask(app, "/m/a", [("x-pass", "alice")])).body == b"secret"
                assert (await ask(app, "/m/a")).status == 403
                assert (await ask(app, "/m/a", [("x-pass", "bob")])).status == 403
                guarded = [("host", "guarded.example")]
                assert (await ask(app, "/a", [*guarded, ("x-pass", "alice")])).body == b"secret"
                assert (await ask(app, "/a", guarded)).status == 403

    asyncio.run(run())


@pytest.mark.parametrize("root_path", ["", "/api", "/api/v1", "/a", "/a/a", "/ap"])
def test_root_paths_answer_as_without_the_cache(root_path: str) -> None:
    async def run() -> None:
        def built(cache: bool) -> FastAPI:
            app = FastAPI()
            app.add_api_route("/a", lambda: "a", dependencies=[CacheConfig(60)])
            app.add_api_route("/a/a", lambda: "aa", dependencies=[CacheConfig(60)])
            app.add_api_route("/{rest:path}", lambda rest: rest, dependencies=[CacheConfig(60)])
            sub = FastAPI()
            sub.add_api_route("/a", lambda: "sub", dependencies=[CacheConfig(60)])
            app.mount("/m", sub)
            if cache:
                app.add_middleware(FastCacheMiddleware)
            return app

        app, bare = built(True), built(False)
        for target in ("/a", "/a/a", "/api/a", "/api/v1/a", "/m/a", "/api/m/a", "/api", "/api/", "/apia") * 2:
            answer, expected = await ask(app, target, root_path=root_path), await ask(bare, target, root_path=root_path)
            assert (answer.status, answer.body) == (expected.status, expected.body), target

    asyncio.run(run())


@pytest.mark.parametrize("outside", [False, True])
def test_a_websocket_passes_untouched(outside: bool) -> None:
    async def run() -> None:
        app = FastAPI()
        app.add_api_route("/a", lambda: "a", dependencies=[CacheConfig(60)])

        async def chat(websocket: WebSocket) -> None:
            await websocket.accept()
            await websocket.send_text(await websocket.receive_text())
            await websocket.close()

        app.add_api_websocket_route("/a", chat)
        served: Any = app
        if outside:
            served = FastCacheMiddleware(app)
        else:
            app.add_middleware(FastCacheMiddleware)
        await ask(served)
        received = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "hello"}]
        sent: list[Any] = []

        async def receive() -> Any:
            return received.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {**scope_for("GET", "/a"), "type": "websocket", "subprotocols": [], "scheme": "ws"}
        await served(scope, receive, send)
        assert [message["type"] for message in sent] == ["websocket.accept", "websocket.send", "websocket.close"]
        assert sent[1]["text"] == "hello"

    asyncio.run(run())


def test_other_scope_types_reach_the_application_with_the_very_same_objects() -> None:
    async def run() -> None:
        calls: list[Any] = []

        async def app(*arguments: Any) -> None:
            calls.append(arguments)

        cache = FastCacheMiddleware(app, rules=[CacheRule("/a", CacheConfig(60))])
        for kind in ("websocket", "http.future", "webtransport", None, 7):
            arguments = ({"type": kind}, object(), object())
            await cache(*arguments)
            assert all(one is other for one, other in zip(calls.pop(), arguments, strict=True))

    asyncio.run(run())


@pytest.mark.parametrize("outside", [False, True])
def test_a_lifespan_that_fails_fails_as_it_would(outside: bool) -> None:
    async def run() -> None:
        from contextlib import asynccontextmanager

        @asynccontextmanager
        async def failing(app: Any) -> Any:
            raise RuntimeError("no database")
            yield

        def built(cache: bool) -> Any:
            app = FastAPI(lifespan=failing)
            app.add_api_route("/a", lambda: "a", dependencies=[CacheConfig(60)])
            if cache and not outside:
                app.add_middleware(FastCacheMiddleware)
            return FastCacheMiddleware(app) if cache and outside else app

        outcomes = []
        for cache in (False, True):
            sent: list[Any] = []
            received = [{"type": "lifespan.startup"}]

            async def receive(received: Any = received) -> Any:
                return received.pop(0)

            async def send(message: Any, sent: Any = sent) -> None:
                sent.append(message["type"])

            with pytest.raises(RuntimeError, match="no database"):
                await built(cache)({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
            outcomes.append(sent)
        assert outcomes[0] == outcomes[1] == ["lifespan.startup.failed"]

    asyncio.run(run())


def test_an_application_without_a_lifespan_refuses_it_as_it_would() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"

    async def run() -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}}
        cache = FastCacheMiddleware(app, rules=[CacheRule("/a", CacheConfig(60))])
        expected, found = await seen(app, scope), await seen(cache, scope)
        assert (found.messages, (found.raised or "")[:14]) == (expected.messages, (expected.raised or "")[:14])

    asyncio.run(run())


def test_an_impossible_config_stops_the_start_and_names_the_route() -> None:
    async def run() -> None:
        app = FastAPI()
        app.add_api_route("/users/{user_id}", lambda user_id: "a", dependencies=[CacheConfig(60, tags=["u:{nobody}"])])
        app.add_middleware(FastCacheMiddleware)
        with pytest.raises(ConfigError, match="/users/"):
            await lifespan(app)
        for _ in range(2):
            with pytest.raises(ConfigError, match="nobody"):
                await ask(app, "/users/1")

    asyncio.run(run())


def test_two_caches_in_one_stack_answer_as_one() -> None:
    async def run() -> None:
        app = FastAPI()
        app.add_api_route("/a/{x}", lambda x: x, dependencies=[CacheConfig(60)])
        app.add_middleware(FastCacheMiddleware)
        app.add_middleware(FastCacheMiddleware)
        for x in ("1", "2", "1", "2"):
            assert (await ask(app, f"/a/{x}")).body == f'"{x}"'.encode()

    asyncio.run(run())
