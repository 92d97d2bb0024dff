"""Which configs count for a route: from FastAPI's dependencies, from marks on the endpoint, and from rules."""

import inspect
import typing
from collections.abc import Callable, Iterable, Sequence
from types import FunctionType, MethodType
from typing import Annotated, Any, Final

from fast_cache_middleware.config import CacheConfig, CacheDropConfig
from fast_cache_middleware.exceptions import ConfigError
from fast_cache_middleware.rules import CacheRule, DropRule, marks_of

from . import template
from .record import RouteRecord

AnyConfig = CacheConfig | CacheDropConfig
Rule = CacheRule | DropRule


Configs = tuple[CacheConfig | None, tuple[CacheDropConfig, ...]]
"""What one route is to do."""

NOTHING: Final[Configs] = (None, ())


class ConfigReader:
    """Reads configs off routes; a factory is called once for all of them."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[object, AnyConfig | None]] = {}

    def read(self, endpoint: Any, dependant: Any) -> Configs:
        """The configs of one route: the last `CacheConfig` in FastAPI's order wins, then a mark; drops add up."""
        inner = () if dependant is None else dependant.dependencies
        marked = type(endpoint) is not FunctionType or bool(endpoint.__dict__)
        if not marked:
            if not inner:
                return NOTHING
            if len(inner) == 1 and type(inner[0].call) is CacheConfig:
                return inner[0].call, ()
        cache: CacheConfig | None = None
        drops: dict[int, CacheDropConfig] = {}
        for config in self._configs(inner, []):
            if isinstance(config, CacheConfig):
                cache = config
            else:
                drops[id(config)] = config
        if marked:
            marks = marks_of(endpoint)
            cache = marks.cache or cache
            drops.update((id(config), config) for config in marks.drops)
        return (cache, tuple(drops.values())) if cache is not None or drops else NOTHING

    def _configs(self, dependants: Iterable[Any], found: list[AnyConfig]) -> list[AnyConfig]:
        for dependant in dependants:
            call = dependant.call
            if isinstance(call, (CacheConfig, CacheDropConfig)):
                found.append(call)
            else:
                if isinstance(call, (FunctionType, MethodType)) and "return" in call.__annotations__:
                    made = self._make(call)
                    if made is not None:
                        found.append(made)
                if dependant.dependencies:
                    self._configs(dependant.dependencies, found)
        return found

    def _make(self, factory: Callable[[], Any]) -> AnyConfig | None:
        known = self._made.get(id(factory))
        if known is not None and known[0] is factory:
            return known[1]
        made = _made_by(factory)
        self._made[id(factory)] = (factory, made)
        return made


def check(record: RouteRecord, name: Callable[[RouteRecord], str]) -> None:
    """Raise `ConfigError` where a template of a config names a path parameter that the route does not have; `name`
    says what to call the route."""
    for config in (record.cache, *record.drops):
        if config is None or not config.parameter_names:
            continue
        known = template.parameters(record.path + (record.host or ""))
        if config.parameter_names <= known.keys():
            continue
        unknown = min(config.parameter_names - known.keys())
        kind = "CacheConfig" if isinstance(config, CacheConfig) else "CacheDropConfig"
        in_tags = any(unknown in template.parameters(tag) for tag in config.tags)
        has = ", ".join(map(repr, known)) or "none"
        raise ConfigError(
            f"{name(record)}: {kind}.{'tags' if in_tags else 'paths'} names {unknown!r}, "
            f"which is not a path parameter of this route (it has {has})"
        )


def matching(rules: Sequence[Rule], path: str) -> tuple[Rule, ...]:
    """The rules for a route template; convertors may be left out of a rule's path."""
    return tuple(rule for rule in rules if rule.path in (path, template.without_convertors(path)))


def split(
    methods: frozenset[str] | None, own: Configs, rules: Sequence[Rule]
) -> list[tuple[frozenset[str] | None, Configs]]:
    """One line per group of methods that the rules treat alike, named methods first."""
    if not rules:
        return [(methods, own)]
    named = dict.fromkeys(method for rule in rules for method in rule.methods)
    if "GET" in named:
        named["HEAD"] = None
    considered = list(named) if methods is None else sorted(methods)
    groups: dict[tuple[int, ...], tuple[Configs, list[str]]] = {}
    for method in considered:
        cache, drops = configs = _with_rules(method, own, rules)
        identity = tuple(map(id, (cache, *drops)))
        groups.setdefault(identity, (configs, []))[1].append(method)
    lines: list[tuple[frozenset[str] | None, Configs]] = [
        (frozenset(members), configs) for configs, members in groups.values()
    ]
    return [*lines, (None, own)] if methods is None else lines


def _with_rules(method: str, own: Configs, rules: Sequence[Rule]) -> Configs:
    cache, drops = own[0], {id(config): config for config in own[1]}
    for rule in rules:
        if method in rule.methods or (method == "HEAD" and "GET" in rule.methods):
            if isinstance(rule, DropRule):
                drops[id(rule.config)] = rule.config
            elif own[0] is None:
                cache = rule.config
    return cache, tuple(drops.values())


def _made_by(factory: Callable[[], Any]) -> AnyConfig | None:
    wanted = _returned(factory)
    if wanted is None or inspect.signature(factory).parameters:
        return None
    name = getattr(factory, "__qualname__", repr(factory))
    if inspect.iscoroutinefunction(factory):
        raise ConfigError(f"{name} makes a {wanted.__name__}, so it must be a plain function, not an async one")
    try:
        made = factory()
    except Exception as error:
        raise ConfigError(f"{name} failed to make a {wanted.__name__}: {error}") from error
    if not isinstance(made, wanted):
        raise ConfigError(f"{name} must return a {wanted.__name__}, as annotated, got {made!r}")
    return made


def _returned(factory: Any) -> type[CacheConfig] | type[CacheDropConfig] | None:
    annotation = factory.__annotations__["return"]
    if isinstance(annotation, str):
        try:
            annotation = typing.get_type_hints(_only_return(factory), factory.__globals__)["return"]
        except Exception:  # an annotation for type checkers only, such as one imported under TYPE_CHECKING
            return None
    if typing.get_origin(annotation) is Annotated:
        annotation = typing.get_args(annotation)[0]
    if isinstance(annotation, type) and issubclass(annotation, (CacheConfig, CacheDropConfig)):
        return annotation
    return None


def _only_return(factory: Any) -> Any:
    """Something with the factory's return annotation and no other, so that the others need not be readable."""

    class Holder:
        __annotations__ = {"return": factory.__annotations__["return"]}

    return Holder
