"""What joins the key: `key_func`, `vary`, `query`, `ignore_query`, `strict_inputs`, and what is declared."""

import asyncio
import threading
from typing import Annotated, Any

import pytest
from contract.support import Client, Counter, fastapi_app
from fastapi import Cookie, Depends, Header, Request, Security
from fastapi.security import APIKeyHeader, HTTPBearer

from fast_cache_middleware import CacheConfig


def by_tenant(request: Request) -> str:
    return request.headers.get("x-tenant", "none")


async def by_tenant_later(request: Request) -> str:
    await asyncio.sleep(0)
    return by_tenant(request)


class ByTenant:
    async def __call__(self, request: Request) -> str:
        return by_tenant(request)


@pytest.mark.parametrize("key_func", [by_tenant, by_tenant_later, ByTenant(), lambda request: by_tenant(request)])
def test_key_func_replaces_the_request_part(key_func: Any) -> None:
    app = fastapi_app()
    app.get("/x/{item}", dependencies=[CacheConfig(60, key_func=key_func)])(Counter())
    client = Client(app)
    a, b = [("x-tenant", "a")], [("x-tenant", "b")]
    assert client.get("/x/1", a).cache == "MISS"
    assert client.get("/x/1", b).cache == "MISS"
    again = client.get("/x/2?anything=1", [*a, ("authorization", "Bearer t"), ("cookie", "s=1")])
    assert (again.cache, again.body, again.header("age")) == ("HIT", b"1", "0")


def test_two_routes_share_a_key_func_and_no_entry() -> None:
    app = fastapi_app()
    first, second = Counter(), Counter()
    app.get("/first", dependencies=[CacheConfig(60, key_func=lambda request: "same")])(lambda: [first()])
    app.get("/second", dependencies=[CacheConfig(60, key_func=lambda request: "same")])(lambda: {"n": second()})
    shared = CacheConfig(60, key_func=lambda request: "same")
    app.get("/third", dependencies=[shared])(lambda: "third")
    app.get("/fourth", dependencies=[shared])(lambda: "fourth")
    client = Client(app)
    for path, body in (("/first", b"[1]"), ("/second", b'{"n":1}'), ("/third", b'"third"'), ("/fourth", b'"fourth"')):
        assert [client.get(path).cache for _ in range(2)] == ["MISS", "HIT"]
        assert client.get(path).body == body


def test_a_sync_key_func_runs_in_place() -> None:
    threads: set[int] = set()
    in_loop: list[bool] = []

    def key(request: Request) -> str:
        threads.add(threading.get_ident())
        in_loop.append(asyncio.get_running_loop() is not None)
        return "k"

    app = fastapi_app()
    app.get("/x", dependencies=[CacheConfig(60, key_func=key)])(Counter())
    assert Client(app).outcomes("/x", "/x") == ["MISS", "HIT"]
    assert threads == {threading.get_ident()}
    assert in_loop == [True, True]


def test_a_key_func_that_fails_bypasses(caplog: pytest.LogCaptureFixture) -> None:
    for broken in (lambda request: 1 / 0, lambda request: b"bytes", lambda request: None):
        app = fastapi_app()
        app.get("/x", dependencies=[CacheConfig(60, key_func=broken)])(Counter())
        client = Client(app)
        answers = [client.get("/x") for _ in range(2)]
        assert [(a.status, a.cache, a.body) for a in answers] == [(200, "BYPASS", b"1"), (200, "BYPASS", b"2")]
        assert "hook-failed" in (answers[0].header("cache-status") or "")
    assert "hook" in caplog.text


def test_vary_names_headers_and_cookies() -> None:
    app = fastapi_app()
    app.get("/x", dependencies=[CacheConfig(60, vary=["Accept-Language", "cookie:theme"])])(Counter())
    client = Client(app)

    def body(*headers: tuple[str, str]) -> bytes:
        return client.get("/x", headers).body

    assert body() == b"1"
    assert body(("accept-language", "de")) == b"2"
    assert body(("Accept-Language", "de")) == b"2"
    assert body(("accept-language", "fr")) == b"3"
    assert body(("cookie", "theme=dark")) == b"4"
    assert body(("cookie", "other=1; theme=dark")) == b"4"
    assert body(("cookie", "theme=light")) == b"5"
    assert body(("cookie", "other=2")) == b"1"
    assert body(("user-agent", "x")) == b"1"


def test_vary_may_name_authorization() -> None:
    app = fastapi_app()
    app.get("/x", dependencies=[CacheConfig(60, vary=["authorization"])])(Counter())
    client = Client(app)
    mine, yours = [("authorization", "me")], [("authorization", "you")]
    assert [client.get("/x", headers).body for headers in (mine, yours, mine, yours, ())] == [
        b"1", b"2", b"1", b"2", b"3",
    ]  # fmt: skip


def raw_app(config: CacheConfig) -> Client:
    app = fastapi_app()
    counter = Counter()

    @app.get("/x", dependencies=[config])
    async def endpoint(request: Request) -> int:
        return counter()

    return Client(app)


