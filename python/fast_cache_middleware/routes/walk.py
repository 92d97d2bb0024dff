"""The routes of an application in the order in which the framework tries them, mounts and includes resolved."""

from dataclasses import dataclass, replace
from typing import Any, Final

from . import chain as middlewares
from . import framework as fw
from . import template
from .record import Behind, RouteRecord

_HANDLING: Final = ("get_route_handler", "handle")


@dataclass(frozen=True, slots=True)
class _Place:
    prefix: str = ""
    parents: tuple[int, ...] = ()
    host: str | None = None
    hidden: bool = False
    raw: bool = False
    writes_route: bool = False
    outer_route: object | None = None
    behind: Behind | None = None

    def route_in_scope(self, route: object) -> object | None:
        return route if self.writes_route else self.outer_route


class Walk:
    """One walk over one application; its public attributes are its result."""

    def __init__(self, root: Any) -> None:
        self.records: list[RouteRecord] = []
        """The routes, mounts and unknown matchers, in order; no config is read yet."""
        self.asked: list[RouteRecord] = []
        """The routes that only the framework finds."""
        self.routers: list[Any] = []
        """Every router whose routes were walked, the outermost first."""
        self.mounted: dict[int, tuple[str, Any]] = {}
        """The applications mounted in it, by identity, with the prefix of the first mount."""
        self.overriders: dict[int, Any] = {}
        """What has `dependency_overrides`, by identity."""
        self.unread: list[tuple[str, Any]] = []
        """The mounted applications and routers that route in their own way, with their prefix."""
        self._open: set[int] = set()
        self._methods: dict[object, frozenset[str]] = {}
        self._root = root
        router = root.router if isinstance(root, fw.Starlette) else root
        self._note_overrider(root)
        self._routes(router, _Place())

    def _routes(self, router: Any, at: _Place) -> None:
        routes = router.routes
        self._open.add(id(routes))
        self.routers.append(router)
        self._note_overrider(getattr(router, "dependency_overrides_provider", None))
        at = replace(at, writes_route=fw.writes_route(router))
        for route in routes:
            self._route(route, at)
        self._open.discard(id(routes))

    def _route(self, route: Any, at: _Place) -> None:
        if fw.APIRoute is not None and isinstance(route, fw.APIRoute):
            self._api_route(route, route, at)
        elif isinstance(route, fw.Route):
            self._plain_route(route, route, at)
        elif isinstance(route, fw.Mount):
            self._mount(route, route, at)
        elif fw.IncludedRouter is not None and isinstance(route, fw.IncludedRouter):
            self._included(route, at)
        elif isinstance(route, fw.Host):
            self._host(route, route, at)
        elif not (isinstance(route, fw.WebSocketRoute) and _inherits_matches(route, fw.WebSocketRoute)):
            self._ask(at, "")

    def _api_route(self, route: Any, node: Any, at: _Place) -> None:
        as_made = _is_as_made(route)
        app, endpoint = route.app if node is route else _app_of(node, route), node.endpoint
        usual = middlewares.is_handler(app)
        raw = at.raw or not (usual and (as_made or fw.inherits(route, fw.APIRoute, *_HANDLING)))
        record = RouteRecord(
            "route", at.prefix + node.path, self._methods_of(node), endpoint, route, at.host, at.parents, node,
            node.dependant, raw, at.behind, () if usual else middlewares.around(app, endpoint),
        )  # fmt: skip
        self._add_route(record, node, as_made or _inherits_matches(route, fw.APIRoute), at)

    def _plain_route(self, route: Any, node: Any, at: _Place) -> None:
        usual = middlewares.is_handler(route.app)
        record = RouteRecord(
            "route", at.prefix + route.path, self._methods_of(route), route.endpoint, at.route_in_scope(route),
            at.host, at.parents, node, None, True, at.behind,
            () if usual else middlewares.around(route.app, route.endpoint),
        )  # fmt: skip
        self._add_route(record, route, _inherits_matches(route, fw.Route), at)

    def _methods_of(self, source: Any) -> frozenset[str] | None:
        """The methods of a route; the same object for all that have the same."""
        methods = source.methods
        if not methods:
            return None
        # Nearly always it is one, and a text is sooner looked up than a set.
        (key,) = methods if len(methods) == 1 else (frozenset(methods),)
        return self._methods.get(key) or self._methods.setdefault(key, frozenset(methods))

    def _add_route(self, record: RouteRecord, source: Any, honest: bool, at: _Place) -> None:
        """Put a route where it belongs; `honest` says that it matches as routes of the framework do."""
        if at.hidden:
            self.asked.append(record)
            return
        path, convertors = source.path, source.param_convertors
        plain = honest and template.is_plain(path, source.path_regex, convertors)
        if plain and (not at.prefix or template.has_distinct_names(at.prefix, path)):
            self.records.append(record)
            return
        known = plain or (honest and template.has_custom_convertor(path, convertors) and _starts_as_written(source))
        self._ask(at, template.literal_prefix(path) if known else "")
        self.asked.append(record)

    def _ask(self, at: _Place, path: str) -> None:
        if not at.hidden:
            prefix = template.literal_prefix(at.prefix)
            prefix = prefix if prefix != at.prefix else prefix + path
            self.records.append(RouteRecord("ask", prefix, None, None, None, at.host))

    def _mount(self, mount: Any, node: Any, at: _Place) -> None:
        prefix, outer = at.prefix + mount.path, at
        at = replace(at, parents=(*at.parents, id(node)), outer_route=at.route_in_scope(mount))
        honest = _inherits_matches(mount, fw.Mount) and template.is_plain(
            mount.path + "/{path:path}", mount.path_regex, mount.param_convertors
        )
        inside = self._read(prefix, mount.app)
        names = template.parameters(mount.path)
        moved = inside is not None and fw.sets_root_path(inside.app) not in ("", prefix)
        # Several splits are possible around a parameter that crosses slashes; a mounted root_path moves the routes.
        ask = not honest or moved or "path" in names.values() or not template.has_distinct_names(at.prefix, mount.path)
        if ask and not at.hidden:
            self._ask(at, template.literal_prefix(mount.path) if honest else "")
        inner = replace(at, prefix=prefix, hidden=at.hidden or ask)
        self._inside(inside, inner, mount, fw.Mount, prefix)
        if not inner.hidden:
            opaque = RouteRecord("opaque", prefix, None, mount.app, at.outer_route, at.host, outer.parents, node)
            self.records.append(opaque)

    def _host(self, host: Any, node: Any, at: _Place) -> None:
        self._ask(at, "")
        inside = self._read(at.prefix, host.app)
        inner = replace(
            at,
            parents=(*at.parents, id(node)),
            host=host.host,
            hidden=True,
            outer_route=at.route_in_scope(host),
        )
        self._inside(inside, inner, host, fw.Host, host.host + at.prefix)

    def _inside(self, inside: middlewares.Mounted | None, at: _Place, mount: Any, base: Any, name: str) -> None:
        """The routes of a mounted app, if it can be read and is not being read already."""
        if inside is None or id(inside.router.routes) in self._open:
            return
        skipped = tuple([one.name for one in inside.inside])
        if not fw.inherits(mount, base, "handle"):
            skipped = (type(mount).__qualname__, *skipped)
        if skipped:
            behind = at.behind or Behind(name, ())
            at = replace(at, behind=Behind(behind.mount, (*behind.names, *skipped)))
        self._routes(inside.router, at)

    def _read(self, prefix: str, app: Any) -> middlewares.Mounted | None:
        inside = middlewares.mounted(app)
        known = fw.unwrap_body_limit(app) if inside is None else inside.app
        if isinstance(known, fw.Starlette) and known is not self._root:
            self.mounted.setdefault(id(known), (prefix, known))
            self._note_overrider(known)
        if inside is None and isinstance(known, (fw.Starlette, fw.Router)):
            self.unread.append((prefix, known))
        return inside

    def _note_overrider(self, app: Any) -> None:
        if hasattr(app, "dependency_overrides"):
            self.overriders[id(app)] = app

    def _included(self, node: Any, at: _Place) -> None:
        """FastAPI from 0.137 on: a lazy node that stands for the routes of an included router."""
        honest, raw = self._watch_included(node)
        if not (honest and fw.inherits(node, fw.IncludedRouter, "matches")):
            self._ask(at, "")
            at = replace(at, hidden=True)
        at = replace(at, raw=at.raw or raw, writes_route=False, outer_route=at.route_in_scope(node))
        for context in _contexts(node):
            original, starlette_route = context.original_route, context.starlette_route
            if isinstance(original, fw.APIRoute):
                self._api_route(original, context, at)
            elif isinstance(original, fw.Route):
                self._plain_route(starlette_route, context, at)
            elif isinstance(original, fw.Mount):
                self._mount(starlette_route, context, at)
            elif isinstance(original, fw.Host):
                self._host(starlette_route, context, at)
            elif not isinstance(original, fw.WebSocketRoute):
                self._ask(at, "")

    def _watch_included(self, node: Any) -> tuple[bool, bool]:
        router = node.original_router
        honest = fw.inherits(router, fw.APIRouter, "matches")
        raw = not fw.inherits(router, fw.APIRouter, "handle")
        self.routers.append(router)
        for route in router.routes:
            if isinstance(route, fw.IncludedRouter):
                inner_honest, inner_raw = self._watch_included(route)
                honest, raw = honest and inner_honest, raw or inner_raw
        return honest, raw


def _contexts(node: Any) -> Any:
    """The effective routes below an included router, as objects whose identity the framework keeps."""
    return node.effective_route_contexts()


def _is_as_made(route: Any) -> bool:
    """FastAPI's own kind of route with nothing exchanged, as nearly every route is: no need to ask for each part."""
    own = route.__dict__
    return type(route) is fw.APIRoute and not ("matches" in own or "handle" in own or "get_route_handler" in own)


def _inherits_matches(route: Any, base: Any) -> bool:
    if fw.APIWebSocketRoute is not None and isinstance(route, fw.APIWebSocketRoute):
        base = fw.APIWebSocketRoute
    if "matches" in route.__dict__:
        return False
    return type(route) is base or (fw.inherits(route, base, "matches") and not hasattr(type(route), "path_regex"))


def _starts_as_written(source: Any) -> bool:
    start = template.regex(template.literal_prefix(source.path))
    return start is not None and str(source.path_regex.pattern).startswith(start[:-1])


def _app_of(source: Any, route: Any) -> Any:
    app = getattr(source, "app", None)
    return route.app if app is None else app
