"""`CacheDropConfig`: when a drop happens, and on what."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from typing import Annotated, Any

import pytest
from asgi_client import request
from contract.support import Client, Counter, fastapi_app
from fastapi import Depends, HTTPException, Response
from starlette.responses import StreamingResponse

from fast_cache_middleware import CacheConfig, CacheDropConfig

On = Collection[int] | Callable[[int], bool] | None


def answering(status: int, on: On) -> Client:
    app = fastapi_app()
    app.get("/x", dependencies=[CacheConfig(60)])(Counter())
    drop = CacheDropConfig(paths=["/x"]) if on is None else CacheDropConfig(paths=["/x"], on=on)

    @app.post("/w", dependencies=[drop])
    async def write(response: Response) -> Any:
        if status >= 400:
            raise HTTPException(status)
        return Response(status_code=status)

    client = Client(app)
    assert client.outcomes("/x", "/x") == ["MISS", "HIT"]
    assert client.post("/w").status == status
    return client


@pytest.mark.parametrize(
    "on,dropping,keeping",
    [
        (None, [200, 201, 204, 303, 304, 399], [400, 401, 404, 422, 500, 503]),
        ([200, 404], [200, 404], [201, 400]),
        ({204}, [204], [200]),
        (range(200, 202), [200, 201], [204]),
        (lambda status: status == 409, [409], [200]),
        (lambda status: status != 500, [200, 404], [500]),
    ],
)
def test_on(on: On, dropping: list[int], keeping: list[int]) -> None:
    for status in dropping:
        assert answering(status, on).get("/x").cache == "MISS", status
    for status in keeping:
        assert answering(status, on).get("/x").cache == "HIT", status


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
def test_any_method_drops(method: str) -> None:
    app = fastapi_app()
    app.get("/x", dependencies=[CacheConfig(60)])(Counter())
    app.api_route("/w", methods=[method], dependencies=[CacheDropConfig(paths=["/x"])])(lambda: None)
    client = Client(app)
    assert client.outcomes("/x", "/x") == ["MISS", "HIT"]
    answer = client.request(method, "/w")
    assert (answer.status, answer.cache) == (200, None)
    assert client.get("/x").cache == "MISS"


def test_only_the_routes_own_methods_drop() -> None:
    app = fastapi_app()
    app.get("/x", dependencies=[CacheConfig(60)])(Counter())
    app.post("/w", dependencies=[CacheDropConfig(paths=["/x"])])(lambda: None)
    app.put("/w")(lambda: None)
    client = Client(app)
    assert client.get("/x").cache == "MISS"
    assert (client.request("PUT", "/w").status, client.request("PATCH", "/w").status) == (200, 405)
    assert client.get("/x").cache == "HIT"


def test_several_add_up_each_on_its_own_statuses() -> None:
    app = fastapi_app()
    for name in "abc":
        app.get(f"/{name}", dependencies=[CacheConfig(60)])(Counter())
    drops = [
        CacheDropConfig(paths=["/a"]),
        CacheDropConfig(paths=["/b"], on=[404]),
        CacheDropConfig(paths=["/c"], on=[200, 404]),
    ]

    @app.post("/w/{status}", dependencies=drops)
    async def write(status: int) -> Response:
        return Response(status_code=status)

    client = Client(app)
    paths = ("/a", "/b", "/c")
    client.outcomes(*paths)
    client.post("/w/200")
    assert client.outcomes(*paths) == ["MISS", "HIT", "MISS"]
    client.post("/w/404")
    assert client.outcomes(*paths) == ["HIT", "MISS", "MISS"]


def test_a_handler_that_raises_drops_nothing_and_runs_once() -> None:
    app = fastapi_app()
    ran: list[int] = []
    app.get("/x", dependencies=[CacheConfig(60)])(Counter())

    @app.post("/w", dependencies=[CacheDropConfig(paths=["/x"])])
    async def write() -> None:
        ran.append(1)
        raise KeyError("x")

    client = Client(app)
    client.get("/x")
    with pytest.raises(KeyError):
        client.post("/w")
    assert ran == [1]
    assert client.get("/x").cache == "HIT"


def test_a_request_that_fails_validation_drops_nothing() -> None:
    app = fastapi_app()
    app.get("/x", dependencies=[CacheConfig(60)])(Counter())

    @app.post("/w/{number}", dependencies=[CacheDropConfig(paths=["/x"])])
    async def write(number: int) -> None:
        return None

    client = Client(app)
    client.get("/x")
    assert client.post("/w/abc").status == 422
    assert client.get("/x").cache == "HIT"
    assert client.post("/w/1").status == 200
    assert client.get("/x").cache == "MISS"


def test_the_drop_is_done_before_the_first_byte() -> None:
    app = fastapi_app()
    app.get("/x", dependencies=[CacheConfig(60)])(Counter())
    app.post("/w", dependencies=[CacheDropConfig(paths=["/x"])])(lambda: None)
    seen: list[str | None] = []

    async def look(message: dict[str, Any]) -> None:
        seen.append((await request(app, "GET", "/x")).cache)

    async def run() -> None:
        await request(app, "GET", "/x")
        assert (await request(app, "GET", "/x")).cache == "HIT"
        await request(app, "POST", "/w", on_message=look)

    asyncio.run(run())
    assert seen[0] == "MISS"


def test_and_once_more_when_the_call_ends() -> None:
    """A dependency that commits after the response: what was read in between is dropped again."""
    app = fastapi_app()
    database = {"value": "old"}

    @app.get("/x", dependencies=[CacheConfig(60)])
    async def read() -> str:
        return database["value"]

    @app.post("/w", dependencies=[CacheDropConfig(paths=["/x"])])
    async def write() -> StreamingResponse:
        async def body() -> AsyncIterator[bytes]:
            yield b"first"
            database["value"] = "new"

        return StreamingResponse(body())

    between: list[tuple[bytes, str | None]] = []

    async def look(message: dict[str, Any]) -> None:
        answer = await request(app, "GET", "/x")
        between.append((answer.body, answer.cache))

    async def run() -> bytes:
        assert (await request(app, "GET", "/x")).body == b'"old"'
        await request(app, "POST", "/w", on_message=look)
        return (await request(app, "GET", "/x")).body

    assert asyncio.run(run()) == b'"new"'
    assert between[0] == (b'"old"', "MISS")


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_yield_dependency_that_commits_after_the_response(kind: str) -> None:
    app = fastapi_app()
    database = {"value": "old"}

    @app.get("/x", dependencies=[CacheConfig(60)])
    async def read() -> str:
        return database["value"]

    def session() -> Iterator[dict[str, str]]:
        pending: dict[str, str] = {}
        yield pending
        database.update(pending)

    async def async_session() -> AsyncIterator[dict[str, str]]:
        pending: dict[str, str] = {}
        yield pending
        database.update(pending)

    @app.post("/w", dependencies=[CacheDropConfig(paths=["/x"])])
    async def write(pending: Annotated[dict[str, str], Depends(session if kind == "sync" else async_session)]) -> None:
        pending["value"] = "new"

    async def look(message: dict[str, Any]) -> None:
        await request(app, "GET", "/x")

    async def run() -> bytes:
        await request(app, "GET", "/x")
        await request(app, "POST", "/w", on_message=look)
        return (await request(app, "GET", "/x")).body

    assert asyncio.run(run()) == b'"new"'


def test_also_when_the_call_ends_with_an_exception() -> None:
    app = fastapi_app()
    counter = Counter()
    app.get("/x", dependencies=[CacheConfig(60)])(counter)

    @app.post("/w", dependencies=[CacheDropConfig(paths=["/x"])])
    async def write() -> StreamingResponse:
        async def body() -> AsyncIterator[bytes]:
            yield b"first"
            raise RuntimeError("after the first byte")

        return StreamingResponse(body())

    async def look(message: dict[str, Any]) -> None:
        await request(app, "GET", "/x")

    async def run() -> str | None:
        await request(app, "GET", "/x")
        with pytest.raises((RuntimeError, ExceptionGroup)):
            await request(app, "POST", "/w", on_message=look)
        return (await request(app, "GET", "/x")).cache

    assert asyncio.run(run()) == "MISS"


def test_an_answer_whose_handler_had_started_is_never_served_after_the_drop() -> None:
    app = fastapi_app()
    counter = Counter()

    async def run() -> list[Any]:
        started, go_on = asyncio.Event(), asyncio.Event()

        @app.get("/x", dependencies=[CacheConfig(60)])
        async def read() -> int:
            number = counter()
            if number == 1:
                started.set()
                await go_on.wait()
            return number

        app.post("/w", dependencies=[CacheDropConfig(paths=["/x"])])(lambda: None)
        slow = asyncio.create_task(request(app, "GET", "/x"))
        await started.wait()
        await request(app, "POST", "/w")
        go_on.set()
        first = await slow
        second = await request(app, "GET", "/x")
        third = await request(app, "GET", "/x")
        return [(answer.body, answer.cache) for answer in (first, second, third)]

    assert asyncio.run(run()) == [(b"1", "MISS"), (b"2", "MISS"), (b"2", "HIT")]


def test_a_route_with_both_drops_when_its_handler_ran() -> None:
    app = fastapi_app()
    app.get("/other", dependencies=[CacheConfig(60)])(Counter())
    counter = Counter()
    app.get("/both", dependencies=[CacheConfig(60), CacheDropConfig(paths=["/other"])])(counter)
    client = Client(app)
    assert client.outcomes("/other", "/other") == ["MISS", "HIT"]
    assert client.get("/both").cache == "MISS"
    assert client.get("/other").cache == "MISS"
    assert client.get("/both").cache == "HIT"
    assert (client.get("/other").cache, counter.calls) == ("HIT", 1)


def test_a_route_that_drops_itself_is_never_served_from_the_cache() -> None:
    app = fastapi_app()
    app.get("/x", dependencies=[CacheConfig(60), CacheDropConfig(paths=["/x"])])(Counter())
    client = Client(app)
    assert [client.get("/x").body for _ in range(3)] == [b"1", b"2", b"3"]
