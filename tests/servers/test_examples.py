"""The examples for several workers and several machines, as `make run` starts them with `WORKERS` or `STORAGE`."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis_servers import RedisServer
from servers.processes import ENVIRONMENT, Server
from servers.wire import WireAnswer, get

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"


@contextmanager
def example(name: str, **environment: str) -> Iterator[Server]:
    ENVIRONMENT.update(environment)
    try:
        server = Server("{app}", str(EXAMPLES / name))
    finally:
        for key in environment:
            del ENVIRONMENT[key]
    with server:
        yield server


def test_workers_share_one_cache() -> None:
    with example("shared_app.py", WORKERS="3") as server:
        answers = [server.ask(get("/users/1")) for _ in range(12)]
        assert [answer.cache for answer in answers] == ["MISS"] + ["HIT"] * 11
        assert len({answer.body for answer in answers}) == 1
        assert server.ask(get("/users/1", "Content-Length: 0", method="POST")).status == 200
        answers = [server.ask(get("/users/1")) for _ in range(12)]
        assert [answer.cache for answer in answers] == ["MISS"] + ["HIT"] * 11


def test_machines_share_one_cache() -> None:
    with (
        RedisServer() as redis,
        example("redis_app.py", STORAGE=redis.url) as one,
        example("redis_app.py", STORAGE=redis.url) as other,
    ):
        for server in (one, other):
            connected(server)
        made = one.ask(get("/users/1"))
        found = until_hit(other)
        # The other one may have made its own before it heard of the first.
        assert found.status == made.status == 200
        assert one.ask(get("/users/1", "Content-Length: 0", method="POST")).status == 200
        assert one.ask(get("/users/1")).cache == "MISS"


def connected(server: Server) -> None:
    end = time.monotonic() + 20
    while True:
        server.ask(get("/users/0"))
        health = json.loads(server.ask(get("/health")).body)
        if health["up"] and health["trusted"]:
            return
        assert time.monotonic() < end, health
        time.sleep(0.01)


def until_hit(server: Server) -> WireAnswer:
    end = time.monotonic() + 20
    while (answer := server.ask(get("/users/1"))).cache != "HIT":
        assert time.monotonic() < end
    return answer
