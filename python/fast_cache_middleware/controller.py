"""The hooks: what an application may decide for itself about caching, by overriding methods of `Controller`."""

import functools
import inspect
from collections.abc import Callable, Collection
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from . import validation
from .config import CacheConfig, CacheDropConfig
from .exceptions import ConfigError, NotFoundStorageError, TTLExpiredStorageError
from .storages.base import BaseStorage

KNOWN_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
DEFAULT_METHODS: Final = frozenset({"GET"})
DEFAULT_STATUS_CODES: Final = frozenset({200, 301, 308})
DEFAULT_MAX_BODY_SIZE: Final = 1 << 20
"""Bytes."""

HOOKS: Final = (
    "is_cachable_request",
    "is_cachable_response",
    "generate_cache_key",
    "cache_response",
    "get_cached_response",
    "invalidate_cache",
)
"""The names of the hooks; `should_cache_request` is `is_cachable_request`."""


class Controller:
    """Settings and hooks for the whole application; pass an instance to `FastCacheMiddleware(controller=...)`.

    `cacheable_methods`: default GET. `cacheable_status_codes`: default 200, 301, 308. `default_ttl`: seconds for
    routes whose `CacheConfig` leaves `max_age` out. `max_body_size`: bytes; larger bodies are not stored.
    Raises `ValueError` for an impossible value, an unknown method among them.

    A hook that is not overridden is never called: its rule runs in the Rust core. One that is overridden is called
    with positional arguments, in this order: `is_cachable_request`, `generate_cache_key`, `get_cached_response`; after
    a miss `is_cachable_response` and `cache_response`; after a successful change of data `invalidate_cache`. `storage`
    is the storage the middleware was given. A hook that raises makes the request bypass the cache.
    """

    def __init__(
        self,
        cacheable_methods: Collection[str] | None = None,
        cacheable_status_codes: Collection[int] | None = None,
        *,
        default_ttl: float | timedelta | None = None,
        max_body_size: int = DEFAULT_MAX_BODY_SIZE,
    ) -> None:
        try:
            self.cacheable_methods: frozenset[str] = DEFAULT_METHODS
            if cacheable_methods is not None:
                self.cacheable_methods = _methods("Controller.cacheable_methods", cacheable_methods)
            self.cacheable_status_codes: frozenset[int] = DEFAULT_STATUS_CODES
            if cacheable_status_codes is not None:
                self.cacheable_status_codes = validation.status_codes(
                    "Controller.cacheable_status_codes", cacheable_status_codes
                )
            self.default_ttl: float | None = None
            if default_ttl is not None:
                self.default_ttl = validation.seconds("Controller.default_ttl", default_ttl)
            self.max_body_size: int = validation.positive("Controller.max_body_size", max_body_size)
        except ConfigError as error:
            raise ValueError(str(error)) from None

    def __init_subclass__(cls, **options: Any) -> None:
        """Let the two names of the request hook stand for the same method, whichever a subclass overrides."""
        super().__init_subclass__(**options)
        pair = ("is_cachable_request", "should_cache_request")
        nearest = next(base for base in cls.__mro__ if any(name in vars(base) for name in pair))
        for given, other in (pair, pair[::-1]):
            if other not in vars(nearest):
                setattr(cls, other, vars(nearest)[given])

    async def is_cachable_request(self, request: Request) -> bool:
        """Whether the cache may be used at all for this request. Default: its method is one of `cacheable_methods`."""
        return request.method in self.cacheable_methods

    should_cache_request = is_cachable_request

    async def is_cachable_response(self, response: Response) -> bool:
        """Whether this response may be stored. Default: its status is one of `cacheable_status_codes`."""
        return response.status_code in self.cacheable_status_codes

    async def generate_cache_key(self, request: Request, cache_configuration: CacheConfig | None = None) -> str:
        """The request part of the key: two requests with the same one may get the same answer.

        Default: the route's `key_func` if it has one, else method, scheme, host, path, raw path and query, so encoded
        that two requests which differ in any of them differ in the key. The middleware adds the route's identity. An
        override may leave `cache_configuration` out of its signature and of its call to `super()`; the `key_func`
        still counts.
        """
        pending = _pending.get()
        if cache_configuration is None and pending is not None:
            cache_configuration = pending.config
        if cache_configuration is None or cache_configuration.key_func is None:
            return request_key(request)
        if pending is not None:
            pending.is_applied = True
        return await _key_from_function(cache_configuration, request)

    async def cache_response(
        self, cache_key: str, request: Request, response: Response, storage: BaseStorage, max_age: float | None
    ) -> None:
        """Keep a response for `max_age` seconds (`None`: as its own headers say). Default: `storage.set`."""
        await storage.set(cache_key, response, request, {"ttl": max_age})

    async def get_cached_response(self, cache_key: str, storage: BaseStorage) -> Response | None:
        """What is kept under a key, `None` if nothing is. Default: `storage.get`."""
        try:
            found = await storage.get(cache_key)
        except (NotFoundStorageError, TTLExpiredStorageError):
            return None
        return None if found is None else found[0]

    async def invalidate_cache(self, cache_drop_config: CacheDropConfig, storage: BaseStorage) -> None:
        """Drop what a config names, its path parameters filled in. Default: `storage.delete` for each pattern."""
        for pattern in cache_drop_config.patterns():
            await storage.delete(pattern)


