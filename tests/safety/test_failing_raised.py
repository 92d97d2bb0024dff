"""Exceptions that those who wait share: whose they are, and that nothing of them is left."""

import asyncio
import gc
import traceback
import weakref
from typing import Any

import pytest
from asgi_client import Message, request, scope_for
from fastapi import Depends, FastAPI, Request, Response
from safety.failures import BrokenError, calls_of, crowd, raising
from safety.gated import Site, settled
from starlette.middleware.base import BaseHTTPMiddleware

from fast_cache_middleware import CacheConfig, FastCacheMiddleware


def test_31_what_is_raised_because_a_client_left_is_its_own() -> None:
    async def play() -> None:
        site = Site()
        site.endpoint = raising
        await crowd(site, 3)
        site.gate.clear()

        async def gone(call: int, asked: Request) -> Response:
            if await asked.is_disconnected():
                raise BrokenError(call)
            return Response(f"answer {call}")

        site.endpoint = gone

        async def leaving() -> Message:
            return {"type": "http.disconnect"}

        async def nowhere(_: Message) -> None:
            raise AssertionError("nothing was to be sent")

        async def leader() -> None:
            with pytest.raises(BrokenError):
                await site.app.middleware_stack.app(scope_for("GET", "/item"), leaving, nowhere)  # type: ignore[union-attr]

        led = asyncio.create_task(leader())
        await settled()
        tasks = await site.started(5)
        site.gate.set()
        await led
        assert {answer.body for answer in await asyncio.gather(*tasks)} == {b"answer 4"}

    asyncio.run(play())


def test_31_a_middleware_inside_that_sees_the_client_leave_raises_for_that_client_alone() -> None:
    """The endpoint declares what it reads, so that `receive` is not watched but for this."""

    async def play() -> None:
        app = FastAPI()
        gate = asyncio.Event()
        calls, broken = 0, True

        @app.get("/item", dependencies=[CacheConfig(max_age=60)])
        async def item() -> int:
            return calls

        async def buffering(scope: Any, receive: Any, send: Any) -> None:
            nonlocal calls
            held: list[Message] = []

            async def hold(message: Message) -> None:
                held.append(message)

            await app(scope, receive, hold)
            if scope["path"] == "/item":
                calls += 1
                call = calls
                await gate.wait()
                if broken or (await receive())["type"] == "http.disconnect":
                    raise BrokenError(call)
            for message in held:
                await send(message)

        buffering.app = app  # type: ignore[attr-defined]
        middleware = FastCacheMiddleware(buffering)

        async def asked(number: int) -> list["asyncio.Task[Any]"]:
            tasks = [asyncio.create_task(request(middleware, "GET", "/item")) for _ in range(number)]
            await settled()
            return tasks

        first = await asked(3)
        gate.set()
        got = await asyncio.gather(*first, return_exceptions=True)
        assert [one.args[0] for one in got if isinstance(one, BrokenError)] == [1, 2, 2]
        gate.clear()
        broken = False

        async def leaving() -> Message:
            return {"type": "http.disconnect"}

        async def nowhere(_: Message) -> None:
            raise AssertionError("nothing was to be sent")

        leader = asyncio.ensure_future(middleware(scope_for("GET", "/item"), leaving, nowhere))
        await settled()
        others = await asked(5)
        assert calls == 3
        gate.set()
        with pytest.raises(BrokenError):
            await leader
        assert {answer.status for answer in await asyncio.gather(*others)} == {200}

    asyncio.run(play())


@pytest.mark.parametrize("watched", [False, True])
def test_31_what_is_raised_on_the_way_to_the_endpoint_is_its_own_clients(watched: bool) -> None:
    """A middleware inside may know more of the client than the key holds."""

    async def play() -> None:
        app = FastAPI()
        gate = asyncio.Event()
        calls = 0

        @app.get("/item", dependencies=[CacheConfig(max_age=60)])
        async def item() -> None:
            raise AssertionError("nobody gets so far")

        async def guarded(scope: Any, receive: Any, send: Any) -> None:
            nonlocal calls
            if scope["path"] == "/item":
                calls += 1
                call = calls
                await gate.wait()
                raise BrokenError(call)
            await app(scope, receive, send)

        guarded.app = app  # type: ignore[attr-defined]
        middleware = FastCacheMiddleware(guarded)
        version = "2" if watched else "1.1"
        asked = [asyncio.create_task(request(middleware, "GET", "/item", http_version=version)) for _ in range(5)]
        await settled()
        gate.set()
        got = await asyncio.gather(*asked, return_exceptions=True)
        assert sorted(one.args[0] for one in got if isinstance(one, BrokenError)) == [1, 2, 3, 4, 5]

    asyncio.run(play())


def test_31_what_a_dependency_raises_is_shared_too() -> None:
    async def play() -> None:
        app = FastAPI()
        app.add_middleware(FastCacheMiddleware)
        gate = asyncio.Event()
        calls = 0

        async def database() -> None:
            nonlocal calls
            calls += 1
            call = calls
            await gate.wait()
            raise BrokenError(call)

        @app.get("/item", dependencies=[CacheConfig(max_age=60), Depends(database)])
        async def item() -> None:
            raise AssertionError("nobody gets so far")

        asked = [asyncio.create_task(request(app, "GET", "/item")) for _ in range(10)]
        await settled()
        gate.set()
        got = await asyncio.gather(*asked, return_exceptions=True)
        assert [one.args[0] for one in got if isinstance(one, BrokenError)] == [1] + [2] * 9

    asyncio.run(play())


