"""Whatever is asked, a server answers the same with and without the middleware, save for the lines it adds."""

import pytest
from servers.processes import Server
from servers.wire import OURS, WireAnswer, get

PATHS = [
    "/users/1",
    "/users/x",
    "/nowhere",
    "/repeated",
    "/moved",
    "/none",
    "/names/a/b?q=1&q=2&utm_source=x",
    "/names/%2F/a",
    "/names/a%2Fb",
    "/names//a//b",
    "/names/a/../b",
    "/names/./a/",
    "/names/a;b=c",
    "/names/%C3%A9",
    "/names/%FF",
    "/names/x%3Fa=1",
    "/names/a%00b",
    "/echo/%2F/..//.;x?%zz&a=%C3%A9&&=",
    "//users/1",
    "/users/1/",
    "/users/%31",
]

RAW = {
    "absolute target": b"GET http://test/users/1 HTTP/1.1\r\nHost: test\r\n\r\n",
    "absolute target of another host": b"GET http://other/echo/1 HTTP/1.1\r\nHost: test\r\n\r\n",
    "raw query": b"GET /names/a?q=\xc3\xa9\xff HTTP/1.1\r\nHost: test\r\n\r\n",
    "raw path": b"GET /names/\xc3\xa9 HTTP/1.1\r\nHost: test\r\n\r\n",
    "two hosts": b"GET /users/1 HTTP/1.1\r\nHost: test\r\nHost: other\r\n\r\n",
    "no host": b"GET /users/1 HTTP/1.1\r\n\r\n",
    "lower-case method": b"get /users/1 HTTP/1.1\r\nHost: test\r\n\r\n",
    "unknown method": b"FETCH /users/1 HTTP/1.1\r\nHost: test\r\n\r\n",
    "HTTP/1.0": b"GET /users/1 HTTP/1.0\r\nHost: test\r\n\r\n",
    "HTTP/1.0 kept alive": b"GET /users/1 HTTP/1.0\r\nHost: test\r\nConnection: keep-alive\r\n\r\n",
    "close": b"GET /users/1 HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n",
    "fragment": b"GET /users/1#part HTTP/1.1\r\nHost: test\r\n\r\n",
    "header in latin-1": b"GET /users/1 HTTP/1.1\r\nHost: test\r\nX-Name: caf\xe9\r\n\r\n",
    "over-size header": b"GET /users/1 HTTP/1.1\r\nHost: test\r\nX-Long: " + b"x" * 200_000 + b"\r\n\r\n",
    "malformed header": b"GET /users/1 HTTP/1.1\r\nHost: test\r\nno colon\r\n\r\n",
    "malformed length": b"GET /users/1 HTTP/1.1\r\nHost: test\r\nContent-Length: x\r\n\r\n",
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_same_answer(cached: Server, plain: Server, method: str, path: str) -> None:
    request = get(path, method=method)
    assert_same(plain.ask(request), [cached.ask(request) for _ in range(2)])


@pytest.mark.parametrize("raw", RAW.values(), ids=RAW.keys())
def test_same_answer_to_odd_requests(cached: Server, plain: Server, raw: bytes) -> None:
    assert_same(outcome(plain, raw), [outcome(cached, raw) for _ in range(2)])
    # And nothing odd was left behind.
    assert cached.ask(get("/users/1")).comparable == plain.ask(get("/users/1")).comparable


def test_header_lines_are_kept_byte_for_byte(cached: Server, plain: Server) -> None:
    expected = plain.ask(get("/repeated"))
    answers = [cached.ask(get("/repeated", "X-Unseen: 1")) for _ in range(2)]
    assert answers[1].cache == "HIT"
    for answer in answers:
        assert answer.lines_but(b"date", *OURS) == expected.lines_but(b"date", *OURS)
        assert answer.body == bytes(range(256))


def test_file(kind: str, cached: Server, plain: Server) -> None:
    """Granian sends the file itself, by `http.response.pathsend`: then nothing is recorded, and nothing lost."""
    expected = plain.ask(get("/file"))
    assert len(expected.body) == 300_000
    answers = [cached.ask(get("/file")) for _ in range(2)]
    assert [answer.cache for answer in answers] == ["MISS", "MISS" if kind == "granian" else "HIT"]
    for answer in answers:
        assert (answer.status, answer.body) == (200, expected.body)


def test_range_of_a_file(kind: str, cached: Server, plain: Server) -> None:
    """From the stored file; where granian sends the file itself and nothing is stored, from the application."""
    cached.ask(get("/file"))
    expected = plain.ask(get("/file", "Range: bytes=10-19"))
    answer = cached.ask(get("/file", "Range: bytes=10-19"))
    assert (answer.status, answer.body) == (expected.status, expected.body)
    assert answer.status == 206
    assert answer.cache == ("MISS" if kind == "granian" else "HIT")


def assert_same(expected: WireAnswer | None, answers: list[WireAnswer | None]) -> None:
    for answer in answers:
        if expected is None or answer is None:
            assert answer is expected
            continue
        names = {line.split(b":", 1)[0].lower() for line in expected.lines}
        # What the application sent itself must not be touched, an entity tag of its own least of all.
        theirs = OURS - names
        assert answer.status_line == expected.status_line
        assert answer.lines_but(b"date", *theirs) == expected.lines_but(b"date")
        assert answer.body == expected.body
        assert answer.closes == expected.closes


def outcome(server: Server, raw: bytes) -> WireAnswer | None:
    """The answer; `None` where the server closes without one."""
    try:
        return server.ask(raw)
    except (EOFError, ConnectionError):
        return None
