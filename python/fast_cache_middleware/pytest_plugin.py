"""Fixtures for pytest, which finds them by itself; `-p no:fast_cache_middleware` leaves them out."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from .testing import Clock, FailingStorage, IsolatedCache, isolated


@pytest.fixture
def cache_clock() -> Clock:
    """A clock that stands still until the test moves it."""
    return Clock()


@pytest.fixture
def isolated_cache(cache_clock: Clock) -> Iterator[Callable[[object], IsolatedCache]]:
    """`isolated_cache(app)`: until the test ends, the application's cache is its own and goes by `cache_clock`."""
    with ExitStack() as stack:
        yield lambda app: stack.enter_context(isolated(app, clock=cache_clock))


@pytest.fixture
def failing_storage() -> FailingStorage:
    """A storage that fails on demand."""
    return FailingStorage()
