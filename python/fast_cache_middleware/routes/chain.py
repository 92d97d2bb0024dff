"""The middlewares between ours and the router: a hit skips them, so what they may hand to endpoints must be known."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Final

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
    while app is not None and id(app) not in seen:
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
        "the middleware added last is the outermost."
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
        module, name = app.__module__, app.__qualname__.partition(".<locals>")[0]
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
        inner = getattr(app, name, None)
        if callable(inner):
            return inner
    if isinstance(app, FunctionType) and app.__closure__ is not None and "app" in app.__code__.co_freevars:
        return app.__closure__[app.__code__.co_freevars.index("app")].cell_contents
    return None
