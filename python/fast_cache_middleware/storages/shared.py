"""The storage of all processes of one machine."""

import hashlib
import logging
import os
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Final

from fast_cache_middleware import _core
from fast_cache_middleware.exceptions import StorageError

from .built_in import BuiltInStorage, positive, seconds_of
from .serializers import BaseSerializer

logger: Final = logging.getLogger("fast_cache_middleware")

DEFAULT_MAX_BYTES: Final = 1 << 30
"""Bytes."""

DEFAULT_MAX_SIZE: Final = 1_000_000
"""Entries."""


class SharedStorage(BuiltInStorage):
    """Keeps responses in a map that all processes of this machine share; a drop in one holds at once in all.

    `path` is a directory on a local file system that nobody else may write to; it is made where it is missing. Without
    one, a directory of this application in the user's runtime directory is taken: processes that were started with the
    same command line from the same directory share it. `max_bytes` and `max_size` bound the map, `near_bytes` what each
    process keeps in its own memory in front of it (`None`: an eighth, and no more than 64 MiB). `ttl`: seconds after
    which an entry goes, whatever its route says. `serializer` is for `set` and `get` called by hand.

    The map is opened when it is first needed, so a storage may be made before a fork. Trouble with it (a full disk, a
    foreign file) is a miss, and a warning once. Raises `StorageError` where a bound is not positive, or the
    directory is on a network, or others may write to it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        serializer: BaseSerializer | None = None,
        ttl: float | timedelta | None = None,
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
        max_size: int = DEFAULT_MAX_SIZE,
        near_bytes: int | None = None,
        clock: _core.SystemClock | None = None,
    ) -> None:
        positive("SharedStorage", "max_bytes", max_bytes, integer=True)
        positive("SharedStorage", "max_size", max_size, integer=True)
        if near_bytes is not None and near_bytes != 0:
            positive("SharedStorage", "near_bytes", near_bytes, integer=True)
        seconds = seconds_of("SharedStorage", "ttl", ttl)
        if path is not None and not os.fspath(path):
            raise StorageError("SharedStorage.path must name a directory: ''")
        self.path: Final = Path(path) if path is not None else own_directory()
        """The directory."""
        try:
            core = _core.Store.shared(
                str(self.path),
                (max_size, max_bytes, near_bytes),
                seconds,
                clock or _core.SystemClock(),
                logger.warning,
            )
        except (OSError, ValueError, TypeError, OverflowError) as error:
            raise StorageError(f"SharedStorage({str(self.path)!r}): {error}") from None
        super().__init__(core, serializer)

    async def close(self) -> None:
        """Release what this process holds; the other processes keep their entries."""
        self.core.close()


def own_directory() -> Path:
    """The directory of this application in the user's runtime directory, or in a directory of the user's own below the
    one for temporary files."""
    user = os.getuid() if hasattr(os, "getuid") else os.getlogin()
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    base = Path(runtime) if os.path.isabs(runtime) and _is_own(runtime) else None
    if base is None:
        base = Path(tempfile.gettempdir()) / f"fast-cache-{user}"
        base.mkdir(mode=0o700, exist_ok=True)
        if not _is_own(base):
            raise StorageError(f"SharedStorage: others may write to {base}; give a path")
    application = "\0".join([os.getcwd(), *sys.argv]).encode("utf-8", "surrogatepass")
    return base / "fast-cache-middleware" / hashlib.sha256(application).hexdigest()[:16]


def _is_own(directory: str | os.PathLike[str]) -> bool:
    """Whether it is the user's own, and nobody else's to write to."""
    try:
        found = os.stat(directory)
    except OSError:
        return False
    return not hasattr(os, "getuid") or (found.st_uid == os.getuid() and not found.st_mode & 0o022)
