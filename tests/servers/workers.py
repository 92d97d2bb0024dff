"""An application that several worker processes serve, with one storage; what they do is counted in files.

`FOLDER` in the environment is where everything is kept, `STORAGE` a Redis URL in place of the shared map.
"""

import asyncio
import fcntl
import os
from pathlib import Path

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from fast_cache_middleware import CacheConfig, CacheDropConfig, FastCacheMiddleware, RedisStorage, SharedStorage

FOLDER = Path(os.environ["FOLDER"])


class Number:
    """A number that all processes see."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / name

    def read(self) -> int:
        try:
            return int.from_bytes(self.path.read_bytes(), "little")
        except FileNotFoundError:
            return 0

    def next(self) -> int:
        """Add one; what it is then."""
        file = os.open(self.path, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            number = int.from_bytes(os.pread(file, 8, 0), "little") + 1
            # In one piece, for those who read without a lock.
            os.pwrite(file, number.to_bytes(8, "little"), 0)
        finally:
            os.close(file)
        return number


class Arrivals:
    """A middleware outside of the cache that counts requests, and says which process answered."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/slow"):
            Number(FOLDER, "arrived").next()
        await self.app(scope, receive, send)


def _storage() -> RedisStorage | SharedStorage:
    url = os.environ.get("STORAGE")
    if url:
        return RedisStorage(url, namespace=FOLDER.name, coherence="strict", timeout=1.0)
    return SharedStorage(FOLDER / "cache", max_bytes=64 << 20)


app = FastAPI()
app.add_middleware(FastCacheMiddleware, storage=_storage())
app.add_middleware(Arrivals)


@app.get("/pid")
async def pid() -> int:
    return os.getpid()


@app.get("/value/{name}", dependencies=[CacheConfig(300)])
async def value(name: str) -> int:
    return Number(FOLDER, f"value-{name}").read()


@app.post("/value/{name}", dependencies=[CacheDropConfig(paths=["/value/{name}"])])
async def change(name: str) -> int:
    return Number(FOLDER, f"value-{name}").next()


@app.get("/slow/{name}", dependencies=[CacheConfig(300)])
async def slow(name: str) -> int:
    call = Number(FOLDER, f"calls-{name}").next()
    while not (FOLDER / "gate").exists():  # noqa: ASYNC110 - what is waited for is in another process
        await asyncio.sleep(0.005)
    return call