def test_query_is_an_allow_list() -> None:
    client = raw_app(CacheConfig(60, query=["page", "size"]))
    assert client.outcomes("/x?page=1", "/x?page=1&utm=2", "/x?other=1&page=1", "/x?page=2", "/x?page=1&size=3") == [
        "MISS", "HIT", "HIT", "MISS", "MISS",
    ]  # fmt: skip
    client = raw_app(CacheConfig(60, query=[]))
    assert client.outcomes("/x?page=1", "/x", "/x?page=2") == ["MISS", "HIT", "HIT"]


def test_ignore_query_leaves_patterns_out() -> None:
    client = raw_app(CacheConfig(60, ignore_query=["utm_*", "fbclid"]))
    assert client.outcomes("/x?a=1", "/x?a=1&utm_source=m", "/x?utm_=1&a=1&fbclid=z", "/x?a=1&utm=1", "/x?fbclid") == [
        "MISS", "HIT", "HIT", "MISS", "MISS",
    ]  # fmt: skip
    assert raw_app(CacheConfig(60)).outcomes("/x?a=1", "/x?a=1&utm_source=m") == ["MISS", "MISS"]
    client = raw_app(CacheConfig(60, query=["utm_id", "a"], ignore_query=["utm_*"]))
    assert client.outcomes("/x?a=1", "/x?a=1&utm_id=3", "/x?a=2") == ["MISS", "HIT", "MISS"]


def test_undeclared_parameters_leave_the_key_of_a_declared_endpoint() -> None:
    app = fastapi_app()
    counter = Counter()

    @app.get("/x", dependencies=[CacheConfig(60)])
    async def endpoint(
        page: int = 1, x_tenant: Annotated[str | None, Header()] = None, theme: Annotated[str | None, Cookie()] = None
    ) -> int:
        return counter()

    client = Client(app)
    assert client.outcomes("/x?page=1", "/x?page=1&utm_source=a", "/x?page=2", "/x") == ["MISS", "HIT", "MISS", "MISS"]
    assert client.get("/x", [("x-tenant", "a")]).body == b"4"
    assert client.get("/x", [("x-tenant", "a"), ("x-other", "b"), ("cookie", "sid=1")]).body == b"4"
    assert client.get("/x", [("cookie", "theme=dark")]).body == b"5"
    assert client.get("/x", [("cookie", "theme=dark")]).cache == "HIT"


def test_declared_credentials_have_their_own_entries() -> None:
    app = fastapi_app()
    counter = Counter()

    async def user(token: Annotated[Any, Security(HTTPBearer(auto_error=False))]) -> str | None:
        return token.credentials if token else None

    @app.get("/me", dependencies=[CacheConfig(60)])
    async def me(name: Annotated[str | None, Depends(user)]) -> list[Any]:
        return [name, counter()]

    @app.get("/key", dependencies=[CacheConfig(60)])
    async def key(key: Annotated[str | None, Security(APIKeyHeader(name="X-Key", auto_error=False))]) -> str | None:
        return key

    client = Client(app)
    ann, bob = [("authorization", "Bearer ann")], [("authorization", "Bearer bob")]
    assert [client.get("/me", headers).body for headers in (ann, bob, ann, ())] == [
        b'["ann",1]', b'["bob",2]', b'["ann",1]', b"[null,3]",
    ]  # fmt: skip
    assert client.get("/me", bob).cache == "HIT"
    assert [client.get("/key", [("x-key", value)]).body for value in "aba"] == [b'"a"', b'"b"', b'"a"']
    assert client.get("/key", [("x-key", "a")]).cache == "HIT"


def echoing(config: CacheConfig) -> tuple[Client, list[set[str]]]:
    app = fastapi_app()
    seen: list[set[str]] = []

    @app.get("/x", dependencies=[config])
    async def endpoint(request: Request) -> list[str]:
        seen.append(set(request.headers))
        return sorted(request.headers)

    return Client(app), seen


def test_strict_inputs_hides_what_the_key_does_not_hold() -> None:
    headers = [("x-forwarded-host", "evil"), ("x-tenant", "a"), ("user-agent", "b"), ("cookie", "s=1")]
    client, seen = echoing(CacheConfig(60, strict_inputs=True, vary=["x-tenant"]))
    first = client.get("/x", headers)
    assert first.cache == "MISS"
    assert "x-tenant" in seen[0]
    assert seen[0].isdisjoint({"x-forwarded-host", "user-agent", "cookie"})
    other = client.get("/x", [("x-forwarded-host", "good"), ("x-tenant", "a")])
    assert (other.cache, other.body) == ("HIT", first.body)
    assert client.get("/x", [("x-tenant", "b")]).cache == "MISS"

    client, seen = echoing(CacheConfig(60))
    assert client.get("/x", headers[:3]).cache == "MISS"
    assert {"x-forwarded-host", "user-agent"} <= seen[0]
    assert client.get("/x", headers[1:3]).cache == "MISS"


def test_strict_inputs_leaves_what_the_framework_adds_to_the_scope() -> None:
    client, _ = echoing(CacheConfig(60, strict_inputs=True))
    answer = client.get("/x", [("x-a", "1")])
    assert answer.cache == "MISS"
    assert (b"x-a", b"1") in answer.scope["headers"]
    assert getattr(answer.scope["route"], "path", None) == "/x"
    assert callable(answer.scope["endpoint"])
