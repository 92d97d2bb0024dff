"""From the analysis of an application to the rows that the core reads."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MethodType
from typing import Any

from .config import CacheConfig, CacheDropConfig
from .controller import Controller
from .exceptions import ConfigError
from .routes import Analysis, Inputs, RouteRecord, inputs_with_overrides, overrides_of, overrides_token

Row = tuple[str, str, frozenset[str] | None, object, object, str | None, "CachedSpec | None", "tuple[DropSpec, ...]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The middleware's options for HTTP mode."""

    heuristics: bool
    cdn_cache_control: bool
    stale_on_error: bool
    normalize_language: bool
    any_status: bool
    """The controller names no statuses, so that in HTTP mode every final one will do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the middleware's own options say about every route."""

    controller: Controller
    hooked: bool
    """Python has a say in every exchange: a hook or a custom storage."""
    client_directives: bool
    undeclared_headers: tuple[str, ...]
    coalesce: bool
    follower_timeout: float

    def waits(self, config: CacheConfig) -> float | None:
        """The seconds for which a request for a route waits for another one's answer, if it does."""
        coalesce = self.coalesce if config.coalesce is None else config.coalesce
        timeout = self.follower_timeout if config.follower_timeout is None else config.follower_timeout
        return timeout if coalesce else None


@dataclass(slots=True, eq=False)
class CachedSpec:
    """A `CacheConfig` with what a route can see; the core reads it attribute by attribute, once for all routes."""

    max_age: float | None
    stale_while_revalidate: float
    stale_if_error: float
    early_refresh: float
    jitter: float
    follower_timeout: float | None
    public: bool
    etag: bool
    strict: bool
    client_directives: bool
    statuses: list[int]
    methods: list[str]
    max_body_size: int
    tags: list[str]
    canonical: list[tuple[str, str]]
    reads_body: bool
    raw: bool
    all_headers: bool
    query: list[str] | None
    headers: list[str]
    cookies: list[str] | None
    authorization: bool
    secret_headers: list[str]
    secret_query: list[str]
    secret_cookies: list[str]
    vary_headers: list[str]
    vary_cookies: list[str]
    query_only: list[str] | None
    query_ignore: list[str]
    undeclared_headers: list[str]
    key_func: Callable[..., Any] | None
    hooked: bool
    variant: str


@dataclass(slots=True, eq=False)
class DropSpec:
    """One `CacheDropConfig`; the core reads it attribute by attribute."""

    paths: list[tuple[str, str, Any]]
    tags: list[str]
    endpoints: list[object]
    soft: bool
    statuses: list[int] | None
    on: Callable[[int], bool] | None


def rows(analysis: Analysis, settings: Settings) -> tuple[list[Row], tuple[RouteRecord, ...]]:
    """The rows in the order of the table, and the records that got a number, in the order of their numbers."""
    specs = _Specs(settings)
    known = cached_endpoints(analysis) if _names_endpoints(analysis) else {}
    # Most routes have no config, and an analysis of ten thousand of them must stay cheap.
    plain: list[Row] = [
        (record.kind, record.path, record.methods, None, None, None, None, ())
        if record.cache is None and not record.drops
        else _row(record, record.kind, specs, known)
        for record in analysis.records
    ]
    asked = [_row(record, "asked", specs, known) for record in analysis.asked]
    numbered = (*[record for record in analysis.records if record.kind == "route"], *analysis.asked)
    return plain + asked, numbered


def cached_endpoints(analysis: Analysis) -> Mapping[object, list[object]]:
    """The endpoints of cached routes by `endpoint_key`."""
    known: dict[object, list[object]] = {}
    for record in analysis.configured:
        if record.cache is not None:
            same = known.setdefault(endpoint_key(record.endpoint), [])
            if not any(one is record.endpoint for one in same):
                same.append(record.endpoint)
    return known


def endpoint_key(endpoint: object) -> object:
    """What makes an endpoint the same one: a bound method is another object each time it is read."""
    if isinstance(endpoint, MethodType):
        return id(endpoint.__self__), id(endpoint.__func__)
    return id(endpoint)


def _names_endpoints(analysis: Analysis) -> bool:
    """Whether some drop is by endpoint."""
    return any(config.methods for record in analysis.configured for config in record.drops)


def _row(record: RouteRecord, kind: str, specs: "_Specs", known: Mapping[object, list[object]]) -> Row:
    cached = None if record.cache is None else specs.of(record, record.cache)
    drops = tuple([_drop(config, known) for config in record.drops]) if record.drops else ()
    return (kind, record.path, record.methods, record.endpoint, record.route, record.host, cached, drops)


