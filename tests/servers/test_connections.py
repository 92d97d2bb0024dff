"""Connections stay in step: every request gets its own answer, also after a hit whose body nobody read."""

import pytest
from servers.processes import Server
from servers.wire import get

BODIES = {
    "length": (["Content-Length: 26"], b"GET /users/2 HTTP/1.1\r\nX:y"),
    "chunked": (["Transfer-Encoding: chunked"], b"1a\r\nGET /users/2 HTTP/1.1\r\nX:y\r\n0\r\n\r\n"),
    "expect": (["Content-Length: 26", "Expect: 100-continue"], b"GET /users/2 HTTP/1.1\r\nX:y"),
    "empty": (["Content-Length: 0"], b""),
    "empty chunked": (["Transfer-Encoding: chunked"], b"0\r\n\r\n"),
    "long": (["Content-Length: 300000"], b"z" * 300_000),
}


@pytest.mark.parametrize("headers, body", BODIES.values(), ids=BODIES.keys())
def test_a_request_body_that_nobody_reads(cached: Server, plain: Server, headers: list[str], body: bytes) -> None:
    stored = cached.ask(get("/users/1"))
    for server in (plain, cached):
        with server.connect() as connection:
            answer = connection.ask(get("/users/1", *headers) + body)
            assert (answer.status, answer.body) == (200, stored.body)
            if server is cached:
                assert answer.cache == ("HIT" if headers == ["Content-Length: 0"] else "BYPASS")
            # A server may rather close than read what nobody wants.
            after = connection.ask_on(get("/users/3")) or server.ask(get("/users/3"))
            assert (after.status, after.body) == (200, b'{"user_id":3,"name":"User 3"}')


@pytest.mark.parametrize("headers, body", BODIES.values(), ids=BODIES.keys())
def test_an_answer_made_from_a_body_is_shared_with_nobody(cached: Server, headers: list[str], body: bytes) -> None:
    with_body = cached.ask(get("/body", *headers) + body)
    assert with_body.status == 200
    without = cached.ask(get("/body"))
    assert without.body == b"body:"


def test_the_body_arrives_after_the_head(cached: Server) -> None:
    """Perhaps after the answer. A server may close then; whoever is answered gets the right answer."""
    cached.ask(get("/users/1"))
    with cached.connect() as connection:
        connection.send(get("/users/1", "Content-Length: 5"))
        connection.send(b"hello" + get("/users/4"))
        assert connection.answer().body == b'{"user_id":1,"name":"User 1"}'
        try:
            body = connection.answer().body
        except (EOFError, ConnectionError):
            return
        assert body == b'{"user_id":4,"name":"User 4"}'


def test_pipelined(cached: Server) -> None:
    cached.ask(get("/users/1"))
    order = [1, 5, 1, 1, 6, 5, 1]
    with cached.connect() as connection:
        connection.send(b"".join(get(f"/users/{number}") for number in order))
        bodies = [connection.answer().body for _ in order]
    assert bodies == [b'{"user_id":%d,"name":"User %d"}' % (number, number) for number in order]


def test_head_and_not_modified_leave_the_connection_in_step(cached: Server, plain: Server) -> None:
    tag = cached.ask(get("/echo/a")).values("etag")[0]
    with cached.connect() as connection:
        head = connection.ask(get("/echo/a", method="HEAD"))
        assert (head.status, head.cache) == (200, "HIT")
        full = connection.ask(get("/echo/a"))
        assert head.values("content-length") == full.values("content-length")
        unmodified = connection.ask(get("/echo/a", f"If-None-Match: {tag}"))
        assert (unmodified.status, unmodified.body) == (304, b"")
        assert unmodified.values("etag") == [tag]
        since = connection.ask(get("/echo/a", "If-Modified-Since: Wed, 01 Jan 2025 00:00:00 GMT"))
        assert since.status == 304
        assert connection.ask(get("/echo/a")).body == full.body


def test_http_1_0(cached: Server, plain: Server) -> None:
    old = b"GET /users/9 HTTP/1.0\r\nHost: test\r\n\r\n"
    for server in (plain, cached, cached):
        with server.connect() as connection:
            answer = connection.ask(old)
            assert answer.body == b'{"user_id":9,"name":"User 9"}'
            assert connection.is_closed()
