"""`FastCacheMiddleware`: where it stands, what passes it by, and its options."""

import asyncio
import inspect
import logging
import subprocess
import sys
from typing import Annotated, Any

import pytest
from contract.support import START, Client, Counter, fastapi_app
from fastapi import Cookie, FastAPI, Request, WebSocket
from starlette.middleware.gzip import GZipMiddleware

import fast_cache_middleware
from fast_cache_middleware import CacheConfig, CacheDropConfig, FastCacheMiddleware, InMemoryStorage
from fast_cache_middleware._core import SystemClock


def cached_app(**settings: Any) -> FastAPI:
    app = FastAPI(**settings)
    app.get("/x", dependencies=[CacheConfig(60)])(Counter())
    app.post("/x", dependencies=[CacheDropConfig(paths=["/x"])])(lambda: None)
    return app


# -- what passes untouched --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scope", [{"type": "websocket"}, {"type": "unknown"}, {"type": "http.future"}, {}, {"type": 7}]
)
def test_other_scope_types_pass_untouched(scope: dict[str, Any]) -> None:
    seen: list[tuple[Any, Any, Any]] = []

    async def app(*arguments: Any) -> None:
        seen.append(arguments)

    async def receive() -> Any: ...

    async def send(message: Any) -> None: ...

    middleware = FastCacheMiddleware(app)
    before = dict(scope)
    asyncio.run(middleware(scope, receive, send))
    [(scope_seen, receive_seen, send_seen)] = seen
    assert scope_seen is scope and receive_seen is receive and send_seen is send
    assert scope == before


def test_the_lifespan_passes_untouched() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope, receive, send))

    async def receive() -> Any:
        raise AssertionError("nobody asked")

    async def send(message: Any) -> None:
        raise AssertionError("nobody asked")

    scope: dict[str, Any] = {"type": "lifespan", "state": {}}
    asyncio.run(FastCacheMiddleware(app)(scope, receive, send))
    assert seen == [(scope, receive, send)]
    assert scope == {"type": "lifespan", "state": {}}


def test_websockets_work_behind_it() -> None:
    app = fastapi_app()

    @app.websocket("/ws/{name}")
    async def endpoint(websocket: WebSocket, name: str) -> None:
        await websocket.accept()
        await websocket.send_text(name)
        await websocket.close()

    app.get("/ws/{name}", dependencies=[CacheConfig(60)])(Counter())
    sent: list[Any] = []

    async def run() -> None:
        async def receive() -> Any:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "websocket", "path": "/ws/a", "raw_path": b"/ws/a", "query_string": b"", "root_path": "",
            "headers": [(b"host", b"testserver")], "scheme": "ws", "subprotocols": [],
        }  # fmt: skip
        await app(scope, receive, send)

    asyncio.run(run())
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.send", "websocket.close"]
    assert Client(app).outcomes("/ws/a", "/ws/a") == ["MISS", "HIT"]


def test_a_route_without_a_config_gets_the_very_arguments() -> None:
    app = cached_app()
    seen: list[Any] = []

    class Spy:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            seen.append((scope, receive, send))
            await self.app(scope, receive, send)

    app.get("/plain")(Counter())
    given: list[Any] = []

    class Outer(Spy):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            given.append((scope, receive, send))
            await self.app(scope, receive, send)

    app.add_middleware(Spy)
    app.add_middleware(FastCacheMiddleware)
    app.add_middleware(Outer)
    Client(app).get("/plain")
    assert all(one is other for one, other in zip(given[0], seen[0], strict=True))


# -- where it stands --------------------------------------------------------------------------------------------------


def test_wrapped_around_an_application() -> None:
    app = cached_app()
    wrapped = FastCacheMiddleware(app)
    client = Client(wrapped)
    assert client.outcomes("/x", "/x") == ["MISS", "HIT"]
    client.post("/x")
    assert client.get("/x").cache == "MISS"
    assert Client(app).get("/x").cache is None
    assert inspect.iscoroutinefunction(wrapped.__call__)


@pytest.mark.filterwarnings("ignore:The `root_path` parameter")
@pytest.mark.parametrize("outside", [False, True])
def test_an_application_with_a_root_path(outside: bool) -> None:
    if outside:
        app = cached_app(root_path="/proxy")
        client = Client(FastCacheMiddleware(app))
    else:
        app = fastapi_app(root_path="/proxy")
        app.get("/x", dependencies=[CacheConfig(60)])(Counter())
        app.post("/x", dependencies=[CacheDropConfig(paths=["/x"])])(lambda: None)
        client = Client(app)
    assert client.outcomes("/proxy/x", "/proxy/x") == ["MISS", "HIT"]
    # A proxy that strips the prefix: the framework routes that as well.
    assert client.get("/x").status == 200
    assert client.get("/x").cache == "HIT"
    assert client.post("/proxy/x").status == 200
    assert client.outcomes("/proxy/x", "/x") == ["MISS", "MISS"]


