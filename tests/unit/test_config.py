import asyncio
import copy
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any

import pytest

from fast_cache_middleware.config import CacheConfig, CacheDropConfig, DropPath
from fast_cache_middleware.exceptions import ConfigError

NAN = float("nan")


def get_user() -> None: ...


def refused(make: Callable[[], object], *mentions: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    for mention in mentions:
        assert mention in str(caught.value)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (60, 60.0),
        (0.5, 0.5),
        (0, 0.0),
        (timedelta(minutes=2), 120.0),
        (None, None),
        (10**400, 2.0**31),
        (timedelta.max, 2.0**31),
    ],
)
def test_max_age_becomes_seconds(given: Any, seconds: float | None) -> None:
    for config in (CacheConfig(given), CacheConfig(max_age=given)):
        assert config.max_age == seconds
        assert config.resolved_max_age(7.0) == seconds


def test_max_age_left_out_is_told_apart_from_300() -> None:
    assert CacheConfig().max_age == CacheConfig(300).max_age == 300.0
    assert CacheConfig().resolved_max_age(None) == 300.0
    assert CacheConfig().resolved_max_age(20.0) == 20.0
    assert CacheConfig().resolved_max_age(0.0) == 0.0
    assert CacheConfig(300).resolved_max_age(20.0) == 300.0
    assert CacheConfig(None).resolved_max_age(20.0) is None


def test_signature_and_repr_show_300() -> None:
    assert "= 300" in str(inspect.signature(CacheConfig).parameters["max_age"])
    assert repr(CacheConfig()) == "CacheConfig(max_age=300)"
    assert repr(CacheConfig(0.5, tags=["a"], public=True)) == "CacheConfig(max_age=0.5, tags=('a',), public=True)"
    assert repr(CacheConfig(None, etag=False)) == "CacheConfig(max_age=None, etag=False)"
    assert repr(CacheDropConfig(["/a"], soft=True)) == "CacheDropConfig(paths=('/a',), soft=True)"


@pytest.mark.parametrize("field", ["max_age", "stale_while_revalidate", "stale_if_error"])
@pytest.mark.parametrize(
    "value", [-1, -0.001, NAN, float("inf"), -float("inf"), True, "60", b"6", [60], timedelta(-1), -(10**400), object]
)
def test_impossible_durations(field: str, value: Any) -> None:
    refused(lambda: CacheConfig(**{field: value}), f"CacheConfig.{field} must", "got ")


@pytest.mark.parametrize("field", ["stale_while_revalidate", "stale_if_error"])
def test_stale_durations(field: str) -> None:
    assert getattr(CacheConfig(**{field: timedelta(seconds=3)}), field) == 3.0
    refused(lambda: CacheConfig(**{field: None}), f"CacheConfig.{field}")


@pytest.mark.parametrize("field", ["public", "strict_inputs", "etag"])
@pytest.mark.parametrize("value", [1, 0, None, "yes"])
def test_switches_are_bools(field: str, value: Any) -> None:
    refused(lambda: CacheConfig(**{field: value}), f"CacheConfig.{field} must be True or False")


@pytest.mark.parametrize("field", ["vary", "query", "ignore_query", "tags"])
@pytest.mark.parametrize("value", ["accept", b"accept", 5, {"accept": 1}, ["a", 5], [""], [None], [["a"]]])
def test_collections_of_strings(field: str, value: Any) -> None:
    refused(lambda: CacheConfig(**{field: value}), f"CacheConfig.{field}")


@pytest.mark.parametrize("field", ["vary", "query", "ignore_query", "tags"])
def test_a_bare_string_gets_a_hint(field: str) -> None:
    refused(lambda: CacheConfig(**{field: "x"}), "write [...] around it", "'x'")


def test_collections_are_kept_in_order_without_repeats() -> None:
    config = CacheConfig(query=["b", "a", "b"], ignore_query=("utm_*",), tags={"y", "x"})
    assert config.query == ("b", "a")
    assert config.ignore_query == ("utm_*",)
    assert config.tags == ("x", "y")
    assert CacheConfig().query is None
    assert CacheConfig(query=[]).query == ()


def test_vary_names_headers_and_cookies() -> None:
    config = CacheConfig(vary=["Accept-Language", "cookie:Theme", "COOKIE:lang", "accept-language", "Cookie"])
    assert config.vary_headers == ("accept-language", "cookie")
    assert config.vary_cookies == ("Theme", "lang")
    assert config.vary == ("accept-language", "cookie", "cookie:Theme", "cookie:lang")


@pytest.mark.parametrize("name", ["a b", "a:b", "x\n", "é", "*", "cookie:", "cookie:a b", "a,b", "cookie:a=b"])
def test_malformed_names_in_vary(name: str) -> None:
    refused(lambda: CacheConfig(vary=[name]), "CacheConfig.vary")


def test_tags_are_templates() -> None:
    assert CacheConfig(tags=["user:{user_id}", "{a}-{b}", "plain"]).parameter_names == {"user_id", "a", "b"}


