"""The classes of Starlette and, where it is installed, FastAPI, under one roof."""

import functools
from types import FunctionType
from typing import Any

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Host, Mount, Route, Router, WebSocketRoute

FastAPI: Any = None
APIRoute: Any = None
APIRouter: Any = None
APIWebSocketRoute: Any = None
IncludedRouter: Any = None
SecurityBase: Any = None
try:
    import fastapi.routing as _routing
    from fastapi.applications import FastAPI
    from fastapi.security.base import SecurityBase

    APIRoute, APIRouter, APIWebSocketRoute = _routing.APIRoute, _routing.APIRouter, _routing.APIWebSocketRoute
    IncludedRouter = getattr(_routing, "_IncludedRouter", None)
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] != "fastapi":
        raise

_APPLICATIONS = tuple(c for c in (Starlette, FastAPI) if c is not None)
_ROUTERS = tuple(c for c in (Router, APIRouter) if c is not None)
_ROUTING = frozenset(c.app for c in _ROUTERS)
_ROUTER_CALLS = frozenset(c.__call__ for c in _ROUTERS)
_APPLICATION_CALLS = frozenset(c.__call__ for c in _APPLICATIONS)
_STACKS = frozenset(c.build_middleware_stack for c in _APPLICATIONS)
_BODY_LIMITS = frozenset({"starlette.middleware.body_limit", "fastapi._body_limit"})

__all__ = [
    "APIRoute", "APIRouter", "APIWebSocketRoute", "BaseRoute", "FastAPI", "Host", "IncludedRouter", "Mount", "Route",
    "Router", "SecurityBase", "Starlette", "WebSocketRoute", "inherits", "is_plain_application", "is_plain_router",
    "routes_as_usual", "sets_root_path", "unwrap_body_limit", "writes_route",
]  # fmt: skip


def inherits(node: object, base: type, *names: str) -> bool:
    """Whether `node` takes these attributes from `base` as they are."""
    own = node.__dict__
    for name in names:
        if name in own:
            return False
    cls: Any = type(node)
    return cls is base or _class_inherits(cls, base, names)


@functools.lru_cache(maxsize=256)
def _class_inherits(cls: Any, base: Any, names: tuple[str, ...]) -> bool:
    return all(getattr(cls, name, None) is getattr(base, name, None) for name in names)


def unwrap_body_limit(app: Any) -> Any:
    """The app behind the frameworks' own body limits, which change nothing about a GET."""
    while type(app) is not FunctionType and type(app).__module__ in _BODY_LIMITS and hasattr(app, "app"):
        app = app.app
    return app


def routes_as_usual(router: Any) -> bool:
    """A router that finds its routes as the framework does."""
    cls = type(router)
    return cls.app in _ROUTING and cls.__call__ in _ROUTER_CALLS and "app" not in router.__dict__


def is_plain_router(router: Any) -> bool:
    """A router that routes as the framework does and has no middleware of its own."""
    if not routes_as_usual(router):
        return False
    stack = unwrap_body_limit(getattr(router, "middleware_stack", router.app))
    return getattr(stack, "__self__", None) is router and stack.__func__ in _ROUTING


def is_plain_application(app: Any) -> bool:
    """An application that calls its middleware and its router as the framework does."""
    cls = type(app)
    return cls.__call__ in _APPLICATION_CALLS and cls.build_middleware_stack in _STACKS


def sets_root_path(app: Any) -> str:
    """The `root_path` that a FastAPI application writes into each scope, or nothing."""
    return app.root_path if FastAPI is not None and isinstance(app, FastAPI) else ""


def writes_route(router: Any) -> bool:
    """Whether this router puts a plain Starlette route into `scope["route"]`; that came and differs by class."""
    return _writes_route(APIRouter if APIRouter is not None and isinstance(router, APIRouter) else Router)


@functools.cache
def _writes_route(router_class: Any) -> bool:
    scope: dict[str, Any] = {
        "type": "http", "method": "GET", "path": "/", "raw_path": b"/", "root_path": "", "query_string": b"",
        "headers": [], "path_params": {},
    }  # fmt: skip
    running = router_class(routes=[Route("/", endpoint=_Nothing())]).app(scope, None, None)
    try:
        running.send(None)
    except StopIteration:
        return "route" in scope
    finally:
        running.close()
    return False


class _Nothing:
    async def __call__(self, scope: object, receive: object, send: object) -> None: ...
