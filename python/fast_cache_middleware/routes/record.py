"""The analysed application as plain data."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from fast_cache_middleware.config import CacheConfig, CacheDropConfig

RouteKind = Literal["route", "opaque", "ask"]
"""`route`: `path` is its template. `opaque`: everything under the prefix `path` belongs to an app we do not look into.
`ask`: only the framework knows; every path that starts with the plain text `path` must be asked for."""

FoldedType = Literal["int", "uuid", "number", "bool", "date", "address", "mixed", "never"]
"""A type that reads several spellings as one value; `mixed` is text that may also be read as a number or a UUID."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What an endpoint and all its dependencies can see of a request."""

    raw: bool
    """Something takes the whole request, or we cannot know."""
    query: tuple[str, ...] | None
    """Declared names; `None` is the whole query."""
    headers: tuple[str, ...]
    """Declared header names in lower case, `authorization` and `cookie` left out."""
    all_headers: bool
    cookies: tuple[str, ...] | None
    """Declared cookie names; `None` is all of them."""
    authorization: bool
    """`Authorization` is declared, by a security scheme or as a header."""
    secret_headers: tuple[str, ...] = ()
    secret_query: tuple[str, ...] = ()
    secret_cookies: tuple[str, ...] = ()
    reads_body: bool = False
    canonical: tuple[tuple[str, FoldedType], ...] = ()
    """Path parameters whose declared type reads several spellings as one value (`7` and `07`)."""


@dataclass(frozen=True, slots=True)
class InsideMiddleware:
    """A middleware between ours and the router: a hit skips it."""

    name: str
    kind: Literal["neutral", "cors", "unknown"]


@dataclass(frozen=True, slots=True)
class Behind:
    """A mount whose routes have middleware of its own in front of them, which a hit would skip."""

    mount: str
    names: tuple[str, ...]


@dataclass(slots=True, eq=False)
class RouteRecord:
    """One line of the ordered table: the first full match of path and method wins.

    The walk makes it, the analysis completes it where it has a config, and nothing changes it after that. It is not
    frozen, as making a thousand frozen ones takes a millisecond more.
    """

    kind: RouteKind
    path: str
    """The full template with convertors, mount prefixes included. An opaque prefix covers what follows its next `/`."""
    methods: frozenset[str] | None
    """`None`: every method."""
    endpoint: object
    """What the framework puts into `scope["endpoint"]`."""
    route: object | None
    """What it puts into `scope["route"]`, `None` where it puts nothing."""
    host: str | None = None
    parents: tuple[int, ...] = ()
    """The identities of the framework's nodes on the way to this one."""
    node: Any = None
    """The framework's own node: a route, a mount, or FastAPI's context of one that came by `include_router`."""
    dependant: Any = None
    """What a route of FastAPI declares."""
    raw: bool = False
    """The route hands the whole request to code that declares nothing."""
    behind: Behind | None = None
    around: tuple[InsideMiddleware, ...] = ()
    """The middlewares of this route alone."""

    cache: CacheConfig | None = None
    drops: tuple[CacheDropConfig, ...] = ()
    inputs: Inputs | None = None
    """Known where there is a `cache` or a drop."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Every list of routes that was walked, top level first, as it was then."""

    lists: tuple[list[Any], ...] = ()
    lengths: tuple[int, ...] = ()
    owners: tuple[object, ...] = ()
    """The router whose `routes` each list is."""
    last: tuple[object, ...] = ()
    """The last route of each list, `None` where it was empty."""

    @staticmethod
    def over(owners: Iterable[Any]) -> "Watch":
        """Watch the routes of these routers."""
        routers = tuple(owners)
        lists = tuple(router.routes for router in routers)
        return Watch(lists, tuple(map(len, lists)), routers, tuple(routes[-1] if routes else None for routes in lists))

    def changed(self) -> bool:
        """Whether routes came or went since the analysis, or a list was replaced."""
        return any(
            getattr(owner, "routes", None) is not routes or len(routes) != length or (length and routes[-1] is not last)
            for owner, routes, length, last in zip(self.owners, self.lists, self.lengths, self.last, strict=True)
        )


@dataclass(frozen=True)
class Analysis:
    """The routes of one application, in the order in which the framework tries them."""

    records: tuple[RouteRecord, ...]
    watch: Watch
    root: Any
    inside: tuple[InsideMiddleware, ...]
    warnings: tuple[str, ...]
    asked: tuple[RouteRecord, ...] = ()
    """Routes behind an `ask` record: they never match by path, only `ask_framework` finds them."""
    configured: tuple[RouteRecord, ...] = ()
    """Those of both that have a config."""
    mounted: tuple[tuple[str, Any], ...] = ()
    """The applications mounted in this one, each with the prefix of its first mount."""
    overriders: tuple[Any, ...] = ()
    """What has `dependency_overrides` that count for these routes: this application and those mounted in it."""
    skipped: tuple[object, ...] = ()
    """The endpoints with a `CacheConfig` that are not cached since a hit would skip a middleware of theirs."""

    def at_node(self, nodes: tuple[int, ...]) -> Sequence[RouteRecord]:
        """The records of one of the framework's nodes, by the identities of those on the way to it and its own."""
        return self._by_nodes.get(nodes, ())

    @cached_property
    def _by_nodes(self) -> Mapping[tuple[int, ...], Sequence[RouteRecord]]:
        # Few applications have a route that only the framework finds.
        found: dict[tuple[int, ...], list[RouteRecord]] = {}
        for record in (*self.records, *self.asked):
            if record.kind != "ask":
                found.setdefault((*record.parents, id(record.node)), []).append(record)
        return found
