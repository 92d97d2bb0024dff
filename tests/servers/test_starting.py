"""Starting, stopping and forking, on every server."""

import json
import signal
from contextlib import ExitStack

import pytest
from servers.processes import COMMANDS, Server
from servers.wire import get

WORKERS = {
    "uvicorn": "-m uvicorn {app} --port {port} --workers 2",
    "gunicorn": "-m gunicorn {app} --bind 127.0.0.1:{port} --workers 2 --preload -k uvicorn_worker.UvicornWorker",
}

DETECTING = {
    "uvicorn": "-m uvicorn {app} --port {port}",
    "uvicorn without lifespan": "-m uvicorn {app} --port {port} --lifespan off",
    "hypercorn": COMMANDS["hypercorn"],
    "granian": COMMANDS["granian"],
    "granian without lifespan": "-m granian {app} --interface asginl --port {port}",
    "daphne": COMMANDS["daphne"],
}

REFUSING = {
    "uvicorn": ("-m uvicorn {app} --port {port}", 3),
    "uvicorn with lifespan": ("-m uvicorn {app} --port {port} --lifespan on", 3),
    # Whatever happens at the start, hypercorn ends with 0.
    "hypercorn": (COMMANDS["hypercorn"], 0),
    "granian": (COMMANDS["granian"], 1),
}


@pytest.mark.parametrize("command", DETECTING.values(), ids=DETECTING.keys())
def test_wrapped_from_outside(command: str) -> None:
    """Servers look at the application to find out what it is: ours is always found to be ASGI 3."""
    with Server(command, "small:outside") as server:
        answers = [server.ask(get("/users/1")) for _ in range(2)]
        assert [answer.cache for answer in answers] == ["MISS", "HIT"]
        assert answers[0].body == answers[1].body == b"User 1"
        printed = server.stop().text.lower()
    for word in ("warning", "traceback", "asgi2", "exception", "unsupported", "error"):
        assert word not in printed


@pytest.mark.parametrize("command, code", REFUSING.values(), ids=REFUSING.keys())
def test_bad_configuration_stops_the_start(command: str, code: int) -> None:
    output = Server(command, "small:bad").wait()
    assert output.code == code
    assert "ConfigError: GET /users/{user_id}: CacheConfig.tags names 'name'" in output.text
    # Servers that print a traceback of what they are told print one.
    assert output.text.count("Traceback (most recent call last)") <= (not command.startswith("-m uvicorn"))
    # And none that leads through the analysis.
    assert "analyse.py" not in output.text


@pytest.mark.parametrize("command", WORKERS.values(), ids=WORKERS.keys())
def test_two_workers(command: str) -> None:
    with Server(command, "small:outside") as server:
        processes = set()
        for _ in range(40):
            processes.add(json.loads(server.ask(get("/process")).body))
            assert server.ask(get("/users/1")).body == b"User 1"
        outcomes = [server.ask(get("/users/1")).cache for _ in range(4)]
        # At most one worker has not been asked for it before.
        assert outcomes.count("HIT") >= 3
        assert len(processes) <= 2
        server.stop()


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_stops_as_the_application_alone_does(command: str) -> None:
    with ExitStack() as stack:
        servers = [Server(command, app) for app in ("small:plain", "small:inside")]
        for server in servers:
            stack.callback(server.stop)
        for server in servers:
            for _ in range(2):
                assert server.listening().ask(get("/users/1")).body == b"User 1"
        alone, within = (server.stop(signal.SIGTERM) for server in servers)
    assert within.code == alone.code
    assert len(within.text.splitlines()) == len(alone.text.splitlines())
    assert "traceback" not in within.text.lower()
