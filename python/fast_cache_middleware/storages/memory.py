"""The storage of one process."""

from datetime import timedelta
from typing import Final

from fast_cache_middleware import _core

from .built_in import BuiltInStorage, positive, seconds_of
from .serializers import BaseSerializer

DEFAULT_MAX_BYTES: Final = 256 << 20
"""Bytes."""


class InMemoryStorage(BuiltInStorage):
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
        positive("InMemoryStorage", "max_size", max_size, integer=True)
        positive("InMemoryStorage", "max_bytes", max_bytes, integer=True)
        seconds = seconds_of("InMemoryStorage", "ttl", ttl)
        core = _core.Store.memory(max_size, max_bytes, seconds, clock or _core.SystemClock())
        super().__init__(core, serializer)
