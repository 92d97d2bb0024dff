"""`CacheDropConfig`: which stored answers each form covers."""

import re
from typing import Any

import pytest
from contract.support import Client, Counter, fastapi_app
from fastapi import APIRouter, FastAPI

from fast_cache_middleware import CacheConfig, CacheDropConfig

READ = [
    "/users",
    "/users/",
    "/users/1",
    "/users/10",
    "/users/1/posts",
    "/users/1/posts/7",
    "/users/2",
    "/users-archive/1",
    "/api/users/1",
    "/other",
]


def store() -> tuple[FastAPI, Client]:
    """An application that caches every path."""
    app = fastapi_app()
    client = Client(app)
    return app, client


def survivors(app: FastAPI, client: Client, *write: tuple[str, str]) -> list[str]:
    """What is still cached after these requests, of all that was cached before."""
    app.get("/{path:path}", dependencies=[CacheConfig(60)])(Counter())
    for path in READ:
        assert client.outcomes(path, path) == ["MISS", "HIT"], path
    for method, target in write:
        assert client.request(method, target).status == 200
    return [path for path in READ if client.get(path).cache == "HIT"]


def without(*dropped: str) -> list[str]:
    assert set(dropped) <= set(READ)
    return [path for path in READ if path not in dropped]


@pytest.mark.parametrize(
    "paths,dropped",
    [
        # A plain string is a prefix.
        (["/users/1"], ["/users/1", "/users/10", "/users/1/posts", "/users/1/posts/7"]),
        (["/users"], [path for path in READ if path.startswith("/users")]),
        (["/users/"], ["/users/", "/users/1", "/users/10", "/users/1/posts", "/users/1/posts/7", "/users/2"]),
        (["/"], READ),
        # A glob is everything under it and nothing beside it; "*" crosses slashes.
        (["/users/*"], ["/users/", "/users/1", "/users/10", "/users/1/posts", "/users/1/posts/7", "/users/2"]),
        (["*/users/1"], ["/users/1", "/api/users/1"]),
        (["/users/*/posts"], ["/users/1/posts"]),
        (["/users/*posts*"], ["/users/1/posts", "/users/1/posts/7"]),
        (["/users*"], [path for path in READ if path.startswith("/users")]),
        (["/users/1*"], ["/users/1", "/users/10", "/users/1/posts", "/users/1/posts/7"]),
        # A regular expression, as `re.match` reads it.
        ([r"^/users/\d+$"], ["/users/1", "/users/10", "/users/2"]),
        ([r"^/users/(?!1)"], ["/users/", "/users/2"]),
        ([re.compile(r"/users/\d$")], ["/users/1", "/users/2"]),
        ([re.compile(r"/USERS/1", re.I)], ["/users/1", "/users/10", "/users/1/posts", "/users/1/posts/7"]),
        ([re.compile(r"users")], []),
        ([re.compile(r".*users/1$")], ["/users/1", "/api/users/1"]),
        # Several.
        (["/users/*", "/api/users/*"], [p for p in READ if p.startswith(("/users/", "/api/users/"))]),
        (["/other", r"^/api"], ["/other", "/api/users/1"]),
        # Special characters of globs and expressions mean themselves.
        (["/users.1"], []),
        (["/users/[12]*"], []),
        (["/users/?*"], []),
    ],
)
def test_each_form(paths: list[Any], dropped: list[str]) -> None:
    app, client = store()
    app.post("/w", dependencies=[CacheDropConfig(paths=paths)])(lambda: None)
    assert survivors(app, client, ("POST", "/w")) == without(*dropped)


def test_templates_cover_the_path_and_everything_below() -> None:
    app, client = store()
    app.put("/users/{user_id}", dependencies=[CacheDropConfig(paths=["/users/{user_id}"])])(lambda: None)
    assert survivors(app, client, ("PUT", "/users/1")) == without("/users/1", "/users/1/posts", "/users/1/posts/7")


def test_templates_take_values_literally() -> None:
    app, client = store()
    app.put("/w/{name}", dependencies=[CacheDropConfig(paths=["/users/{name}", "/users/{name}/*"])])(lambda: None)
    assert survivors(app, client, ("PUT", "/w/*"), ("PUT", "/w/.")) == READ


def test_templates_with_stars() -> None:
    app, client = store()
    app.put("/w/{user_id:int}", dependencies=[CacheDropConfig(paths=["*/users/{user_id}"])])(lambda: None)
    assert survivors(app, client, ("PUT", "/w/1")) == without("/users/1", "/api/users/1")
    app, client = store()
    app.put("/w/{user_id}", dependencies=[CacheDropConfig(paths=["/users/{user_id}/*"])])(lambda: None)
    dropped = survivors(app, client, ("PUT", "/w/1"))
    assert {"/users/10", "/users/2", "/users", "/users/"} <= set(dropped)
    assert not {"/users/1/posts", "/users/1/posts/7"} & set(dropped)


