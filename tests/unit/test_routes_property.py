"""The flattened records pick what the framework itself picks, for random applications and paths."""

import asyncio
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route, Router, WebSocketRoute

from fast_cache_middleware.routes import RouteRecord, analyse, ask_framework, template

try:
    from fastapi import APIRouter, FastAPI
except ModuleNotFoundError:
    FastAPI = None

SEGMENTS = ("/a", "/a", "/b", "/{x}", "/{x}", "/{x:int}", "/{x:float}", "/a-b", "/{x}-{y}")
WORDS = ("a", "a", "a", "b", "a-b", "7", "7", "1.5", "é", "")
METHODS = ("GET", "GET", "POST", "HEAD")

prefixes = st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=2).map("".join).filter(lambda p: _distinct(p))
paths = st.builds(lambda start, end: start + end, prefixes, st.sampled_from(["", "", "/", "/{rest:path}"])).filter(
    lambda p: _distinct(p)
)
methods = st.sets(st.sampled_from(METHODS), min_size=1, max_size=2).map(sorted)
leaves = st.one_of(
    st.tuples(st.just("route"), paths, methods),
    st.tuples(st.just("plain"), paths, methods),
    st.tuples(st.just("class"), paths),
    st.tuples(st.just("socket"), paths),
    st.tuples(st.just("opaque"), prefixes),
)
trees = st.recursive(
    st.lists(leaves, max_size=4),
    lambda inner: st.lists(
        st.one_of(
            leaves,
            st.tuples(st.just("include"), prefixes, inner),
            st.tuples(st.just("mount"), prefixes, inner),
            st.tuples(st.just("application"), prefixes, inner),
            st.tuples(st.just("host"), st.sampled_from(["one.test", "{tenant}.test"]), inner),
        ),
        max_size=4,
    ),
    max_leaves=12,
)
requests = st.lists(
    st.tuples(
        st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(lambda words: "/" + "/".join(words)),
        st.sampled_from(METHODS),
        st.sampled_from(["one.test", "other.example"]),
    ),
    min_size=20,
    max_size=40,
)


def _distinct(path: str) -> bool:
    names = re.findall(r"\{(\w+)", path)
    return len(names) == len(set(names))


class Build:
    """Makes an application of a tree, whose endpoints note that they ran."""

    def __init__(self) -> None:
        self.ran: list[object] = []
        self.included = 0

    def endpoint(self) -> Any:
        async def endpoint(request: Request) -> PlainTextResponse:
            self.ran.append(endpoint)
            return PlainTextResponse("")

        return endpoint

    def class_endpoint(self) -> Any:
        async def respond(scope: Any, receive: Any, send: Any) -> None:
            self.ran.append(instance)
            await PlainTextResponse("")(scope, receive, send)

        class Endpoint:
            async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
                await respond(scope, receive, send)

        instance = Endpoint()
        return instance

    def starlette(self, tree: Any) -> list[Any]:
        routes: list[Any] = []
        for kind, path, *rest in tree:
            if kind in ("route", "plain"):
                routes.append(Route(path, self.endpoint(), methods=rest[0]))
            elif kind == "class":
                routes.append(Route(path, self.class_endpoint()))
            elif kind == "socket":
                routes.append(WebSocketRoute(path, self.endpoint()))
            elif kind == "opaque":
                routes.append(Mount(path, app=self.class_endpoint()))
            elif kind == "application":
                routes.append(Mount(path, app=Starlette(routes=self.starlette(rest[0]))))
            elif kind == "host":
                routes.append(Host(path, app=Router(routes=self.starlette(rest[0]))))
            else:
                routes.append(Mount(path, routes=self.starlette(rest[0])))
        return routes

    def fastapi(self, target: Any, tree: Any) -> Any:
        for kind, path, *rest in tree:
            if kind == "route":
                target.add_api_route(path, self.endpoint(), methods=rest[0], response_model=None)
            elif kind == "plain":
                target.add_route(path, self.endpoint(), methods=rest[0])
            elif kind == "include":
                self.included += 1  # FastAPI refuses one name twice in an included path
                prefix = path.replace("{x", f"{{x{self.included}").replace("{y", f"{{y{self.included}")
                target.include_router(self.fastapi(APIRouter(), rest[0]), prefix=prefix)
            elif kind == "application":
                target.mount(path, self.fastapi(FastAPI(openapi_url=None), rest[0]))
            else:
                router = target.router if isinstance(target, FastAPI) else target
                router.routes += self.starlette([(kind, path, *rest)])
        return target


def scope_of(path: str, method: str, host: str) -> dict[str, Any]:
    return {
        "type": "http", "http_version": "1.1", "scheme": "http", "method": method, "path": path,
        "raw_path": path.encode(), "root_path": "", "query_string": b"", "headers": [(b"host", host.encode())],
        "server": ("test", 80), "client": ("test", 1), "state": {},
    }  # fmt: skip


async def receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: Any) -> None:
    return None


def predicted(analysis: Any, scope: dict[str, Any]) -> RouteRecord | None:
    for record in analysis.records:
        if record.kind == "ask":
            if scope["path"].startswith(record.path):
                return ask_framework(analysis, scope)
            continue
        pattern = template.regex(record.path)
        assert pattern is not None
        if record.kind == "opaque":
            if re.match(pattern[:-1] + "/", scope["path"]):
                return record
        elif re.match(pattern, scope["path"]) and (record.methods is None or scope["method"] in record.methods):
            return record
    return None


def compare(app: Any, ran: list[object], wanted: Any) -> None:
    analysis = analyse(app, inner=app)
    assert analysis.inside == ()
    for path, method, host in wanted:
        scope = scope_of(path, method, host)
        before = dict(scope)
        guess, asked = predicted(analysis, scope), ask_framework(analysis, scope)
        assert scope == before
        ran.clear()
        asyncio.run(app(scope, receive, send))
        if guess is not None and guess.kind == "route":
            assert ran == [guess.endpoint]
            assert asked is guess
            assert scope["endpoint"] is guess.endpoint
            assert scope.get("route") is guess.route
        elif guess is not None:  # a mounted app of its own, or none of the routes that were resolved in it
            assert ran in ([], [guess.endpoint])
        else:
            assert asked is None or asked.kind == "opaque"
            assert ran == [] or not _is_known(analysis, ran[0])


def _is_known(analysis: Any, endpoint: object) -> bool:
    return any(record.endpoint is endpoint for record in (*analysis.records, *analysis.asked))


SETTINGS = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), database=None)


@SETTINGS
@given(trees, requests)
def test_starlette_agrees(tree: Any, wanted: Any) -> None:
    build = Build()
    compare(Starlette(routes=build.starlette(tree)), build.ran, wanted)


@pytest.mark.skipif(FastAPI is None, reason="needs FastAPI")
@SETTINGS
@given(trees, requests)
def test_fastapi_agrees(tree: Any, wanted: Any) -> None:
    build = Build()
    app = build.fastapi(FastAPI(openapi_url=None), tree)
    compare(app, build.ran, wanted)