@pytest.mark.parametrize("tag", ["{", "}", "user:{", "{}", "{1a}", "{{a}}", "{a", "a}", "{a b}", "{a:int}", "{a.b}"])
def test_malformed_tag_templates(tag: str) -> None:
    refused(lambda: CacheConfig(tags=[tag]), "CacheConfig.tags", repr(tag))
    refused(lambda: CacheDropConfig(tags=[tag]), "CacheDropConfig.tags", repr(tag))


@pytest.mark.parametrize("value", ["get_user", 5, False])
def test_key_func_is_callable(value: Any) -> None:
    refused(lambda: CacheConfig(key_func=value), "CacheConfig.key_func must be callable")


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError


def test_a_value_without_repr_is_named_by_its_type() -> None:
    refused(lambda: CacheConfig(Unprintable()), "CacheConfig.max_age", "Unprintable")


@pytest.mark.parametrize("config", [CacheConfig(60), CacheDropConfig(["/a"])])
def test_configs_cannot_be_changed_and_equal_only_themselves(config: Any) -> None:
    for name in [*vars(config), "dependency"]:
        with pytest.raises(AttributeError):
            setattr(config, name, None)
        with pytest.raises(AttributeError):
            delattr(config, name)
    same, twin = config, copy.copy(config)
    assert config == same
    assert config != twin
    assert len({config, twin}) == 2
    assert asyncio.run(config()) is None


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("/users", DropPath("prefix", "/users", None, ())),
        ("/users/*", DropPath("glob", "/users/*", None, ())),
        ("*/archive", DropPath("glob", "*/archive", None, ())),
        ("^/users/\\d+$", DropPath("regex", "^/users/\\d+$", re.compile("^/users/\\d+$"), ())),
        (re.compile("/U", re.I), DropPath("regex", "/U", re.compile("/U", re.I), ())),
        ("/users/{user_id}", DropPath("template", "/users/{user_id}", None, ("user_id",))),
        ("/u/{a:int}/{b}", DropPath("template", "/u/{a}/{b}", None, ("a", "b"))),
        ("/users/{user_id}/*", DropPath("template_glob", "/users/{user_id}/*", None, ("user_id",))),
        ("^/a{2}", DropPath("regex", "^/a{2}", re.compile("^/a{2}"), ())),
    ],
)
def test_paths_are_classified(entry: Any, expected: DropPath) -> None:
    assert CacheDropConfig([entry]).drop_paths == (expected,)


@pytest.mark.parametrize(
    ("entry", "covered", "spared"),
    [
        ("/users", ["/users", "/users/1", "/users-archive"], ["/user", "/api/users"]),
        ("/users/*", ["/users/", "/users/1", "/users/1/posts", "/users/a\nb"], ["/users", "/users-archive/1"]),
        ("/a.c/*/x", ["/a.c/1/x", "/a.c/1/2/x"], ["/abc/1/x", "/a.c/1/x/y", "/a.c/1/x\n"]),
        ("^/users/\\d+$", ["/users/1", "/users/1\n"], ["/users/a", "/x/users/1"]),
        (re.compile("/U", re.I), ["/users"], ["/a/users"]),
        ("/users/{id}", ["/users/7.*", "/users/7.*/posts"], ["/users/7", "/users/7.*8", "/users/7xx", "/users"]),
        ("/users/{id}/", ["/users/7.*/", "/users/7.*/a"], ["/users/7.*"]),
        ("/users/{id}/p*", ["/users/7.*/posts", "/users/7.*/p/a"], ["/users/7.*", "/users/7xx/posts"]),
    ],
)
def test_what_a_path_covers(entry: Any, covered: list[str], spared: list[str]) -> None:
    (pattern,) = CacheDropConfig([entry]).filled({"id": "7.*"}).patterns()
    assert [path for path in covered if not pattern.match(path)] == []
    assert [path for path in spared if pattern.match(path)] == []


def test_filling_takes_values_literally() -> None:
    config = CacheDropConfig(["/u/{id}", "/plain"], tags=["user:{id}"], methods=[get_user], soft=True, on=[200])
    assert config.parameter_names == {"id"}
    filled = config.filled({"id": "{x}", "other": 1})
    assert filled.tags == ("user:{x}",)
    assert filled.parameter_names == frozenset()
    assert (filled.methods, filled.soft, filled.on) == (config.methods, True, frozenset({200}))
    assert filled.patterns()[0].match("/u/{x}/posts")
    assert config.tags == ("user:{id}",)
    assert filled.filled({}) is filled
    refused(lambda: config.filled({"x": 1}), "CacheDropConfig.paths", "'id'")
    refused(config.patterns, "'id'")


@pytest.mark.parametrize("value", ["/users", b"/users", re.compile("/users"), 5, {"/a": 1}, [5], [""], [None], [b"/a"]])
def test_paths_of_a_wrong_type(value: Any) -> None:
    refused(lambda: CacheDropConfig(value), "CacheDropConfig.paths")


@pytest.mark.parametrize("entry", ["^/(", "^/a**", "users", "/a/{", "/a/{}", "/a}", "/{{a}}", re.compile(b"/a")])
def test_malformed_paths(entry: Any) -> None:
    refused(lambda: CacheDropConfig([entry]), "CacheDropConfig.paths")


