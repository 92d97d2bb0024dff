"""Concurrency: drops while handlers run, in other tasks and in other threads."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from asgi_client import Answer, request
from fastapi import Depends, FastAPI, HTTPException, Request
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse

from fast_cache_middleware import CacheConfig, CacheDropConfig, CacheHandle, FastCacheMiddleware, InMemoryStorage

DROPS: dict[str, CacheDropConfig] = {
    "prefix": CacheDropConfig(paths=["/items/7"]),
    "glob": CacheDropConfig(paths=["/items/*"]),
    "regex": CacheDropConfig(paths=[r"^/items/\d+$"]),
    "template": CacheDropConfig(paths=["/items/{item}"]),
    "template_glob": CacheDropConfig(paths=["/items/{item}*"]),
    "tag": CacheDropConfig(tags=["items"]),
    "filled_tag": CacheDropConfig(tags=["item:{item}"]),
}


class Shop:
    """Versioned items behind the cache; a reader can be held in its handler."""

    def __init__(self, drop: CacheDropConfig | None = None, **options: Any) -> None:
        self.version = 0
        self.reads = 0
        self.gate: asyncio.Event | None = None
        self.inside: asyncio.Event | None = None
        self.storage = InMemoryStorage()
        self.app = FastAPI()
        config = CacheConfig(60, tags=["items", "item:{item}"])
        drops = CacheDropConfig(methods=[self.read]) if drop is None else drop
        self.app.add_api_route("/items/{item}", self.read, dependencies=[config])
        self.app.add_api_route("/items/{item}", self.write, methods=["POST"], dependencies=[drops])
        self.app.add_middleware(FastCacheMiddleware, storage=self.storage, **options)

    async def read(self, item: int) -> int:
        self.reads += 1
        seen = self.version
        if self.inside is not None and self.gate is not None:
            self.inside.set()
            await self.gate.wait()
        return seen

    async def write(self, item: int, fail: int = 0) -> int:
        if fail:
            raise HTTPException(fail)
        self.version += 1
        return self.version

    async def get(self) -> Answer:
        return await request(self.app, "GET", "/items/7")

    async def post(self, query: str = "") -> Answer:
        return await request(self.app, "POST", f"/items/7{query}")


@pytest.mark.parametrize("kind", [*DROPS, "endpoint"])
def test_32_a_fill_that_was_in_flight_when_a_drop_came_is_never_served_after_it(kind: str) -> None:
    async def run() -> None:
        shop = Shop(DROPS.get(kind))
        shop.gate, shop.inside = asyncio.Event(), asyncio.Event()
        slow = asyncio.ensure_future(shop.get())
        await shop.inside.wait()
        await shop.post()
        shop.gate.set()
        assert (await slow).body == b"0"
        assert (await shop.get()).body == b"1"
        assert ((await shop.get()).body, (await shop.get()).cache) == (b"1", "HIT")

    asyncio.run(run())


def test_32_an_old_fill_does_not_replace_a_newer_answer() -> None:
    async def run() -> None:
        shop = Shop(coalesce=False)
        shop.gate, shop.inside = asyncio.Event(), asyncio.Event()
        slow = asyncio.ensure_future(shop.get())
        await shop.inside.wait()
        gate, shop.gate = shop.gate, None
        await shop.post()
        assert (await shop.get()).body == b"1"
        gate.set()
        assert (await slow).body == b"0"
        answer = await shop.get()
        assert (answer.cache, answer.body) == ("HIT", b"1")

    asyncio.run(run())


def test_32_a_drop_from_code_during_a_fill() -> None:
    async def run() -> None:
        for drop in (
            lambda cache, shop: cache.drop(paths=["/items/"]),
            lambda cache, shop: cache.drop(paths=["^/items"]),
            lambda cache, shop: cache.drop(tags=["item:7"]),
            lambda cache, shop: cache.drop(endpoints=[shop.read]),
            lambda cache, shop: cache.clear(),
            lambda cache, shop: shop.storage.close(),
        ):
            shop = Shop()
            cache = CacheHandle(shop.storage, app=shop.app)
            await shop.post()
            shop.gate, shop.inside = asyncio.Event(), asyncio.Event()
            slow = asyncio.ensure_future(shop.get())
            await shop.inside.wait()
            shop.version += 1
            await drop(cache, shop)
            shop.gate.set()
            assert (await slow).body == b"1"
            assert (await shop.get()).body == b"2"

    asyncio.run(run())


def test_32_a_dependency_that_commits_after_the_response_is_dropped_for_again() -> None:
    async def run() -> None:
        state = {"value": 0}
        app = FastAPI()
        after_response = asyncio.Event()
        go_on = asyncio.Event()

        async def transaction() -> Any:
            yield
            after_response.set()
            await go_on.wait()
            state["value"] += 1

        app.add_api_route("/a", lambda: state["value"], dependencies=[CacheConfig(60)])
        app.add_api_route(
            "/a", lambda: "ok", methods=["POST"], dependencies=[Depends(transaction), CacheDropConfig(paths=["/a"])]
        )
        app.add_middleware(FastCacheMiddleware)
        writing = asyncio.ensure_future(request(app, "POST", "/a"))
        await after_response.wait()
        assert (await request(app, "GET", "/a")).body == b"0"
        go_on.set()
        await writing
        assert (await request(app, "GET", "/a")).body == b"1"

    asyncio.run(run())


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429, 500, 503])
def test_33_a_write_that_failed_keeps_the_cache(status: int) -> None:
    async def run() -> None:
        shop = Shop()
        await shop.get()
        assert (await shop.post(f"?fail={status}")).status == status
        assert (await shop.get()).cache == "HIT"
        assert (await request(shop.app, "POST", "/items/seven")).status == 422
        assert (await shop.get()).cache == "HIT"
        await shop.post()
        assert (await shop.get()).cache == "MISS"

    asyncio.run(run())


def test_33_a_write_that_raised_keeps_the_cache() -> None:
    async def run() -> None:
        app = FastAPI()

        async def fail() -> None:
            raise KeyError("fail")

        app.add_api_route("/a", lambda: "a", dependencies=[CacheConfig(60)])
        app.add_api_route("/a", fail, methods=["POST"], dependencies=[CacheDropConfig(paths=["/a"])])
        app.add_middleware(FastCacheMiddleware)
        await request(app, "GET", "/a")
        with pytest.raises(KeyError):
            await request(app, "POST", "/a")
        assert (await request(app, "GET", "/a")).cache == "HIT"

    asyncio.run(run())


@pytest.mark.parametrize("error", [KeyError, StopIteration, StopAsyncIteration, RuntimeError, ValueError, LookupError])
def test_34_a_handler_that_raises_runs_once(error: type[Exception]) -> None:
    async def run() -> None:
        calls = []

        async def fail(request: Request) -> PlainTextResponse:
            calls.append(request)
            raise error("x")

        for key_func in (None, lambda request: "k"):
            app, bare = FastAPI(), FastAPI()
            bare.add_api_route("/a", fail, response_model=None)
            app.add_api_route("/a", fail, dependencies=[CacheConfig(60, key_func=key_func)], response_model=None)
            app.add_middleware(FastCacheMiddleware)
            with pytest.raises(Exception) as expected:
                await request(bare, "GET", "/a")
            calls.clear()
            with pytest.raises(type(expected.value)):
                await request(app, "GET", "/a")
            assert len(calls) == 1

    asyncio.run(run())


def test_34_a_storage_and_a_hook_that_raise_cost_no_second_call() -> None:
    class Broken:
        async def set(self, *arguments: Any) -> None:
            raise KeyError("set")

        async def get(self, key: str) -> Any:
            raise KeyError("get")

        async def delete(self, path: Any) -> None:
            raise KeyError("delete")

    async def run() -> None:
        calls = []

        async def endpoint() -> str:
            calls.append(1)
            return "ok"

        app = FastAPI()
        app.add_api_route("/a", endpoint, dependencies=[CacheConfig(60)])
        app.add_api_route("/a", lambda: "ok", methods=["POST"], dependencies=[CacheDropConfig(paths=["/a"])])
        app.add_middleware(FastCacheMiddleware, storage=Broken())
        for number in range(1, 4):
            assert (await request(app, "GET", "/a")).body == b'"ok"'
            assert len(calls) == number
            assert (await request(app, "POST", "/a")).status == 200

    asyncio.run(run())


STEPS = st.lists(st.sampled_from(["read", "write", "hold", "release", "fail"]), min_size=3, max_size=25)


@settings(max_examples=120)
@given(st.sampled_from([*DROPS, "endpoint"]), STEPS)
def test_32_drop_then_read_never_returns_older(kind: str, steps: list[str]) -> None:
    async def run() -> None:
        shop = Shop(DROPS.get(kind), coalesce=False)
        held: list[tuple[asyncio.Event, asyncio.Future[Answer]]] = []
        for step in [*steps, "release", "read"]:
            if step == "write":
                await shop.post()
            elif step == "fail":
                await shop.post("?fail=500")
            elif step == "hold":
                shop.gate, shop.inside = asyncio.Event(), asyncio.Event()
                task = asyncio.ensure_future(shop.get())
                entered = asyncio.ensure_future(shop.inside.wait())
                await asyncio.wait([task, entered], return_when=asyncio.FIRST_COMPLETED)
                entered.cancel()
                held.append((shop.gate, task))
                shop.gate = shop.inside = None
            elif step == "release" and held:
                gate, task = held.pop(0)
                gate.set()
                await task
            elif step == "read":
                assert int((await shop.get()).body) == shop.version
        for gate, task in held:
            gate.set()
            await task
            assert int((await shop.get()).body) == shop.version

    asyncio.run(run())


@pytest.mark.parametrize("how", ["paths", "regex", "tags", "endpoints", "clear"])
def test_32_drops_from_another_thread_while_the_event_loop_serves(how: str) -> None:
    """A thread writes and drops; the loop reads. Whoever starts after a drop has returned sees that write."""
    shop = Shop()
    written = [0]
    stop = threading.Event()
    asyncio.run(shop.get())
    drops: dict[str, Callable[[CacheHandle], Awaitable[None]]] = {
        "paths": lambda cache: cache.drop(paths=["/items/*"]),
        "regex": lambda cache: cache.drop(paths=[r"^/items/\d"]),
        "tags": lambda cache: cache.drop(tags=["items"]),
        "endpoints": lambda cache: cache.drop(endpoints=[shop.read]),
        "clear": lambda cache: cache.clear(),
    }
    failures: list[BaseException] = []

    def write() -> None:
        cache = CacheHandle(shop.storage, app=shop.app)

        async def rounds() -> None:
            for _ in range(400):
                shop.version += 1
                await drops[how](cache)
                written[0] = shop.version

        try:
            asyncio.run(rounds())
        except BaseException as error:
            failures.append(error)
        finally:
            stop.set()

    async def read() -> int:
        served = 0
        while not stop.is_set() or served < 50:
            least = written[0]
            answer = await shop.get()
            assert int(answer.body) >= least
            served += 1
        return served

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert asyncio.run(read()) >= 50
    finally:
        writer.join()
    assert not failures


def test_32_two_event_loops_in_two_threads_share_one_cache() -> None:
    shop = Shop()
    finished = [0]
    failures: list[BaseException] = []

    def serve(number: int) -> None:
        async def rounds() -> None:
            for turn in range(300):
                if turn % 10 == number:
                    finished[0] = max(finished[0], int((await shop.post()).body))
                least = finished[0]
                assert int((await shop.get()).body) >= least

        try:
            asyncio.run(rounds())
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=serve, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
