"""The reverse proxy of the examples passes on what it is given, both ways, and caches by what the origin says."""

from collections.abc import Callable, Iterator

import pytest
from servers.origin import Origin
from servers.processes import Server
from servers.wire import OURS, Connection, get

COMMAND = "../../examples/reverse_proxy.py --port {port} --origin "
OK = b"HTTP/1.1 200 OK"
CLOSE = b"Connection: close"

Proxy = Callable[[str], tuple[Origin, Server]]


@pytest.fixture(scope="module")
def started() -> Iterator[Proxy]:
    """An origin and a proxy before it, once for each set of options."""
    pairs: dict[str, tuple[Origin, Server]] = {}

    def start(options: str) -> tuple[Origin, Server]:
        if options not in pairs:
            origin = Origin()
            pairs[options] = (origin, Server(f"{COMMAND}http://127.0.0.1:{origin.port} {options}", ""))
        return pairs[options][0], pairs[options][1].listening()

    yield start
    printed = []
    for origin, server in pairs.values():
        origin.close()
        printed.append(server.stop().text)
    for text in printed:
        # What breaks off is raised, and the server prints that with what it comes from; nothing else may be raised.
        assert text.count("Exception in ASGI application") == text.count("\nTruncatedError: "), text
        assert "never" not in text


@pytest.fixture
def origin(started: Proxy) -> Origin:
    return started("")[0]


@pytest.fixture
def proxy(started: Proxy) -> Server:
    return started("")[1]


def test_request_lines_keep_order_number_and_bytes(origin: Origin, proxy: Server) -> None:
    sent = [
        b"X-B: 2",
        b"X-Obs: caf\xe9 \xff\x80",
        b"Cookie: a=1",
        b"X-B: 1",
        b"X-Empty: ",
        b"Cookie: b=2",
        b"Accept: */*",
    ]
    with proxy.connect() as client:
        client.send(b"GET /lines HTTP/1.1\r\nHost: client.example\r\n" + b"\r\n".join(sent) + b"\r\n\r\n")
        with origin.accept() as peer:
            asked = peer.asked()
            assert asked.line == b"GET /lines HTTP/1.1"
            lowered = [name.lower() + b": " + value for name, value in (line.split(b": ", 1) for line in sent)]
            assert list(asked.lines) == [b"host: client.example", *lowered]
            peer.send(OK, CLOSE, b"Content-Length: 0")
        assert client.answer().status == 200


def test_response_lines_keep_case_order_number_and_bytes(origin: Origin, proxy: Server) -> None:
    lines = [
        b"X-MiXed: 1",
        b"Set-Cookie: a=1",
        b"x-obs: \xff\x80 caf\xe9",
        b"Date: then",
        b"Set-Cookie: b=2",
        b"x-empty: ",
    ]
    with proxy.connect() as client:
        client.send(get("/lines"))
        with origin.accept() as peer:
            peer.asked()
            peer.send(OK, *lines, CLOSE, b"Content-Length: 2", body=b"\x00\xff")
        answer = client.answer()
    assert answer.lines_but(*OURS) == [*lines, b"Content-Length: 2"]
    assert answer.body == b"\x00\xff"


def test_a_missing_date_is_added(origin: Origin, proxy: Server) -> None:
    with proxy.connect() as client:
        client.send(get("/date"))
        with origin.accept() as peer:
            peer.asked()
            peer.send(OK, CLOSE, b"Content-Length: 0")
        assert client.answer().values("date")[0].endswith(" GMT")


def test_fields_of_the_connection_stay_on_it(origin: Origin, proxy: Server) -> None:
    own = [b"Keep-Alive: timeout=5", b"Proxy-Connection: close", b"Upgrade: other", b"X-Named: 1"]
    with proxy.connect() as client:
        named = b"Connection: X-Named, Host,Content-Length , upgrade"
        lines = [b"Host: client.example", named, *own, b"TE: trailers", b"X-Kept: 1", b"Content-Length: 2"]
        client.send(b"POST /hops HTTP/1.1\r\n" + b"\r\n".join(lines) + b"\r\n\r\nhi")
        with origin.accept() as peer:
            assert peer.asked().lines == (b"host: client.example", b"x-kept: 1", b"content-length: 2")
            assert peer.exactly(2) == b"hi"
            peer.send(OK, b"Connection: close, X-NAMED", *own, b"X-Kept: 1", b"Date: then", b"Content-Length: 0")
        assert client.answer().lines_but(*OURS) == [b"X-Kept: 1", b"Date: then", b"Content-Length: 0"]


