"""`RedisStorage`: two applications as two machines would have them, and a Redis in trouble."""

import asyncio
import re
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from asgi_client import Answer, request
from contract.support import START, Counter, fastapi_app
from fastapi import Response
from redis_servers import Proxy, RedisServer
from starlette.requests import Request

from fast_cache_middleware import CacheConfig, CacheDropConfig, CacheHandle, RedisStorage
from fast_cache_middleware._core import SystemClock

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


class Node:
    """An application with a storage of its own."""

    def __init__(self, redis: str, namespace: str, **settings: Any) -> None:
        clock = SystemClock(START)
        settings = {"timeout": 1, **settings}
        self.storage = RedisStorage(redis, namespace=namespace, clock=clock, **settings)
        self.app = fastapi_app(clock, options={"storage": self.storage})
        self.counter = Counter()
        self.gate: asyncio.Event | None = None

        @self.app.get("/x/{item}", dependencies=[CacheConfig(60, tags=["item:{item}"])])
        async def show(item: str) -> list[Any]:
            if self.gate is not None:
                await self.gate.wait()
            return [item, self.counter()]

        @self.app.get("/stale/{item}", dependencies=[CacheConfig(60, stale_while_revalidate=60)])
        async def show_stale(item: str) -> list[Any]:
            if self.gate is not None:
                await self.gate.wait()
            return [item, self.counter()]

        @self.app.post("/x/{item}", dependencies=[CacheDropConfig(tags=["item:{item}"])])
        async def change(item: str) -> str:
            return item

        @self.app.get("/failing/{item}", dependencies=[CacheConfig(60)])
        async def fail(item: str) -> Response:
            if self.gate is not None:
                await self.gate.wait()
            return Response(status_code=500)

        @self.app.post("/matching", dependencies=[CacheDropConfig(paths=[re.compile(r"/X/\d", re.I)])])
        async def change_matching() -> None: ...

    async def ask(self, method: str, target: str) -> Answer:
        return await request(self.app, method, target)

    async def outcomes(self, *targets: str) -> list[str | None]:
        return [(await self.ask("GET", target)).cache for target in targets]


def play(test: Callable[[Node, Node], Awaitable[None]], server: RedisServer, name: str, **settings: Any) -> None:
    async def run() -> None:
        nodes = [Node(server.url, name, **settings) for _ in range(2)]
        try:
            for node in nodes:
                await until("it is connected", lambda node=node: ready(node))
            await test(*nodes)
        finally:
            for node in nodes:
                await node.storage.close()

    asyncio.run(run())


async def ready(node: Node) -> bool:
    await node.ask("GET", "/x/connect")
    return bool(node.storage.health["trusted"] and node.storage.health["up"])


async def until(what: str, condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.002)


@pytest.mark.parametrize("coherence", ["push", "strict"])
def test_what_one_keeps_and_drops_the_other_knows(server: RedisServer, coherence: str) -> None:
    async def test(one: Node, other: Node) -> None:
        assert await one.outcomes("/x/1", "/x/1") == ["MISS", "HIT"]

        async def has_it() -> bool:
            return await other.outcomes("/x/1") == ["HIT"]

        # What is kept is written behind: it may take a moment to be found elsewhere.
        await until("the other finds it", has_it)
        assert (await one.ask("POST", "/x/1")).status == 200

        async def is_gone() -> bool:
            return (await other.ask("GET", "/x/1")).body != b'["1",2]'

        if coherence == "strict":
            assert (await other.outcomes("/x/1")) == ["MISS"]
        else:
            await until("the other has heard", is_gone)
        assert (await one.ask("POST", "/matching")).status == 200
        await until("the other has heard", lambda: misses(other, "/x/1"))

    play(test, server, f"keeps-{coherence}", coherence=coherence)


async def misses(node: Node, target: str) -> bool:
    return await node.outcomes(target) == ["MISS"]


