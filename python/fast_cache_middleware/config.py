"""What a route's author writes: `CacheConfig` to cache a route, `CacheDropConfig` to say that it changes data.

Both are FastAPI dependencies that do nothing when they run, so they stand wherever a dependency may stand, bare or
inside `Depends(...)`. Without FastAPI they are plain objects.
"""

import copy
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from starlette.requests import Request

from . import validation
from .exceptions import ConfigError

if TYPE_CHECKING:
    from fastapi.params import Depends as _Dependency
else:
    try:
        from fastapi.params import Depends as _Dependency
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "fastapi":
            raise

        class _Dependency:
            def __init__(self, dependency: object) -> None:
                self.dependency = dependency


KeyFunction = Callable[[Request], str | Awaitable[str]]
"""`f(request) -> str`, sync or async: the request part of a key."""

DropKind = Literal["prefix", "glob", "regex", "template", "template_glob"]
"""How the text of a drop path is to be read."""


class _LeftOut(int):
    """The default of `max_age`: reads as 300, and is told apart from a 300 that was written."""


LEFT_OUT: Final = _LeftOut(300)


class _RouteConfig(_Dependency):
    """A dependency without effect, equal only to itself, whose attributes are set once."""

    def __init__(self) -> None:
        super().__init__(dependency=self)
        # What is said here, FastAPI need not find out anew for each request; without a `yield` it changes nothing.
        object.__setattr__(self, "scope", "request")

    async def __call__(self) -> None:
        """Do nothing: the middleware reads the config from the route."""

    def __setattr__(self, name: str, value: object) -> None:
        # Asking for `__dict__` makes one, and from then on CPython takes ten times as long to read an attribute.
        is_set = name in self.__dict__ if hasattr(type(self), name) else hasattr(self, name)
        if is_set:
            raise AttributeError(f"{type(self).__name__}.{name} cannot be changed")
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} cannot be deleted")

    __hash__ = object.__hash__
    __eq__ = object.__eq__


