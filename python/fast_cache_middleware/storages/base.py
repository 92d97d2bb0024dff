"""The interface of storages written in Python."""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from starlette.requests import Request
from starlette.responses import Response

from fast_cache_middleware.exceptions import ConfigError

Stored = tuple[Response, Request, Mapping[str, Any]]
"""What a storage gives back: response, request, metadata."""

CREDENTIAL_HEADERS: Final = frozenset({"authorization", "proxy-authorization", "cookie"})
"""Request headers that never reach a storage, in lower case."""

_KEPT_IN_SCOPE: Final = ("type", "http_version", "method", "scheme", "server", "path", "root_path")


class BaseStorage:
    """A storage of your own: override `set`, `get` and `delete`, and `close` where there is something to release.

    A storage may forget anything at any time. What it raises is treated as a miss and logged; it never reaches the
    client.
    """

    async def set(self, key: str, response: Response, request: Request, metadata: Mapping[str, Any]) -> None:
        """Keep a response under `key`, replacing what was there.

        `request` carries no credentials; of `metadata`, which is JSON-able, `ttl` is the lifetime in seconds or `None`.
        """
        raise NotImplementedError

    async def get(self, key: str) -> Stored | None:
        """What `set` was given for `key`, or `None`; raising `NotFoundStorageError` or `TTLExpiredStorageError` means
        the same as `None`."""
        raise NotImplementedError

    async def delete(self, path: re.Pattern[str]) -> None:
        """Forget every entry whose request path the pattern's `match` accepts."""
        raise NotImplementedError

    async def close(self) -> None:
        """Release what this storage holds. Does nothing by default."""


def as_storage(storage: object) -> BaseStorage:
    """`storage` as a `BaseStorage`: itself, or wrapped if it merely has the methods, `store` / `retrieve` included.

    `close` may be missing. Raises `ConfigError` where other methods are.
    """
    if isinstance(storage, type):
        raise ConfigError(f"storage must be an instance: write {storage.__name__}() instead of {storage.__name__}")
    names = {
        "set": _own_method(storage, "set", "store"),
        "get": _own_method(storage, "get", "retrieve"),
        "delete": _own_method(storage, "delete"),
    }
    missing = [name for name, found in names.items() if found is None]
    if missing:
        raise ConfigError(f"storage {type(storage).__name__} lacks the methods: {', '.join(missing)}")
    if isinstance(storage, BaseStorage) and names["set"] == "set" and names["get"] == "get":
        return storage
    return _Adapter(storage, *names.values())


def unwrapped(storage: BaseStorage) -> object:
    """A storage as it was given to `as_storage`."""
    return storage.inner if isinstance(storage, _Adapter) else storage


def request_without_credentials(
    request: Request, headers: Collection[str] = (), query: Collection[str] = ()
) -> Request:
    """A copy to keep: without `CREDENTIAL_HEADERS`, the header names in `headers` and the query parameters in `query`.

    The copy holds method, scheme, server, path, query and header lines, and nothing else of the scope: no session, no
    user, no state, no body.
    """
    hidden = {name.lower().encode("latin-1", "replace") for name in CREDENTIAL_HEADERS.union(headers)}
    scope = {name: request.scope[name] for name in _KEPT_IN_SCOPE if name in request.scope}
    scope["headers"] = [(name, value) for name, value in request.scope["headers"] if name.lower() not in hidden]
    scope["query_string"] = _without(request.scope.get("query_string", b""), query)
    if (raw_path := request.scope.get("raw_path")) is not None:
        scope["raw_path"] = raw_path.partition(b"?")[0]
    return Request(scope)


class _Adapter(BaseStorage):
    """A storage by its methods' names only."""

    def __init__(self, inner: Any, set_name: str | None, get_name: str | None, delete_name: str | None) -> None:
        self.inner = inner
        self._set = getattr(inner, set_name or "set")
        self._get = getattr(inner, get_name or "get")
        self._delete = getattr(inner, delete_name or "delete")
        self._close = getattr(inner, "close", None)

    async def set(self, key: str, response: Response, request: Request, metadata: Mapping[str, Any]) -> None:
        await self._set(key, response, request, metadata)

    async def get(self, key: str) -> Stored | None:
        found: Stored | None = await self._get(key)
        return found

    async def delete(self, path: re.Pattern[str]) -> None:
        await self._delete(path)

    async def close(self) -> None:
        if self._close is not None:
            await self._close()


def _own_method(storage: object, *names: str) -> str | None:
    """The first of these names that is a method here, and not merely the one `BaseStorage` refuses with."""
    for name in names:
        inherited = getattr(BaseStorage, name, None)
        if callable(getattr(storage, name, None)) and (
            name in getattr(storage, "__dict__", ()) or getattr(type(storage), name, None) is not inherited
        ):
            return name
    return None


def _without(query: bytes, names: Collection[str]) -> bytes:
    hidden = {name.encode("utf-8", "surrogatepass") for name in names}
    if not hidden:
        return query
    pairs = query.split(b"&")
    return b"&".join(
        pair for pair in pairs if unquote_to_bytes(pair.partition(b"=")[0].replace(b"+", b" ")) not in hidden
    )
