"""Awaiting: a `send` that raises or suspends, timeouts, tasks, task groups, and cancellation wherever it may come."""

import asyncio
import collections.abc
import inspect
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from asgi_client import request, scope_for
from safety.differential import wrapped
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from fast_cache_middleware import CacheConfig, FastCacheMiddleware, cached

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
BODY = {"type": "http.response.body", "body": b"ok"}


async def plain(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send(BODY)


async def in_pieces(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "headers": []})
    await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b"o", "more_body": True})
    await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b"k"})


APPS: dict[str, Any] = {"plain": plain, "in_pieces": in_pieces}


async def receive() -> Any:
    return {"type": "http.request", "body": b"", "more_body": False}


async def warmed(app: Any, hit: bool) -> Any:
    cache = wrapped(app)
    if hit:
        assert (await request(cache, "GET", "/a")).cache == "MISS"
        assert (await request(cache, "GET", "/a")).cache == "HIT"
    return cache


class Stalling:
    """A `send` that suspends `pauses` times for each message, and raises at message `fails_at`."""

    def __init__(self, pauses: int = 0, fails_at: int = -1, error: BaseException | None = None) -> None:
        self.pauses, self.fails_at, self.error = pauses, fails_at, error
        self.messages: list[Any] = []

    async def __call__(self, message: Any) -> None:
        for _ in range(self.pauses):
            await asyncio.sleep(0)
        if len(self.messages) == self.fails_at and self.error is not None:
            raise self.error
        self.messages.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)


DRIVERS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "await": lambda app, scope, send: app(scope, receive, send),
    "create_task": lambda app, scope, send: asyncio.create_task(app(scope, receive, send)),
    "ensure_future": lambda app, scope, send: asyncio.ensure_future(app(scope, receive, send)),
    "wait_for": lambda app, scope, send: asyncio.wait_for(app(scope, receive, send), 60),
    "shield": lambda app, scope, send: asyncio.shield(app(scope, receive, send)),
    "gather": lambda app, scope, send: asyncio.gather(app(scope, receive, send)),
    "anyio": lambda app, scope, send: in_group(app, scope, send),
    "task_group": lambda app, scope, send: in_asyncio_group(app, scope, send),
}


async def in_group(app: Any, scope: Any, send: Any) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(app, scope, receive, send)


async def in_asyncio_group(app: Any, scope: Any, send: Any) -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(app(scope, receive, send), name="answer")
        assert "answer" in repr(task)
        task.get_stack()


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("pauses", [0, 3])
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("hit", [False, True])
@pytest.mark.parametrize("app", APPS)
def test_every_way_to_await_gives_the_whole_answer(app: str, hit: bool, driver: str, pauses: int, debug: bool) -> None:
    async def run() -> None:
        cache = await warmed(APPS[app], hit)
        send = Stalling(pauses)
        await DRIVERS[driver](cache, scope_for("GET", "/a"), send)
        assert send.body == b"ok"
        assert (await request(cache, "GET", "/a")).cache == "HIT"

    asyncio.run(run(), debug=debug)


@pytest.mark.parametrize("error", [OSError("gone"), KeyError("k"), StopAsyncIteration("s"), RuntimeError("r")])
@pytest.mark.parametrize("pauses", [0, 2])
@pytest.mark.parametrize("fails_at", [0, 1])
@pytest.mark.parametrize("hit", [False, True])
@pytest.mark.parametrize("app", APPS)
def test_what_send_raises_reaches_the_server(app: str, hit: bool, fails_at: int, pauses: int, error: Exception) -> None:
    async def run() -> None:
        cache = await warmed(APPS[app], hit)
        send = Stalling(pauses, fails_at, error)
        with pytest.raises(type(error)) as raised:
            await cache(scope_for("GET", "/a"), receive, send)
        assert raised.value is error
        assert len(send.messages) == fails_at, "nothing is sent after the failure"
        answer = await request(cache, "GET", "/a")
        assert answer.body == b"ok"

    asyncio.run(run())


@pytest.mark.parametrize("app", APPS)
@pytest.mark.parametrize("hit", [False, True])
def test_cancelling_at_each_await_ends_the_request_and_harms_nobody(app: str, hit: bool) -> None:
    async def run() -> None:
        for steps in range(14):
            cache = await warmed(APPS[app], hit)
            send = Stalling(2)
            task = asyncio.create_task(cache(scope_for("GET", "/a"), receive, send))
            for _ in range(steps):
                await asyncio.sleep(0)
            was_done = task.done()
            task.cancel()
            await asyncio.wait([task])
            assert was_done or task.cancelled()
            assert len(send.messages) <= 3
            answer = await request(cache, "GET", "/a")
            assert answer.body == b"ok"

    asyncio.run(run())


@pytest.mark.parametrize("hit", [False, True])
def test_wait_for_times_out_in_a_stuck_send(hit: bool) -> None:
    async def run() -> None:
        cache = await warmed(plain, hit)
        cleaned = []

        async def stuck(message: Any) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                cleaned.append(message["type"])

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(cache(scope_for("GET", "/a"), receive, stuck), 0.001)
        assert cleaned == ["http.response.start"]
        assert (await request(cache, "GET", "/a")).body == b"ok"

    asyncio.run(run())