def test_31_what_is_no_exception_is_never_shared() -> None:
    async def fatal(call: int, _: Request) -> Response:
        raise asyncio.CancelledError(call)

    async def play() -> None:
        site = Site()
        site.endpoint = fatal
        got = await crowd(site, 5)
        assert site.calls == 5
        assert all(isinstance(one, asyncio.CancelledError) for one in got)

    asyncio.run(play())


def test_a_shared_exception_does_not_grow_and_keeps_its_context() -> None:
    async def broken(call: int, _: Request) -> Response:
        try:
            raise KeyError(call)
        except KeyError as error:
            raise BrokenError(call) from error

    async def play() -> None:
        site = Site()
        site.endpoint = broken
        await crowd(site, 3)
        site.gate.clear()
        depths: list[int] = []
        contexts: set[BaseException | None] = set()

        async def one() -> None:
            try:
                raise OSError
            except OSError:
                with pytest.raises(BrokenError) as raised:
                    await request(site.app, "GET", "/item")
            error = raised.value
            frames = traceback.extract_tb(error.__traceback__)
            assert frames[-1].name == "broken"
            assert error.__cause__ is error.__context__
            depths.append(len(frames))
            contexts.add(error.__context__)

        tasks = [asyncio.create_task(one()) for _ in range(100)]
        await settled()
        site.gate.set()
        await asyncio.gather(*tasks)
        assert site.calls == 3
        assert len(depths) == 100
        # The leader's is the longest: those who wait have not gone the way through the application.
        assert len(set(depths[1:])) == 1
        assert [type(context) for context in contexts] == [KeyError]

    asyncio.run(play())


# Starlette's middleware left streams of its own open before 0.39.
@pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning")
def test_a_shared_exception_does_not_grow_where_middlewares_outside_let_others_run() -> None:
    class Outside(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: Any) -> Response:
            return await call_next(request)

    async def play() -> None:
        site = Site()
        site.app.add_middleware(Outside)
        site.endpoint = raising
        await crowd(site, 3)
        depths: dict[int, set[int]] = {}
        for number in (3, 100):
            got = await crowd(site, number)
            assert len(set(calls_of(got))) == 1
            tracebacks = [one.__traceback__ for one in got[1:] if isinstance(one, BrokenError)]
            depths[number] = {len(traceback.extract_tb(one)) for one in tracebacks}
        assert len(depths[3]) == 1
        assert depths[3] == depths[100]

    asyncio.run(play())
    gc.collect()


def test_16_what_is_noted_on_an_exception_stays_with_its_client() -> None:
    class Noting:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            try:
                await self.app(scope, receive, send)
            except BrokenError as error:
                who = dict(scope["headers"])[b"x-request-id"].decode()
                error.add_note(who)
                error.who = who  # type: ignore[attr-defined]
                await asyncio.sleep(0)
                raise

    async def play() -> None:
        site = Site()
        site.app.add_middleware(Noting)
        site.endpoint = raising
        for calls in (2, 3):
            site.gate.clear()
            tasks = [site.get(("x-request-id", f"client {number}")) for number in range(5)]
            await settled()
            site.gate.set()
            got = await asyncio.gather(*tasks, return_exceptions=True)
            assert site.calls == calls
            assert [one.who for one in got] == [f"client {number}" for number in range(5)]  # type: ignore[union-attr]
            assert [one.__notes__ for one in got] == [[one.who] for one in got]  # type: ignore[union-attr]

    asyncio.run(play())


def test_16_a_session_that_was_filled_before_the_exception_keeps_it_to_its_client() -> None:
    async def broken(call: int, asked: Request) -> Response:
        asked.scope["session"] = {"user": call}
        raise BrokenError(call)

    async def play() -> None:
        site = Site()
        site.endpoint = broken
        assert len(set(calls_of(await crowd(site, 5)))) == 5

    asyncio.run(play())


def test_31_a_first_failure_after_a_leader_who_left_fails_nobody_else() -> None:
    async def once(call: int, _: Request) -> Response:
        if call == 2:
            raise BrokenError(call)
        return Response(f"answer {call}")

    async def play() -> None:
        site = Site()
        site.endpoint = once
        leader, *others = await site.started(10)
        leader.cancel()
        await settled()
        site.gate.set()
        assert calls_of(await asyncio.gather(*others, return_exceptions=True)) == [2] + [3] * 8

    asyncio.run(play())


def test_a_shared_exception_is_freed_when_all_have_it() -> None:
    async def play() -> None:
        site = Site()
        site.endpoint = raising
        await crowd(site, 3)
        got = await crowd(site, 5)
        known = weakref.ref(got[0])
        assert len({id(one) for one in got}) == 5
        got.clear()
        # The event loop holds on to what it has run last.
        await settled()
        gc.collect()
        assert known() is None
        # Nor does one who leaves before it is told keep it.
        site.gate.clear()
        tasks = await site.started(5)
        site.gate.set()
        leader = tasks[0]
        leader.add_done_callback(lambda _: [task.cancel() for task in tasks[1:]])
        got = await asyncio.gather(*tasks, return_exceptions=True)
        known = weakref.ref(got[0])
        got.clear()
        tasks.clear()
        del leader
        await settled()
        gc.collect()
        assert known() is None

    asyncio.run(play())


def test_31_an_answer_that_began_before_the_exception_is_no_one_elses() -> None:
    async def streaming(call: int, _: Request) -> Response:
        from starlette.responses import StreamingResponse

        async def body() -> Any:
            yield b"a part"
            raise BrokenError(call)

        return StreamingResponse(body())

    async def play() -> None:
        site = Site()
        site.endpoint = streaming
        got = await crowd(site, 5)
        assert site.calls == 5
        assert sorted(calls_of(got)) == [1, 2, 3, 4, 5]

    asyncio.run(play())
