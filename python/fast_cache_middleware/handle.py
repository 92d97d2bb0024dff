"""The cache from code: drop, clear, count, explain."""

import re
from collections.abc import Callable, Collection
from typing import Any, Final

from starlette.requests import HTTPConnection, Request

from . import registry
from .compiling import cached_endpoints, endpoint_key
from .config import CacheDropConfig
from .exceptions import ConfigError
from .middleware import FastCacheMiddleware
from .storages.base import BaseStorage, as_storage, unwrapped
from .storages.built_in import BuiltInStorage, purge
from .waiting import settled


class CacheHandle:
    """A storage, from code. Inside a request use `get_cache`.

    `app`: the application whose endpoints `drop(endpoints=...)` names; its routes must have been analysed, which
    happens at its start.
    """

    def __init__(self, storage: object, *, app: object = None) -> None:
        self._storage: Final[BaseStorage] = as_storage(storage)
        self._app = app
        self._store: Final = (
            self._storage.core if isinstance(self._storage, BuiltInStorage) else registry.ledger_of(storage)
        )

    async def drop(
        self,
        paths: Collection[str | re.Pattern[str]] = (),
        tags: Collection[str] = (),
        endpoints: Collection[Callable[..., Any]] = (),
        soft: bool = False,
    ) -> None:
        """Drop what any of these cover; when it returns, every later request sees it.

        `paths` and `tags` are read as in `CacheDropConfig`, without `{names}`, for there is no request to fill them
        from. `soft` marks entries stale instead. Dropping by an expression looks at every entry; everything else costs
        the same however much is stored. Raises `ConfigError` for an impossible value.
        """
        if not paths and not tags and not endpoints:
            return
        config = CacheDropConfig(paths, tags=tags, methods=endpoints, soft=soft)
        if config.parameter_names:
            names = ", ".join(sorted(config.parameter_names))
            raise ConfigError(f"CacheHandle.drop: there is no request to fill {{{names}}} from; write the value")
        await purge(
            self._store,
            [(path.kind, path.text, path.pattern) for path in config.drop_paths],
            list(config.tags),
            self._labels_of(endpoints),
            soft=soft,
        )
        if not isinstance(self._storage, BuiltInStorage):
            for pattern in config.patterns():
                await self._storage.delete(pattern)

    async def clear(self) -> None:
        """Drop everything."""
        self._store.clear()
        await settled(self._store.settled())
        if not isinstance(self._storage, BuiltInStorage):
            await self._storage.delete(re.compile(""))

    def stats(self) -> dict[str, Any]:
        """Counters since the storage was made, and `by_route` the same per route template."""
        return self._store.stats()

    def explain(self, request: Request) -> dict[str, Any]:
        """What the cache would do with a request: outcome, reason, route, key parts with credentials hashed, age and
        remaining seconds, tags. Nothing is counted or changed."""
        app = request.scope.get("app") if self._app is None else self._app
        middleware = _middleware_for(app)
        if middleware is None:
            raise ConfigError("CacheHandle.explain: the application has no analysed FastCacheMiddleware")
        scope = dict(request.scope)
        if "app_root_path" in scope:  # inside a mount, which moved what the outer application saw
            scope["root_path"] = scope["app_root_path"]
        return middleware.explain(scope)

    def _labels_of(self, endpoints: Collection[Callable[..., Any]]) -> list[int]:
        if not endpoints:
            return []
        middleware = _middleware_for(self._app)
        application = None if middleware is None else middleware.application
        if middleware is None or application is None or middleware.analysis is None:
            raise ConfigError(
                "CacheHandle.drop: endpoints= needs CacheHandle(storage, app=app) of a started application"
            )
        labels: list[int] = []
        known = cached_endpoints(middleware.analysis)
        for endpoint in endpoints:
            same = known.get(endpoint_key(endpoint), ())
            found = [label for one in same for label in application.labels_of(one)]
            if not found:
                raise ConfigError(
                    f"CacheHandle.drop: {getattr(endpoint, '__qualname__', endpoint)} is no cached endpoint"
                )
            labels += found
        return labels


def get_cache(request: HTTPConnection) -> CacheHandle:
    """The cache of the application that serves this request; also as `Depends(get_cache)`.

    Raises `ConfigError` where the application has no `FastCacheMiddleware`.
    """
    app = request.scope.get("app")
    middleware = _middleware_for(app) or registry.only_middleware()
    if middleware is None:
        raise ConfigError("get_cache: the application has no FastCacheMiddleware")
    owner = app if registry.middleware_of(app) is middleware else middleware.app
    return CacheHandle(unwrapped(middleware.storage), app=owner)


def _middleware_for(app: object) -> FastCacheMiddleware | None:
    if isinstance(app, FastCacheMiddleware):
        return app
    found = registry.middleware_of(app)
    if found is not None:
        return found
    for one in getattr(app, "user_middleware", ()):
        if isinstance(one.cls, type) and issubclass(one.cls, FastCacheMiddleware):
            return _in_stack(getattr(app, "middleware_stack", None))
    return None


def _in_stack(app: Any) -> FastCacheMiddleware | None:
    while app is not None:
        if isinstance(app, FastCacheMiddleware):
            return app
        app = getattr(app, "app", None)
    return None
