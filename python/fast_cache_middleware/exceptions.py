"""What this package raises.

FastCacheMiddlewareError
├── ConfigError
└── StorageError
    ├── NotFoundStorageError
    └── TTLExpiredStorageError
"""


class FastCacheMiddlewareError(Exception):
    """The base of everything this package raises on its own account."""


class ConfigError(FastCacheMiddlewareError):
    """A setting that cannot be meant: raised at construction or at route analysis, naming the field and its value."""


class StorageError(FastCacheMiddlewareError):
    """A storage is set up wrongly, or what it holds cannot be written or read."""


class NotFoundStorageError(StorageError):
    """Nothing is stored under `key`; a storage may raise it from `get` instead of returning `None`."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key

    def __str__(self) -> str:
        return f"nothing is stored under {self.key!r}"


class TTLExpiredStorageError(StorageError):
    """What is stored under `key` has outlived its time; a storage may raise it from `get`, and it counts as a miss."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key

    def __str__(self) -> str:
        return f"what is stored under {self.key!r} has expired"