def test_a_root_path_from_the_server() -> None:
    app = fastapi_app()
    counter = Counter()
    app.get("/x", dependencies=[CacheConfig(60)])(counter)
    client = Client(app)
    for root_path in ("/a", "/b", ""):
        target = f"{root_path}/x"
        assert [client.get(target, root_path=root_path).cache for _ in range(2)] == ["MISS", "HIT"]
    assert counter.calls == 3


def test_beside_other_middleware() -> None:
    app = fastapi_app()

    @app.get("/x", dependencies=[CacheConfig(60)])
    async def endpoint() -> str:
        return "x" * 2000

    app.add_middleware(GZipMiddleware, minimum_size=10)
    client = Client(app)
    plain, packed = client.get("/x"), client.get("/x", [("accept-encoding", "gzip")])
    assert (plain.cache, packed.cache) == ("MISS", "HIT")
    assert (plain.header("content-encoding"), packed.header("content-encoding")) == (None, "gzip")


def test_compression_further_inside_is_kept_apart() -> None:
    app = cached_app()

    @app.get("/long", dependencies=[CacheConfig(60)])
    async def endpoint() -> str:
        return "x" * 2000

    app.add_middleware(GZipMiddleware, minimum_size=10)
    app.add_middleware(FastCacheMiddleware)
    client = Client(app)
    gzip = [("accept-encoding", "gzip")]
    assert [client.get("/long", headers).cache for headers in (gzip, (), gzip, ())] == ["MISS", "MISS", "HIT", "HIT"]
    assert client.get("/long", gzip).header("content-encoding") == "gzip"
    assert client.get("/long").header("content-encoding") is None


def test_it_analyses_by_itself_and_sees_late_routes() -> None:
    app = fastapi_app()
    client = Client(app)
    assert client.get("/x").status == 404
    app.get("/x", dependencies=[CacheConfig(60)])(Counter())
    assert client.outcomes("/x", "/x") == ["MISS", "HIT"]
    app.get("/y", dependencies=[CacheConfig(60)])(Counter())
    assert client.outcomes("/y", "/y", "/x") == ["MISS", "HIT", "HIT"]


def test_an_uncached_route_in_front_stays_uncached() -> None:
    app = fastapi_app()
    app.get("/users/me")(Counter())
    app.get("/users/{user_id}", dependencies=[CacheConfig(60)])(Counter())
    client = Client(app)
    assert client.outcomes("/users/me", "/users/me", "/users/1", "/users/1") == [None, None, "MISS", "HIT"]


def test_dependency_overrides_count() -> None:
    app = fastapi_app()
    counter = Counter()

    async def who(theme: Annotated[str | None, Cookie()] = None) -> str:
        return "real"

    from fastapi import Depends

    @app.get("/x", dependencies=[CacheConfig(60)])
    async def endpoint(name: Annotated[str, Depends(who)]) -> list[Any]:
        return [name, counter()]

    client = Client(app)
    assert client.get("/x").body == b'["real",1]'
    app.dependency_overrides[who] = lambda: "test"
    assert client.get("/x").body == b'["test",2]'
    app.dependency_overrides.clear()
    assert client.get("/x").body in (b'["real",1]', b'["real",3]')


# -- options ----------------------------------------------------------------------------------------------------------