def overridden_hooks(controller: Controller) -> frozenset[str]:
    """Which of `HOOKS` this controller overrides; where none is, everything runs in the Rust core."""
    kind = type(controller)
    own = {name for name in HOOKS if getattr(kind, name) is not getattr(Controller, name) or name in vars(controller)}
    return frozenset(own)


async def call_generate_cache_key(controller: Controller, request: Request, config: CacheConfig | None) -> str:
    """The key from a controller's `generate_cache_key`, whichever signature its override has.

    A `key_func` is never lost: where an override neither takes the config nor reaches the default method, the
    function's result joins the key. Raises `ConfigError` if the hook returns anything but a `str`.
    """
    method: Callable[..., Any] = controller.generate_cache_key
    takes = _how_config_is_taken(getattr(method, "__func__", method), inspect.ismethod(method))
    pending = _Pending(config)
    token = _pending.set(pending)
    try:
        if takes == "keyword":
            key = await method(request, cache_configuration=config)
        elif takes == "position":
            key = await method(request, config)
        else:
            key = await method(request)
    finally:
        _pending.reset(token)
    if not isinstance(key, str):
        raise validation.wrong(f"{type(controller).__name__}.generate_cache_key", key, "must return a str")
    if takes == "never" and not pending.is_applied and config is not None and config.key_func is not None:
        key = f"{len(key)}:{key}|{await _key_from_function(config, request)}"
    return key


def request_key(request: Request) -> str:
    """Method, scheme, host, path, raw path and query as printable ASCII, injectively."""
    scope = request.scope
    hosts = [value for name, value in scope["headers"] if name.lower() == b"host"]
    server = scope.get("server")
    host = "+".join(map(_quoted, hosts)) if hosts else "?" + _quoted(repr(server) if server else "")
    raw_path = scope.get("raw_path")
    parts = (
        _quoted(scope["method"]),
        _quoted(scope.get("scheme", "http")),
        host,
        _quoted(scope["path"]),
        "?" if raw_path is None else _quoted(raw_path),
        _quoted(scope.get("query_string", b"")),
    )
    return "|".join(parts)


@dataclass(slots=True)
class _Pending:
    """The config of the key being made, for a default method that an override calls without it."""

    config: CacheConfig | None
    is_applied: bool = False


_pending: ContextVar[_Pending | None] = ContextVar("fast_cache_pending_key", default=None)


async def _key_from_function(config: CacheConfig, request: Request) -> str:
    key: Any = config.key_func(request) if config.key_func is not None else None
    if inspect.isawaitable(key):
        key = await key
    if not isinstance(key, str):
        raise validation.wrong("CacheConfig.key_func", key, "must return a str")
    return key


def _quoted(part: str | bytes) -> str:
    data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else bytes(part)
    return quote(data, safe="/:=&,;@~")


@functools.lru_cache(maxsize=64)
def _how_config_is_taken(function: Callable[..., Any], is_bound: bool) -> Literal["keyword", "position", "never"]:
    parameters = list(inspect.signature(function).parameters.values())[1 if is_bound else 0 :]
    kinds = {parameter.kind for parameter in parameters}
    named = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    if "cache_configuration" in named or inspect.Parameter.VAR_KEYWORD in kinds:
        return "keyword"
    in_place = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return "position" if len(in_place) > 1 or inspect.Parameter.VAR_POSITIONAL in kinds else "never"


def _methods(field: str, value: object) -> frozenset[str]:
    methods = frozenset(method.upper() for method in validation.tokens(field, value))
    for method in sorted(methods - KNOWN_METHODS):
        raise validation.wrong(field, method, f"must hold methods among {', '.join(sorted(KNOWN_METHODS))}")
    return methods
