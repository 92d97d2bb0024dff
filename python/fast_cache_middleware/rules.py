"""Caching without FastAPI's dependencies: marks on endpoints, and rules by path.

`@cached(...)` and `@drops(...)` leave a mark on an endpoint and return it as it is. `CacheRule` and `DropRule` name
paths instead, for applications whose endpoints cannot be decorated.
"""

import functools
import inspect
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, TypeVar

from . import validation
from .config import LEFT_OUT, CacheConfig, CacheDropConfig, KeyFunction
from .exceptions import ConfigError

MARK: Final = "__fast_cache__"
"""The attribute of an endpoint that holds its `Marks`."""

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Marks:
    """What `@cached` and `@drops` left on an endpoint."""

    cache: CacheConfig | None = None
    drops: tuple[CacheDropConfig, ...] = ()


def cached(
    max_age: CacheConfig | float | timedelta | None = LEFT_OUT,
    *,
    key_func: KeyFunction | None = None,
    vary: Collection[str] = (),
    query: Collection[str] | None = None,
    ignore_query: Collection[str] = (),
    tags: Collection[str] = (),
    stale_while_revalidate: float | timedelta = 0,
    stale_if_error: float | timedelta = 0,
    public: bool = False,
    strict_inputs: bool = False,
    etag: bool = True,
) -> Callable[[Endpoint], Endpoint]:
    """Cache the endpoint below: takes what `CacheConfig` takes, or a `CacheConfig` alone.

    Where an endpoint is marked twice, the mark applied last counts. Raises `ConfigError`.
    """
    if callable(max_age) and not isinstance(max_age, CacheConfig):
        raise validation.wrong("cached", max_age, "must be called: write @cached() above the endpoint")
    options: dict[str, Any] = {
        "key_func": key_func,
        "vary": vary,
        "query": query,
        "ignore_query": ignore_query,
        "tags": tags,
        "stale_while_revalidate": stale_while_revalidate,
        "stale_if_error": stale_if_error,
        "public": public,
        "strict_inputs": strict_inputs,
        "etag": etag,
    }
    if isinstance(max_age, CacheConfig):
        if any(options[name] is not default for name, default in (cached.__kwdefaults__ or {}).items()):
            raise ConfigError("cached takes either a CacheConfig or single settings, not both")
        config = max_age
    else:
        config = CacheConfig(max_age, **options)
    return lambda endpoint: _mark("cached", endpoint, lambda marks: replace(marks, cache=config))


def drops(
    paths: CacheDropConfig | Collection[str | re.Pattern[str]] = (),
    *,
    methods: Collection[Callable[..., Any]] = (),
    tags: Collection[str] = (),
    soft: bool = False,
    on: Collection[int] | Callable[[int], bool] | None = None,
) -> Callable[[Endpoint], Endpoint]:
    """Say that the endpoint below changes data: takes what `CacheDropConfig` takes, or a `CacheDropConfig` alone.

    Several on one endpoint add up. Raises `ConfigError`.
    """
    if isinstance(paths, CacheDropConfig):
        if methods or tags or soft or on is not None:
            raise ConfigError("drops takes either a CacheDropConfig or single settings, not both")
        config = paths
    elif callable(paths) and not isinstance(paths, Collection):
        raise validation.wrong("drops", paths, "must be called: write @drops(paths=[...]) above the endpoint")
    else:
        config = CacheDropConfig(paths, methods=methods, tags=tags, soft=soft, on=on)
    return lambda endpoint: _mark("drops", endpoint, lambda marks: replace(marks, drops=(*marks.drops, config)))


def marks_of(endpoint: object) -> Marks:
    """The marks on an endpoint, also through `functools.partial`, bound methods, wrappers and callable instances."""
    seen: set[int] = set()
    while endpoint is not None and id(endpoint) not in seen:
        seen.add(id(endpoint))
        found = getattr(endpoint, MARK, None)
        if isinstance(found, Marks):
            return found
        if isinstance(endpoint, (functools.partial, functools.partialmethod)):
            endpoint = endpoint.func
        elif (wrapped := getattr(endpoint, "__wrapped__", None)) is not None:
            endpoint = wrapped
        else:
            endpoint = None if isinstance(endpoint, type) else inspect.getattr_static(type(endpoint), "__call__", None)
    return Marks()


@dataclass(frozen=True)
class CacheRule:
    """Cache what is answered below `path`, a route template such as `/users/{id}`, for these methods."""

    path: str
    config: CacheConfig
    methods: Collection[str] = ("GET",)

    def __post_init__(self) -> None:
        _check_rule(self, CacheConfig)


@dataclass(frozen=True)
class DropRule:
    """Drop as `config` says when a request to `path`, a route template, succeeded with one of these methods."""

    path: str
    config: CacheDropConfig
    methods: Collection[str] = ("POST", "PUT", "PATCH", "DELETE")

    def __post_init__(self) -> None:
        _check_rule(self, CacheDropConfig)


def _mark(decorator: str, endpoint: Endpoint, change: Callable[[Marks], Marks]) -> Endpoint:
    if not callable(endpoint):
        raise validation.wrong(decorator, endpoint, "must stand above a function or class")
    try:
        setattr(endpoint, MARK, change(marks_of(endpoint)))
    except (AttributeError, TypeError):
        raise validation.wrong(
            decorator, endpoint, "must stand above a function or class, where a mark can be left"
        ) from None
    return endpoint


def _check_rule(rule: CacheRule | DropRule, config_type: type[CacheConfig] | type[CacheDropConfig]) -> None:
    name = type(rule).__name__
    path = validation.route_path(f"{name}.path", rule.path)
    known = validation.template_names(f"{name}.path", path, convertors=True)
    if not isinstance(rule.config, config_type):
        raise validation.wrong(f"{name}.config", rule.config, f"must be a {config_type.__name__}")
    for parameter in sorted(rule.config.parameter_names.difference(known)):
        raise ConfigError(f"{name}({path!r}).config names {parameter!r}, which is not a parameter of the path")
    methods = tuple(dict.fromkeys(method.upper() for method in validation.tokens(f"{name}.methods", rule.methods)))
    if not methods:
        raise validation.wrong(f"{name}.methods", rule.methods, "must hold a method")
    object.__setattr__(rule, "methods", methods)
