"""The storage of several machines: Redis or Valkey, with a memory tier in front."""

import logging
from datetime import timedelta
from typing import Any, Final, Literal

from fast_cache_middleware import _core
from fast_cache_middleware.exceptions import StorageError

from .built_in import BuiltInStorage, positive, seconds_of
from .redis_settings import settings_of
from .serializers import BaseSerializer

logger: Final = logging.getLogger("fast_cache_middleware")

DEFAULT_LOCAL_BYTES: Final = 64 << 20
"""Bytes."""


class RedisStorage(BuiltInStorage):
    """Keeps responses in Redis or Valkey, for all processes on all machines that use one `namespace` there.

    `redis` is a URL (`redis://user:password@host:6379/0`, `rediss://...` for TLS, `unix:///path`,
    `redis+sentinel://host:26379,host:26379/name/0`, `redis+cluster://host:6379,host:6379`) or a client of the `redis`
    package, `Redis` or `RedisCluster`, asyncio or not, whose connection settings are taken over; this storage has
    connections of its own.

    - `local`: bytes of memory in each process, in front of Redis.
    - `coherence`: with `"push"`, Redis tells each process of a drop, which takes about a millisecond; with `"strict"`,
      every lookup asks first, and no answer is older than any drop of which Redis knew when the request came.
    - `timeout`: seconds that a request waits for Redis at most. A Redis in trouble is a miss, at once after a few
      failures, and drops made meanwhile are delivered before anything is served from there again.
    - `secret`: 16 bytes or more that all processes know and Redis does not; keys hold hashes of credentials under it.
    - `compress_from`: bytes from which on entries are compressed; `None` for never.
    - `ttl`: seconds after which an entry goes, whatever its route says.
    - `serializer`: for `set` and `get` called by hand.

    Raises `StorageError` where a setting cannot be meant. Nothing is connected before the first request.
    """

    def __init__(
        self,
        redis: Any,
        *,
        serializer: BaseSerializer | None = None,
        ttl: float | timedelta | None = None,
        namespace: str = "cache",
        local: int = DEFAULT_LOCAL_BYTES,
        coherence: Literal["push", "strict"] = "push",
        timeout: float | timedelta = 0.05,
        secret: bytes | None = None,
        compress_from: int | None = 16 << 10,
        clock: _core.SystemClock | None = None,
    ) -> None:
        positive("RedisStorage", "local", local, integer=True)
        if compress_from is not None:
            positive("RedisStorage", "compress_from", compress_from, integer=True)
        if coherence not in ("push", "strict"):
            raise StorageError(f'RedisStorage.coherence must be "push" or "strict": {coherence!r}')
        if not _is(str, namespace) or not namespace:
            raise StorageError(f"RedisStorage.namespace must be a string that is not empty: {namespace!r}")
        if secret is not None and (not _is(bytes, secret) or len(secret) < 16):
            raise StorageError("RedisStorage.secret must be 16 bytes or more")
        limit = seconds_of("RedisStorage", "timeout", timeout)
        seconds = seconds_of("RedisStorage", "ttl", ttl)
        settings = {
            **settings_of(redis),
            "namespace": namespace,
            "local": local,
            "strict": coherence == "strict",
            "timeout": limit,
            "secret": secret,
            "compress_from": compress_from,
        }
        try:
            core = _core.Store.redis(settings, seconds, clock or _core.SystemClock())
        except (ValueError, TypeError, OverflowError) as error:
            raise StorageError(f"RedisStorage: {error}") from None
        super().__init__(core, serializer)

    @property
    def health(self) -> dict[str, Any]:
        """How the connection is: `trusted` (the memory tier is kept true), `up`, `trouble` (what is or was last the
        matter, or `None`), `undelivered` (drops that Redis was not told of yet)."""
        return self.core.health()

    async def close(self) -> None:
        """Give back the memory and end the connections; what is in Redis stays there for the others until it expires.

        Drops that are still on their way are waited for, within the limit.
        """
        settling = self.core.settled()
        if settling is not None:
            await settling
        self.core.close()


def _is(kind: type, value: object) -> bool:
    """Whether a caller without types gave the right kind of value."""
    return isinstance(value, kind)
