"""Servers that several tests share: each runs once, and only when a test asks for it."""

from collections.abc import Callable, Iterator

import pytest
from servers.processes import COMMANDS, Server

ServerFor = Callable[[str], Server]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name == "servers":
            item.add_marker(pytest.mark.server)


@pytest.fixture(scope="session", params=COMMANDS)
def kind(request: pytest.FixtureRequest) -> str:
    """The name of a server."""
    return str(request.param)


@pytest.fixture(scope="session")
def running(kind: str) -> Iterator[ServerFor]:
    """Starts a server of this kind with an application, once; both are started together, since they take a while."""
    servers = {app: Server(COMMANDS[kind], f"applications:{app}") for app in ("inside", "plain")}
    yield lambda app: servers[app].listening()
    for server in servers.values():
        server.stop()


@pytest.fixture
def cached(running: ServerFor) -> Server:
    """A server with the middleware."""
    return running("inside")


@pytest.fixture
def plain(running: ServerFor) -> Server:
    """The same server with the same application, without the middleware."""
    return running("plain")