class _Specs:
    """Makes a `CachedSpec` for each route; routes that differ in nothing that counts get the same one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: dict[object, tuple[CachedSpec, Inputs]] = {}
        """With the inputs that each was made of, so that no others can have the same identity."""

    def of(self, record: RouteRecord, config: CacheConfig) -> CachedSpec:
        overrides = overrides_of(record)
        inputs = inputs_with_overrides(record, overrides) if overrides else record.inputs
        if inputs is None:
            raise ConfigError(f"{record.path}: the inputs of a cached route are unknown")
        token = overrides_token(overrides) if overrides else ()
        max_age = config.resolved_max_age(self._settings.controller.default_ttl)
        # A `key_func` may be equal to another one, or without a hash. Inputs that are equal are mostly the same.
        key = (
            id(inputs), record.methods, token, max_age, config.stale_while_revalidate, config.stale_if_error,
            config.early_refresh, config.jitter, config.coalesce, config.follower_timeout, config.public, config.etag,
            config.strict_inputs, config.tags, config.vary_headers, config.vary_cookies, config.query,
            config.ignore_query, id(config.key_func),
        )  # fmt: skip
        made = self._made.get(key)
        if made is None:
            spec = _cached(max_age, config, record.methods, inputs, token, self._settings)
            made = self._made[key] = (spec, inputs)
        return made[0]


def _cached(
    max_age: float | None,
    config: CacheConfig,
    methods: frozenset[str] | None,
    inputs: Inputs,
    token: tuple[int, ...],
    settings: Settings,
) -> CachedSpec:
    controller = settings.controller
    allowed = controller.cacheable_methods if methods is None else methods & controller.cacheable_methods
    return CachedSpec(
        max_age=max_age,
        stale_while_revalidate=config.stale_while_revalidate,
        stale_if_error=config.stale_if_error,
        early_refresh=config.early_refresh,
        jitter=config.jitter,
        follower_timeout=settings.waits(config),
        public=config.public,
        etag=config.etag,
        strict=config.strict_inputs,
        client_directives=settings.client_directives,
        statuses=sorted(controller.cacheable_status_codes),
        methods=sorted(allowed - {"HEAD"}),
        max_body_size=controller.max_body_size,
        tags=list(config.tags),
        vary_headers=list(config.vary_headers),
        vary_cookies=list(config.vary_cookies),
        query_only=None if config.query is None else list(config.query),
        query_ignore=list(config.ignore_query),
        undeclared_headers=list(settings.undeclared_headers),
        key_func=config.key_func,
        hooked=settings.hooked or config.key_func is not None,
        variant=".".join(map(str, token)),
        **_visible(inputs),
    )


def _visible(inputs: Inputs) -> dict[str, Any]:
    return {
        "canonical": [(name, kind) for name, kind in inputs.canonical],
        "reads_body": inputs.reads_body,
        "raw": inputs.raw,
        "all_headers": inputs.all_headers,
        "query": None if inputs.query is None else list(inputs.query),
        "headers": list(inputs.headers),
        "cookies": None if inputs.cookies is None else list(inputs.cookies),
        "authorization": inputs.authorization,
        "secret_headers": list(inputs.secret_headers),
        "secret_query": list(inputs.secret_query),
        "secret_cookies": list(inputs.secret_cookies),
    }


def _drop(config: CacheDropConfig, known: Mapping[object, list[object]]) -> DropSpec:
    statuses = None if config.on is None or callable(config.on) else sorted(config.on)
    return DropSpec(
        paths=[(path.kind, path.text, path.pattern) for path in config.drop_paths],
        tags=list(config.tags),
        endpoints=[endpoint for method in config.methods for endpoint in known.get(endpoint_key(method), ())],
        soft=config.soft,
        statuses=statuses,
        on=config.on if callable(config.on) else None,
    )


def unmatched_endpoints(analysis: Analysis) -> Sequence[str]:
    """Warnings about endpoints in `CacheDropConfig.methods` that no cached route has, and no warning has named yet."""
    if not _names_endpoints(analysis):
        return []
    known = {*cached_endpoints(analysis), *map(endpoint_key, analysis.skipped)}
    return [
        f"{record.path}: CacheDropConfig.methods names {getattr(method, '__qualname__', method)!s}, "
        "which is no cached endpoint"
        for record in analysis.configured
        for config in record.drops
        for method in config.methods
        if endpoint_key(method) not in known
    ]
