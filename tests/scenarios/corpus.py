"""The scenarios in `testdata/scenarios`, read and checked. The format is described there."""

import re
import tomllib
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Final, Self, get_args, get_type_hints

FOLDER: Final = Path(__file__).parents[2] / "testdata" / "scenarios"
HOSTS: Final = ("core", "starlette", "fastapi")
OUTCOMES: Final = ("HIT", "STALE", "REVALIDATED", "MISS", "BYPASS", "none")
FROM_CACHE: Final = ("HIT", "STALE", "REVALIDATED")
START: Final = 1_700_000_000.0
"""Where every scenario's clock stands at first: Tue, 14 Nov 2023 22:13:20 GMT."""


class ScenarioError(Exception):
    """A scenario that is not written as the format says."""


class Table:
    """A table of a scenario file; unknown keys are mistakes."""

    @classmethod
    def read(cls, table: dict[str, Any]) -> Self:
        hints = get_type_hints(cls)
        unknown = table.keys() - hints.keys()
        if unknown:
            raise ScenarioError(f"{cls.__name__}: unknown key {', '.join(sorted(unknown))}")
        missing = [f.name for f in fields(cls) if f.default is MISSING and f.name not in table]  # type: ignore[arg-type]
        if missing:
            raise ScenarioError(f"{cls.__name__}: {', '.join(missing)} is missing")
        return cls(**{name: _value(hints[name], value) for name, value in table.items()})


@dataclass(frozen=True)
class Drop(Table):
    """What a writing route, or code, drops."""

    paths: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    soft: bool = False
    on: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Config(Table):
    """A `CacheConfig`; `key` stands for a `key_func` that returns this text."""

    max_age: float | str | None = None
    key: str | None = None
    vary: tuple[str, ...] = ()
    query: tuple[str, ...] | None = None
    ignore_query: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    stale_while_revalidate: float = 0
    stale_if_error: float = 0
    public: bool = False
    strict_inputs: bool = False
    etag: bool = True


@dataclass(frozen=True)
class Route(Table):
    """One route of the application. `reads` is `None` where it makes no difference what the endpoint reads."""

    path: str = "/item"
    methods: tuple[str, ...] = ("GET",)
    name: str = ""
    reads: tuple[str, ...] | None = None
    config: Config | None = None
    drops: tuple[Drop, ...] = ()


@dataclass(frozen=True)
class Options(Table):
    """Settings of the middleware and its controller."""

    client_directives: bool = True
    head_from_get: bool = False
    undeclared_headers: tuple[str, ...] = ()
    methods: tuple[str, ...] | None = None
    statuses: tuple[int, ...] | None = None
    max_body_size: int | None = None
    default_ttl: float | None = None
    heuristics: bool = False
    cdn_cache_control: bool = False
    stale_on_error: bool = False
    normalize_language: bool = False


@dataclass(frozen=True)
class Origin(Table):
    """What the endpoint answers."""

    body: str | None = None
    chunks: tuple[str, ...] | None = None
    status: int = 200
    headers: tuple[str, ...] = ()
    ends: str = "whole"
    takes: float = 0
    meanwhile: Drop | None = None

    def __post_init__(self) -> None:
        if (self.body is None) == (self.chunks is None):
            raise ScenarioError("an origin has either a body or chunks")
        if self.ends not in ("whole", "early", "raises"):
            raise ScenarioError(f"an origin does not end {self.ends!r}")

    @property
    def pieces(self) -> tuple[bytes, ...]:
        """The body as it is sent."""
        texts = (self.body,) if self.body is not None else self.chunks or ()
        return tuple(text.encode("latin-1") for text in texts)


