"""From an application to plain data: the one pass that everything else about routes rests on."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from . import chain, configs, template
from . import framework as fw
from .configs import NOTHING, ConfigReader, Configs, Rule
from .inputs import declared_inputs, raw_inputs, with_headers
from .record import Analysis, Inputs, InsideMiddleware, RouteRecord, Watch
from .walk import Found, Walk


def analyse(app_or_router: Any, *, rules: Sequence[Rule] = (), inner: Any = None) -> Analysis:
    """Read the routes of a Starlette or FastAPI application or router, with the configs that count for each.

    `inner` is the app inside our middleware; the middlewares on the way from it to the router make routes raw. Where
    `app_or_router` has no routes, the application at the end of `inner` is read; where there is none, the rules alone
    make the routes. Raises `ConfigError`, naming the route and the field.
    """
    followed = chain.follow(app_or_router if inner is None else inner)
    root = app_or_router if isinstance(app_or_router, (fw.Starlette, fw.Router)) else followed.root
    inside = () if inner is None else followed.inside
    if root is None:
        return _of_rules(app_or_router, rules, inside)
    router = root.router if isinstance(root, fw.Starlette) else root
    if inner is not None and followed.router is not router and all(one.kind != "unknown" for one in inside):
        inside = (*inside, InsideMiddleware(type(inner).__qualname__, "unknown"))
    if not fw.routes_as_usual(router):
        text = _own_routing(router)
        opaque = RouteRecord("opaque", "", None, router, None)
        return Analysis((opaque,), Watch.over((router,)), root, inside, (text,))
    return _Analyser(root, rules, inside).result()


class _Analyser:
    def __init__(self, root: Any, rules: Sequence[Rule], inside: tuple[InsideMiddleware, ...]) -> None:
        self.root, self.rules, self.inside = root, rules, inside
        self.paths = {rule.path for rule in rules}
        self.used: set[int] = set()
        self.is_raw = any(one.kind == "unknown" for one in inside)
        self.has_cors = any(one.kind == "cors" for one in inside)
        self.reader = ConfigReader()
        self.records: list[RouteRecord] = []
        self.asked: list[RouteRecord] = []
        self.index: dict[tuple[int, ...], tuple[RouteRecord, ...]] = {}
        self.warnings: list[str] = []
        self.skipped: list[object] = []

    def result(self) -> Analysis:
        walk = Walk(self.root)
        for found in walk.found:
            lines = self._lines(found) if found.kind == "route" else (_line(found, found.methods, NOTHING, None),)
            (self.asked if found.hidden else self.records).extend(lines)
            if found.kind != "ask":
                self.index[found.chain] = lines
        self.warnings += (f"{prefix or '/'}: {_own_routing(app)}" for prefix, app in walk.unread)
        self.warnings += (
            f"{type(rule).__name__}({rule.path!r}) matches no route" for rule in self.rules if id(rule) not in self.used
        )
        about_order = chain.warning(self.inside)
        if about_order is not None and any(record.cache is not None for record in (*self.records, *self.asked)):
            self.warnings.append(about_order)
        return Analysis(
            tuple(self.records),
            Watch.over(walk.routers),
            self.root,
            self.inside,
            tuple(self.warnings),
            tuple(self.asked),
            self.index,
            tuple(walk.mounted.values()),
            tuple(walk.overriders.values()),
            tuple(self.skipped),
        )

    def _lines(self, found: Found) -> tuple[RouteRecord, ...]:
        own = self.reader.read(found.endpoint, None if found.source is None else found.source.dependant)
        rules = self._rules(found)
        if own is NOTHING and not rules:
            return (_line(found, found.methods, NOTHING, None),)
        made = []
        for methods, mine in configs.split(found.methods, own, rules) if rules else ((found.methods, own),):
            inputs: Inputs | None = None
            if mine.cache is not None or mine.drops:
                if mine.drops or (mine.cache is not None and mine.cache.parameter_names):
                    configs.check(mine, partial(_name, found), found.path + (found.host or ""))
                if (found.behind is not None or found.around) and mine.cache is not None and self._is_skipped(found):
                    mine = replace(mine, cache=None)
                inputs = self._inputs(found)
                if mine.cache is not None and inputs.reads_body and (methods is None or "GET" in methods):
                    self.warnings.append(f"{_name(found)}: its handler reads the request's body, so it is never cached")
            made.append(_line(found, methods, mine, inputs))
        return tuple(made)

    def _is_skipped(self, found: Found) -> bool:
        """Whether a hit would skip something of this route's own; says so, unless that is another cache of ours."""
        if found.behind is None and not found.around:
            return False
        unknown = [one.name for one in found.around if one.kind == "unknown"]
        if found.behind is not None:
            path, names = found.behind.mount or "/", found.behind.names
            text = f"{path} is mounted with middleware of its own ({', '.join(names)}), which a hit would skip, "
            text += "so its routes are not cached"
            if "FastCacheMiddleware" not in names and text not in self.warnings:
                self.warnings.append(text)
        elif unknown:
            text = f"{_name(found)}: it is wrapped in {', '.join(unknown)}, which a hit would skip, so it is not cached"
            if text not in self.warnings:
                self.warnings.append(text)
        else:
            return False
        self.skipped.append(found.endpoint)
        return True

    def _rules(self, found: Found) -> tuple[Rule, ...]:
        if not self.rules:
            return ()
        if found.path not in self.paths and template.without_convertors(found.path) not in self.paths:
            return ()
        matching = tuple(
            rule
            for rule in configs.matching(self.rules, found.path)
            if found.methods is None or not found.methods.isdisjoint(rule.methods)
        )
        self.used.update(map(id, matching))
        return matching

    def _inputs(self, found: Found) -> Inputs:
        if found.source is None:
            inputs = raw_inputs(found.path)
        else:
            inputs = declared_inputs(found.source.dependant, found.path, raw=found.raw or self.is_raw)
        has_cors = self.has_cors or (found.around and any(one.kind == "cors" for one in found.around))
        return with_headers(inputs, "origin") if has_cors else inputs


def _of_rules(app: Any, rules: Sequence[Rule], inside: tuple[InsideMiddleware, ...]) -> Analysis:
    """The routes of an app that has none of its own: one per rule's path and group of methods."""
    records: list[RouteRecord] = []
    for path in dict.fromkeys(rule.path for rule in rules):
        same = [rule for rule in rules if rule.path == path]
        methods = frozenset(method for rule in same for method in rule.methods)
        inputs = raw_inputs(path)
        if any(one.kind == "cors" for one in inside):
            inputs = with_headers(inputs, "origin")
        records += (
            RouteRecord("route", path, group, None, None, None, mine.cache, mine.drops, inputs)
            for group, mine in configs.split(methods, NOTHING, same)
        )
    return Analysis(tuple(records), Watch(), app, inside, ())


def _line(found: Found, methods: frozenset[str] | None, mine: Configs, inputs: Inputs | None) -> RouteRecord:
    return RouteRecord(
        found.kind,
        found.path,
        methods,
        found.endpoint,
        found.route,
        found.host,
        mine.cache,
        mine.drops,
        inputs,
        found.effective,
    )


def _name(found: Found) -> str:
    methods = found.methods or ()
    shown = "/".join(sorted(methods - {"HEAD"} if "GET" in methods else methods)) if methods else "any method"
    return f"{shown} {found.path}"


def _own_routing(app: Any) -> str:
    router = app.router if isinstance(app, fw.Starlette) else app
    return f"{type(router).__qualname__} routes in its own way, so nothing behind it is cached or dropped"
