"""Faults: clocks that jump, processes that fork, storages that fail."""

import asyncio
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from asgi_client import request
from fastapi import FastAPI

from fast_cache_middleware import CacheConfig, CacheDropConfig, FastCacheMiddleware, InMemoryStorage, _core

NOW = 1_700_000_000.0


def counting(storage: object, **options: Any) -> tuple[FastAPI, list[int]]:
    """An application whose answers count the calls of its handler."""
    calls: list[int] = []
    app = FastAPI()

    async def endpoint() -> int:
        calls.append(1)
        return len(calls)

    app.add_api_route("/a", endpoint, dependencies=[CacheConfig(60)])
    app.add_api_route("/a", lambda: "ok", methods=["POST"], dependencies=[CacheDropConfig(paths=["/a"])])
    app.add_middleware(FastCacheMiddleware, storage=storage, **options)
    return app, calls


@pytest.mark.parametrize("jump", [61, 3600, 10**9, 10**12])
def test_41_a_clock_that_jumps_ahead_expires(jump: float) -> None:
    async def run() -> None:
        clock = _core.SystemClock(NOW)
        app, calls = counting(InMemoryStorage(clock=clock))
        await request(app, "GET", "/a")
        clock.advance(jump)
        answer = await request(app, "GET", "/a")
        assert (answer.cache, answer.body, len(calls)) == ("MISS", b"2", 2)
        assert (await request(app, "GET", "/a")).cache == "HIT"

    asyncio.run(run())


@pytest.mark.parametrize("jump", [-1, -59, -3600, -NOW, -(10**12)])
def test_41_a_clock_that_jumps_back_gives_no_negative_age_and_drops_still_win(jump: float) -> None:
    async def run() -> None:
        clock = _core.SystemClock(NOW)
        app, _ = counting(InMemoryStorage(clock=clock))
        await request(app, "GET", "/a")
        clock.advance(jump)
        for answer in [await request(app, "GET", "/a") for _ in range(2)]:
            assert answer.status == 200
            assert answer.cache == "MISS" or answer.header("age") == "0"
        await request(app, "POST", "/a")
        assert (await request(app, "GET", "/a")).cache == "MISS"
        clock.advance(61)
        assert (await request(app, "GET", "/a")).cache == "MISS"

    asyncio.run(run())


def test_41_the_system_clock_is_not_the_wall_clock() -> None:
    clock = _core.SystemClock()
    first = clock.now()
    assert clock.now() >= first
    with pytest.raises(ValueError, match="cannot be moved"):
        clock.advance(1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_42_a_fork_after_the_start_serves_in_both_processes() -> None:
    script = """
        import asyncio, os, sys
        from asgi_client import request
        from fastapi import FastAPI
        from fast_cache_middleware import CacheConfig, CacheDropConfig, FastCacheMiddleware

        app = FastAPI()
        version = [0]
        app.add_api_route("/a", lambda: version[0], dependencies=[CacheConfig(60)])
        app.add_api_route("/a", lambda: "ok", methods=["POST"], dependencies=[CacheDropConfig(paths=["/a"])])
        app.add_middleware(FastCacheMiddleware)

        def ask(method="GET"):
            return asyncio.run(request(app, method, "/a"))

        assert ask().cache == "MISS" and ask().cache == "HIT"
        child = os.fork()
        assert ask().cache == "HIT"
        version[0] = 1 if child else 2
        ask("POST")
        answers = [ask(), ask()]
        assert [answer.cache for answer in answers] == ["MISS", "HIT"]
        assert answers[1].body == str(version[0]).encode()
        if not child:
            os._exit(0)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    tests = Path(__file__).parent.parent
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tests), *sys.path])},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr.decode()


class Failing:
    """A storage whose methods fail on demand."""

    def __init__(self, *failing: str) -> None:
        self.failing = failing
        self.kept: dict[str, Any] = {}

    def _check(self, name: str) -> None:
        if name in self.failing:
            raise ConnectionResetError(name)

    async def set(self, key: str, response: Any, request: Any, metadata: Any) -> None:
        if "half" in self.failing:
            self.kept[key] = (response, request, {})
        self._check("set")
        self.kept[key] = (response, request, metadata)

    async def get(self, key: str) -> Any:
        self._check("get")
        return self.kept.get(key)

    async def delete(self, path: Any) -> None:
        self._check("delete")
        self.kept.clear()


@pytest.mark.parametrize("failing", [["get"], ["set"], ["delete"], ["half", "set"], ["get", "set", "delete"]])
def test_40_a_storage_that_fails_is_a_miss_and_the_app_goes_on(
    failing: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        app, calls = counting(Failing(*failing))
        for number in range(1, 4):
            answer = await request(app, "GET", "/a")
            assert answer.status == 200
            if "get" in failing or "set" in failing:
                assert (answer.cache, answer.body) == ("MISS", str(number).encode())
        before = len(calls)
        assert (await request(app, "POST", "/a")).body == b'"ok"'
        answer = await request(app, "GET", "/a")
        assert (answer.cache, len(calls)) == ("MISS", before + 1), (
            "a drop that failed in the storage holds all the same"
        )

    asyncio.run(run())
    assert "ConnectionResetError" in caplog.text


@pytest.mark.parametrize("length", ["0", "99", "3", "", "x", "1, 1"])
def test_40_a_stored_answer_that_announces_another_length_is_a_miss(length: str) -> None:
    class Bending(Failing):
        async def get(self, key: str) -> Any:
            if (found := await super().get(key)) is not None:
                found[0].headers["content-length"] = length
            return found

    async def run() -> None:
        app, _ = counting(Bending())
        for number in range(1, 3):
            answer = await request(app, "GET", "/a")
            assert (answer.cache, answer.body) == ("MISS", str(number).encode())
            assert answer.all("content-length") == ["1"]

    asyncio.run(run())