def test_concurrent_misses_on_two_nodes_make_one_call(server: RedisServer) -> None:
    async def test(one: Node, other: Node) -> None:
        one.gate, other.gate = asyncio.Event(), asyncio.Event()
        calls = one.counter.calls + other.counter.calls
        asking = [asyncio.create_task(node.ask("GET", "/x/9")) for node in (one, other) * 20]

        async def is_led() -> bool:
            return b":l\r\n" in server.command("KEYS", "coalescing*:l")

        await until("somebody leads", is_led)
        one.gate.set()
        other.gate.set()
        bodies = {(await task).body for task in asking}
        assert len(bodies) == 1
        assert one.counter.calls + other.counter.calls == calls + 1

    play(test, server, "coalescing")


def test_what_has_expired_is_made_anew_by_one_of_all(server: RedisServer) -> None:
    async def test(one: Node, other: Node) -> None:
        assert await one.outcomes("/x/1", "/stale/1") == ["MISS", "MISS"]

        async def has_them() -> bool:
            return await other.outcomes("/x/1", "/stale/1") == ["HIT", "HIT"]

        await until("the other finds them", has_them)
        for node in (one, other):
            node.app.state.clock.advance(61)
        one.gate, other.gate = asyncio.Event(), asyncio.Event()
        calls = one.counter.calls + other.counter.calls
        stale = [await node.ask("GET", "/stale/1") for node in (one, other) * 3]
        assert {answer.cache for answer in stale} == {"STALE"}
        asking = [asyncio.create_task(node.ask("GET", "/x/1")) for node in (one, other) * 5]

        async def are_led() -> bool:
            return server.command("KEYS", "expiry*:l").count(b":l\r\n") == 2

        await until("both are led", are_led)
        one.gate.set()
        other.gate.set()
        assert len({(await task).body for task in asking}) == 1

        async def is_refreshed() -> bool:
            return await one.outcomes("/stale/1") == await other.outcomes("/stale/1") == ["HIT"]

        await until("it is refreshed", is_refreshed)
        assert one.counter.calls + other.counter.calls == calls + 2

    play(test, server, "expiry")


def test_who_always_asks_answers_with_nothing_that_it_could_not_ask_for(server: RedisServer) -> None:
    async def run() -> None:
        async with Proxy(server.port) as proxy:
            settings: dict[str, Any] = {"coherence": "strict", "timeout": 0.1}
            one = Node(f"redis://127.0.0.1:{proxy.port}", "unasked", **settings)
            other = Node(server.url, "unasked", **settings)
            for node in (one, other):
                await until("it is connected", lambda node=node: ready(node))

            async def has_it() -> bool:
                return await one.outcomes("/x/1", "/x/1") == ["HIT", "HIT"]

            await until("it is near", has_it)
            proxy.open.clear()
            assert (await other.ask("POST", "/x/1")).status == 200
            assert await one.outcomes("/x/1", "/x/1") == ["MISS", "MISS"]
            proxy.open.set()
            for node in (one, other):
                await node.storage.close()

    asyncio.run(run())


def test_a_lease_that_comes_too_late_is_given_back(server: RedisServer) -> None:
    async def run() -> None:
        async with Proxy(server.port) as proxy:
            one = Node(f"redis://127.0.0.1:{proxy.port}", "late", timeout=0.05)
            other = Node(server.url, "late")
            for node in (one, other):
                await until("it is connected", lambda node=node: ready(node))
            proxy.open.clear()
            assert (await one.ask("GET", "/failing/1")).status == 500
            assert b":l\r\n" in server.command("KEYS", "late*:l")
            proxy.open.set()
            # A lease that nobody gives back lasts for ten seconds.
            assert (await asyncio.wait_for(other.ask("GET", "/failing/1"), 6)).status == 500
            for node in (one, other):
                await node.storage.close()

    asyncio.run(run())


def test_a_lease_for_a_client_that_is_gone_is_given_back(server: RedisServer) -> None:
    async def test(one: Node, other: Node) -> None:
        one.gate = asyncio.Event()
        asking = asyncio.create_task(one.ask("GET", "/failing/2"))
        for _ in range(3):
            await asyncio.sleep(0)
        # The event loop stands still meanwhile: the lease is on its way to a request that is gone when it comes.
        end = time.monotonic() + 5
        while b":l\r\n" not in server.command("KEYS", "gone*:l"):
            assert time.monotonic() < end, "it has asked for the lease"
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert (await asyncio.wait_for(other.ask("GET", "/failing/2"), 6)).status == 500

    play(test, server, "gone")


