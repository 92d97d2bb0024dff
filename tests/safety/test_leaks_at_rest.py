"""Leaks by what is kept: credentials at rest, and coded bodies."""

import asyncio
import gzip
import logging
from typing import Annotated, Any

import pytest
from asgi_client import Answer, request
from fastapi import Depends, FastAPI, Request, Response
from fastapi.security import APIKeyCookie, APIKeyHeader, APIKeyQuery, HTTPBearer
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse

from fast_cache_middleware import CacheConfig, CacheHandle, Controller, FastCacheMiddleware, InMemoryStorage


def app_with(endpoint: Any, **options: Any) -> FastAPI:
    app = FastAPI()
    app.add_api_route("/a", endpoint, dependencies=[CacheConfig(60)], response_model=None)
    app.add_middleware(FastCacheMiddleware, **options)
    return app


async def ask(app: Any, target: str = "/a", headers: Any = ()) -> Answer:
    return await request(app, "GET", target, headers)


async def whoami(request: Request) -> PlainTextResponse:
    return PlainTextResponse(repr(request.headers.raw))


SECRET = "s3cr3t-0f-alice"


class Watching:
    """A storage that remembers everything it was ever handed."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.seen: list[str] = []

    async def set(self, key: str, response: Any, request: Any, metadata: Any) -> None:
        self.kept[key] = (response, request, metadata)
        self.seen.append(repr((key, response.raw_headers, dict(request.scope), dict(metadata))))

    async def get(self, key: str) -> Any:
        self.seen.append(key)
        return self.kept.get(key)

    async def delete(self, path: Any) -> None:
        self.seen.append(repr(path))


GIVEN: list[tuple[Any, str, list[tuple[str, str]]]] = [
    (HTTPBearer(), "/a", [("authorization", f"Bearer {SECRET}")]),
    (APIKeyHeader(name="x-key"), "/a", [("x-key", SECRET)]),
    (APIKeyCookie(name="session"), "/a", [("cookie", f"session={SECRET}")]),
    (APIKeyQuery(name="key"), f"/a?key={SECRET}&q=1", []),
    (APIKeyQuery(name="key"), f"/a?%6bey={SECRET}", []),
]


@pytest.mark.parametrize(("scheme", "target", "headers"), GIVEN)
def test_22_no_credential_at_rest_or_in_the_logs(
    scheme: Any, target: str, headers: list[tuple[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def run() -> None:
        async def read(credential: Annotated[Any, Depends(scheme)], q: str = "") -> str:
            return "ok"

        for storage in (Watching(), InMemoryStorage()):
            app = app_with(read, storage=storage)
            assert (await ask(app, target, headers)).cache == "MISS"
            hit = await ask(app, target, headers)
            assert hit.cache == "HIT"
            assert SECRET not in repr(hit.messages)
            explained = CacheHandle(storage, app=app).explain(Request(hit.scope))
            assert SECRET not in repr(explained)
            if isinstance(storage, Watching):
                assert storage.seen
                assert SECRET not in repr(storage.seen)
        assert SECRET not in caplog.text

    asyncio.run(run())


def test_22_a_failing_hook_logs_no_credential(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Controller):
        async def generate_cache_key(self, request: Request, cache_configuration: Any = None) -> str:
            raise RuntimeError("no key today")

    caplog.set_level(logging.DEBUG)

    async def run() -> None:
        app = app_with(whoami, controller=Failing())
        headers = [("authorization", SECRET), ("cookie", SECRET)]
        assert (await ask(app, f"/a?key={SECRET}", headers)).status == 200
        assert "no key today" in caplog.text
        assert SECRET not in caplog.text

    asyncio.run(run())


def test_23_a_gzip_body_never_reaches_a_client_that_did_not_ask_for_it() -> None:
    async def run() -> None:
        text = "x" * 5000
        app = FastAPI()
        app.add_api_route("/a", lambda: PlainTextResponse(text), dependencies=[CacheConfig(60)], response_model=None)
        app.add_middleware(GZipMiddleware)
        app.add_middleware(FastCacheMiddleware)  # outermost: compression is inside
        for encoding in ("gzip", "", "identity", "br", "gzip, br", "gzip;q=0"):
            for _ in range(2):
                answer = await ask(app, headers=[("accept-encoding", encoding)] if encoding else [])
                if answer.header("content-encoding") == "gzip":
                    assert "gzip" in encoding
                    assert gzip.decompress(answer.body).decode() == text
                else:
                    assert answer.body.decode() == text

    asyncio.run(run())


def test_23_a_coded_body_without_vary_is_kept_apart_all_the_same() -> None:
    async def run() -> None:
        async def raw(request: Request) -> Response:
            if "gzip" in request.headers.get("accept-encoding", ""):
                return Response(gzip.compress(b"text"), headers={"content-encoding": "gzip"})
            return Response(b"text")

        app = app_with(raw)
        for encoding in ("gzip", "identity", "gzip", "identity"):
            answer = await ask(app, headers=[("accept-encoding", encoding)])
            assert (answer.header("content-encoding") == "gzip") is (encoding == "gzip")
        fresh = app_with(raw)
        assert gzip.decompress((await ask(fresh, headers=[("accept-encoding", "gzip")])).body) == b"text"
        assert (await ask(fresh)).body == b"text"

    asyncio.run(run())
