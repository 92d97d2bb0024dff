"""`CacheConfig`: what each parameter means for the answers."""

from collections.abc import Iterable
from datetime import timedelta
from email.utils import formatdate
from typing import Any

import pytest
from contract.support import START, Client, Counter, fastapi_app
from fastapi import Response

from fast_cache_middleware import CacheConfig, Controller


def lived(config: CacheConfig, **options: Any) -> list[tuple[float, str | None]]:
    """How a route with this config answers at some moments."""
    app = fastapi_app(options=options)
    app.get("/x", dependencies=[config])(Counter())
    client = Client(app)
    found = [(0.0, client.get("/x").cache)]
    for moment in (1.4, 1.6, 59.0, 61.0, 299.0, 301.0):
        app.state.clock.advance(moment - found[-1][0])
        found.append((moment, client.get("/x").cache))
    return found


def hits(found: Iterable[tuple[float, str | None]]) -> list[float]:
    return [moment for moment, cache in found if cache == "HIT"]


@pytest.mark.parametrize(
    "config,expected",
    [
        (CacheConfig(max_age=300), [1.4, 1.6, 59.0, 61.0, 299.0]),
        (CacheConfig(), [1.4, 1.6, 59.0, 61.0, 299.0]),
        # Stored anew at 61 and at 299.
        (CacheConfig(60), [1.4, 1.6, 59.0, 301.0]),
        (CacheConfig(1.5), [1.4]),
        (CacheConfig(timedelta(minutes=1)), [1.4, 1.6, 59.0, 301.0]),
        (CacheConfig(timedelta(seconds=1, milliseconds=500)), [1.4]),
        (CacheConfig(0), []),
    ],
)
def test_max_age(config: CacheConfig, expected: list[float]) -> None:
    assert hits(lived(config)) == expected


def test_left_out_the_controller_decides() -> None:
    ttl = {"controller": Controller(default_ttl=1.5)}
    assert hits(lived(CacheConfig(), **ttl)) == [1.4]
    assert hits(lived(CacheConfig(300), **ttl)) == [1.4, 1.6, 59.0, 61.0, 299.0]
    assert lived(CacheConfig(None), **ttl)[1] == (1.4, "MISS")
    assert hits(lived(CacheConfig(), controller=Controller(default_ttl=timedelta(minutes=5)))) == [
        1.4, 1.6, 59.0, 61.0, 299.0,
    ]  # fmt: skip


def answering(config: CacheConfig, headers: dict[str, str], **options: Any) -> tuple[Client, Any]:
    app = fastapi_app(options=options)
    counter = Counter()

    @app.get("/x", dependencies=[config])
    async def endpoint(response: Response) -> int:
        response.headers.update(headers)
        return counter()

    return Client(app), app.state.clock


@pytest.mark.parametrize(
    "headers",
    [
        {"cache-control": "max-age=0"},
        {"cache-control": "max-age=5"},
        {"cache-control": "public, max-age=5"},
        {"cache-control": "s-maxage=0"},
        {"cache-control": "s-maxage=5, max-age=900"},
        {"expires": "0"},
        {"expires": formatdate(START - 60, usegmt=True)},
        {"expires": formatdate(START + 5, usegmt=True)},
        {"cache-control": "max-age=0, must-revalidate"},
        {"pragma": "no-cache"},
    ],
)
def test_the_lifetime_of_the_route_wins(headers: dict[str, str]) -> None:
    client, clock = answering(CacheConfig(60), headers)
    assert client.get("/x").cache == "MISS"
    clock.advance(59)
    hit = client.get("/x")
    assert (hit.cache, hit.header("age")) == ("HIT", "59")
    assert {name: hit.header(name) for name in headers} == headers
    clock.advance(2)
    assert client.get("/x").cache == "MISS"


@pytest.mark.parametrize(
    "value",
    ["no-store", "no-cache", "private", "NO-STORE", " Private ", "max-age=60,no-cache", 'private="x"', 'no-cache="y"'],
)
@pytest.mark.parametrize("config", [CacheConfig(60), CacheConfig(60, public=True), CacheConfig(None)])
def test_a_response_that_forbids_it_wins(config: CacheConfig, value: str) -> None:
    client, _ = answering(config, {"cache-control": value})
    bodies = [client.get("/x").body for _ in range(3)]
    assert bodies == [b"1", b"2", b"3"]
    assert client.get("/x").cache == "MISS"