def test_a_send_that_swallows_its_cancellation_goes_on() -> None:
    async def run() -> None:
        cache = await warmed(plain, True)
        messages: list[Any] = []

        async def stubborn(message: Any) -> None:
            try:
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                messages.append("swallowed")
            messages.append(message["type"])

        task = asyncio.create_task(cache(scope_for("GET", "/a"), receive, stubborn))
        await asyncio.sleep(0)
        task.cancel()
        await task
        assert messages == ["swallowed", "http.response.start", "http.response.body"]

    asyncio.run(run())


class Bare:
    """An awaitable whose iterator has no `throw` and no `close`."""

    def __init__(self, future: "asyncio.Future[None]") -> None:
        self.future = future

    def __await__(self) -> Any:
        return self

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        if self.future.done():
            raise StopIteration
        self.future._asyncio_future_blocking = True
        return self.future


@pytest.mark.parametrize("app", ["plain", "in_pieces"])
@pytest.mark.parametrize("hit", [False, True])
def test_an_awaitable_without_throw_is_driven_and_cancelled(hit: bool, app: str) -> None:
    async def run() -> None:
        for cancel in (False, True):
            cache = await warmed(APPS[app], hit)
            futures: list[asyncio.Future[None]] = []

            def send(message: Any, futures: Any = futures) -> Bare:
                future = asyncio.get_running_loop().create_future()
                futures.append(future)
                if len(futures) > 1:
                    future.set_result(None)
                return Bare(future)

            task = asyncio.create_task(cache(scope_for("GET", "/a"), receive, send))
            for _ in range(10):
                await asyncio.sleep(0)
            assert futures
            if cancel:
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            else:
                futures[0].set_result(None)
                await task
                assert len(futures) >= 2

    asyncio.run(run())


def test_an_answer_is_a_coroutine_as_far_as_anyone_asks() -> None:
    async def run() -> None:
        cache = await warmed(plain, True)
        answer = cache(scope_for("GET", "/a"), receive, Stalling())
        assert asyncio.iscoroutine(answer)
        assert inspect.isawaitable(answer)
        assert isinstance(answer, collections.abc.Coroutine)
        answer.close()
        send = Stalling()
        thrown = cache(scope_for("GET", "/a"), receive, send)
        with pytest.raises(ValueError, match="before the start"):
            thrown.throw(ValueError("before the start"))
        assert not send.messages

    asyncio.run(run())


@pytest.mark.parametrize("hit", [False, True])
def test_closing_a_request_in_the_midst_closes_what_it_awaits(hit: bool) -> None:
    async def run() -> None:
        cache = await warmed(plain, hit)
        closed = []

        async def send(message: Any) -> None:
            try:
                await asyncio.Event().wait()
            except GeneratorExit:
                closed.append(message["type"])
                raise

        answer = cache(scope_for("GET", "/a"), receive, send)
        answer.send(None)
        answer.close()
        assert closed == ["http.response.start"]

    asyncio.run(run())


@pytest.mark.parametrize("result", [None, 7, object()])
def test_an_application_that_returns_no_awaitable_fails_as_it_would(result: Any) -> None:
    async def run() -> None:
        def app(scope: Any, receive: Any, send: Any) -> Any:
            return result

        errors = []
        for one in (app, wrapped(app)):
            try:
                await one(scope_for("GET", "/a"), receive, Stalling())
            except Exception as error:
                errors.append(type(error))
        assert errors[0] is TypeError
        assert len(errors) == 2

    asyncio.run(run())


def test_concurrent_messages_of_one_response_are_not_stored_garbled() -> None:
    async def run() -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({**START, "headers": []})
            piece = {"type": "http.response.body", "more_body": True}
            await asyncio.gather(*(send({**piece, "body": bytes([65 + number])}) for number in range(20)))
            await send({"type": "http.response.body", "body": b""})

        cache = wrapped(app)
        first = Stalling(1)
        await cache(scope_for("GET", "/a"), receive, first)
        second = Stalling()
        await cache(scope_for("GET", "/a"), receive, second)
        assert first.body == second.body == bytes(range(65, 85))

    asyncio.run(run())


def test_contextvars_and_tasks_of_a_handler_are_its_own() -> None:
    async def run() -> None:
        tasks = []

        async def endpoint(request: Any) -> PlainTextResponse:
            tasks.append(asyncio.current_task())
            async with asyncio.timeout(60):
                await asyncio.sleep(0)
            return PlainTextResponse("ok")

        app = FastCacheMiddleware(Starlette(routes=[Route("/a", cached(CacheConfig(60))(endpoint))]))
        assert (await request(app, "GET", "/a")).cache == "MISS"
        assert tasks == [asyncio.current_task()], "no task in between"
        assert (await request(app, "GET", "/a")).cache == "HIT"

    asyncio.run(run())