@pytest.mark.parametrize(
    "method",
    [
        "GET",
        "HEAD",
        "POST",
        "PUT",
        "PATCH",
        "DELETE",
        "OPTIONS",
        "TRACE",
        "M-SEARCH",
        "PURGE",
        "get",
        "X!#$%&'*+.^_`|~9",
    ],
)
def test_methods(origin: Origin, proxy: Server, method: str) -> None:
    with proxy.connect() as client:
        client.send(get(f"/methods/{method.encode().hex()}", method=method))
        with origin.accept() as peer:
            assert peer.asked().line.split(b" ")[0] == method.encode()
            peer.send(OK, CLOSE, b"Content-Length: 4", body=b"" if method == "HEAD" else b"body")
        answer = client.answer(method.encode())
        assert (answer.values("content-length"), answer.body) == (["4"], b"" if method == "HEAD" else b"body")


def test_connect_is_refused(proxy: Server) -> None:
    assert proxy.ask(get("other.example:443", method="CONNECT")).status == 501


@pytest.mark.parametrize(
    "target",
    [b"/a%2Fb/..//./;x?%zz&a=%C3%A9&&=?#", b"//a//", b"/%00%ff?q", b"/a?b?c=//", b"*", b"http://other.example/a?b"],
)
def test_targets(origin: Origin, proxy: Server, target: bytes) -> None:
    with proxy.connect() as client:
        client.send(get(target, method="OPTIONS"))
        with origin.accept() as peer:
            assert peer.asked().line == b"OPTIONS " + target + b" HTTP/1.1"
            peer.send(OK, CLOSE, b"Content-Length: 0")
        assert client.answer().status == 200


def test_request_bodies_stream(origin: Origin, proxy: Server) -> None:
    with proxy.connect() as client:
        client.send(get("/up", "Transfer-Encoding: chunked", "Content-Length: 3", method="POST") + b"3\r\none\r\n")
        with origin.accept() as peer:
            asked = peer.asked()
            assert (asked.values(b"transfer-encoding"), asked.values(b"content-length")) == ([b"chunked"], [])
            assert peer.exactly(8) == b"3\r\none\r\n"
            client.send(b"3\r\ntwo\r\n0\r\n\r\n")
            assert peer.exactly(13) == b"3\r\ntwo\r\n0\r\n\r\n"
            peer.send(OK, CLOSE, b"Content-Length: 0")
        assert client.answer().status == 200


def test_an_answer_may_come_before_the_end_of_the_request(origin: Origin, proxy: Server) -> None:
    with proxy.connect() as client:
        client.send(get("/early", "Content-Length: 10", method="POST") + b"half ")
        with origin.accept() as peer:
            peer.asked()
            assert peer.exactly(5) == b"half "
            peer.send(b"HTTP/1.1 413 Too Large", CLOSE, b"Content-Length: 4", body=b"stop")
            answer = client.answer()
            assert (answer.status, answer.body) == (413, b"stop")


def test_response_bodies_stream(origin: Origin, proxy: Server) -> None:
    with proxy.connect() as client:
        client.send(get("/down"))
        with origin.accept() as peer:
            peer.asked()
            peer.send(OK, b"Transfer-Encoding: chunked", b"Content-Encoding: gzip", CLOSE, body=b"3\r\none\r\n")
            assert client.head().values("content-encoding") == ["gzip"]
            assert client.chunk() == b"one"
            peer.raw(b"3\r\ntwo\r\n0\r\nX-Trailer: 1\r\n\r\n")
            assert [client.chunk(), client.chunk()] == [b"two", b""]


def test_interim_responses_pass(origin: Origin, proxy: Server) -> None:
    with proxy.connect() as client:
        client.send(get("/interim"))
        with origin.accept() as peer:
            peer.asked()
            peer.send(b"HTTP/1.1 100 Continue")
            peer.send(b"HTTP/1.1 103 Early", b"Link: </a>; rel=preload", b"X-More: 1", b"Keep-Alive: 1")
            early = client.head()
            assert (early.status, early.lines) == (103, (b"Link: </a>; rel=preload", b"X-More: 1"))
            peer.send(b"HTTP/1.1 102 Processing")
            peer.send(OK, CLOSE, b"Cache-Control: max-age=60", b"Content-Length: 2", body=b"ok")
        assert client.head().status == 102
        first = client.answer()
        assert (first.body, first.cache, first.values("link")) == (b"ok", "MISS", [])
        second = client.ask(get("/interim"))
        assert (second.body, second.cache, second.values("link")) == (b"ok", "HIT", [])


