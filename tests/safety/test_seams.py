"""Where two rules meet: combinations in which one of them could undo what the other protects."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from asgi_client import Answer, request
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse, RedirectResponse
from fastapi.security import APIKeyCookie, APIKeyHeader, APIKeyQuery

from fast_cache_middleware import CacheConfig, CacheDropConfig, Controller, FastCacheMiddleware, InMemoryStorage
from fast_cache_middleware._core import SystemClock


def ask(app: Any, target: str, *headers: tuple[str, str], method: str = "GET", **scope: Any) -> Answer:
    return asyncio.run(request(app, method, target, headers, **scope))


class ByPath(Controller):
    async def generate_cache_key(self, request: Any) -> str:  # type: ignore[override]
        return str(request.url.path)


@pytest.mark.parametrize(
    ("config", "options"),
    [
        (CacheConfig(60, query=["page"]), {}),
        (CacheConfig(60, ignore_query=["api_*"]), {}),
        (CacheConfig(60, ignore_query=["*"]), {}),
        (CacheConfig(60), {"controller": ByPath()}),
    ],
    ids=["query", "ignore_query", "ignore_all", "controller"],
)
def test_a_query_credential_joins_whatever_else_is_said_of_the_query(config: CacheConfig, options: Any) -> None:
    app = FastAPI()
    app.add_middleware(FastCacheMiddleware, **options)

    @app.get("/me", dependencies=[config])
    async def me(page: int = 1, key: str = Depends(APIKeyQuery(name="api_key"))) -> str:
        return key

    assert ask(app, "/me?api_key=ann").body == b'"ann"'
    assert ask(app, "/me?api_key=bob").body == b'"bob"'
    assert ask(app, "/me?api_key=ann").cache == "HIT"
    assert ask(app, "/me").status in (401, 403)


@pytest.mark.parametrize(
    ("scheme", "place"),
    [
        (APIKeyHeader(name="x-key"), lambda user: ("x-key", user)),
        (APIKeyCookie(name="sid"), lambda user: ("cookie", f"sid={user}")),
    ],
    ids=["header", "cookie"],
)
def test_http_mode_keeps_declared_credentials_apart(scheme: Any, place: Callable[[str], tuple[str, str]]) -> None:
    app = FastAPI()
    app.add_middleware(FastCacheMiddleware)

    @app.get("/me", dependencies=[CacheConfig(None)])
    async def me(key: str = Depends(scheme)) -> PlainTextResponse:
        return PlainTextResponse(key, headers={"Cache-Control": "max-age=60"})

    assert ask(app, "/me", place("ann")).body == b"ann"
    assert ask(app, "/me", place("bob")).body == b"bob"
    assert ask(app, "/me", place("ann")).cache == "HIT"
    assert ask(app, "/me").status in (401, 403)


@pytest.mark.parametrize("control", ["max-age=0, must-revalidate", "s-maxage=0"])
def test_a_lifetime_of_zero_is_no_permission_to_share(control: str) -> None:
    app = FastAPI()
    app.add_middleware(FastCacheMiddleware)

    @app.get("/me", dependencies=[CacheConfig(60)])
    async def me(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.headers.get("authorization", ""), headers={"Cache-Control": control})

    assert ask(app, "/me", ("authorization", "ann")).cache == "BYPASS"
    assert ask(app, "/me", ("authorization", "bob")).body == b"bob"
    assert ask(app, "/me").body == b""


@pytest.mark.parametrize(
    "left", [{"session": {"user": "ann"}}, {"user": type("User", (), {"is_authenticated": True})()}]
)
def test_strict_inputs_do_not_share_what_outer_middleware_knows(left: dict[str, Any]) -> None:
    app = FastAPI()
    app.add_middleware(FastCacheMiddleware)

    @app.get("/me", dependencies=[CacheConfig(60, strict_inputs=True)])
    async def me(request: Request) -> str:
        return str(sorted({"session", "user"} & set(request.scope)))

    known = ask(app, "/me", ("cookie", "s=1"), **left)
    assert (known.status, known.cache) == (200, "BYPASS")
    stranger = ask(app, "/me", ("cookie", "s=2"))
    assert (stranger.body, stranger.cache) == (b'"[]"', "MISS")


class Everything(Controller):
    """Overrides a hook, so that Python drives the exchange."""

    async def is_cachable_request(self, request: Any) -> bool:
        return True


def test_what_the_scope_says_of_the_client_counts_with_hooks_too() -> None:
    app = FastAPI()
    app.add_middleware(FastCacheMiddleware, controller=Everything())

    @app.get("/strict", dependencies=[CacheConfig(60, strict_inputs=True)])
    async def strict(request: Request) -> str:
        return str(request.scope.get("session"))

    @app.get("/raw", dependencies=[CacheConfig(60)])
    async def raw(request: Request) -> str:
        return str(request.scope.get("extensions"))

    assert ask(app, "/strict", session={"user": "ann"}).cache == "BYPASS"
    assert b"ann" not in ask(app, "/strict").body
    certificate = {"tls": {"client_cert_name": "CN=ann", "client_cert_chain": []}}
    assert ask(app, "/raw", extensions=certificate).cache == "BYPASS"
    assert b"ann" not in ask(app, "/raw").body


def test_an_answer_that_fills_the_session_is_not_kept() -> None:
    app = FastAPI()
    app.add_middleware(FastCacheMiddleware)

    @app.get("/form", dependencies=[CacheConfig(60)])
    async def form(request: Request) -> str:
        request.scope["session"]["csrf"] = "token"
        return "token"

    assert "detail=set-cookie" in (ask(app, "/form", session={}).header("cache-status") or "")
    assert ask(app, "/form", session={}).cache == "MISS"


def test_a_client_certificate_is_a_credential() -> None:
    app = FastAPI()
    app.add_middleware(FastCacheMiddleware)

    @app.get("/me", dependencies=[CacheConfig(60)])
    async def me(request: Request) -> str:
        return str(request.scope.get("extensions", {}).get("tls", {}).get("client_cert_name"))

    def tls(name: str | None) -> dict[str, Any]:
        return {"extensions": {"tls": {"client_cert_name": name, "client_cert_chain": []}}}

    assert ask(app, "/me", **tls("CN=ann")).cache == "BYPASS"
    assert ask(app, "/me", **tls("CN=bob")).body == b'"CN=bob"'
    assert ask(app, "/me", **tls(None)).cache == "MISS"
    assert ask(app, "/me", **tls("CN=bob")).body == b'"CN=bob"'


def test_an_exception_handlers_answer_is_not_kept() -> None:
    app = FastAPI()
    app.add_middleware(FastCacheMiddleware)

    @app.exception_handler(RequestValidationError)
    async def elsewhere(request: Request, error: Exception) -> RedirectResponse:
        return RedirectResponse(f"https://{request.headers.get('x-forwarded-host', 'good')}/", 301)

    @app.get("/s", dependencies=[CacheConfig(60)])
    async def search(q: int) -> int:
        return q

    poisoned = ask(app, "/s", ("x-forwarded-host", "evil"))
    assert (poisoned.status, poisoned.cache) == (301, "MISS")
    assert "detail=exception-handler" in (poisoned.header("cache-status") or "")
    assert ask(app, "/s").header("location") == "https://good/"
    assert [ask(app, "/s?q=1").cache for _ in range(2)] == ["MISS", "HIT"]


def test_an_answer_from_before_the_router_says_nothing_of_the_prediction() -> None:
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    app = FastAPI()
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["testserver"])
    app.add_middleware(FastCacheMiddleware)

    @app.get("/x", dependencies=[CacheConfig(60)])
    async def x() -> int:
        return 1

    assert ask(app, "/x").cache == "MISS"
    assert ask(app, "/x", ("host", "evil")).status == 400
    assert ask(app, "/x").cache == "HIT"
    stack: Any = app.middleware_stack
    while not isinstance(stack, FastCacheMiddleware):
        stack = stack.app
    asked: list[Any] = []
    stack._responder.number_of = asked.append
    assert ask(app, "/x").cache == "HIT"
    assert asked == [], "the framework is not asked for a route that was predicted right"


def test_routes_that_are_exchanged_are_noticed() -> None:
    clock = SystemClock(1_700_000_000.0)
    app = FastAPI()
    app.add_middleware(FastCacheMiddleware, storage=InMemoryStorage(clock=clock))

    async def old() -> str:
        return "old"

    async def new() -> str:
        return "new"

    app.add_api_route("/x", old, dependencies=[CacheConfig(60)])
    assert [ask(app, "/x").cache for _ in range(2)] == ["MISS", "HIT"]
    app.router.routes.pop()
    app.add_api_route("/x", new)
    assert ask(app, "/x").body == b'"new"'
    app.router.routes = [route for route in app.router.routes if getattr(route, "path", "") != "/x"]
    assert ask(app, "/x").status == 404


def test_a_route_that_drops_is_noticed_when_it_comes_late() -> None:
    from fastapi import APIRouter

    clock = SystemClock(1_700_000_000.0)
    app, router = FastAPI(), APIRouter()
    app.add_middleware(FastCacheMiddleware, storage=InMemoryStorage(clock=clock))
    mounted = FastAPI()
    app.mount("/sub", mounted)

    @app.get("/u/{name}", dependencies=[CacheConfig(60)])
    async def read(name: str) -> str:
        return name

    app.include_router(router)
    assert [ask(app, "/u/1").cache for _ in range(2)] == ["MISS", "HIT"]

    @mounted.post("/u/{name}", dependencies=[CacheDropConfig(["/u/{name}"])])
    async def write(name: str) -> str:
        return name

    assert ask(app, "/sub/u/1", method="POST").status == 200
    assert ask(app, "/u/1").cache == "MISS"
