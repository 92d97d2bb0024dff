"""A clock that stands still."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Self

from fast_cache_middleware import _core


class Clock(_core.SystemClock):
    """A clock that stands still until it is moved; the `clock` of `FastCacheMiddleware` and `InMemoryStorage`.

    `start`: seconds since the Unix epoch, or a `datetime` with a time zone; the second that has just begun by default,
    so that dates which the application writes are not in the past. Raises `ValueError` for what is no time.
    """

    _held: list[_core.SystemClock]

    def __new__(cls, start: float | datetime | None = None) -> Self:
        """A clock that stands at `start`."""
        clock = super().__new__(cls, math.floor(time.time()) if start is None else _moment(start))
        clock._held = []
        return clock

    def advance(self, seconds: float | timedelta) -> None:
        """Move on, or back where `seconds` is negative."""
        super().advance(seconds.total_seconds() if isinstance(seconds, timedelta) else seconds)
        self._pass_on()

    def set(self, moment: float | datetime) -> None:
        """Stand at another time, in seconds since the Unix epoch or as a `datetime` with a time zone."""
        self.hold(_moment(moment))
        self._pass_on()

    @contextmanager
    def holding(self, other: _core.SystemClock) -> Iterator[None]:
        """For the duration, `other` stands where this one stands, and moves as it moves."""
        before = other.hold(self.now())
        self._held.append(other)
        try:
            yield
        finally:
            self._held.remove(other)
            other.hold(before)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.now():.15g})"

    def _pass_on(self) -> None:
        for other in self._held:
            other.hold(self.now())


def _moment(moment: float | datetime) -> float:
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            raise ValueError(f"a time without a time zone could be any: {moment!r}")
        return moment.timestamp()
    if not math.isfinite(moment):
        raise ValueError(f"not a time: {moment!r}")
    return moment
