"""HTTP/2, where a body need not be announced by any header line."""

import socket
from collections.abc import Iterator

import pytest
from servers.processes import COMMANDS, Server
from servers.wire import TIMEOUT

config = pytest.importorskip("h2.config")
connection = pytest.importorskip("h2.connection")
events = pytest.importorskip("h2.events")

KINDS = ["hypercorn", "granian"]

Headers = list[tuple[str, str]]
Answer = tuple[dict[str, str], bytes]


@pytest.fixture(scope="module", params=KINDS)
def kind_of_server(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def server(kind_of_server: str) -> Iterator[Server]:
    with Server(COMMANDS[kind_of_server], "applications:inside") as started:
        yield started


class Session:
    """One HTTP/2 connection with prior knowledge."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
        self._h2 = connection.H2Connection(config.H2Configuration(header_encoding="utf-8"))
        self._h2.initiate_connection()
        self._socket.sendall(self._h2.data_to_send())

    def ask(self, path: str, body: bytes | None = None, headers: Headers | None = None) -> Answer:
        """Header fields and body of one answer."""
        stream = self.begin(path, body, headers)
        return self.answers({stream})[stream]

    def begin(self, path: str, body: bytes | None = None, headers: Headers | None = None) -> int:
        """Send one `GET`; the number of its stream."""
        stream: int = self._h2.get_next_available_stream_id()
        lines = [(":method", "GET"), (":path", path), (":scheme", "http"), (":authority", "test"), *(headers or [])]
        self._h2.send_headers(stream, lines, end_stream=body is None)
        if body is not None:
            for start in range(0, len(body), 10_000):
                self._h2.send_data(stream, body[start : start + 10_000])
            self._h2.end_stream(stream)
        self._socket.sendall(self._h2.data_to_send())
        return stream

    def answers(self, streams: set[int]) -> dict[int, Answer]:
        """Read until all these streams have ended."""
        heads: dict[int, dict[str, str]] = {}
        bodies, under_way = dict.fromkeys(streams, b""), set(streams)
        while under_way:
            data = self._socket.recv(1 << 16)
            assert data, "the server closed the connection"
            for event in self._h2.receive_data(data):
                match event:
                    case events.ResponseReceived():
                        heads[event.stream_id] = dict(event.headers)
                    case events.DataReceived():
                        bodies[event.stream_id] += event.data
                        self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    case events.StreamEnded() | events.StreamReset():
                        under_way.discard(event.stream_id)
            self._socket.sendall(self._h2.data_to_send())
        return {stream: (heads[stream], bodies[stream]) for stream in streams}

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def session(server: Server) -> Iterator[Session]:
    session = Session(server.port)
    yield session
    session.close()


def test_miss_then_hit(session: Session) -> None:
    answers = [session.ask("/users/31") for _ in range(2)]
    assert [head["x-cache-status"] for head, _ in answers] == ["MISS", "HIT"]
    assert answers[0][1] == answers[1][1] == b'{"user_id":31,"name":"User 31"}'


def test_many_streams_at_once(session: Session) -> None:
    session.ask("/users/32")
    streams = {session.begin(f"/users/{number}"): number for number in (32, 33, 32, 34)}
    for stream, (_, body) in session.answers(set(streams)).items():
        assert body == b'{"user_id":%d,"name":"User %d"}' % (streams[stream], streams[stream])


def test_an_answer_made_from_an_unannounced_body_is_kept_for_nobody(session: Session) -> None:
    head, body = session.ask("/body", b"poison")
    assert body == b"body:poison"
    assert head["x-cache-status"] == "BYPASS"
    assert "detail=request-body" in head["cache-status"]
    head, body = session.ask("/body")
    assert (head["x-cache-status"], body) == ("MISS", b"body:")
    head, body = session.ask("/body")
    assert (head["x-cache-status"], body) == ("HIT", b"body:")


def test_a_hit_whose_body_nobody_reads(kind_of_server: str, session: Session) -> None:
    if kind_of_server == "hypercorn":
        pytest.skip("hypercorn drops the connection over a body that nobody reads, without the middleware too")
    session.ask("/users/35")
    _, body = session.ask("/users/35", b"x" * 40_000)
    assert body == b'{"user_id":35,"name":"User 35"}'
    _, body = session.ask("/users/36", b"x", [("content-length", "1")])
    assert body == b'{"user_id":36,"name":"User 36"}'
