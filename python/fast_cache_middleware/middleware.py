"""The ASGI middleware."""

import logging
from collections.abc import Awaitable, Collection, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send

from . import _core, registry, validation
from .compiling import Options, Settings, rows, unmatched_endpoints
from .controller import DEFAULT_STATUS_CODES, Controller, overridden_hooks
from .exceptions import ConfigError
from .openapi import add_cache_age
from .refreshing import discard, nothing_to_receive, refresh, settling
from .responder import Responder, watch
from .routes import Analysis, analyse, follow
from .routes.resolve import ask_framework_with_parameters
from .rules import CacheRule, DropRule
from .storages.base import as_storage
from .storages.built_in import BuiltInStorage
from .storages.memory import InMemoryStorage
from .waiting import limit, settled

logger: Final = logging.getLogger("fast_cache_middleware")

REFRESHES_END_IN: Final = 10.0
"""Seconds for which a shutdown waits for refreshes in the background."""


class FastCacheMiddleware(_core.Middleware):
    """Caches the responses of routes that carry a `CacheConfig`, and drops what a `CacheDropConfig` says is stale.

    For `app.add_middleware(FastCacheMiddleware)` or around any ASGI app. The routes are analysed by themselves at the
    lifespan's start, or else at the first request; what is impossible raises `ConfigError` then.

    - `storage`: `InMemoryStorage()` by default; any object with the methods of `BaseStorage`.
    - `controller`: settings and hooks.
    - `rules`: `CacheRule` and `DropRule` for routes that cannot carry their configs themselves.
    - `namespace`: keeps the entries of applications that share a storage apart.
    - `cache_status`: this cache's name in `Cache-Status` (RFC 9211).
    - `client_directives`: listen to the request's `Cache-Control` and `Pragma`.
    - `head_from_get`: answer `HEAD` from a stored `GET` also where the route does not take `HEAD`.
    - `undeclared_headers`: more header names that may stay out of the key of an endpoint with the raw request.
    - for HTTP mode, all off by default: `heuristics` guesses a lifetime where a response states none (RFC 9111 §4.2.2);
      `cdn_cache_control` lets `CDN-Cache-Control` take the place of `Cache-Control` (RFC 9213); `stale_on_error`
      answers with what is stale, however old, where the application fails; `normalize_language` takes values of
      `Accept-Language` that ask for the same for one.
    - `coalesce`: concurrent misses of one key make one call; `follower_timeout` is how long a request waits for another
      one's answer before it goes on by itself.
    - `handler_timeout`: how long a handler may take before a stale answer, if one may be served (`stale_if_error`),
      goes out in its place.
    """

    def __init__(
        self,
        app: ASGIApp,
        storage: object = None,
        controller: Controller | None = None,
        *,
        rules: Iterable[CacheRule | DropRule] = (),
        namespace: str = "",
        cache_status: str = "fast-cache",
        client_directives: bool = True,
        head_from_get: bool = False,
        follower_timeout: float | timedelta = 10.0,
        handler_timeout: float | timedelta | None = None,
        coalesce: bool = True,
        undeclared_headers: Collection[str] = (),
        heuristics: bool = False,
        cdn_cache_control: bool = False,
        stale_on_error: bool = False,
        normalize_language: bool = False,
        clock: _core.SystemClock | None = None,
    ) -> None:
        super().__init__()
        if not callable(app):
            raise ConfigError(f"FastCacheMiddleware.app must be an ASGI application: {app!r}")
        if controller is not None and not isinstance(controller, Controller):
            raise validation.wrong("FastCacheMiddleware.controller", controller, "must be a Controller")
        if not isinstance(namespace, str):
            raise validation.wrong("FastCacheMiddleware.namespace", namespace, "must be a str")
        for name, value in (
            ("client_directives", client_directives), ("head_from_get", head_from_get), ("coalesce", coalesce),
            ("heuristics", heuristics), ("cdn_cache_control", cdn_cache_control), ("stale_on_error", stale_on_error),
            ("normalize_language", normalize_language),
        ):  # fmt: skip
            validation.flag(f"FastCacheMiddleware.{name}", value)
        waited = validation.seconds("FastCacheMiddleware.follower_timeout", follower_timeout)
        limited = None
        if handler_timeout is not None:
            limited = validation.seconds("FastCacheMiddleware.handler_timeout", handler_timeout)
        undeclared = tuple(
            name.lower() for name in validation.tokens("FastCacheMiddleware.undeclared_headers", undeclared_headers)
        )
        self.app: Final = app
        self.rules: Final = _rules(rules)
        self.namespace: Final = namespace
        self.controller: Final = Controller() if controller is None else controller
        self.storage: Final = as_storage(InMemoryStorage(clock=clock) if storage is None else storage)
        self.analysis: Analysis | None = None
        external = not isinstance(self.storage, BuiltInStorage)
        hooks = overridden_hooks(self.controller)
        self._settings: Final = Settings(
            controller=self.controller,
            hooked=external or bool(hooks - {"invalidate_cache"}),
            client_directives=client_directives,
            undeclared_headers=undeclared,
            coalesce=coalesce,
            follower_timeout=waited,
        )
        self.store: Final = (
            self.storage.core if isinstance(self.storage, BuiltInStorage) else registry.ledger_of(storage, clock)
        )
        self._options: Final = Options(
            heuristics=heuristics,
            cdn_cache_control=cdn_cache_control,
            stale_on_error=stale_on_error,
            normalize_language=normalize_language,
            any_status=self.controller.cacheable_status_codes is DEFAULT_STATUS_CODES,
        )
        self._responder: Final = Responder(app, self.controller, self.storage, hooks, external=external)
        host = _Host(self)
        try:
            self.install(app, host, self.store, cache_status, head_from_get, limited)
        except ValueError as error:
            raise ConfigError(f"FastCacheMiddleware.cache_status: {error}") from None
        # Servers that detect the interface ask whether `app.__call__` is a coroutine function. Calls go past this
        # attribute, straight to the core.
        self.__dict__["__call__"] = self._asgi

    def analyse(self, scope: Scope) -> _core.Application:
        """Read the application's routes; `ConfigError` where something is impossible."""
        root = self._root(scope.get("app"))
        analysis = analyse(root, rules=self.rules, inner=self.app)
        table, numbered = rows(analysis, self._settings)
        if self.analysis is None:
            for text in (*analysis.warnings, *unmatched_endpoints(analysis)):
                logger.warning("%s", text)
        watch = list(zip(analysis.watch.owners, analysis.watch.lists, strict=True))
        root_path = getattr(analysis.root, "root_path", "") if analysis.root is not scope.get("app") else ""
        try:
            application = _core.Application(
                self.store,
                self.namespace,
                table,
                watch,
                list(analysis.overriders),
                root_path or None,
                self._options,
            )
        except ValueError as error:
            raise ConfigError(str(error)) from None
        self.analysis = analysis
        self._responder.adopt(analysis, numbered)
        self.adopt(application)
        for app in (analysis.root, scope.get("app"), self.app):
            if app is not None:
                registry.register(app, self)
        self._mark_schema(analysis.root)
        for prefix, app in analysis.mounted:
            if not _has_its_own(app):
                registry.register(app, self)
                self._mark_schema(app, prefix)
        return application

    @property
    def caches(self) -> bool:
        """Whether some route is cached."""
        return self.analysis is not None and any(record.cache is not None for record in self.analysis.configured)

    def _mark_schema(self, app: Any, prefix: str = "") -> None:
        controller = self.controller
        add_cache_age(
            app,
            lambda: self.analysis,
            methods=controller.cacheable_methods,
            default_ttl=controller.default_ttl,
            prefix=prefix,
        )

    def _root(self, app: Any) -> Any:
        """The application whose routes these are: the one that holds the router at the end of what we wrap."""
        followed = follow(self.app)
        if followed.root is None:
            added = any(getattr(one, "cls", None) is type(self) for one in getattr(app, "user_middleware", ()))
            return app if added else self.app
        return app if getattr(app, "router", None) is followed.router else followed.root

    if TYPE_CHECKING:

        def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
            """ASGI. The core takes any arguments, to pass them on as they came; these are the ones it understands."""

    async def _asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self(scope, receive, send)


