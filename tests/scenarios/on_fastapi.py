"""A scenario's application on FastAPI: endpoints that declare what the scenario says they read."""

import inspect
from collections.abc import Iterator
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Body, Cookie, Depends, FastAPI, Header, Path, Query, Request
from fastapi.security import APIKeyCookie, APIKeyHeader, APIKeyQuery, HTTPBearer
from starlette.responses import Response

from fast_cache_middleware import FastCacheMiddleware

from . import drive
from .corpus import Route, Scenario, ScenarioError

_FIELDS: Final[dict[str, Any]] = {"query": Query, "header": Header, "cookie": Cookie}
_SCHEMES: Final[dict[str, Any]] = {"query": APIKeyQuery, "header": APIKeyHeader, "cookie": APIKeyCookie}
_TYPES: Final[dict[str, Any]] = {"int": int, "uuid": UUID}


def build(scenario: Scenario, stage: drive.Stage) -> Any:
    """The application."""
    app = FastAPI(openapi_url=None)
    routes = scenario.all_routes()
    endpoints = [_endpoint(stage, number, route) for number, route in enumerate(routes)]
    stage.endpoints.update((route.name, endpoint) for route, endpoint in zip(routes, endpoints, strict=True))
    for route, endpoint in zip(routes, endpoints, strict=True):
        configs: list[Any] = [] if route.config is None else [drive.cache_config(route.config)]
        configs += drive.drop_configs(route, stage.endpoints)
        app.add_api_route(route.path, endpoint, methods=list(route.methods), dependencies=configs, response_model=None)
    app.add_middleware(FastCacheMiddleware, **drive.middleware_options(scenario, stage))
    return app


def _endpoint(stage: drive.Stage, number: int, route: Route) -> drive.Endpoint:
    async def endpoint(**values: Any) -> Response:
        return await stage.answer(number)

    parameters = [
        inspect.Parameter(f"p{index}", inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
        for index, (annotation, default) in enumerate(_parameters(route))
    ]
    endpoint.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return endpoint


def _parameters(route: Route) -> Iterator[tuple[Any, Any]]:
    required = inspect.Parameter.empty
    for text in route.reads or ():
        kind, _, name = text.partition(":")
        if text == "request":
            yield Request, required
        elif text == "body":
            yield Annotated[dict[str, Any] | None, Body()], None
        elif text == "security:bearer":
            yield Annotated[Any, Depends(HTTPBearer(auto_error=False))], required
        elif kind == "security":
            place, _, name = name.partition(":")
            yield Annotated[Any, Depends(_SCHEMES[place](name=name, auto_error=False))], required
        elif kind == "path":
            name, _, type_name = name.partition(":")
            yield Annotated[_TYPES[type_name], Path(alias=name)], required
        elif kind in _FIELDS:
            repeated = list[str] if kind in ("query", "header") else str
            yield Annotated[repeated | None, _FIELDS[kind](alias=name)], None
        else:
            raise ScenarioError(f"{route.path}: an endpoint cannot read {text!r}")