@pytest.mark.parametrize("value", [get_user, ["get_user"], [5], "get_user"])
def test_methods_are_endpoint_functions(value: Any) -> None:
    refused(lambda: CacheDropConfig(methods=value), "CacheDropConfig.methods")


def test_methods_keep_their_identity() -> None:
    assert CacheDropConfig(methods=[get_user]).methods[0] is get_user


def test_a_drop_that_drops_nothing_is_refused() -> None:
    refused(CacheDropConfig, "CacheDropConfig has nothing to drop")
    refused(lambda: CacheDropConfig([], soft=True), "nothing to drop")


@pytest.mark.parametrize(
    ("on", "dropping", "keeping"),
    [
        (None, [100, 200, 204, 303, 399], [400, 404, 500]),
        ([201, 404], [201, 404], [200, 400]),
        (range(200, 300), [200, 299], [300]),
        (lambda status: status == 418, [418], [200]),
        (lambda status: "yes", [200, 500], []),
    ],
)
def test_which_statuses_drop(on: Any, dropping: list[int], keeping: list[int]) -> None:
    config = CacheDropConfig(["/a"], on=on)
    assert [status for status in dropping if config.drops_on(status) is not True] == []
    assert [status for status in keeping if config.drops_on(status) is not False] == []


@pytest.mark.parametrize("on", [200, "200", [99], [600], [True], ["200"], [200.0], []])
def test_impossible_statuses(on: Any) -> None:
    refused(lambda: CacheDropConfig(["/a"], on=on), "CacheDropConfig.on")


def test_soft_is_a_bool() -> None:
    refused(lambda: CacheDropConfig(["/a"], soft=1), "CacheDropConfig.soft")


def test_it_works_without_fastapi() -> None:
    program = """
import sys
sys.modules["fastapi"] = None
from fast_cache_middleware.config import CacheConfig, CacheDropConfig
from fast_cache_middleware import controller, rules, storages
assert CacheConfig(60).resolved_max_age(None) == 60
assert CacheDropConfig(["/a"]).drops_on(200)
assert not [name for name in sys.modules if name.startswith("fastapi.")]
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment, timeout=60)


CONFIGS = [CacheConfig(max_age=300), CacheDropConfig(paths=["/users/*"])]
FORMS = ["bare", "Depends", "Annotated", "Annotated Depends", "default", "nested", "router", "include", "app"]


@pytest.mark.parametrize("config", CONFIGS, ids=["cache", "drop"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_a_dependency_that_runs(form: str, config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fastapi = pytest.importorskip("fastapi")
    runs: list[object] = []

    async def counting(self: object) -> None:
        runs.append(self)

    monkeypatch.setattr(type(config), "__call__", counting)
    app = build(fastapi, form, config)
    status, body = asyncio.run(call(app, "/users/7"))
    assert (status, body) == (200, b'{"user_id":7}')
    assert runs == [config]
    assert config in calls_of(fastapi, app)


def build(fastapi: Any, form: str, config: Any) -> Any:
    depends = fastapi.Depends
    app = fastapi.FastAPI(dependencies=[config] if form == "app" else [])
    router = fastapi.APIRouter(dependencies=[config] if form == "router" else [])
    route = {"bare": [config], "Depends": [depends(config)]}.get(form, [])

    async def outer(inner: Annotated[None, depends(config)]) -> None: ...

    async def plain(user_id: int) -> dict[str, int]:
        return {"user_id": user_id}

    async def annotated(user_id: int, cache: Annotated[None, config]) -> dict[str, int]:
        return {"user_id": user_id}

    async def annotated_depends(user_id: int, cache: Annotated[None, depends(config)]) -> dict[str, int]:
        return {"user_id": user_id}

    async def default(user_id: int, cache: None = config) -> dict[str, int]:
        return {"user_id": user_id}

    async def nested(user_id: int, cache: Annotated[None, depends(outer)]) -> dict[str, int]:
        return {"user_id": user_id}

    endpoints = {"Annotated": annotated, "Annotated Depends": annotated_depends, "default": default, "nested": nested}
    router.add_api_route("/users/{user_id}", endpoints.get(form, plain), dependencies=route)
    app.include_router(router, dependencies=[config] if form == "include" else [])
    return app


def calls_of(fastapi: Any, app: Any) -> list[object]:
    """Every callable in the dependency trees of the app's routes."""
    found: list[object] = []
    contexts = getattr(fastapi.routing, "iter_route_contexts", None)
    waiting = [route.dependant for route in (contexts(app.routes) if contexts else app.routes) if has_tree(route)]
    while waiting:
        dependant = waiting.pop()
        found.append(dependant.call)
        waiting += dependant.dependencies
    return found


def has_tree(route: Any) -> bool:
    return getattr(route, "dependant", None) is not None


async def call(app: Any, path: str) -> tuple[int, bytes]:
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": path, "raw_path": path.encode(), "root_path": "", "query_string": b"", "headers": [(b"host", b"a")],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])
