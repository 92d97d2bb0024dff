"""The applications that the servers of these tests serve, by name, for `python -m SERVER applications:NAME`.

`plain` is the reference: the same routes without the middleware.
"""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse

from fast_cache_middleware import CacheConfig, CacheDropConfig, FastCacheMiddleware

CACHED = [CacheConfig(max_age=300)]
CHUNK = b"x" * (1 << 18)
FILE_SIZE = 300_000


class Gate:
    """Holds a stream back until another request opens it."""

    def __init__(self) -> None:
        self._events: dict[str, asyncio.Event] = {}

    def __getitem__(self, name: str) -> asyncio.Event:
        return self._events.setdefault(name, asyncio.Event())


def routed(app: FastAPI) -> FastAPI:
    """`app` with all routes of these tests."""
    gates = Gate()
    calls: dict[str, int] = {}
    with tempfile.NamedTemporaryFile(prefix="cached-", suffix=".bin", delete=False) as made:
        made.write(bytes(index % 251 for index in range(FILE_SIZE)))
    path = Path(made.name)

    @app.get("/users/{user_id}", dependencies=CACHED)
    async def get_user(user_id: int) -> dict[str, int | str]:
        return {"user_id": user_id, "name": f"User {user_id}"}

    @app.post("/users/{user_id}", dependencies=[CacheDropConfig(paths=["/users/*"])])
    async def update_user(user_id: int) -> dict[str, int | str]:
        return {"user_id": user_id, "status": "updated"}

    @app.get("/names/{name:path}", dependencies=CACHED)
    async def name(name: str, q: str = "") -> list[str]:
        return [name, q]

    @app.api_route("/echo/{rest:path}", methods=["GET", "HEAD"], dependencies=CACHED)
    async def echo(request: Request) -> PlainTextResponse:
        scope = request.scope
        seen = [scope["path"], scope.get("raw_path"), scope["query_string"], request.headers.get("host")]
        return PlainTextResponse(repr(seen), headers={"last-modified": "Wed, 01 Jan 2025 00:00:00 GMT"})

    @app.get("/repeated", dependencies=CACHED)
    async def repeated() -> Response:
        response = Response(bytes(range(256)), headers={"X-Mixed-Case": "Kept"})
        response.raw_headers += [(b"link", b"<a>; rel=a"), (b"link", b"<b>; rel=b"), (b"x-latin", b"caf\xe9")]
        return response

    @app.get("/moved", dependencies=CACHED)
    async def moved() -> Response:
        return RedirectResponse("/users/1", 301)

    @app.get("/none", dependencies=CACHED)
    async def none() -> Response:
        return Response(status_code=204)

    @app.get("/file", dependencies=CACHED)
    async def file() -> Response:
        return FileResponse(path)

    @app.get("/body", dependencies=CACHED)
    async def body(request: Request) -> Response:
        return Response(b"body:" + await request.body())

    @app.get("/events/{name}", dependencies=CACHED)
    async def events(name: str) -> StreamingResponse:
        async def stream() -> AsyncIterator[bytes]:
            yield b"data: first\n\n"
            await gates[name].wait()
            yield b"data: second\n\n"

        return StreamingResponse(stream(), media_type="text/event-stream")

    @app.get("/halves/{name}", dependencies=CACHED)
    async def halves(name: str) -> StreamingResponse:
        calls[name] = calls.get(name, 0) + 1

        async def stream() -> AsyncIterator[bytes]:
            yield b"1" * 100_000
            await gates[name].wait()
            yield b"2" * 100_000

        return StreamingResponse(stream(), headers={"content-length": "200000"})

    @app.get("/polite/{name}", dependencies=CACHED)
    async def polite(name: str, request: Request) -> StreamingResponse:
        calls[name] = calls.get(name, 0) + 1

        async def stream() -> AsyncIterator[bytes]:
            yield b"first "
            await gates[name].wait()
            if not await request.is_disconnected():
                yield b"second"

        return Unwatched(stream())

    @app.get("/big/{chunks}", dependencies=CACHED)
    async def big(chunks: int) -> StreamingResponse:
        async def stream() -> AsyncIterator[bytes]:
            for _ in range(chunks):
                yield CHUNK

        return StreamingResponse(stream())

    @app.post("/open/{name}")
    async def open_gate(name: str) -> dict[str, int]:
        gates[name].set()
        return {"calls": calls.get(name, 0)}

    @app.get("/calls/{name}")
    async def count(name: str) -> dict[str, int]:
        return {"calls": calls.get(name, 0), "process": os.getpid()}

    return app


class Unwatched(StreamingResponse):
    """A stream that looks for the client's leaving only where its author does, and then ends as if it were whole."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def deaf(message: Any) -> None:
            try:
                await send(message)
            except OSError:
                return

        await deaf({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for chunk in self.body_iterator:
            await deaf({"type": "http.response.body", "body": chunk, "more_body": True})
        await deaf({"type": "http.response.body", "body": b"", "more_body": False})


plain = routed(FastAPI())

inside = routed(FastAPI())
inside.add_middleware(FastCacheMiddleware)
