"""Fixtures for pytest, which finds them by itself; `-p no:fast_cache_middleware` leaves them out.

A package of its own, so that pytest does not import the framework before it has begun: whatever that warns of would
otherwise end the run of a project where warnings are errors.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fast_cache_middleware.testing import Clock, FailingStorage, IsolatedCache


@pytest.fixture
def cache_clock() -> "Clock":
    """A clock that stands still until the test moves it."""
    from fast_cache_middleware.testing import Clock

    return Clock()


@pytest.fixture
def isolated_cache(cache_clock: "Clock") -> "Iterator[Callable[[object], IsolatedCache]]":
    """`isolated_cache(app)`: until the test ends, the application's cache is its own and goes by `cache_clock`."""
    from fast_cache_middleware.testing import isolated

    with ExitStack() as stack:
        yield lambda app: stack.enter_context(isolated(app, clock=cache_clock))


@pytest.fixture
def failing_storage() -> "FailingStorage":
    """A storage that fails on demand."""
    from fast_cache_middleware.testing import FailingStorage

    return FailingStorage()
