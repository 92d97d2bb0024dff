"""Leaks: nobody gets an answer that was made for somebody else."""

import asyncio
from contextvars import ContextVar
from typing import Annotated, Any

import pytest
from asgi_client import Answer, request
from fastapi import Cookie, Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.security import APIKeyCookie, APIKeyHeader, APIKeyQuery, HTTPBasic, HTTPBearer, OAuth2PasswordBearer
from starlette.responses import PlainTextResponse

from fast_cache_middleware import CacheConfig, FastCacheMiddleware

USERS = ("alice", "bob")


def app_with(endpoint: Any, config: CacheConfig | None = None, **options: Any) -> FastAPI:
    app = FastAPI()
    app.add_api_route("/a", endpoint, dependencies=[config or CacheConfig(60)], response_model=None)
    app.add_middleware(FastCacheMiddleware, **options)
    return app


async def whoami(request: Request) -> PlainTextResponse:
    names = ("authorization", "cookie", "x-api-key")
    return PlainTextResponse(repr([request.headers.getlist(name) for name in names]))


def credentials(kind: str, user: str) -> list[tuple[str, str]]:
    return {
        "authorization": [("authorization", f"Bearer {user}")],
        "basic": [("Authorization", f"Basic {user}")],
        "cookie": [("cookie", f"session={user}")],
        "cookies": [("cookie", "theme=dark"), ("cookie", f"session={user}")],
        "api_key": [("x-api-key", user)],
        "proxy": [("proxy-authorization", user), ("authorization", user)],
    }[kind]


@pytest.mark.parametrize("kind", ["authorization", "basic", "cookie", "cookies", "api_key", "proxy"])
def test_16_a_raw_endpoint_shares_nothing_between_users(kind: str) -> None:
    async def run() -> None:
        app = app_with(whoami)
        for user in USERS * 2:
            answer = await request(app, "GET", "/a", credentials(kind, user))
            assert user in answer.body.decode()
        stranger = await request(app, "GET", "/a")
        assert not any(user in stranger.body.decode() for user in USERS)
        for user in USERS:
            assert user in (await request(app, "GET", "/a", credentials(kind, user))).body.decode()

    asyncio.run(run())


SCHEMES: dict[str, tuple[Any, Any]] = {
    "bearer": (HTTPBearer(), lambda user: {"headers": [("authorization", f"Bearer {user}")]}),
    "basic": (HTTPBasic(), lambda user: {"headers": [("authorization", _basic(user))]}),
    "oauth2": (OAuth2PasswordBearer("token"), lambda user: {"headers": [("authorization", f"Bearer {user}")]}),
    "api_key_header": (APIKeyHeader(name="X-Key"), lambda user: {"headers": [("x-key", user)]}),
    "api_key_cookie": (APIKeyCookie(name="session"), lambda user: {"headers": [("cookie", f"a=b; session={user}")]}),
    "api_key_query": (APIKeyQuery(name="key"), lambda user: {"target": f"/a?key={user}"}),
}


def _basic(user: str) -> str:
    import base64

    return "Basic " + base64.b64encode(f"{user}:pw".encode()).decode()


async def ask(app: Any, target: str = "/a", headers: Any = ()) -> Answer:
    return await request(app, "GET", target, headers)


@pytest.mark.parametrize("name", SCHEMES)
def test_16_every_security_scheme_keeps_users_apart(name: str) -> None:
    scheme, give = SCHEMES[name]

    async def run() -> None:
        async def read(credential: Annotated[Any, Depends(scheme)]) -> str:
            return str(credential)

        app = app_with(read)
        bodies = {}
        for user in USERS * 2:
            answer = await ask(app, **give(user))
            assert user in answer.body.decode()
            assert bodies.setdefault(user, answer.body) == answer.body
        assert (await ask(app, **give("bob"))).cache == "HIT"
        stranger = await ask(app)
        assert stranger.status in (401, 403)
        assert not any(user in stranger.body.decode() for user in USERS)

    asyncio.run(run())


def test_16_a_declared_cookie_and_header_keep_users_apart() -> None:
    async def run() -> None:
        async def read(session: Annotated[str, Cookie()] = "", x_user: Annotated[str, Header()] = "") -> str:
            return f"{session}/{x_user}"

        app = app_with(read)
        asks = [
            [("cookie", "session=alice")], [("cookie", "session=bob")], [("x-user", "alice")], [("X-User", "bob")],
            [], [("cookie", "other=1; session=alice")], [("cookie", 'session="alice"')], [("cookie", "SESSION=bob")],
            [("cookie", "session=alice; session=bob")], [("cookie", "session=bob"), ("cookie", "session=alice")],
        ]  # fmt: skip
        bare = FastAPI()
        bare.add_api_route("/a", read)
        for headers in asks * 2:
            assert (await ask(app, headers=headers)).body == (await ask(bare, headers=headers)).body

    asyncio.run(run())


