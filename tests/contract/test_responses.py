"""The headers that answers get, conditional requests, the request's own directives, and HEAD."""

from email.utils import formatdate
from typing import Any

import pytest
from asgi_client import Answer
from contract.support import START, Client, Counter, fastapi_app
from fastapi import FastAPI, Response
from starlette.responses import StreamingResponse

from fast_cache_middleware import CacheConfig

Lines = list[tuple[bytes, bytes]]


def one_route(config: CacheConfig, headers: dict[str, str] | None = None, **options: Any) -> tuple[Client, FastAPI]:
    app = fastapi_app(options=options)
    counter = Counter()

    @app.get("/x", dependencies=[config])
    async def endpoint(response: Response) -> int:
        response.headers.update(headers or {})
        return counter()

    return Client(app), app


def added(answer: Answer, *, beyond: Lines) -> Lines:
    return [line for line in answer.lines if line not in beyond]


OWN: Lines = [(b"content-length", b"1"), (b"content-type", b"application/json")]
TAG = b"etag"


def test_exactly_these_headers_on_a_miss_and_on_a_hit() -> None:
    client, app = one_route(CacheConfig(300))
    miss = client.get("/x")
    tag = (miss.header("etag") or "").encode()
    assert tag.startswith(b'"') and tag.endswith(b'"')
    assert added(miss, beyond=OWN) == [
        (TAG, tag), (b"x-cache-status", b"MISS"), (b"cache-status", b"fast-cache; fwd=uri-miss; stored"),
    ]  # fmt: skip
    app.state.clock.advance(12.9)
    hit = client.get("/x")
    assert added(hit, beyond=OWN) == [
        (TAG, tag), (b"x-cache-status", b"HIT"), (b"age", b"12"), (b"cache-status", b"fast-cache; hit; ttl=287"),
    ]  # fmt: skip
    assert set(OWN) <= set(hit.lines) and set(OWN) <= set(miss.lines)
    assert (hit.status, hit.body, miss.body) == (200, b"1", b"1")
    app.state.clock.advance(300)
    expired = client.get("/x")
    assert (expired.cache, expired.header("age")) == ("MISS", None)
    assert expired.header("cache-status") == "fast-cache; fwd=stale; stored"


def test_exactly_these_headers_on_a_bypass() -> None:
    client, _ = one_route(CacheConfig(300))
    answer = client.get("/x", [("authorization", "Bearer x")])
    assert added(answer, beyond=OWN) == [
        (b"x-cache-status", b"BYPASS"), (b"cache-status", b"fast-cache; fwd=bypass; detail=authorization"),
    ]  # fmt: skip
    answer = client.get("/x", [("if-match", "*")])
    assert added(answer, beyond=OWN) == [
        (b"x-cache-status", b"BYPASS"), (b"cache-status", b"fast-cache; fwd=request; detail=request-precondition"),
    ]  # fmt: skip
    assert client.request("GET", "/x", body=b"body").cache == "BYPASS"


@pytest.mark.parametrize(
    "headers,reason",
    [
        ({"cache-control": "no-store"}, "no-store"),
        ({"cache-control": "private"}, "private"),
        ({"cache-control": "no-cache"}, "no-cache"),
        ({"set-cookie": "a=b"}, "set-cookie"),
        ({"vary": "*"}, "vary-any"),
    ],
)
def test_a_miss_that_is_not_kept_says_why(headers: dict[str, str], reason: str) -> None:
    client, _ = one_route(CacheConfig(300), headers)
    for _ in range(2):
        answer = client.get("/x")
        assert answer.cache == "MISS"
        assert answer.header("cache-status") == f"fast-cache; fwd=uri-miss; detail={reason}"


def test_the_name_in_cache_status() -> None:
    client, _ = one_route(CacheConfig(300), cache_status="edge-7")
    assert (client.get("/x").header("cache-status") or "").startswith("edge-7; fwd=")
    assert (client.get("/x").header("cache-status") or "").startswith("edge-7; hit")
    client, _ = one_route(CacheConfig(300), cache_status="my cache")
    client.get("/x")
    assert (client.get("/x").header("cache-status") or "").startswith('"my cache"; hit')


