"""Which middleware serves which application, and which store keeps the generations of which storage."""

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import _core

if TYPE_CHECKING:
    from .middleware import FastCacheMiddleware

_middlewares: "weakref.WeakKeyDictionary[Any, weakref.ref[FastCacheMiddleware]]" = weakref.WeakKeyDictionary()
_ledgers: "weakref.WeakKeyDictionary[Any, _core.Store]" = weakref.WeakKeyDictionary()
_odd_ledgers: dict[int, tuple[Callable[[], Any], _core.Store]] = {}
"""By identity: for storages without a hash, as dataclasses are, or without weak references, which then stay."""

LEDGER_ENTRIES = 10_000
LEDGER_BYTES = 16 << 20
CUSTOM_SECRET = b"fast-cache-middleware/custom-storage/key-secret.1"[:48]


def register(app: Any, middleware: "FastCacheMiddleware") -> None:
    """Remember that `middleware` serves `app`; objects that cannot be referred to weakly are left out."""
    try:
        _middlewares[app] = weakref.ref(middleware)
    except TypeError:
        return


def middleware_of(app: Any) -> "FastCacheMiddleware | None":
    """The middleware that serves `app`, once its routes are analysed."""
    try:
        found = _middlewares.get(app)
    except TypeError:
        return None
    return None if found is None else found()


def only_middleware() -> "FastCacheMiddleware | None":
    """The middleware of this process, if there is exactly one."""
    alive = {id(found): found for reference in _middlewares.values() if (found := reference()) is not None}
    return next(iter(alive.values())) if len(alive) == 1 else None


def ledger_of(storage: Any, clock: _core.SystemClock | None = None) -> _core.Store:
    """The store that keeps the generations of a custom storage: one for each storage, however often it is asked for."""
    try:
        known = _ledgers.get(storage)
    except TypeError:
        held, known = _odd_ledgers.get(id(storage), (lambda: None, None))
        known = known if held() is storage else None
    if known is None:
        known = _core.Store.memory(
            LEDGER_ENTRIES, LEDGER_BYTES, None, clock or _core.SystemClock(), _secret_of(storage)
        )
        try:
            _ledgers[storage] = known
        except TypeError:
            _odd_ledgers[id(storage)] = (_reference(storage), known)
    return known


def _reference(storage: Any) -> Callable[[], Any]:
    identity = id(storage)
    try:
        return weakref.ref(storage, lambda _: _odd_ledgers.pop(identity, None))
    except TypeError:
        return lambda: storage


def _secret_of(storage: Any) -> bytes:
    """What processes that share a storage share: `storage.secret`, of 48 bytes or more, where it has one."""
    secret = getattr(storage, "secret", None)
    if isinstance(secret, (bytes, bytearray)) and len(secret) >= len(CUSTOM_SECRET):
        return bytes(secret[: len(CUSTOM_SECRET)])
    return CUSTOM_SECRET
