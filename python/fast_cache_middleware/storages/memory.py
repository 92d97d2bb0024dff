"""The storage of one process."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from fast_cache_middleware import _core
from fast_cache_middleware.exceptions import StorageError

from .base import BaseStorage, Stored
from .serializers import BaseSerializer, DefaultSerializer

DEFAULT_MAX_BYTES: Final = 256 << 20
"""Bytes."""


class InMemoryStorage(BaseStorage):
    """Keeps responses in this process's memory; the default storage.

    At most `max_size` entries and `max_bytes` bytes of memory, all told; whichever bound is reached first, what is
    used least makes room. `ttl`: seconds after which an entry goes, whatever its route says; `None` for no such bound.
    `serializer` is for `set` and `get` called by hand; the middleware keeps its own entries as they are.
    Raises `StorageError` where a bound is not positive.
    """

    def __init__(
        self,
        max_size: int = 1000,
        serializer: BaseSerializer | None = None,
        ttl: float | timedelta | None = None,
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
        clock: _core.SystemClock | None = None,
    ) -> None:
        _positive("max_size", max_size, integer=True)
        _positive("max_bytes", max_bytes, integer=True)
        seconds = ttl.total_seconds() if isinstance(ttl, timedelta) else ttl
        if seconds is not None:
            _positive("ttl", seconds)
        self._serializer = DefaultSerializer() if serializer is None else serializer
        self.core: Final = _core.MemoryStore(max_size, max_bytes, seconds, clock or _core.SystemClock())
        """The store in Rust."""

    def __len__(self) -> int:
        return len(self.core)

    async def set(self, key: str, response: Response, request: Request, metadata: Mapping[str, Any]) -> None:
        """Keep a response under a key of your own; one that is larger than the storage is not kept."""
        data = await self._serializer.dumps(response, request, metadata)
        self.core.keep(key, request.url.path, data.encode() if isinstance(data, str) else data)

    async def get(self, key: str) -> Stored | None:
        """What `set` was given for a key, or `None`."""
        kept = self.core.kept(key)
        if kept is None or kept[1]:
            return None
        data = kept[0]
        return await self._serializer.loads(data if self._serializer.is_binary else data.decode())

    async def delete(self, path: re.Pattern[str]) -> None:
        """Drop every entry whose request path the pattern's `match` accepts, the middleware's own included."""
        await purge(self.core, [("regex", path.pattern, path)])

    async def close(self) -> None:
        """Drop everything and give back the memory."""
        self.core.clear()


async def purge(
    store: _core.MemoryStore,
    paths: list[tuple[str, str, re.Pattern[str] | None]],
    tags: list[str] | None = None,
    endpoints: list[int] | None = None,
    *,
    soft: bool = False,
) -> None:
    """Drop, and settle what an expression leaves open in small steps, so that the event loop goes on."""
    from anyio.lowlevel import checkpoint

    store.purge(paths, tags or [], endpoints or [], soft)
    while not store.walk():
        await checkpoint()
    settling = store.settled()
    if settling is not None:
        await settling


def _positive(name: str, value: object, *, integer: bool = False) -> None:
    kinds = (int,) if integer else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not value > 0:
        raise StorageError(
            f"InMemoryStorage.{name} must be {'an integer' if integer else 'a number'} above 0: {value!r}"
        )
