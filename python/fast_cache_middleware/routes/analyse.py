"""From an application to plain data: the one pass that everything else about routes rests on."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from . import chain, configs, template
from . import framework as fw
from .configs import NOTHING, ConfigReader, Rule
from .inputs import InputsReader, raw_inputs, with_headers
from .record import Analysis, Inputs, InsideMiddleware, RouteRecord, Watch
from .walk import Walk


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
    """One reading of an application: the walk finds its routes, then each gets its configs, and what has some gets the
    inputs of its code."""

    def __init__(self, root: Any, rules: Sequence[Rule], inside: tuple[InsideMiddleware, ...]) -> None:
        self.root, self.rules, self.inside = root, rules, inside
        self.paths = {rule.path for rule in rules}
        self.used: set[int] = set()
        self.is_raw = any(one.kind == "unknown" for one in inside)
        self.has_cors = any(one.kind == "cors" for one in inside)
        self.configs, self.inputs = ConfigReader(), InputsReader()
        self.configured: list[RouteRecord] = []
        self.warnings: list[str] = []
        self.skipped: list[object] = []

    def result(self) -> Analysis:
        walk = Walk(self.root)
        records, asked = self._with_configs(walk.records), self._with_configs(walk.asked)
        for record in self.configured:
            self._complete(record)
        self._warn(walk)
        return Analysis(
            records,
            Watch.over(walk.routers),
            self.root,
            self.inside,
            tuple(self.warnings),
            asked,
            tuple(self.configured),
            tuple(walk.mounted.values()),
            tuple(walk.overriders.values()),
            tuple(self.skipped),
        )

    def _with_configs(self, records: Sequence[RouteRecord]) -> tuple[RouteRecord, ...]:
        """Each record with its configs; where rules tell its methods apart, one for each group of methods."""
        found: list[RouteRecord] = []
        for record in records:
            own = self.configs.read(record.endpoint, record.dependant) if record.kind == "route" else NOTHING
            rules = self._rules(record) if self.rules else ()
            if not rules:
                if own is not NOTHING:
                    record.cache, record.drops = own
                    self.configured.append(record)
                found.append(record)
                continue
            for methods, (cache, drops) in configs.split(record.methods, own, rules):
                line = replace(record, methods=methods, cache=cache, drops=drops)
                if cache is not None or drops:
                    self.configured.append(line)
                found.append(line)
        return tuple(found)

    def _rules(self, record: RouteRecord) -> tuple[Rule, ...]:
        path, methods = record.path, record.methods
        if record.kind != "route" or (path not in self.paths and template.without_convertors(path) not in self.paths):
            return ()
        matching = tuple(
            rule
            for rule in configs.matching(self.rules, path)
            if methods is None or not methods.isdisjoint(rule.methods)
        )
        self.used.update(map(id, matching))
        return matching

    def _complete(self, record: RouteRecord) -> None:
        """Check the configs of a record, and read what its code can see."""
        if record.drops or (record.cache is not None and record.cache.parameter_names):
            configs.check(record, _name)
        if record.cache is not None and (record.behind is not None or record.around) and self._is_skipped(record):
            record.cache = None
        inputs = record.inputs = self._inputs(record)
        if inputs.reads_body and record.cache is not None and (record.methods is None or "GET" in record.methods):
            self.warnings.append(f"{_name(record)}: its handler reads the request's body, so it is never cached")

    def _is_skipped(self, record: RouteRecord) -> bool:
        """Whether a hit would skip something of this route's own; says so, unless that is another cache of ours."""
        unknown = [one.name for one in record.around if one.kind == "unknown"]
        if record.behind is not None:
            path, names = record.behind.mount or "/", record.behind.names
            text = f"{path} is mounted with middleware of its own ({', '.join(names)}), which a hit would skip, "
            text += "so its routes are not cached"
            if "FastCacheMiddleware" not in names and text not in self.warnings:
                self.warnings.append(text)
        elif unknown:
            text = f"{_name(record)}: it is wrapped in {', '.join(unknown)}, which a hit would skip, so it is not "
            text += "cached"
            if text not in self.warnings:
                self.warnings.append(text)
        else:
            return False
        self.skipped.append(record.endpoint)
        return True

    def _inputs(self, record: RouteRecord) -> Inputs:
        if record.dependant is None:
            inputs = raw_inputs(record.path)
        else:
            inputs = self.inputs.declared(record.dependant, record.path, raw=record.raw or self.is_raw)
        has_cors = self.has_cors or (record.around and any(one.kind == "cors" for one in record.around))
        return with_headers(inputs, "origin") if has_cors else inputs

    def _warn(self, walk: Walk) -> None:
        self.warnings += (f"{prefix or '/'}: {_own_routing(app)}" for prefix, app in walk.unread)
        self.warnings += (
            f"{type(rule).__name__}({rule.path!r}) matches no route" for rule in self.rules if id(rule) not in self.used
        )
        about_order = chain.warning(self.inside)
        if about_order is not None and any(record.cache is not None for record in self.configured):
            self.warnings.append(about_order)


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
            RouteRecord("route", path, group, None, None, cache=cache, drops=drops, inputs=inputs)
            for group, (cache, drops) in configs.split(methods, NOTHING, same)
        )
    return Analysis(tuple(records), Watch(), app, inside, (), configured=tuple(records))


def _name(record: RouteRecord) -> str:
    methods = record.methods or ()
    shown = "/".join(sorted(methods - {"HEAD"} if "GET" in methods else methods)) if methods else "any method"
    return f"{shown} {record.path}"


def _own_routing(app: Any) -> str:
    router = app.router if isinstance(app, fw.Starlette) else app
    return f"{type(router).__qualname__} routes in its own way, so nothing behind it is cached or dropped"
