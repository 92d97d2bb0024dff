"""Plays a scenario against an ASGI application and compares."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from asgi_client import Answer, request
from starlette.requests import Request
from starlette.responses import Response

from fast_cache_middleware import CacheConfig, CacheDropConfig, CacheHandle, Controller, InMemoryStorage, refreshing
from fast_cache_middleware._core import SystemClock
from fast_cache_middleware.storages.built_in import BuiltInStorage

from . import corpus
from .corpus import Config, Drop, Origin, Route, Scenario, Step

Send = Callable[[dict[str, Any]], Awaitable[None]]
Endpoint = Callable[..., Awaitable[Response]]


class OriginError(Exception):
    """What an origin that raises raises."""


@dataclass
class Stage:
    """What the endpoints of one application share."""

    clock: SystemClock
    storage: BuiltInStorage
    names: tuple[str, ...]
    app: Any = None
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    next: Origin | None = None
    called: list[str] = field(default_factory=list)
    seen: list[tuple[str, str]] = field(default_factory=list)
    """The header lines of the request as the last endpoint saw them."""

    async def answer(self, route: int) -> Response:
        """The endpoint of every route."""
        self.called.append(self.names[route])
        assert self.next is not None, "an endpoint was called where none should be"
        origin = self.next
        self.clock.advance(origin.takes)
        if origin.meanwhile is not None:
            await self.drop(origin.meanwhile)
        if origin.ends == "raises" and not origin.pieces:
            raise OriginError
        return OriginResponse(origin, self)

    async def drop(self, drop: Drop) -> None:
        """A drop from code."""
        handle = CacheHandle(self.storage, app=self.app)
        endpoints = [self.endpoints[name] for name in drop.endpoints]
        await handle.drop(paths=drop.paths, tags=drop.tags, endpoints=endpoints, soft=drop.soft)


class OriginResponse(Response):
    """Sends exactly what the scenario says."""

    def __init__(self, origin: Origin, stage: Stage) -> None:
        super().__init__(status_code=origin.status)
        self.origin = origin
        self.stage = stage

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.stage.seen = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        lines = [corpus.line(text) for text in self.origin.headers]
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in lines]
        await send({"type": "http.response.start", "status": self.origin.status, "headers": headers})
        pieces = self.origin.pieces
        for number, piece in enumerate(pieces, 1):
            more = number < len(pieces) or self.origin.ends != "whole"
            await send({"type": "http.response.body", "body": piece, "more_body": more})
        if self.origin.ends == "raises":
            raise OriginError


def in_memory(clock: SystemClock) -> BuiltInStorage:
    """The default storage."""
    return InMemoryStorage(clock=clock)


def stage_for(scenario: Scenario, storage: Callable[[SystemClock], BuiltInStorage] = in_memory) -> Stage:
    """A stage with an empty storage and the clock at its start."""
    clock = SystemClock(corpus.START)
    return Stage(clock, storage(clock), tuple(route.name for route in scenario.all_routes()))


def cache_config(config: Config) -> CacheConfig:
    """The `CacheConfig` a scenario describes."""
    options: dict[str, Any] = {}
    if config.max_age is not None:
        assert config.max_age == "http" or not isinstance(config.max_age, str)
        options["max_age"] = None if config.max_age == "http" else config.max_age
    if config.key is not None:
        key = config.key
        options["key_func"] = lambda request: key
    return CacheConfig(
        **options,
        vary=config.vary,
        query=config.query,
        ignore_query=config.ignore_query,
        tags=config.tags,
        stale_while_revalidate=config.stale_while_revalidate,
        stale_if_error=config.stale_if_error,
        public=config.public,
        strict_inputs=config.strict_inputs,
        etag=config.etag,
    )


def drop_configs(route: Route, endpoints: Mapping[str, Endpoint]) -> list[CacheDropConfig]:
    """The `CacheDropConfig`s of a route."""
    return [
        CacheDropConfig(
            drop.paths, methods=[endpoints[name] for name in drop.endpoints], tags=drop.tags, soft=drop.soft, on=drop.on
        )
        for drop in route.drops
    ]


def middleware_options(scenario: Scenario, stage: Stage) -> dict[str, Any]:
    """The arguments of the middleware."""
    options = scenario.options
    limits = {} if options.max_body_size is None else {"max_body_size": options.max_body_size}
    return {
        "storage": stage.storage,
        "controller": Controller(options.methods, options.statuses, default_ttl=options.default_ttl, **limits),
        "client_directives": options.client_directives,
        "head_from_get": options.head_from_get,
        "undeclared_headers": options.undeclared_headers,
        "heuristics": options.heuristics,
        "cdn_cache_control": options.cdn_cache_control,
        "stale_on_error": options.stale_on_error,
        "normalize_language": options.normalize_language,
    }


def play(scenario: Scenario, app: Any, stage: Stage) -> None:
    """Take every step and compare what came back."""
    asyncio.run(_play(scenario, app, stage))


async def _play(scenario: Scenario, app: Any, stage: Stage) -> None:
    stage.app = app
    etag = ""
    for number, step in enumerate(scenario.steps, 1):
        stage.clock.advance(step.after)
        if step.drop is not None:
            await stage.drop(step.drop)
        elif step.clear:
            await CacheHandle(stage.storage, app=app).clear()
        else:
            where = f"step {number}, {step.request}"
            answer = await _send(step, stage, app, etag, where)
            _compare(step, answer, where)
            etag = answer.header("etag") or etag


async def _send(step: Step, stage: Stage, app: Any, etag: str, where: str) -> Answer:
    method, _, target = (step.request or "").partition(" ")
    headers = [corpus.line(text.replace("$etag", etag)) for text in step.headers]
    stage.next, stage.called, stage.seen = step.origin, [], []
    scope_extra = {"scheme": step.scheme, "root_path": step.root_path}
    sends = step.sends.encode("latin-1")
    raised = False
    heard: list[dict[str, Any]] = []

    async def hear(message: dict[str, Any]) -> None:
        heard.append(message)

    try:
        answer = await request(app, method, target, headers, body=sends, on_message=hear, **scope_extra)
    except OriginError:
        raised = True
        answer = Answer({}, heard)
    # What goes on in the background ends before the next step.
    await asyncio.gather(*refreshing._running)
    raises = step.origin is not None and step.origin.ends == "raises"
    assert raised is (raises and step.cache != "STALE"), where
    assert len(stage.called) == (0 if step.origin is None else 1), f"{where}: calls of the endpoint"
    if step.route is not None:
        assert stage.called == [step.route], f"{where}: the route that answered"
    _compare_lines(step.sees, step.sees_not, stage.seen, f"{where}: the endpoint's request")
    return answer


def _compare(step: Step, answer: Answer, where: str) -> None:
    assert (answer.cache or "none") == step.cache, f"{where}: X-Cache-Status, {answer.lines}"
    assert len(answer.all("x-cache-status")) <= 1, f"{where}: X-Cache-Status stands once"
    if step.cache != "none":
        _compare_cache_status(step, answer, where)
    from_cache = step.cache in corpus.FROM_CACHE
    origin = None if from_cache else step.origin
    status = step.status or (200 if origin is None else origin.status)
    assert answer.status == status, f"{where}: status"
    boundary = (answer.header("content-type") or "").partition("boundary=")[2]
    body = step.body
    if body is not None:
        body = body.replace("$boundary", boundary)
    elif origin is not None and origin.pieces:
        body = b"".join(origin.pieces).decode("latin-1")
    if body is not None:
        assert answer.body.decode("latin-1") == body, f"{where}: body"
    if step.age is not None:
        assert answer.all("age") == [str(step.age)], f"{where}: Age"
    elif from_cache:
        assert len(answer.all("age")) == 1, f"{where}: Age stands once"
    has_content = status != 304 and not (step.request or "").startswith("HEAD ")
    if from_cache and has_content and (length := answer.header("content-length")) is not None:
        assert length == str(len(answer.body)), f"{where}: Content-Length"
    lines = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.lines]
    expected = [text.replace("$boundary", boundary) for text in step.lines]
    _compare_lines(expected, step.without, lines, where)


def _compare_lines(
    expected: Sequence[str], without: Sequence[str], lines: Sequence[tuple[str, str]], where: str
) -> None:
    """For every name in `expected`, exactly these lines in this order; those in `without` do not stand."""
    pairs = [corpus.line(text) for text in expected]
    for name in {name.lower() for name, _ in pairs} | {name.lower() for name in without}:
        found = [value for other, value in lines if other.lower() == name]
        assert found == [value for other, value in pairs if other.lower() == name], f"{where}: {name}"


def _compare_cache_status(step: Step, answer: Answer, where: str) -> None:
    members = answer.all("cache-status")
    assert members and members[-1].startswith("fast-cache; "), f"{where}: Cache-Status, {members}"
    said = dict(part.partition("=")[::2] for part in members[-1].split("; ")[1:])
    hit = step.cache in ("HIT", "STALE") and not step.is_stand_in
    assert ("hit" in said) is hit, f"{where}: {members}"
    if step.ttl is not None:
        assert said.get("ttl") == str(step.ttl), f"{where}: ttl in {members}"
    if hit:
        return
    assert said.get("detail") == step.reason, f"{where}: the reason in {members}"
    stored = step.reason is None if step.stored is None else step.stored
    assert ("stored" in said) is stored, f"{where}: stored in {members}"
    if step.forward is not None:
        assert said.get("fwd") == step.forward, f"{where}: fwd in {members}"
    status = step.forward_status or (304 if step.cache == "REVALIDATED" else None)
    assert said.get("fwd-status") == (None if status is None else str(status)), f"{where}: fwd-status in {members}"


def endpoint_taking_request(stage: Stage, route: int) -> Endpoint:
    """An endpoint that takes the raw request."""

    async def endpoint(request: Request) -> Response:
        return await stage.answer(route)

    return endpoint