def test_the_options_and_their_defaults() -> None:
    parameters = inspect.signature(FastCacheMiddleware.__init__).parameters
    found = {name: (p.default, p.kind) for name, p in parameters.items()}
    keyword = inspect.Parameter.KEYWORD_ONLY
    positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
    expected = {
        "storage": (None, positional), "controller": (None, positional), "rules": ((), keyword),
        "namespace": ("", keyword), "cache_status": ("fast-cache", keyword), "client_directives": (True, keyword),
        "head_from_get": (False, keyword), "follower_timeout": (10.0, keyword), "handler_timeout": (None, keyword),
        "coalesce": (True, keyword), "undeclared_headers": ((), keyword), "heuristics": (False, keyword),
        "cdn_cache_control": (False, keyword), "stale_on_error": (False, keyword),
        "normalize_language": (False, keyword),
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected


def test_every_option_is_accepted() -> None:
    app = cached_app()
    app.add_middleware(
        FastCacheMiddleware,
        storage=InMemoryStorage(),
        controller=fast_cache_middleware.Controller(),
        rules=[],
        namespace="shop",
        cache_status="edge",
        client_directives=True,
        head_from_get=False,
        follower_timeout=5,
        handler_timeout=30.0,
        coalesce=False,
        undeclared_headers=["X-Trace"],
        heuristics=False,
        cdn_cache_control=False,
        stale_on_error=False,
        normalize_language=False,
    )
    assert Client(app).outcomes("/x", "/x") == ["MISS", "HIT"]


def raw(**options: Any) -> Client:
    app = fastapi_app(options=options)
    counter = Counter()

    @app.get("/x", dependencies=[CacheConfig(60)])
    async def endpoint(request: Request) -> int:
        return counter()

    return Client(app)


def test_undeclared_headers_stay_out_of_a_raw_endpoints_key() -> None:
    trace, tenant = ("x-trace", "1"), ("x-tenant", "a")
    client = raw()
    assert [client.get("/x", [header]).cache for header in (trace, ("x-trace", "2"))] == ["MISS", "MISS"]
    client = raw(undeclared_headers=["X-Trace"])
    assert client.get("/x", [trace]).cache == "MISS"
    assert client.get("/x", [("x-trace", "2")]).cache == "HIT"
    assert client.get("/x", [("x-trace", "2"), tenant]).cache == "MISS"


@pytest.mark.parametrize(
    "header", ["User-Agent", "Accept", "Accept-Language", "Referer", "Sec-Fetch-Mode", "traceparent", "X-Request-ID",
               "X-Forwarded-For"],
)  # fmt: skip
def test_headers_that_clients_vary_freely_stay_out_too(header: str) -> None:
    client = raw()
    assert client.get("/x").cache == "MISS"
    assert client.get("/x", [(header, "1")]).cache == "HIT"


@pytest.mark.parametrize("header", ["Origin", "X-Api-Key", "X-Forwarded-Host", "X-Anything"])
def test_headers_of_which_nothing_is_known_join_the_key(header: str) -> None:
    client = raw()
    assert client.get("/x").cache == "MISS"
    assert [client.get("/x", [(header, value)]).cache for value in "aba"] == ["MISS", "MISS", "HIT"]


def test_a_raw_endpoint_and_cookies() -> None:
    assert raw().get("/x", [("cookie", "a=b")]).cache == "BYPASS"


def test_two_hosts_and_two_schemes_are_kept_apart() -> None:
    app = fastapi_app()
    app.get("/x", dependencies=[CacheConfig(60)])(Counter())
    client = Client(app)
    assert [client.get("/x", [("host", host)]).cache for host in ("a", "b", "a", "A")] == ["MISS", "MISS", "HIT", "HIT"]
    assert [client.get("/x", [("host", "a")], scheme="https").cache for _ in range(2)] == ["MISS", "HIT"]


def test_warnings_name_the_middleware_inside(caplog: pytest.LogCaptureFixture) -> None:
    class TenantMiddleware:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await self.app(scope, receive, send)

    app = cached_app()
    app.add_middleware(TenantMiddleware)
    app.add_middleware(FastCacheMiddleware)
    with caplog.at_level(logging.WARNING, logger="fast_cache_middleware"):
        Client(app).start()
    assert "TenantMiddleware" in caplog.text


# -- import -----------------------------------------------------------------------------------------------------------


def test_everything_is_exported() -> None:
    names = [
        "BaseSerializer", "BaseStorage", "CacheConfig", "CacheDropConfig", "CacheHandle", "CacheRule", "ConfigError",
        "Controller", "DefaultSerializer", "DropRule", "FastCacheMiddleware", "FastCacheMiddlewareError",
        "InMemoryStorage", "JSONSerializer", "NotFoundStorageError", "StorageError", "TTLExpiredStorageError",
        "cached", "drops", "get_cache",
    ]  # fmt: skip
    assert set(names) <= set(fast_cache_middleware.__all__)
    assert all(hasattr(fast_cache_middleware, name) for name in fast_cache_middleware.__all__)


def test_the_import_needs_no_fastapi_and_no_client_library() -> None:
    code = (
        "import sys\n"
        "class Gone:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('fastapi', 'pydantic', 'redis', 'uvloop', 'uvicorn', 'httpx'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Gone())\n"
        "import fast_cache_middleware as f\n"
        "f.CacheConfig(60); f.CacheDropConfig(paths=['/x']); f.FastCacheMiddleware(print)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_clock_may_be_given() -> None:
    clock = SystemClock(START)
    app = cached_app()
    app.add_middleware(FastCacheMiddleware, clock=clock)
    client = Client(app)
    assert client.outcomes("/x", "/x") == ["MISS", "HIT"]
    clock.advance(61)
    assert client.get("/x").cache == "MISS"