def test_interim_responses_are_not_for_old_clients(origin: Origin, proxy: Server) -> None:
    with proxy.connect() as client:
        client.send(b"GET /old HTTP/1.0\r\nHost: test\r\n\r\n")
        with origin.accept() as peer:
            assert peer.asked().line == b"GET /old HTTP/1.1"
            peer.send(b"HTTP/1.1 103 Early", b"Link: </a>")
            peer.send(OK, CLOSE, b"Content-Length: 2", body=b"ok")
        assert client.head().status == 200


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body(origin: Origin, proxy: Server, status: int) -> None:
    with proxy.connect() as client:
        client.send(get(f"/none/{status}", 'If-None-Match: "a"'))
        with origin.accept() as peer:
            assert peer.asked().values(b"if-none-match") == [b'"a"']
            peer.send(b"HTTP/1.1 %d None" % status, b'ETag: "a"', CLOSE)
        answer = client.answer()
        assert (answer.status, answer.body, answer.values("etag")) == (status, b"", ['"a"'])
        served(client, origin, "/after")


CUT_SHORT = {
    "length": [b"Content-Length: 10"],
    "chunked": [b"Transfer-Encoding: chunked"],
}


@pytest.mark.parametrize("lines", CUT_SHORT.values(), ids=CUT_SHORT.keys())
def test_what_breaks_off_breaks_off(origin: Origin, proxy: Server, lines: list[bytes]) -> None:
    target = f"/broken/{lines[0].decode().replace(': ', '-')}"
    with proxy.connect() as client:
        client.send(get(target))
        with origin.accept() as peer:
            peer.asked()
            peer.send(OK, b"Cache-Control: max-age=60", *lines, body=b"4\r\nhalf\r\n")
            head = client.head()
            assert head.status == 200
        with pytest.raises((EOFError, ConnectionError)):
            client._exactly(100) if "Content-Length" in target else [client.chunk(), client.chunk()]
    with proxy.connect() as client:
        served(client, origin, target)


FAILING = {
    "nothing": b"",
    "no HTTP": b"hello\r\n\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\nX-",
    "no status": b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
    "another protocol": b"HTTP/1.1 101 Switching\r\nUpgrade: other\r\nConnection: upgrade\r\n\r\n",
    "unknown coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: odd\r\nCache-Control: max-age=60\r\n\r\nx",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\nCache-Control: max-age=60\r\n\r\nxx",
}


@pytest.mark.parametrize("answer", FAILING.values(), ids=FAILING.keys())
def test_origins_that_fail(origin: Origin, proxy: Server, answer: bytes) -> None:
    with proxy.connect() as client:
        for _ in range(2):
            client.send(get("/failing"))
            with origin.accept() as peer:
                peer.asked()
                peer.raw(answer)
            got = client.answer()
            assert (got.status, got.values("cache-control"), got.body) == (502, ["no-store"], b"")


def test_an_origin_that_is_not_there() -> None:
    gone = Origin()
    gone.close()
    with Server(f"{COMMAND}http://127.0.0.1:{gone.port}", "") as server:
        assert server.ask(get("/")).status == 502


def test_a_silent_origin(started: Proxy) -> None:
    origin, proxy = started("--timeout 0.2")
    with proxy.connect() as client:
        client.send(get("/silent"))
        with origin.accept() as peer:
            peer.asked()
            assert client.answer().status == 504
            assert peer.is_abandoned()
        client.send(get("/silent"))
        with origin.accept() as peer:
            peer.asked()
            peer.send(OK, b"Content-Length: 10", body=b"half ")
            client.head()
            with pytest.raises((EOFError, ConnectionError)):
                client._exactly(10)


@pytest.mark.parametrize("when", ["before the answer", "in its midst", "in the midst of the request"])
def test_when_the_client_leaves_the_origin_is_left_too(origin: Origin, proxy: Server, when: str) -> None:
    client = proxy.connect()
    if when == "in the midst of the request":
        client.send(get("/left", "Content-Length: 10", method="POST") + b"half ")
    else:
        client.send(get("/left"))
    with origin.accept() as peer:
        peer.asked()
        if when == "in its midst":
            peer.send(OK, b"Content-Length: 10", body=b"half ")
            client.head()
        elif when == "in the midst of the request":
            assert peer.exactly(5) == b"half "
        client.reset()
        assert peer.is_abandoned()