@dataclass(frozen=True)
class Step(Table):
    """One move of the clock, then one request or one drop."""

    after: float = 0
    request: str | None = None
    headers: tuple[str, ...] = ()
    sends: str = ""
    scheme: str = "http"
    root_path: str = ""
    drop: Drop | None = None
    clear: bool = False
    origin: Origin | None = None
    cache: str | None = None
    reason: str | None = None
    forward: str | None = None
    forward_status: int | None = None
    stored: bool | None = None
    age: int | None = None
    ttl: int | None = None
    status: int | None = None
    body: str | None = None
    lines: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    sees: tuple[str, ...] = ()
    sees_not: tuple[str, ...] = ()
    route: str | None = None

    def __post_init__(self) -> None:
        kinds = (self.request is not None, self.drop is not None, self.clear)
        if sum(kinds) != 1:
            raise ScenarioError("a step is one of a request, a drop and a clear")
        if self.request is None:
            return
        if self.cache not in OUTCOMES:
            raise ScenarioError(f"{self.request}: cache is one of {', '.join(OUTCOMES)}")
        called = self.origin is not None
        if self.cache == "HIT" and called:
            raise ScenarioError(f"{self.request}: a HIT calls no endpoint")
        if self.cache in ("REVALIDATED", "MISS", "BYPASS") and not called and self.reason != "only-if-cached":
            raise ScenarioError(f"{self.request}: {self.cache} calls the endpoint")
        if self.cache in FROM_CACHE and self.body is None:
            raise ScenarioError(f"{self.request}: an answer from the cache says which body comes back")
        if (self.sees or self.sees_not) and not called:
            raise ScenarioError(f"{self.request}: no endpoint sees anything")

    @property
    def is_stand_in(self) -> bool:
        """Whether a stale answer takes the place of the endpoint's."""
        return self.cache == "STALE" and self.forward is not None


@dataclass(frozen=True)
class Scenario(Table):
    """One story, from an empty cache on."""

    name: str
    rule: str
    steps: tuple[Step, ...]
    hosts: tuple[str, ...] = HOSTS
    options: Options = Options()
    path: str | None = None
    methods: tuple[str, ...] | None = None
    reads: tuple[str, ...] | None = None
    config: Config | None = None
    routes: tuple[Route, ...] = ()

    def __post_init__(self) -> None:
        if not set(self.hosts) <= set(HOSTS) or not self.hosts:
            raise ScenarioError(f"{self.name}: unknown host among {self.hosts}")
        if not self.steps:
            raise ScenarioError(f"{self.name}: nothing happens")
        alone = any(value is not None for value in (self.path, self.methods, self.reads, self.config))
        if alone and self.routes:
            raise ScenarioError(f"{self.name}: path, methods, reads and config describe a route beside routes")

    def all_routes(self) -> tuple[Route, ...]:
        """The routes, in order."""
        if self.routes:
            return self.routes
        return (
            Route(
                path=self.path or "/item",
                methods=self.methods or ("GET",),
                reads=self.reads,
                config=self.config or Config(),
            ),
        )

    def skipped_on(self, host: str) -> str | None:
        """Why this scenario is not for `host`."""
        return None if host in self.hosts else f"only for {', '.join(self.hosts)}"


def load() -> dict[str, Scenario]:
    """Every scenario under `subject/name`."""
    found: dict[str, Scenario] = {}
    for file in sorted(FOLDER.glob("*.toml")):
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
        if tables.keys() != {"scenario"}:
            raise ScenarioError(f"{file.name}: holds {', '.join(tables)}, not [[scenario]]")
        for table in tables["scenario"]:
            try:
                scenario = Scenario.read(table)
            except ScenarioError as error:
                raise ScenarioError(f"{file.name}: {table.get('name')}: {error}") from None
            name = f"{file.stem}/{scenario.name}"
            if name in found or not re.fullmatch(r"[a-z0-9_]+/[ -~]+", name):
                raise ScenarioError(f"{name}: names are unique and plain")
            found[name] = scenario
    return found


def line(text: str) -> tuple[str, str]:
    """A header line written as `name: value`."""
    name, colon, value = text.partition(":")
    if not colon:
        raise ScenarioError(f"{text!r} is no header line")
    return name, value[1:] if value.startswith(" ") else value


def _value(hint: Any, value: Any) -> Any:
    if isinstance(value, list):
        tuples = [hint, *get_args(hint)]
        member = next((get_args(one)[0] for one in tuples if getattr(one, "__origin__", None) is tuple), str)
        return tuple(_value(member, one) for one in value)
    kinds = [kind for kind in (hint, *get_args(hint)) if isinstance(kind, type)]
    table = next((kind for kind in kinds if issubclass(kind, Table)), None)
    if table is not None:
        return table.read({"body": value} if table is Origin and isinstance(value, str) else value)
    plain = tuple(kind for kind in kinds if kind in (str, int, float, bool))
    if not isinstance(value, plain) and not (float in plain and type(value) is int):
        raise ScenarioError(f"{value!r} is of the wrong type")
    return value