def test_16_an_answer_is_shared_with_credentials_only_where_it_says_so() -> None:
    async def run() -> None:
        async def read(response: Response, q: str = "") -> str:
            response.headers["cache-control"] = q
            return q

        app = app_with(read)
        mine = [("authorization", "Bearer alice")]
        for control, shared in (
            ("public", True),
            ("s-maxage=5", True),
            ("must-revalidate", True),
            ("max-age=9", False),
        ):
            assert (await ask(app, f"/a?q={control}", mine)).cache != "HIT"
            assert ((await ask(app, f"/a?q={control}", mine)).cache == "HIT") is shared
            assert ((await ask(app, f"/a?q={control}")).cache == "HIT") is shared

    asyncio.run(run())


def test_16_a_middleware_inside_that_keeps_a_user_in_a_context_leaks_nothing() -> None:
    current: ContextVar[str] = ContextVar("current", default="nobody")

    class Users:
        def __init__(self, app: Any, header: bytes) -> None:
            self.app, self.header = app, header

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            token = current.set(dict(scope.get("headers", ())).get(self.header, b"nobody").decode())
            try:
                await self.app(scope, receive, send)
            finally:
                current.reset(token)

    async def run() -> None:
        async def read() -> str:
            return current.get()

        for header in ("cookie", "authorization", "x-user"):
            app = FastAPI()
            app.add_api_route("/a", read, dependencies=[CacheConfig(60)])
            app.add_middleware(Users, header=header.encode())
            app.add_middleware(FastCacheMiddleware)
            for user in (*USERS, "nobody", *USERS):
                headers = [] if user == "nobody" else [(header, user)]
                assert (await ask(app, headers=headers)).body == f'"{user}"'.encode()

    asyncio.run(run())


@pytest.mark.parametrize("config", [CacheConfig(60), CacheConfig(60, public=True), CacheConfig(None)])
def test_17_set_cookie_is_never_replayed_and_several_stay_several(config: CacheConfig) -> None:
    async def run() -> None:
        async def read(response: Response) -> str:
            response.headers["cache-control"] = "public, max-age=60"
            response.set_cookie("a", "1")
            response.set_cookie("b", "2")
            return "ok"

        app = app_with(read, config)
        for _ in range(2):
            answer = await ask(app)
            assert (answer.cache, len(answer.all("set-cookie"))) == ("MISS", 2)

    asyncio.run(run())


VARIES = ["Accept-Language", "ACCEPT-LANGUAGE", " accept-language ", "x-a,Accept-Language", "x-a , ,accept-language,"]


@pytest.mark.parametrize("vary", VARIES)
def test_18_vary_is_read_whatever_its_case_and_spacing(vary: str) -> None:
    async def run() -> None:
        async def read(response: Response, accept_language: Annotated[str, Header()] = "") -> str:
            return accept_language

        async def raw(request: Request) -> PlainTextResponse:
            language = request.headers.get("accept-language", "")
            return PlainTextResponse(language, headers={"vary": vary})

        app = app_with(raw)
        for language in ("de", "en", "de", "en", "", "de, en"):
            answer = await ask(app, headers=[("accept-language", language)] if language else [])
            assert answer.body == language.encode()
        assert (await ask(app, headers=[("Accept-Language", "en")])).cache == "HIT"

    asyncio.run(run())


def test_18_several_vary_lines_all_count() -> None:
    async def run() -> None:
        async def raw(request: Request) -> PlainTextResponse:
            told = request.headers.get("accept-language", "") + request.headers.get("accept", "")
            response = PlainTextResponse(told)
            response.raw_headers += [(b"vary", b"accept-language"), (b"Vary", b"Accept")]
            return response

        app = app_with(raw)
        for language, accept in (("de", "x/y"), ("de", "x/z"), ("en", "x/y"), ("de", "x/y"), ("de", "x/z")):
            answer = await ask(app, headers=[("accept-language", language), ("accept", accept)])
            assert answer.body == f"{language}{accept}".encode()

    asyncio.run(run())


@pytest.mark.parametrize("vary", ["*", " * ", "accept, *", "*,accept"])
def test_18_vary_star_is_not_stored(vary: str) -> None:
    async def run() -> None:
        async def read(response: Response) -> str:
            response.headers["vary"] = vary
            return "ok"

        app = app_with(read)
        assert [(await ask(app)).cache for _ in range(3)] == ["MISS"] * 3

    asyncio.run(run())