def test_a_cache_status_from_further_inside_stays_in_front() -> None:
    client, _ = one_route(CacheConfig(300), {"cache-status": "origin; hit"})
    client.get("/x")
    assert client.get("/x").all("cache-status") == ["origin; hit", "fast-cache; hit; ttl=300"]


def test_age_is_sent_once_and_counts_the_age_on_arrival() -> None:
    client, app = one_route(CacheConfig(300), {"age": "20"})
    client.get("/x")
    app.state.clock.advance(5)
    assert client.get("/x").all("age") == ["25"]


def test_repeated_lines_and_their_order_survive() -> None:
    app = fastapi_app()

    @app.get("/x", dependencies=[CacheConfig(60)])
    async def endpoint() -> Response:
        response = Response(b"\x00\xff\x1f")
        response.raw_headers = [
            (b"link", b"<a>"), (b"X-Upper", b"1"), (b"link", b"<b>"), (b"content-length", b"3"), (b"x-latin", b"\xe9"),
        ]  # fmt: skip
        return response

    client = Client(app)
    miss, hit = client.get("/x"), client.get("/x")
    assert (miss.cache, hit.cache, hit.body) == ("MISS", "HIT", b"\x00\xff\x1f")
    first = [line for line in miss.lines if line[0] not in (TAG, b"x-cache-status", b"cache-status")]
    again = [line for line in hit.lines if line[0] not in (TAG, b"x-cache-status", b"cache-status", b"age")]
    assert [(name.lower(), value) for name, value in again] == [(name.lower(), value) for name, value in first]
    assert first[0] == (b"link", b"<a>")


# -- ETag and 304 -----------------------------------------------------------------------------------------------------


def test_a_generated_etag_answers_if_none_match() -> None:
    client, app = one_route(CacheConfig(300))
    tag = client.get("/x").header("etag") or ""
    app.state.clock.advance(3)
    for value in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = client.get("/x", [("if-none-match", value)])
        assert (answer.status, answer.body, answer.cache) == (304, b"", "HIT")
        assert (answer.header("etag"), answer.header("age")) == (tag, "3")
        assert (answer.header("content-length"), answer.header("content-type")) == (None, None)
        assert answer.header("cache-status") == "fast-cache; hit; ttl=297"
    answer = client.get("/x", [("if-none-match", '"other"')])
    assert (answer.status, answer.body, answer.cache) == (200, b"1", "HIT")


def test_the_applications_own_etag_stays() -> None:
    client, _ = one_route(CacheConfig(300), {"etag": 'W/"mine"'})
    assert client.get("/x").all("etag") == ['W/"mine"']
    assert client.get("/x").all("etag") == ['W/"mine"']
    assert client.get("/x", [("if-none-match", '"mine"')]).status == 304
    assert client.get("/x", [("if-none-match", '"yours"')]).status == 200


def test_if_modified_since() -> None:
    modified = formatdate(START - 100, usegmt=True)
    client, _ = one_route(CacheConfig(300), {"last-modified": modified})
    client.get("/x")
    for since, status in ((START - 100, 304), (START - 50, 304), (START - 101, 200)):
        answer = client.get("/x", [("if-modified-since", formatdate(since, usegmt=True))])
        assert (answer.status, answer.cache) == (status, "HIT")
    decided = [("if-none-match", '"other"'), ("if-modified-since", modified)]
    assert client.get("/x", decided).status == 200


def test_etag_false() -> None:
    client, _ = one_route(CacheConfig(300, etag=False))
    assert client.get("/x").header("etag") is None
    assert client.get("/x").header("etag") is None
    client, _ = one_route(CacheConfig(300, etag=False), {"etag": '"mine"'})
    client.get("/x")
    answer = client.get("/x", [("if-none-match", '"mine"')])
    assert (answer.status, answer.cache, answer.header("etag")) == (200, "HIT", '"mine"')


def test_the_etag_follows_the_body() -> None:
    client, app = one_route(CacheConfig(300))
    first = client.get("/x").header("etag")
    app.state.clock.advance(301)
    assert client.get("/x").header("etag") != first


