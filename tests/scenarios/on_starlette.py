"""A scenario's application on Starlette alone: every endpoint takes the raw request."""

from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route as StarletteRoute

from fast_cache_middleware import FastCacheMiddleware, cached, drops

from . import drive
from .corpus import Scenario


def can_express(scenario: Scenario) -> str | None:
    """Why Starlette alone cannot express a scenario; `None` if it can."""
    declared = any(route.reads not in (None, ("request",)) for route in scenario.all_routes())
    return scenario.skipped_on("starlette") or ("declares inputs, which Starlette has not" if declared else None)


def build(scenario: Scenario, stage: drive.Stage) -> Any:
    """The application."""
    routes = scenario.all_routes()
    endpoints = [drive.endpoint_taking_request(stage, number) for number in range(len(routes))]
    stage.endpoints.update((route.name, endpoint) for route, endpoint in zip(routes, endpoints, strict=True))
    app = Starlette()
    for route, endpoint in zip(routes, endpoints, strict=True):
        if route.config is not None:
            endpoint = cached(drive.cache_config(route.config))(endpoint)
        for config in drive.drop_configs(route, stage.endpoints):
            endpoint = drops(config)(endpoint)
        app.router.routes.append(StarletteRoute(route.path, endpoint, methods=list(route.methods)))
    app.add_middleware(FastCacheMiddleware, **drive.middleware_options(scenario, stage))
    return app