def test_a_miss_then_a_hit(origin: Origin, proxy: Server) -> None:
    with proxy.connect() as client:
        client.send(get("/stored"))
        with origin.accept() as peer:
            peer.asked()
            lines = [b"X-Twice: 1", b"Cache-Control: max-age=60", b'ETag: "a"', b"X-Twice: 2", b"Content-Length: 3"]
            peer.send(OK, CLOSE, *lines, body=b"\x00\xff\n")
        first, second = client.answer(), client.ask(get("/stored"))
    assert (first.cache, second.cache) == ("MISS", "HIT")
    assert second.lines_but(*OURS) == first.lines_but(*OURS)
    assert first.lines[: len(lines)] == second.lines[: len(lines)] == tuple(lines)
    assert second.body == first.body == b"\x00\xff\n"


def test_connections_are_reused(origin: Origin, proxy: Server) -> None:
    with proxy.connect() as client:
        client.send(get("/again/1"))
        with origin.accept() as peer:
            for number in range(2, 5):
                assert peer.asked().line == b"GET /again/%d HTTP/1.1" % (number - 1)
                peer.send(OK, b"Content-Length: 1", body=b"%d" % number)
                assert client.answer().body == b"%d" % number
                client.send(get(f"/again/{number}"))
            peer.asked()
            peer.send(OK, b"Content-Length: 0")
            assert client.answer().status == 200
        served(client, origin, "/again/5")


@pytest.mark.parametrize("later", [False, True])
def test_a_connection_that_says_too_much_is_not_reused(origin: Origin, proxy: Server, later: bool) -> None:
    """What an origin sends without being asked would be taken for the answer to the next request."""
    surplus = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 5\r\n\r\nwrong"
    with proxy.connect() as client:
        client.send(get("/surplus"))
        with origin.accept() as peer:
            peer.asked()
            peer.send(OK, b"Content-Length: 2", body=b"ok" if later else b"ok" + surplus)
            assert client.answer().body == b"ok"
            if later:
                peer.raw(surplus)
            assert peer.is_abandoned()
            served(client, origin, f"/surplus/{later}")


def test_own_host_via_and_forwarded(started: Proxy) -> None:
    origin, proxy = started("--own-host --via edge --forwarded --cache-status other")
    with proxy.connect() as client:
        client.send(get("/flags", "X-Forwarded-For: 192.0.2.1", "Via: 1.0 first"))
        with origin.accept() as peer:
            asked = peer.asked()
            assert asked.values(b"host") == [b"127.0.0.1:%d" % origin.port]
            assert asked.values(b"via") == [b"1.0 first", b"1.1 edge"]
            assert asked.values(b"x-forwarded-for") == [b"192.0.2.1", b"127.0.0.1"]
            assert (asked.values(b"x-forwarded-host"), asked.values(b"x-forwarded-proto")) == ([b"test"], [b"http"])
            peer.send(OK, CLOSE, b"Cache-Control: max-age=60", b"Content-Length: 0")
        answer = client.answer()
    assert (answer.values("via"), answer.values("cache-status")) == (["1.1 edge"], ["other; fwd=uri-miss; stored"])


def test_without_the_cache(started: Proxy) -> None:
    origin, proxy = started("--no-cache")
    with proxy.connect() as client:
        for _ in range(2):
            served(client, origin, "/plain", b"Cache-Control: max-age=60")


@pytest.mark.parametrize("url", ["ftp://test", "http://", "http://test/path", "test:80"])
def test_what_is_no_origin(url: str) -> None:
    output = Server(f"{COMMAND}{url}", "").wait()
    assert output.code == 2
    assert f"not {url}" in output.text


def served(client: Connection, origin: Origin, target: str, *lines: bytes) -> None:
    """The client gets what the origin says now, on a connection made for it."""
    client.send(get(target))
    with origin.accept() as peer:
        assert peer.asked().line == b"GET " + target.encode() + b" HTTP/1.1"
        peer.send(OK, CLOSE, *lines, b"Content-Length: 5", body=b"right")
    assert client.answer().body == b"right"