def test_stored_streams_get_an_etag_on_the_hit() -> None:
    app = fastapi_app()

    @app.get("/x", dependencies=[CacheConfig(60)])
    async def endpoint() -> StreamingResponse:
        return StreamingResponse(iter([b"one", b"two"]))

    client = Client(app)
    miss, hit = client.get("/x"), client.get("/x")
    assert (miss.body, hit.body, miss.cache, hit.cache) == (b"onetwo", b"onetwo", "MISS", "HIT")
    tag = hit.header("etag")
    assert tag is not None
    assert client.get("/x", [("if-none-match", tag)]).status == 304


# -- the request's own directives -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        ("cache-control", "no-cache"),
        ("cache-control", "max-age=0"),
        ("pragma", "no-cache"),
        ("Cache-Control", "NO-CACHE"),
    ],
)
def test_no_cache_skips_the_lookup_and_stores_the_fresh_answer(header: tuple[str, str]) -> None:
    client, _ = one_route(CacheConfig(300))
    client.get("/x")
    fresh = client.get("/x", [header])
    assert (fresh.body, fresh.cache, fresh.header("age")) == (b"2", "MISS", None)
    assert fresh.header("cache-status") == "fast-cache; fwd=request; stored; detail=request-no-cache"
    hit = client.get("/x")
    assert (hit.body, hit.cache) == (b"2", "HIT")


def test_no_store_does_neither() -> None:
    client, _ = one_route(CacheConfig(300))
    header = [("cache-control", "no-store")]
    assert (client.get("/x", header).body, client.get("/x", header).cache) == (b"1", "BYPASS")
    assert (client.get("/x").body, client.get("/x").cache) == (b"3", "HIT")
    assert client.get("/x", header).body == b"4"
    assert client.get("/x").body == b"3"


def test_max_age_of_the_request_limits_the_age() -> None:
    client, app = one_route(CacheConfig(300))
    client.get("/x")
    app.state.clock.advance(10)
    assert client.get("/x", [("cache-control", "max-age=20")]).cache == "HIT"
    assert client.get("/x", [("cache-control", "max-age=5")]).cache == "MISS"


def test_cache_control_wins_over_pragma() -> None:
    client, _ = one_route(CacheConfig(300))
    client.get("/x")
    assert client.get("/x", [("pragma", "no-cache"), ("cache-control", "max-age=60")]).cache == "HIT"


def test_client_directives_false_hears_nothing() -> None:
    client, _ = one_route(CacheConfig(300), client_directives=False)
    client.get("/x")
    for header in (("cache-control", "no-cache"), ("cache-control", "no-store"), ("pragma", "no-cache")):
        assert client.get("/x", [header]).cache == "HIT"


# -- HEAD -------------------------------------------------------------------------------------------------------------


def with_head(**options: Any) -> Client:
    app = fastapi_app(options=options)
    app.api_route("/both", methods=["GET", "HEAD"], dependencies=[CacheConfig(60)])(Counter())
    app.get("/get", dependencies=[CacheConfig(60)])(Counter())
    return Client(app)


def test_head_is_answered_from_a_stored_get_where_the_route_takes_it() -> None:
    client = with_head()
    assert client.request("HEAD", "/both").cache == "MISS"
    assert client.get("/both").cache == "MISS"
    stored = client.get("/both")
    head = client.request("HEAD", "/both")
    assert (head.status, head.cache, head.body) == (200, "HIT", b"")
    assert [line for line in head.lines if line[0] != b"age"] == [line for line in stored.lines if line[0] != b"age"]
    assert head.header("content-length") == "1"


def test_head_where_the_route_does_not_take_it() -> None:
    client = with_head()
    client.get("/get")
    head = client.request("HEAD", "/get")
    assert (head.status, head.cache) == (405, None)


def test_head_from_get() -> None:
    client = with_head(head_from_get=True)
    assert client.request("HEAD", "/get").status == 405
    client.get("/get")
    head = client.request("HEAD", "/get")
    assert (head.status, head.cache, head.body, head.header("content-length")) == (200, "HIT", b"", "1")
    assert client.request("HEAD", "/nothing").status == 404