class CacheConfig(_RouteConfig):
    """Cache this route.

    Durations are seconds (int, float) or a `timedelta`; those over 2**31 seconds mean 2**31.

    - `max_age`: how long a response may be reused. Left out, the controller's `default_ttl` counts, else 300; `None`
      follows the response's own headers (RFC 9111).
    - `key_func`: `f(request) -> str`, sync or async, replaces the request part of the key; its author takes over
      what varies.
    - `vary`: request header names that join the key; `"cookie:NAME"` for one cookie.
    - `query`: the only query parameters that join the key; `ignore_query`: patterns (`"utm_*"`) of those that do not.
    - `tags`: labels for later drops; `"user:{user_id}"` is filled from path parameters.
    - `stale_while_revalidate`: how long past expiry a stale answer is served while it is refreshed.
    - `stale_if_error`: how long past expiry a stale answer stands in for a failure of the handler.
    - `early_refresh`: refresh a hot answer in the background shortly before it expires; the weight of the chance that a
      hit does so, usually 1 (`True` says the same), more for sooner, 0 for never.
    - `jitter`: the fraction of its lifetime, below 1, by which each answer may expire sooner, by chance.
    - `coalesce` and `follower_timeout`: the middleware's options of these names, for this route alone.
    - `public`: the answer is the same for everybody, whatever credentials a request carries.
    - `strict_inputs`: hide from the handler every request header that the key does not hold.
    - `etag`: give stored responses an `ETag`, and answer conditional requests with 304.

    Raises `ConfigError` for an impossible value.
    """

    max_age: float | None
    """Seconds, `None` in HTTP mode, 300 when left out; see `resolved_max_age`."""

    def __init__(
        self,
        max_age: float | timedelta | None = LEFT_OUT,
        *,
        key_func: KeyFunction | None = None,
        vary: Collection[str] = (),
        query: Collection[str] | None = None,
        ignore_query: Collection[str] = (),
        tags: Collection[str] = (),
        stale_while_revalidate: float | timedelta = 0,
        stale_if_error: float | timedelta = 0,
        early_refresh: float = 0,
        jitter: float = 0,
        coalesce: bool | None = None,
        follower_timeout: float | timedelta | None = None,
        public: bool = False,
        strict_inputs: bool = False,
        etag: bool = True,
    ) -> None:
        super().__init__()
        self.max_age_given: bool = max_age is not LEFT_OUT
        self.max_age = None if max_age is None else validation.seconds("CacheConfig.max_age", max_age)
        self.key_func: KeyFunction | None = (
            None if key_func is None else validation.function("CacheConfig.key_func", key_func)
        )
        self.vary_headers, self.vary_cookies = _split_vary("CacheConfig.vary", vary)
        self.query: tuple[str, ...] | None = None if query is None else validation.texts("CacheConfig.query", query)
        self.ignore_query: tuple[str, ...] = validation.texts("CacheConfig.ignore_query", ignore_query)
        self.tags: tuple[str, ...] = validation.texts("CacheConfig.tags", tags)
        self.parameter_names: frozenset[str] = _names_in("CacheConfig.tags", self.tags)
        self.stale_while_revalidate: float = validation.seconds(
            "CacheConfig.stale_while_revalidate", stale_while_revalidate
        )
        self.stale_if_error: float = validation.seconds("CacheConfig.stale_if_error", stale_if_error)
        self.early_refresh: float = validation.number(
            "CacheConfig.early_refresh", float(early_refresh) if isinstance(early_refresh, bool) else early_refresh
        )
        self.jitter: float = validation.number("CacheConfig.jitter", jitter)
        if self.jitter >= 1:
            raise validation.wrong("CacheConfig.jitter", jitter, "must be below 1")
        self.coalesce: bool | None = None if coalesce is None else validation.flag("CacheConfig.coalesce", coalesce)
        self.follower_timeout: float | None = (
            None if follower_timeout is None else validation.seconds("CacheConfig.follower_timeout", follower_timeout)
        )
        if coalesce is False and follower_timeout is not None:
            raise validation.wrong(
                "CacheConfig.follower_timeout", follower_timeout, "means nothing with coalesce=False"
            )
        self.public: bool = validation.flag("CacheConfig.public", public)
        self.strict_inputs: bool = validation.flag("CacheConfig.strict_inputs", strict_inputs)
        self.etag: bool = validation.flag("CacheConfig.etag", etag)

    @property
    def vary(self) -> tuple[str, ...]:
        """All that joins the key: header names in lower case, then cookies as `cookie:NAME`."""
        return self.vary_headers + tuple(f"cookie:{name}" for name in self.vary_cookies)

    def resolved_max_age(self, default_ttl: float | None) -> float | None:
        """The lifetime in seconds where the controller's `default_ttl` is this one; `None` in HTTP mode."""
        return self.max_age if self.max_age_given or default_ttl is None else default_ttl

    def __repr__(self) -> str:
        shown = [f"max_age={_plain(self.max_age)}"]
        defaults: dict[str, object] = {
            "key_func": None, "vary": (), "query": None, "ignore_query": (), "tags": (), "stale_while_revalidate": 0,
            "stale_if_error": 0, "early_refresh": 0, "jitter": 0, "coalesce": None, "follower_timeout": None,
            "public": False, "strict_inputs": False, "etag": True,
        }  # fmt: skip
        shown += [
            f"{name}={_plain(getattr(self, name))}"
            for name, default in defaults.items()
            if getattr(self, name) != default
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


@dataclass(frozen=True, slots=True)
class DropPath:
    """One entry of `CacheDropConfig.paths`, read.

    `text` is the entry with `{name:convertor}` written as `{name}`; `pattern` is set for the kind `regex` only;
    `names` are the path parameters that `text` is filled from.
    """

    kind: DropKind
    text: str
    pattern: re.Pattern[str] | None
    names: tuple[str, ...]

    def compiled(self, path_params: Mapping[str, object] | None = None) -> re.Pattern[str]:
        """The pattern whose `match` is true for the paths this covers; `ConfigError` if a parameter is missing.

        Values are taken literally: a `*` in a path parameter is a star, not a glob.
        """
        if self.pattern is not None:
            return self.pattern
        is_glob = self.kind in ("glob", "template_glob")
        literal = _escape_glob if is_glob else re.escape
        source = validation.fill("CacheDropConfig.paths", self.text, path_params or {}, literal, re.escape)
        if is_glob:
            source += r"\Z"
        elif self.kind == "template" and not source.endswith("/"):
            source += r"(?:/|\Z)"
        return re.compile(source, re.DOTALL)


class CacheDropConfig(_RouteConfig):
    """This route changes data: drop what is cached of it.

    - `paths`: a plain string is a prefix; with `*` a glob whose `*` crosses slashes; starting with `^`, or a compiled
      pattern, it is used with `re.match`; `"/users/{user_id}"` is filled from the writing request's path parameters
      and covers that path and everything below it.
    - `methods`: endpoint functions whose cached responses go.
    - `tags`: tags to drop, filled likewise.
    - `soft`: mark entries stale instead of dropping them.
    - `on`: the statuses that drop, as a collection of codes or as `status -> bool`; by default those below 400.

    Raises `ConfigError` for an impossible value, or where there is nothing to drop.
    """

    def __init__(
        self,
        paths: Collection[str | re.Pattern[str]] = (),
        *,
        methods: Collection[Callable[..., Any]] = (),
        tags: Collection[str] = (),
        soft: bool = False,
        on: Collection[int] | Callable[[int], bool] | None = None,
    ) -> None:
        super().__init__()
        self.paths: tuple[str | re.Pattern[str], ...] = validation.items("CacheDropConfig.paths", paths)
        self.drop_paths: tuple[DropPath, ...] = tuple(_drop_path("CacheDropConfig.paths", path) for path in self.paths)
        self.methods: tuple[Callable[..., Any], ...] = tuple(
            validation.function("CacheDropConfig.methods", method)
            for method in validation.items("CacheDropConfig.methods", methods)
        )
        self.tags: tuple[str, ...] = validation.texts("CacheDropConfig.tags", tags)
        if not (self.paths or self.methods or self.tags):
            raise ConfigError("CacheDropConfig has nothing to drop: give it paths, methods or tags")
        names_in_paths = frozenset(name for path in self.drop_paths for name in path.names)
        self.parameter_names: frozenset[str] = names_in_paths | _names_in("CacheDropConfig.tags", self.tags)
        self.soft: bool = validation.flag("CacheDropConfig.soft", soft)
        self.on: frozenset[int] | Callable[[int], bool] | None = _statuses("CacheDropConfig.on", on)

    def drops_on(self, status: int) -> bool:
        """Whether a response with this status drops."""
        if self.on is None:
            return status < 400
        return status in self.on if isinstance(self.on, frozenset) else bool(self.on(status))

    def filled(self, path_params: Mapping[str, object]) -> Self:
        """This config with the path parameters of one request put in; `ConfigError` if one is missing."""
        if not self.parameter_names:
            return self
        filled = copy.copy(self)
        paths = [DropPath("regex", path.text, path.compiled(path_params), ()) for path in self.drop_paths]
        filled.__dict__.update(
            paths=tuple(path.pattern for path in paths),
            drop_paths=tuple(paths),
            tags=tuple(validation.fill("CacheDropConfig.tags", tag, path_params) for tag in self.tags),
            parameter_names=frozenset(),
        )
        return filled

    def patterns(self) -> tuple[re.Pattern[str], ...]:
        """Every path as a pattern for `re.match`; `ConfigError` where path parameters are not filled in yet."""
        return tuple(path.compiled() for path in self.drop_paths)

    def __repr__(self) -> str:
        defaults: dict[str, object] = {"paths": (), "methods": (), "tags": (), "soft": False, "on": None}
        shown = [f"{name}={getattr(self, name)!r}" for name, value in defaults.items() if getattr(self, name) != value]
        return f"{type(self).__name__}({', '.join(shown)})"


def _plain(value: object) -> str:
    return repr(int(value)) if isinstance(value, float) and value.is_integer() else repr(value)


def _escape_glob(text: str) -> str:
    return ".*".join(map(re.escape, text.split("*")))


def _names_in(field: str, templates: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name for text in templates for name in validation.template_names(field, text))


def _split_vary(field: str, value: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    headers: list[str] = []
    cookies: list[str] = []
    for member in validation.texts(field, value):
        prefix, colon, name = member.partition(":")
        if colon and prefix.lower() == "cookie":
            cookies += validation.tokens(field, [name])
        elif member == "*":
            raise validation.wrong(field, member, "must name headers; with everything in the key nothing is shared")
        else:
            headers += (name.lower() for name in validation.tokens(field, [member]))
    return tuple(dict.fromkeys(headers)), tuple(dict.fromkeys(cookies))


def _drop_path(field: str, value: object) -> DropPath:
    if isinstance(value, re.Pattern):
        if not isinstance(value.pattern, str):
            raise validation.wrong(field, value, "must hold patterns for str, not for bytes")
        validation.encodable(field, value.pattern)
        return DropPath("regex", value.pattern, value, ())
    if not isinstance(value, str) or not value:
        raise validation.wrong(field, value, "must hold strings that are not empty, or compiled patterns")
    validation.encodable(field, value)
    if value.startswith("^"):
        try:
            return DropPath("regex", value, re.compile(value), ())
        except (re.error, OverflowError, RecursionError) as error:
            raise validation.wrong(field, value, f"holds no valid regular expression ({error})") from error
    names = validation.template_names(field, value, convertors=True)
    text = validation.without_convertors(value)
    if not text.startswith(("/", "*")):
        raise validation.wrong(field, value, 'must hold paths, which start with "/" (or with "*" or "^")')
    if "*" in text:
        return DropPath("template_glob" if names else "glob", text, None, names)
    return DropPath("template" if names else "prefix", text, None, names)


def _statuses(field: str, value: Any) -> frozenset[int] | Callable[[int], bool] | None:
    if value is None:
        return None
    if callable(value):
        predicate: Callable[[int], bool] = value
        return predicate
    codes = validation.status_codes(field, value)
    if not codes:
        raise validation.wrong(field, value, "must hold a status, or nothing would ever drop")
    return codes
