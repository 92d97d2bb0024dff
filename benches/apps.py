"""The applications that are measured, and the middlewares beside ours."""

from collections.abc import Iterable
from typing import Any, Final

from fastapi import FastAPI
from fastapi.responses import Response
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from traffic import App, Message, Scope, expect

from fast_cache_middleware import CacheConfig, FastCacheMiddleware, cached

ROUTES = 100
BODY = {"items": [{"id": number, "name": f"Item number {number:04}", "price": 1234.5} for number in range(18)]}
"""1 KB as JSON."""
PREPARED = b'{"text":"' + b"x" * 1013 + b'"}'
"""1,024 bytes."""
MAX_AGE = 3600


class PreparedAnswer:
    """The floor of a hit: sends two messages that were made beforehand, and looks nothing up."""

    def __init__(self, app: App, messages: Iterable[Message]) -> None:
        self.app = app
        self.start, self.body = messages

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        await send(self.start)
        await send(self.body)


class Contract:
    """What a hit must do whoever answers it, in Python, and nothing else: messages that nobody else has, and what the
    router would leave in the scope. Reads nothing of the request and looks nothing up."""

    def __init__(self, app: App, messages: Iterable[Message]) -> None:
        self.app = app
        start, body = messages
        self.status, self.lines, self.body = start["status"], start["headers"], body["body"]
        self.path_params = {"item_id": "7"}
        self.route = object()

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        scope["endpoint"] = item
        scope["path_params"] = self.path_params.copy()
        scope["route"] = self.route
        await send({"type": "http.response.start", "status": self.status, "headers": self.lines.copy()})
        await send({"type": "http.response.body", "body": self.body})


class DoNothing:
    """The floor of a pass-through: a middleware in pure Python that calls the application."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


class Stop:
    """Stands between a middleware and an application whose routes it can still read; answers nothing, at once."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        return


class Answering:
    """Takes the place of all that an application does with a request, and answers as its handler would, at next to no
    cost, so that what a miss costs the middleware itself shows.
    """

    HEADERS: Final = [(b"content-length", b"%d" % len(PREPARED)), (b"content-type", b"application/json")]

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        scope["endpoint"] = item
        await send({"type": "http.response.start", "status": 200, "headers": list(self.HEADERS)})
        await send({"type": "http.response.body", "body": PREPARED})


def template(number: int) -> str:
    return f"/api/v1/resource-{number:05}/{{item_id}}"


def path(number: int, item: int = 7) -> str:
    return f"/api/v1/resource-{number:05}/{item}"


async def item(item_id: int) -> dict[str, Any]:
    return BODY


async def prepared_item(item_id: int) -> Response:
    """A handler that costs next to nothing, so that what is added shows."""
    return Response(PREPARED, media_type="application/json")


async def starlette_item(request: Request) -> Response:
    return JSONResponse(BODY)


def fastapi(routes: int = ROUTES, *, configs: bool = True, endpoint: Any = item, **options: Any) -> FastAPI:
    """A FastAPI application. Every second route is cached, the even ones."""
    app = FastAPI(**options)
    for number in range(routes):
        dependencies = [CacheConfig(MAX_AGE)] if configs and number % 2 == 0 else []
        app.get(template(number), dependencies=dependencies)(endpoint)
    return app


def answering() -> FastAPI:
    """The FastAPI application with nothing behind its door but the answer."""
    app = fastapi()
    app.middleware_stack = Answering()
    return app


def starlette(routes: int = ROUTES) -> Starlette:
    """The same in Starlette alone."""
    endpoint = cached(MAX_AGE)(starlette_item)
    return Starlette(
        routes=[Route(template(number), endpoint if number % 2 == 0 else starlette_item) for number in range(routes)]
    )


def outside(app: Any, **options: Any) -> FastCacheMiddleware:
    """Our middleware, wrapped around the application from outside."""
    return FastCacheMiddleware(app, **options)


def with_cache(app: Any) -> Any:
    """Our middleware, by `add_middleware`."""
    app.add_middleware(FastCacheMiddleware)
    return app


def with_floor(app: Any, messages: Iterable[Message]) -> Any:
    """The floor, by `add_middleware`, with the messages of a real hit."""
    app.add_middleware(PreparedAnswer, messages=messages)
    return app


def with_contract(app: Any, messages: Iterable[Message]) -> Any:
    """What the contract asks of a hit and nothing else, by `add_middleware`."""
    app.add_middleware(Contract, messages=messages)
    return app


def hit_messages(app: App, target: str) -> list[Message]:
    """Have an answer stored, and give the messages of a hit."""
    expect(app, target, "MISS")
    return expect(app, target, "HIT")
