"""Drops from code that does not run for a request: background tasks, and threads, with an event loop or without one."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from contract.support import Client, Counter, fastapi_app
from fastapi import BackgroundTasks

from fast_cache_middleware import CacheConfig, CacheHandle

Dropping = Callable[[CacheHandle], Coroutine[Any, Any, None]]

DROPS: dict[str, Dropping] = {
    "tag": lambda cache: cache.drop(tags=["x"]),
    "path": lambda cache: cache.drop(paths=["/x"]),
    "glob": lambda cache: cache.drop(paths=["/*"]),
    "expression": lambda cache: cache.drop(paths=["^/x"]),
    "soft": lambda cache: cache.drop(tags=["x"], soft=True),
    "clear": lambda cache: cache.clear(),
}


def site() -> tuple[Client, CacheHandle]:
    app = fastapi_app()
    app.get("/x", dependencies=[CacheConfig(60, tags=["x"])])(Counter())
    return Client(app), CacheHandle(app.state.storage, app=app)


@pytest.mark.parametrize("how", DROPS)
def test_a_drop_from_a_background_task(how: str) -> None:
    client, cache = site()

    async def drop() -> None:
        await DROPS[how](cache)

    @client.app.post("/write")  # type: ignore[attr-defined]
    async def write(tasks: BackgroundTasks) -> None:
        tasks.add_task(drop)

    assert client.outcomes("/x", "/x") == ["MISS", "HIT"]
    client.post("/write")
    assert client.outcomes("/x", "/x") == ["MISS", "HIT"]


@pytest.mark.parametrize("how", DROPS)
@pytest.mark.parametrize("loop", [True, False])
def test_a_drop_from_a_thread(loop: bool, how: str) -> None:
    client, cache = site()
    assert client.outcomes("/x", "/x") == ["MISS", "HIT"]
    failures: list[BaseException] = []

    def work() -> None:
        try:
            drop = DROPS[how](cache)
            if loop:
                asyncio.run(drop)
            else:
                drive(drop)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not failures
    assert client.outcomes("/x", "/x") == ["MISS", "HIT"]


def drive(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end without an event loop; it may give way, and waits for nothing."""
    while True:
        try:
            assert coroutine.send(None) is None
        except StopIteration:
            return
