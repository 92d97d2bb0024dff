"""Middlewares of single routes and mounted applications, and path parameters that can be written in two ways."""

import asyncio
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from typing import Any, NewType
from uuid import UUID

import pytest
from asgi_client import request as ask
from fastapi import FastAPI
from pydantic import ByteSize
from pydantic.networks import IPvAnyAddress
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, Router

from fast_cache_middleware import CacheConfig, CacheDropConfig, FastCacheMiddleware, cached, drops

Number = NewType("Number", int)


class Guard:
    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if (b"x-pass", b"alice") in scope["headers"]:
            await self.app(scope, receive, send)
        else:
            await PlainTextResponse("no", 403)(scope, receive, send)


def test_21_a_guard_around_one_route_is_not_skipped() -> None:
    @cached(60)
    async def endpoint(request: Request) -> PlainTextResponse:
        return PlainTextResponse("secret")

    async def run() -> None:
        app = FastCacheMiddleware(Starlette(routes=[Route("/a", endpoint, middleware=[Middleware(Guard)])]))
        for _ in range(2):
            assert (await ask(app, "GET", "/a", [("x-pass", "alice")])).body == b"secret"
            assert (await ask(app, "GET", "/a")).status == 403

    asyncio.run(run())


@pytest.mark.parametrize("kind", ["application", "router", "wrapped", "mount"])
def test_a_mounted_application_with_middleware_drops(kind: str) -> None:
    calls = 0

    @cached(60, tags=["thing"])
    async def reading(request: Request) -> PlainTextResponse:
        nonlocal calls
        calls += 1
        return PlainTextResponse(str(calls))

    @drops(tags=["thing"])
    async def writing(request: Request) -> PlainTextResponse:
        return PlainTextResponse("written")

    routes, guards = [Route("/thing", writing, methods=["POST"])], [Middleware(Guard)]
    mount = {
        "application": lambda: Mount("/admin", app=Starlette(routes=routes, middleware=guards)),
        "router": lambda: Mount("/admin", app=Router(routes, middleware=guards)),
        "wrapped": lambda: Mount("/admin", app=Guard(Starlette(routes=routes))),
        "mount": lambda: Mount("/admin", routes=routes, middleware=guards),
    }[kind]()

    async def run() -> None:
        app = FastCacheMiddleware(Starlette(routes=[mount, Route("/thing", reading)]))
        assert [(await ask(app, "GET", "/thing")).body for _ in range(2)] == [b"1", b"1"]
        assert (await ask(app, "POST", "/admin/thing")).status == 403
        assert (await ask(app, "GET", "/thing")).body == b"1"
        assert (await ask(app, "POST", "/admin/thing", [("x-pass", "alice")])).status == 200
        assert (await ask(app, "GET", "/thing")).body == b"2"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("annotation", "canonical", "others"),
    [
        (int, "7", ["07", "7.0", "+7"]),
        (Number, "7", ["007"]),
        (int | None, "7", ["007"]),
        (float, "7.5", ["7.50", "75e-1", "07.5", "7.5000000000000000001"]),
        (Decimal, "1000", ["1e3", "1000.0", "%EF%BC%91%EF%BC%90%EF%BC%90%EF%BC%90", "%1C1000"]),
        (bool, "true", ["1", "on", "T", "yes", "True"]),
        (bool, "false", ["0", "OFF", "n"]),
        (date, "2024-02-29", ["1709164800", "1709164800000", "2024-02-29T00:00:00"]),
        (datetime, "2024-02-29", ["1709164800", "2024-02-29T00:00:00"]),
        (UUID, "123e4567-e89b-12d3-a456-426614174000", ["123E4567E89B12D3A456426614174000"]),
        (UUID | int, "7", ["07", "%207", "7%0A"]),
        (IPv6Address, "2001:db8::1", ["2001:DB8::1", "2001:db8:0:0:0:0:0:1", "2001:0db8::1"]),
        (IPvAnyAddress, "::ffff:10.0.0.1", ["::ffff:a00:1", "::FFFF:10.0.0.1"]),
        (IPv4Address | IPv6Address, "10.0.0.1", ["010.0.0.1"]),
    ],
)
def test_a_drop_finds_a_value_however_it_is_written(annotation: Any, canonical: str, others: list[str]) -> None:
    async def reading(value: Any) -> str:
        return str(value)

    async def writing(value: Any) -> str:
        return str(value)

    reading.__annotations__["value"] = writing.__annotations__["value"] = annotation
    app = FastAPI()
    app.get("/things/{value}", dependencies=[CacheConfig(60, tags=["thing:{value}"])])(reading)
    app.post("/things/{value}", dependencies=[CacheDropConfig(paths=["/things/{value}"])])(writing)
    app.put("/things/{value}", dependencies=[CacheDropConfig(tags=["thing:{value}"])])(writing)
    app.add_middleware(FastCacheMiddleware)

    async def run() -> None:
        for other in others:
            for method in ("POST", "PUT"):
                await ask(app, "GET", f"/things/{canonical}")
                assert (await ask(app, "GET", f"/things/{canonical}")).cache == "HIT"
                written = await ask(app, method, f"/things/{other}")
                if written.status == 422:
                    continue
                assert (await ask(app, "GET", f"/things/{canonical}")).cache == "MISS", (method, other)
            spelled = await ask(app, "GET", f"/things/{other}")
            assert spelled.status == 422 or spelled.cache == "BYPASS", other

    asyncio.run(run())


@pytest.mark.parametrize(
    ("annotation", "value"), [(time, "10:00:00"), (timedelta, "P1D"), (ByteSize, "1000"), (timedelta | int, "7")]
)
def test_values_of_countless_spellings_are_not_cached(annotation: Any, value: str) -> None:
    async def reading(value: Any) -> str:
        return str(value)

    reading.__annotations__["value"] = annotation
    app = FastAPI()
    app.get("/things/{value}", dependencies=[CacheConfig(60)])(reading)
    app.add_middleware(FastCacheMiddleware)

    async def run() -> None:
        for _ in range(2):
            answer = await ask(app, "GET", f"/things/{value}")
            assert (answer.status, answer.cache) == (200, "BYPASS")
            assert "noncanonical-path" in (answer.header("cache-status") or "")

    asyncio.run(run())


def test_text_that_may_be_a_number_is_cached_where_it_has_one_spelling() -> None:
    app = FastAPI()

    @app.get("/things/{value}", dependencies=[CacheConfig(60)])
    async def reading(value: int | str) -> str:
        return str(value)

    app.add_middleware(FastCacheMiddleware)

    async def run() -> None:
        for value, expected in (("a-slug", "HIT"), ("1", "HIT"), ("01", "BYPASS")):
            assert [(await ask(app, "GET", f"/things/{value}")).cache for _ in range(2)][1] == expected

    asyncio.run(run())
