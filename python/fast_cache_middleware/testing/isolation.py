"""An application with an empty cache of its own, for the duration of a test."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from fast_cache_middleware.exceptions import ConfigError
from fast_cache_middleware.handle import CacheHandle
from fast_cache_middleware.middleware import FastCacheMiddleware
from fast_cache_middleware.storages.base import unwrapped

from .clock import Clock

_GAUGES = frozenset({"entries", "bytes"})


class IsolatedCache(CacheHandle):
    """The cache of an application while it is isolated: to move its clock, and whatever a `CacheHandle` does."""

    def __init__(self, middleware: FastCacheMiddleware, clock: Clock) -> None:
        super().__init__(unwrapped(middleware.storage), app=middleware)
        self.clock = clock
        """The clock that the cache goes by."""
        self._before = super().stats()

    def stats(self) -> dict[str, Any]:
        """As `CacheHandle.stats`, counted from the beginning of the isolation."""
        now = super().stats()
        routes, before = now.pop("by_route"), self._before["by_route"]
        by_route = {route: _since(counts, before.get(route, {})) for route, counts in routes.items()}
        return {**_since(now, self._before), "by_route": by_route}


@contextmanager
def isolated(app: object, *, clock: Clock | None = None) -> Iterator[IsolatedCache]:
    """Let the cache of an application be empty and go by a clock that stands still; afterwards it is empty again.

    `app` is the application that the middleware was added to or wrapped around, or the middleware itself. What a
    custom storage holds stays there, and is not used. Raises `ConfigError` where there is no `FastCacheMiddleware`.
    """
    clock = Clock() if clock is None else clock
    middlewares = list(_middlewares_around(app))
    if not middlewares:
        raise ConfigError(f"isolated: the application has no FastCacheMiddleware: {app!r}")
    with ExitStack() as stack:
        for store in {id(middleware.store): middleware.store for middleware in middlewares}.values():
            store.clear()
            stack.callback(store.clear)
            stack.enter_context(clock.holding(store.clock))
        yield IsolatedCache(middlewares[0], clock)


def _middlewares_around(app: Any) -> Iterator[FastCacheMiddleware]:
    """Those that a request passes on its way to the router, from the outside in."""
    seen: list[object] = []
    while app is not None and not any(app is one for one in seen):
        seen.append(app)
        if isinstance(app, FastCacheMiddleware):
            yield app
        build = getattr(app, "build_middleware_stack", None)
        if build is None:
            app = getattr(app, "app", None)
            continue
        # As the application itself does for its first request.
        if app.middleware_stack is None:
            app.middleware_stack = build()
        app = app.middleware_stack


def _since(counts: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    return {
        name: count if name in _GAUGES or not isinstance(count, int) else count - before.get(name, 0)
        for name, count in counts.items()
    }