@pytest.mark.parametrize(
    "headers,lifetime",
    [
        ({"cache-control": "max-age=60"}, 60),
        ({"cache-control": "max-age=5, s-maxage=60"}, 60),
        ({"cache-control": "s-maxage=60, max-age=900"}, 60),
        ({"expires": formatdate(START + 60, usegmt=True)}, 60),
        ({"cache-control": "max-age=90", "age": "30"}, 60),
        ({}, None),
        ({"cache-control": "max-age=0"}, None),
        ({"cache-control": "public"}, None),
        ({"expires": "0"}, None),
    ],
)
def test_http_mode_follows_the_response(headers: dict[str, str], lifetime: int | None) -> None:
    client, clock = answering(CacheConfig(max_age=None), headers)
    assert client.get("/x").cache == "MISS"
    clock.advance(1)
    assert client.get("/x").cache == ("MISS" if lifetime is None else "HIT")
    if lifetime is not None:
        clock.advance(lifetime - 2)
        assert client.get("/x").cache == "HIT"
        clock.advance(2)
        assert client.get("/x").cache == "MISS"


def test_http_mode_keeps_the_query_and_the_vary_apart() -> None:
    client, _ = answering(CacheConfig(None), {"cache-control": "max-age=60", "vary": "Accept-Language"})
    assert client.outcomes("/x?a=1", "/x?a=1", "/x?a=2") == ["MISS", "HIT", "MISS"]
    german = [("accept-language", "de")]
    assert client.outcomes("/x?a=1", "/x?a=1", headers=german) == ["MISS", "HIT"]
    assert client.get("/x?a=1").cache == "HIT"


def test_vary_of_the_response_selects() -> None:
    client, _ = answering(CacheConfig(60), {"vary": "X-Tenant, accept-language"})
    a, b = [("x-tenant", "a")], [("X-TENANT", "b")]
    assert [client.get("/x", headers).body for headers in (a, b, a, b, ())] == [b"1", b"2", b"1", b"2", b"3"]
    client, _ = answering(CacheConfig(60), {"vary": "*"})
    assert client.outcomes("/x", "/x") == ["MISS", "MISS"]


@pytest.mark.parametrize("status,kept", [(200, True), (301, True), (308, True), (201, False), (404, False)])
def test_default_statuses(status: int, kept: bool) -> None:
    app = fastapi_app()
    app.get("/x", dependencies=[CacheConfig(60)], status_code=status)(Counter())
    assert Client(app).outcomes("/x", "/x") == ["MISS", "HIT" if kept else "MISS"]


def test_public_lets_credentials_share() -> None:
    for public in (False, True):
        client, _ = answering(CacheConfig(60, public=public), {})
        mine, yours = [("authorization", "Bearer me")], [("authorization", "Bearer you")]
        bodies = [client.get("/x", headers).body for headers in (mine, yours, mine)]
        assert bodies == ([b"1", b"1", b"1"] if public else [b"1", b"2", b"3"])
        assert client.get("/x", mine).cache == ("HIT" if public else "BYPASS")


@pytest.mark.parametrize("directive", ["public", "s-maxage=5", "must-revalidate"])
def test_a_response_may_allow_sharing_with_credentials(directive: str) -> None:
    client, _ = answering(CacheConfig(60), {"cache-control": directive})
    assert client.get("/x", [("authorization", "Bearer me")]).body == b"1"
    assert client.get("/x", [("authorization", "Bearer you")]).body == b"1"
    assert client.get("/x").body == b"1"


def test_tags_that_are_given_filled_and_sent() -> None:
    from fast_cache_middleware import CacheDropConfig

    app = fastapi_app()
    counter = Counter()

    @app.get("/users/{user_id}", dependencies=[CacheConfig(60, tags=["users", "user:{user_id}"])])
    async def user(user_id: int, response: Response) -> int:
        response.headers["cache-tag"] = f"sent-{user_id}, common"
        response.headers["surrogate-key"] = f"key-{user_id} keys"
        response.headers["cache-groups"] = f'"group {user_id}"'
        return counter()

    for tag in ("users", "user:1", "sent-1", "common", "key-1", "keys", "group 1", "user:2", "unknown"):
        app.post("/drop/" + tag.replace(" ", "_"), dependencies=[CacheDropConfig(tags=[tag])])(lambda: None)
    app.post("/drop-user/{name}", dependencies=[CacheDropConfig(tags=["user:{name}"])])(lambda: None)
    client = Client(app)
    assert client.outcomes("/users/1", "/users/1") == ["MISS", "HIT"]
    for tag in ("users", "user:1", "sent-1", "common", "key-1", "keys", "group_1"):
        assert client.post(f"/drop/{tag}").status == 200
        assert client.outcomes("/users/1", "/users/1") == ["MISS", "HIT"], tag
    for tag in ("user:2", "unknown"):
        client.post(f"/drop/{tag}")
        assert client.get("/users/1").cache == "HIT", tag
    client.post("/drop-user/2")
    assert client.get("/users/1").cache == "HIT"
    client.post("/drop-user/1")
    assert client.get("/users/1").cache == "MISS"