def test_18_an_answer_that_forgets_its_vary_is_not_everybodys() -> None:
    async def run() -> None:
        async def raw(request: Request) -> PlainTextResponse:
            language = request.headers.get("accept-language", "")
            return PlainTextResponse(language, headers={"vary": "accept-language"} if language != "en" else {})

        app = app_with(raw)
        for language in ("de", "en", "fr", "de", "en", "fr"):
            assert (await ask(app, headers=[("accept-language", language)])).body == language.encode()

    asyncio.run(run())


FORBIDDING = [
    "private", "PRIVATE", "private=\"x-secret\"", "Private = \"a,b\"", "no-store", "NO-STORE", " No-Store ",
    "max-age=60,no-store", "max-age=60 , NO-CACHE", "no-cache=\"set-cookie\"", "public, private", "x=\",\", private",
    "\tno-store\t", "no-store=1", "max-age=5;private, no-store",
]  # fmt: skip


@pytest.mark.parametrize("control", FORBIDDING)
def test_19_what_forbids_storing_wins_whatever_its_case_and_spacing(control: str) -> None:
    async def run() -> None:
        async def read(request: Request) -> PlainTextResponse:
            return PlainTextResponse("mine", headers={"cache-control": control})

        app = app_with(read)
        assert "HIT" not in [(await ask(app)).cache for _ in range(3)]

    asyncio.run(run())


def test_19_a_second_line_forbids_as_well() -> None:
    async def run() -> None:
        async def read(request: Request) -> PlainTextResponse:
            response = PlainTextResponse("mine")
            response.raw_headers += [(b"cache-control", b"max-age=60"), (b"Cache-Control", b"Private")]
            return response

        app = app_with(read)
        assert "HIT" not in [(await ask(app)).cache for _ in range(3)]

    asyncio.run(run())


def test_20_an_uncached_me_before_a_cached_user_stays_uncached() -> None:
    async def run() -> None:
        app = FastAPI()
        calls = []

        async def me() -> str:
            calls.append("me")
            return f"me {len(calls)}"

        app.add_api_route("/users/me", me)
        app.add_api_route("/users/{user_id}", lambda user_id: user_id, dependencies=[CacheConfig(60)])
        app.add_middleware(FastCacheMiddleware)
        for target in ("/users/me", "/users/me?x=1", "/users/%6De"):
            first, second = await ask(app, target), await ask(app, target)
            assert first.body != second.body
            assert first.cache is second.cache is None
        await ask(app, "/users/7")
        assert (await ask(app, "/users/7")).cache == "HIT"

    asyncio.run(run())


def test_20_a_route_added_late_is_not_answered_for() -> None:
    async def run() -> None:
        app = FastAPI()
        app.add_api_route("/users/{user_id}", lambda user_id: user_id, dependencies=[CacheConfig(60)])
        app.add_middleware(FastCacheMiddleware)
        assert (await ask(app, "/users/me")).body == b'"me"'
        app.add_api_route("/users/me", lambda: "really me")
        app.router.routes.insert(0, app.router.routes.pop())
        app.add_api_route("/more", lambda: "more")
        assert (await ask(app, "/users/me")).body == b'"really me"'

    asyncio.run(run())


def test_21_a_stranger_does_not_pass_an_auth_dependency_on_a_hit() -> None:
    async def run() -> None:
        checked = []

        async def guard(authorization: Annotated[str, Header()] = "") -> None:
            checked.append(authorization)
            if authorization != "Bearer alice":
                raise HTTPException(401)

        async def raw_guard(request: Request) -> None:
            await guard(request.headers.get("authorization", ""))

        for dependency in (guard, raw_guard):
            app = FastAPI()
            dependencies = [Depends(dependency), CacheConfig(60)]
            app.add_api_route("/a", lambda: "secret", dependencies=dependencies)
            app.add_middleware(FastCacheMiddleware)
            for _ in range(2):
                assert (await ask(app, headers=[("authorization", "Bearer alice")])).status == 200
                for headers in ([], [("authorization", "Bearer bob")], [("authorization", "bearer alice")]):
                    assert (await ask(app, headers=headers)).status == 401
        assert "Bearer bob" in checked

    asyncio.run(run())


def test_21_an_overridden_dependency_answers_for_itself() -> None:
    async def run() -> None:
        async def user(authorization: Annotated[str, Header()] = "") -> str:
            return authorization

        app = FastAPI()

        async def read(name: Annotated[str, Depends(user)]) -> str:
            return name

        app.add_api_route("/a", read, dependencies=[CacheConfig(60)])
        app.add_middleware(FastCacheMiddleware)
        assert (await ask(app)).body == b'""'
        for name in ("alice", "bob", "alice"):
            app.dependency_overrides[user] = lambda name=name: name
            assert (await ask(app)).body == f'"{name}"'.encode()
        app.dependency_overrides.clear()
        assert (await ask(app)).body == b'""'

    asyncio.run(run())
