"""What the storages that keep entries in Rust have in common."""

import os
import re
import sys
import weakref
from collections.abc import Awaitable, Mapping
from datetime import timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from fast_cache_middleware import _core
from fast_cache_middleware.exceptions import StorageError

from .base import BaseStorage, Stored
from .serializers import BaseSerializer, DefaultSerializer

_storages: "Final[weakref.WeakSet[BuiltInStorage]]" = weakref.WeakSet()


def _begin_anew() -> None:
    """In the child of a fork, nobody waits for the requests of the parent."""
    for storage in list(_storages):
        storage.core.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


class BuiltInStorage(BaseStorage):
    """A storage whose entries the middleware reaches in Rust. Not to be made by itself: see its subclasses.

    The four methods are for entries under keys of your own, beside those of the middleware.
    """

    core: _core.Store
    """The store in Rust."""

    def __init__(self, core: _core.Store, serializer: BaseSerializer | None) -> None:
        self.core = core
        _storages.add(self)
        self._serializer: Final = DefaultSerializer() if serializer is None else serializer

    def __len__(self) -> int:
        return len(self.core)

    async def set(self, key: str, response: Response, request: Request, metadata: Mapping[str, Any]) -> None:
        """Keep a response under a key of your own; one that is larger than the storage is not kept."""
        data = await self._serializer.dumps(response, request, metadata)
        self.core.keep(key, request.url.path, data.encode() if isinstance(data, str) else data)

    async def get(self, key: str) -> Stored | None:
        """What `set` was given for a key, or `None`."""
        kept = self.core.kept(key)
        if kept is None:
            asking: Awaitable[None] | None = self.core.ask(key)
            if asking is not None:
                await asking
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
    store: _core.Store,
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


def positive(owner: str, name: str, value: object, *, integer: bool = False) -> None:
    """Raise `StorageError` where a bound is not a number above zero."""
    kinds = (int,) if integer else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not value > 0:
        raise StorageError(f"{owner}.{name} must be {'an integer' if integer else 'a number'} above 0: {value!r}")
    if integer and value > sys.maxsize:
        raise StorageError(f"{owner}.{name} must be at most {sys.maxsize}: {value!r}")


def seconds_of(owner: str, name: str, value: float | timedelta | None) -> float | None:
    """A duration in seconds; `StorageError` where it is none above zero."""
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if seconds is not None:
        positive(owner, name, seconds)
    return seconds
