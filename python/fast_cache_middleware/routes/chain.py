"""The middlewares between ours and an endpoint: a hit skips them, so what they may hand on must be known."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Final, NamedTuple

from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.httpsredirect import HTTPSRedirectMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from . import framework as fw
from .record import InsideMiddleware

_OURS: Final = __name__.partition(".")[0]
_NEUTRAL: Final = frozenset({GZipMiddleware, HTTPSRedirectMiddleware, TrustedHostMiddleware})
_BUILT_IN: Final = frozenset(
    {
        "starlette.middleware.errors", "starlette.middleware.exceptions", "starlette.middleware.body_limit",
        "starlette.middleware.opentelemetry", "fastapi.middleware.asyncexitstack", "fastapi._body_limit",
    }
)  # fmt: skip
_COMPRESSION: Final = frozenset(
    {
        ("brotli_asgi", "BrotliMiddleware"),
        ("brotli_middleware", "BrotliMiddleware"),
        ("starlette_compress", "CompressMiddleware"),
        ("starlette_cramjam", "CompressionMiddleware"),
        ("zstd_asgi", "ZstdMiddleware"),
    }
)
_NEXT: Final = ("app", "_app", "asgi_app", "application")
_DEEPEST: Final = 100
"""Middlewares that are followed; something that makes up its attributes could go on forever."""


@dataclass(frozen=True, slots=True)
class Chain:
    """What lies inside the app that was followed."""

    root: Any
    """The application or else the router at the end; `None` if there is no way to it."""
    router: Any
    inside: tuple[InsideMiddleware, ...]


def follow(app: Any) -> Chain:
    """Follow an ASGI app through its middlewares to the router, outermost first."""
    inside: list[InsideMiddleware] = []
    root: Any = None
    seen: set[int] = set()
    while app is not None and id(app) not in seen and len(seen) < _DEEPEST:
        seen.add(id(app))
        if isinstance(app, fw.Starlette):
            root = app
            if not fw.is_plain_application(app):
                inside.append(InsideMiddleware(type(app).__qualname__, "unknown"))
            inside += (found for one in app.user_middleware for found in _classified(one.cls, _options(one)))
            app = app.router
        elif isinstance(app, fw.Router):
            inside += _in_front_of(app)
            return Chain(app if root is None else root, app, tuple(inside))
        else:
            inside += _classified(type(app), getattr(app, "__dict__", {}), app)
            app = _next(app)
    return Chain(None, None, tuple(inside))


class Mounted(NamedTuple):
    """A mounted app that can be read."""

    app: Any
    """The application or else the router at its end."""
    router: Any
    inside: tuple[InsideMiddleware, ...]
    """What a hit would skip."""


def mounted(app: Any) -> Mounted | None:
    """Read a mounted app; `None` where there is no router at its end, or one that routes in its own way."""
    inner = fw.unwrap_body_limit(app)
    router = inner
    if isinstance(inner, fw.Starlette):
        router = None if inner.user_middleware or not fw.is_plain_application(inner) else inner.router
    if isinstance(router, fw.Router) and fw.is_plain_router(router):
        return Mounted(inner, router, ())
    followed = follow(app)
    if followed.root is None or not fw.routes_as_usual(followed.router):
        return None
    return Mounted(followed.root, followed.router, followed.inside)


def around(app: Any, endpoint: Any) -> tuple[InsideMiddleware, ...]:
    """The middlewares between a route and its endpoint, outermost first."""
    inside: list[InsideMiddleware] = []
    for _ in range(_DEEPEST):
        if app is None or app is endpoint or is_handler(app):
            break
        inside += _classified(type(app), getattr(app, "__dict__", {}), app)
        app = _next(app)
    return tuple(inside)


def is_handler(app: Any) -> bool:
    """Whether this is the framework's own way to call an endpoint, with nothing wrapped around it."""
    handler = app if type(app) is FunctionType else fw.unwrap_body_limit(app)
    return type(handler) is FunctionType and handler.__code__.co_qualname == "request_response.<locals>.app"


def warning(inside: tuple[InsideMiddleware, ...]) -> str | None:
    """What to tell the user about middlewares that make every route raw; `None` where there are none."""
    names = [middleware.name for middleware in inside if middleware.kind == "unknown"]
    if not names:
        return None
    verb, they, them = ("run", "they", "them") if len(names) > 1 else ("runs", "it", "it")
    return (
        f"{', '.join(names)} {verb} inside FastCacheMiddleware: a cache hit skips {them}, and since what {they} may "
        "hand to endpoints is unknown, the key of every cached route holds the whole query and nearly every header. "
        f"To run {them} on hits too, call app.add_middleware(FastCacheMiddleware) before you add {them}: "
        "the middleware added last is the outermost. What it hands to endpoints then (a user or tenant in "
        "request.state or a ContextVar) must join their keys: name the headers it reads in vary=, or use key_func."
    )


def _in_front_of(router: Any) -> Iterator[InsideMiddleware]:
    stack = getattr(router, "middleware_stack", None)
    while stack is not None and getattr(stack, "__self__", None) is not router:
        yield from _classified(type(stack), getattr(stack, "__dict__", {}), stack)
        stack = _next(stack)


def _classified(cls: Any, options: Any, app: Any = None) -> Iterator[InsideMiddleware]:
    module = getattr(cls, "__module__", "") or ""
    if module in _BUILT_IN or module.startswith(("fastapi.telemetry", "fastapi._telemetry")):
        return
    package, name = module.partition(".")[0], getattr(cls, "__qualname__", repr(cls))
    if cls is FunctionType:
        module, name = app.__module__, app.__code__.co_qualname.partition(".<locals>")[0]
    if package == _OURS or cls in _NEUTRAL or (package, name) in _COMPRESSION:
        yield InsideMiddleware(name, "neutral")
    elif cls is CORSMiddleware:
        yield InsideMiddleware(name, "cors")
    else:
        dispatch = options.get("dispatch_func", options.get("dispatch"))
        function = getattr(dispatch, "__qualname__", None)
        named = name == "BaseHTTPMiddleware" and function is not None
        yield InsideMiddleware(f"{name}({function})" if named else name, "unknown")


def _options(middleware: Any) -> dict[str, Any]:
    """The keyword arguments of a `Middleware`, under the name it had in every version."""
    return getattr(middleware, "kwargs", None) or getattr(middleware, "options", None) or {}


def _next(app: Any) -> Any:
    for name in _NEXT:
        try:
            inner = getattr(app, name, None)
        except Exception:  # a proxy that has nothing to stand for yet
            return None
        if callable(inner):
            return inner
    if isinstance(app, FunctionType) and app.__closure__ is not None and "app" in app.__code__.co_freevars:
        return app.__closure__[app.__code__.co_freevars.index("app")].cell_contents
    return None