class _Host:
    """What the core asks of Python."""

    def __init__(self, middleware: FastCacheMiddleware) -> None:
        self._middleware = middleware
        self._responder = middleware._responder
        self.respond = self._responder.respond
        self.drop_after = self._responder.drop_after
        self.watch = watch
        self.limit = limit
        self.refresh = refresh
        self.discard = discard
        self.nothing_to_receive = nothing_to_receive

    def analyse(self, scope: Scope) -> _core.Application:
        return self._middleware.analyse(scope)

    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Analyse before the application starts; a server that is told why will not start."""
        try:
            self._middleware.analyse(scope)
        except ConfigError as error:
            # Without the way through the analysis, which says nothing to the author of the configuration.
            failure = error.with_traceback(None)
        else:
            if self._middleware.caches:
                receive = settling(receive, REFRESHES_END_IN)
            await self._middleware.app(scope, receive, send)
            return
        await receive()
        await send({"type": "lifespan.startup.failed", "message": f"{type(failure).__name__}: {failure}"})
        raise failure

    async def finish_after(self, call: Awaitable[None], sender: _core.InvalidatingSend) -> None:
        """Await a call, then drop once more what its `send` dropped: a dependency may have committed only now."""
        try:
            await call
        finally:
            await settled(sender.finish())

    def ask(self, scope: Scope) -> tuple[int, dict[str, Any]] | None:
        """The number and path parameters of the route that the framework itself takes."""
        analysis = self._middleware.analysis
        found = None if analysis is None else ask_framework_with_parameters(analysis, scope)
        if found is None:
            return None
        record, parameters = found
        number = self._responder.number_of(record)
        return None if number is None else (number, parameters)

    def route_selected(self, scope: Scope, template: str) -> None:
        """Tell FastAPI's own telemetry which route a hit would have taken."""
        try:
            from fastapi.telemetry._api import _route_selected
        except ImportError:
            return
        _route_selected(scope=scope, path=template)


def _has_its_own(app: Any) -> bool:
    """Whether a mounted application brings a middleware of this kind."""
    kinds = (getattr(one, "cls", None) for one in getattr(app, "user_middleware", ()))
    return any(isinstance(kind, type) and issubclass(kind, FastCacheMiddleware) for kind in kinds)


def _rules(rules: Iterable[CacheRule | DropRule]) -> tuple[CacheRule | DropRule, ...]:
    if isinstance(rules, (CacheRule, DropRule)):
        raise validation.wrong(
            "FastCacheMiddleware.rules", rules, "must be a list or tuple (for a single one write [...] around it)"
        )
    given = tuple(rules)
    for rule in given:
        if not isinstance(rule, (CacheRule, DropRule)):
            raise validation.wrong("FastCacheMiddleware.rules", rule, "must hold CacheRule and DropRule")
    return given
