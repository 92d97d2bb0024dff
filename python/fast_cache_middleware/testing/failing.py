"""A storage that fails on demand."""

import math
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, Literal

from starlette.requests import Request
from starlette.responses import Response

from fast_cache_middleware.exceptions import StorageError
from fast_cache_middleware.storages.base import BaseStorage, Stored, as_storage
from fast_cache_middleware.storages.memory import InMemoryStorage

Operation = Literal["set", "get", "delete", "close"]

_OPERATIONS: Final[tuple[Operation, ...]] = ("set", "get", "delete", "close")


class FailingStorage(BaseStorage):
    """A storage that does what `storage` does, by default one in memory, until it is told to fail.

    It takes the way of custom storages, as one over a network would. `calls` counts, by operation, how often it was
    called, the calls that failed included.
    """

    def __init__(self, storage: object = None) -> None:
        self._storage: Final = as_storage(InMemoryStorage() if storage is None else storage)
        self._failures: Final[dict[Operation, tuple[float, BaseException | None]]] = {}
        self.calls: Final[Counter[Operation]] = Counter()
        self.secret: Final[object] = getattr(storage, "secret", None)

    def fail(self, *operations: Operation, times: int | None = None, error: BaseException | None = None) -> None:
        """Let the next calls of these operations fail, of all where none is named: `times` of each, or until `heal`.

        `error` is what is raised, a `StorageError` by default. Raises `ValueError` for an unknown operation, or where
        `times` is below 1.
        """
        if times is not None and times < 1:
            raise ValueError(f"times must be at least 1: {times!r}")
        for operation in _known(operations):
            self._failures[operation] = (math.inf if times is None else times, error)

    def heal(self, *operations: Operation) -> None:
        """Let these operations succeed again, all where none is named."""
        for operation in _known(operations):
            self._failures.pop(operation, None)

    async def set(self, key: str, response: Response, request: Request, metadata: Mapping[str, Any]) -> None:
        """As the storage inside, or fail."""
        self._enter("set")
        await self._storage.set(key, response, request, metadata)

    async def get(self, key: str) -> Stored | None:
        """As the storage inside, or fail."""
        self._enter("get")
        return await self._storage.get(key)

    async def delete(self, path: re.Pattern[str]) -> None:
        """As the storage inside, or fail."""
        self._enter("delete")
        await self._storage.delete(path)

    async def close(self) -> None:
        """As the storage inside, or fail."""
        self._enter("close")
        await self._storage.close()

    def _enter(self, operation: Operation) -> None:
        self.calls[operation] += 1
        times, error = self._failures.get(operation, (0, None))
        if times == 0:
            return
        self._failures[operation] = (times - 1, error)
        raise StorageError(f"{operation} fails on demand") if error is None else error


def _known(operations: tuple[Operation, ...]) -> tuple[Operation, ...]:
    for operation in operations:
        if operation not in _OPERATIONS:
            raise ValueError(f"an operation is one of {', '.join(_OPERATIONS)}: {operation!r}")
    return operations or _OPERATIONS