def test_clearing_touches_its_own_namespace_only(server: RedisServer) -> None:
    async def test(one: Node, other: Node) -> None:
        stranger = Node(server.url, "stranger")
        await until("it is connected", lambda: ready(stranger))
        assert await stranger.outcomes("/x/1", "/x/1") == ["MISS", "HIT"]
        assert await one.outcomes("/x/1", "/x/1") == ["MISS", "HIT"]
        await CacheHandle(one.storage).clear()
        assert await one.outcomes("/x/1") == ["MISS"]
        assert await stranger.outcomes("/x/1") == ["HIT"]
        await stranger.storage.close()

    play(test, server, "own")


def test_closing_one_leaves_the_others_their_entries(server: RedisServer) -> None:
    async def test(one: Node, other: Node) -> None:
        assert await one.outcomes("/x/1") == ["MISS"]

        async def has_it() -> bool:
            return await other.outcomes("/x/1") == ["HIT"]

        await until("the other finds it", has_it)
        await one.storage.close()
        third = Node(server.url, "closing")
        await until("it is connected", lambda: ready(third))
        assert await third.outcomes("/x/1") == ["HIT"]
        assert await other.outcomes("/x/1") == ["HIT"]
        assert await one.outcomes("/x/1") == ["MISS"]
        await third.storage.close()

    play(test, server, "closing")


def test_an_entry_of_ones_own(server: RedisServer) -> None:
    async def test(one: Node, other: Node) -> None:
        asked = Request({"type": "http", "method": "GET", "path": "/k", "headers": [], "query_string": b""})
        await one.storage.set("k", Response(b"\x00\xff", 203), asked, {"note": 1})
        found = await one.storage.get("k")
        assert found is not None and found[0].body == b"\x00\xff"

        async def has_it() -> bool:
            found = await other.storage.get("k")
            return found is not None and found[0].body == b"\x00\xff"

        await until("the other finds it", has_it)

    play(test, server, "by-hand")


def test_without_redis_everything_is_a_miss_and_nothing_fails(server: RedisServer) -> None:
    with RedisServer() as own:

        async def test(one: Node, other: Node) -> None:
            assert await one.outcomes("/x/1", "/x/1") == ["MISS", "HIT"]
            own.stop()

            async def is_distrusted() -> bool:
                answer = await one.ask("GET", "/x/1")
                assert answer.status == 200
                return not one.storage.health["trusted"]

            await until("the tier is distrusted", is_distrusted)
            assert await one.outcomes("/x/1", "/x/1") == ["MISS", "MISS"]
            # A drop that cannot be delivered is kept, and the write goes through.
            assert (await one.ask("POST", "/x/1")).status == 200
            own.restart()
            await until("it has healed", lambda: ready(one))
            await until("the other has healed", lambda: ready(other))
            assert one.storage.health["undelivered"] == 0
            assert await one.outcomes("/x/1", "/x/1") == ["MISS", "HIT"]

        play(test, own, "trouble")


def test_closing_leaves_no_thread(server: RedisServer) -> None:
    from pathlib import Path

    def threads() -> int:
        return len(list(Path("/proc/self/task").iterdir()))

    before, python_before = threads(), threading.active_count()

    async def run() -> None:
        node = Node(server.url, "threads")
        await until("it is connected", lambda: ready(node))
        await node.storage.close()

        async def is_gone() -> bool:
            return threads() <= before

        await until("its thread has ended", is_gone)

    asyncio.run(run())
    assert threading.active_count() == python_before


def test_a_client_of_the_redis_package_will_do(server: RedisServer) -> None:
    redis = pytest.importorskip("redis.asyncio")

    async def run() -> None:
        theirs = redis.Redis(host="127.0.0.1", port=server.port, db=2)
        storage = RedisStorage(theirs, namespace="theirs", timeout=1)
        app = fastapi_app(SystemClock(START), options={"storage": storage})
        app.get("/x", dependencies=[CacheConfig(60)])(Counter())

        async def hits() -> bool:
            return (await request(app, "GET", "/x")).cache == "HIT"

        await until("it is used", hits)
        await storage.close()
        await theirs.aclose()

    asyncio.run(run())
