"""The slow and exact answer to which route it is: ask the framework's own routes."""

from collections.abc import Sequence
from typing import Any

from starlette.routing import Match
from starlette.types import Scope

from . import framework as fw
from .chain import mounted
from .record import Analysis, RouteRecord


def ask_framework(analysis: Analysis, scope: Scope) -> RouteRecord | None:
    """The record of the route that the framework picks for an HTTP request; `None` where it picks none we know.

    The scope stays as it is: the routes see a copy.
    """
    found = ask_framework_with_parameters(analysis, scope)
    return None if found is None else found[0]


def ask_framework_with_parameters(analysis: Analysis, scope: Scope) -> tuple[RouteRecord, dict[str, Any]] | None:
    """The same, with the path parameters that the framework would give to the endpoint."""
    copied = _copied(scope)
    root_path = fw.sets_root_path(analysis.root)
    if root_path:
        copied["root_path"] = root_path
    router = analysis.root.router if isinstance(analysis.root, fw.Starlette) else analysis.root
    if not isinstance(router, fw.Router) or not fw.routes_as_usual(router):
        return None
    try:
        chain = _descend(router.routes, copied, (), analysis)
    except Exception:  # a convertor or an own `matches` that fails here fails in the framework too
        return None
    if chain is None:
        return None
    method = scope["method"]
    for record in analysis.at_node(chain):
        if record.methods is None or method in record.methods:
            return record, dict(copied.get("path_params", {}))
    return None


def _copied(scope: Scope) -> dict[str, Any]:
    """A scope of its own for `matches`, which may write into it and into FastAPI's part of it."""
    copied = dict(scope)
    if isinstance(copied.get("fastapi"), dict):
        copied["fastapi"] = dict(copied["fastapi"])
    return copied


def _descend(routes: Sequence[Any], scope: Scope, chain: tuple[int, ...], analysis: Analysis) -> tuple[int, ...] | None:
    for route in routes:
        match, child_scope = route.matches(scope)
        if match is Match.FULL:
            if fw.IncludedRouter is not None and isinstance(route, fw.IncludedRouter):
                return _included(route, scope, chain, analysis)
            scope.update(child_scope)
            return _inside(route, scope, (*chain, id(route)), analysis)
    return None


def _included(node: Any, scope: Scope, chain: tuple[int, ...], analysis: Analysis) -> tuple[int, ...] | None:
    while True:
        match, child_scope, route, context = node._match(scope)
        if match is not Match.FULL or route is None:
            return None
        child_scope = dict(child_scope)
        child_scope.pop("fastapi", None)
        scope.update(child_scope)
        if not isinstance(route, fw.IncludedRouter):
            return _inside(route, scope, (*chain, id(route if context is None else context)), analysis)
        node = route


def _inside(route: Any, scope: Scope, chain: tuple[int, ...], analysis: Analysis) -> tuple[int, ...] | None:
    if not isinstance(route, (fw.Mount, fw.Host)):
        return chain
    inside = mounted(route.app)
    if inside is None:
        return chain
    root_path = fw.sets_root_path(inside.app)
    if root_path:
        scope["root_path"] = root_path
    return _descend(inside.router.routes, scope, chain, analysis) or chain