def test_templates_may_name_the_convertor() -> None:
    app, client = store()
    config = CacheDropConfig(paths=["/users/{user_id:int}/posts"])
    app.put("/users/{user_id:int}", dependencies=[config])(lambda: None)
    assert survivors(app, client, ("PUT", "/users/1")) == without("/users/1/posts", "/users/1/posts/7")


def test_prefixes_of_includes_and_mounts_are_part_of_the_path() -> None:
    app = fastapi_app()
    router = APIRouter(prefix="/users")
    router.get("/{user_id}", dependencies=[CacheConfig(60)])(Counter())
    app.include_router(router, prefix="/api")
    inner = FastAPI()
    inner.get("/users/{user_id}", dependencies=[CacheConfig(60)])(Counter())
    inner.put("/users/{user_id}", dependencies=[CacheDropConfig(paths=["/in/users/{user_id}"])])(lambda: None)
    inner.delete("/users/{user_id}", dependencies=[CacheDropConfig(paths=["/users/{user_id}"])])(lambda: None)
    app.mount("/in", inner)
    app.post("/w/include", dependencies=[CacheDropConfig(paths=["/api/users/*"])])(lambda: None)
    app.post("/w/mount", dependencies=[CacheDropConfig(paths=["/in/users/1"])])(lambda: None)
    app.post("/w/short", dependencies=[CacheDropConfig(paths=["/users/*"])])(lambda: None)
    client = Client(app)
    both = ("/api/users/1", "/in/users/1")
    for method, target, expected in (
        ("POST", "/w/short", ["MISS", "MISS"]),
        ("POST", "/w/include", ["HIT", "HIT"]),
        ("POST", "/w/mount", ["MISS", "HIT"]),
        ("PUT", "/in/users/1", ["HIT", "MISS"]),
        ("DELETE", "/in/users/1", ["HIT", "MISS"]),
    ):
        assert client.outcomes(*both) == expected, target
        assert client.request(method, target).status == 200
    assert client.outcomes(*both) == ["HIT", "HIT"]


@pytest.mark.filterwarnings("ignore:The `root_path` parameter")
@pytest.mark.parametrize("scope", [{"root_path": "/proxy"}, {}])
def test_the_root_path_is_not_part_of_the_path(scope: dict[str, Any]) -> None:
    app = fastapi_app() if scope else fastapi_app(root_path="/proxy")
    app.get("/users/{user_id}", dependencies=[CacheConfig(60)])(Counter())
    app.put("/users/{user_id}", dependencies=[CacheDropConfig(paths=["/users/{user_id}"])])(lambda: None)
    app.delete("/users/{user_id}", dependencies=[CacheDropConfig(paths=["^/users/"])])(lambda: None)
    app.patch("/users/{user_id}", dependencies=[CacheDropConfig(paths=["/proxy/users/"])])(lambda: None)
    client = Client(app, **scope)
    target = "/proxy/users/1"
    assert client.outcomes(target, target) == ["MISS", "HIT"]
    for method, expected in (("PUT", "MISS"), ("DELETE", "MISS"), ("PATCH", "HIT")):
        assert client.request(method, target).status == 200
        assert client.get(target).cache == expected, method


def test_methods_go_by_route_identity() -> None:
    app = fastapi_app()
    first, second, third = Counter(), Counter(), Counter()

    def reader(counter: Counter) -> Any:
        async def read() -> int:
            return counter()

        return read

    read_first, read_second, read_third = reader(first), reader(second), reader(third)
    app.get("/first/{item}", dependencies=[CacheConfig(60)])(read_first)
    app.get("/again", dependencies=[CacheConfig(60)])(read_first)
    app.get("/second", dependencies=[CacheConfig(60)])(read_second)
    app.get("/third", dependencies=[CacheConfig(60)])(read_third)
    app.post("/w", dependencies=[CacheDropConfig(methods=[read_first, read_third])])(lambda: None)
    client = Client(app)
    paths = ("/first/1", "/first/2", "/again", "/second", "/third")
    assert read_first.__qualname__ == read_second.__qualname__
    assert client.outcomes(*paths) == ["MISS"] * 5
    client.post("/w")
    assert client.outcomes(*paths) == ["MISS", "MISS", "MISS", "HIT", "MISS"]


def test_soft_marks_stale() -> None:
    """Without a stale window a softly dropped answer is not served; the entry itself stays until it is replaced."""
    app = fastapi_app()
    app.get("/x", dependencies=[CacheConfig(60)])(Counter())
    app.post("/soft", dependencies=[CacheDropConfig(paths=["/x"], soft=True)])(lambda: None)
    app.post("/hard", dependencies=[CacheDropConfig(paths=["/x"])])(lambda: None)
    client = Client(app)
    assert client.outcomes("/x", "/x") == ["MISS", "HIT"]
    client.post("/soft")
    answer = client.get("/x")
    assert (answer.cache, answer.body) == ("MISS", b"2")
    assert "fwd=stale" in (answer.header("cache-status") or "")
    assert client.get("/x").cache == "HIT"
    client.post("/hard")
    answer = client.get("/x")
    assert (answer.cache, answer.body) == ("MISS", b"3")
    assert "fwd=uri-miss" in (answer.header("cache-status") or "")
