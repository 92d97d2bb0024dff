"""Streams pass as they come, and what a client does not wait for is not kept half."""

import json

import pytest
from servers.processes import Server
from servers.wire import get


def open_gate(server: Server, name: str) -> int:
    """Let a stream go on; how often its route has been called."""
    answer = server.ask(get(f"/open/{name}", "Content-Length: 0", method="POST"))
    return int(json.loads(answer.body)["calls"])


def test_the_first_event_does_not_wait_for_the_second(cached: Server) -> None:
    with cached.connect() as connection:
        connection.send(get("/events/one"))
        head = connection.head()
        assert head.status == 200
        assert connection.chunk() == b"data: first\n\n"
        # Only now does anything allow the second event to come.
        open_gate(cached, "one")
        assert connection.chunk() == b"data: second\n\n"
        assert connection.chunk() == b""


def test_a_long_stream_takes_no_memory(kind: str, cached: Server) -> None:
    if kind == "daphne":
        pytest.skip("daphne has no flow control: it takes as much memory without the middleware")
    before = cached.peak_memory()
    with cached.connect() as connection:
        connection.send(get("/big/800", "Connection: close"))
        assert connection.head().cache == "MISS"
        size = connection.rest()
    assert size >= 800 * (1 << 18)
    assert cached.peak_memory() - before < 40_000_000


@pytest.mark.parametrize("way", ["halves", "polite"])
def test_a_client_that_leaves_in_the_middle(cached: Server, way: str) -> None:
    name = f"left-{way}"
    with cached.connect() as connection:
        connection.send(get(f"/{way}/{name}"))
        assert connection.head().status == 200
        connection.reset()
    # A whole round trip on another connection: by now the server has seen that the client is gone.
    assert open_gate(cached, name) == 1
    whole = b"1" * 100_000 + b"2" * 100_000 if way == "halves" else b"first second"
    for _ in range(3):
        assert cached.ask(get(f"/{way}/{name}")).body == whole
