import copy
import pickle

import pytest

from fast_cache_middleware.exceptions import (
    ConfigError,
    FastCacheMiddlewareError,
    NotFoundStorageError,
    StorageError,
    TTLExpiredStorageError,
)


def test_the_tree() -> None:
    assert ConfigError.__bases__ == (FastCacheMiddlewareError,)
    assert StorageError.__bases__ == (FastCacheMiddlewareError,)
    assert NotFoundStorageError.__bases__ == (StorageError,)
    assert TTLExpiredStorageError.__bases__ == (StorageError,)


@pytest.mark.parametrize("kind", [NotFoundStorageError, TTLExpiredStorageError])
def test_a_storage_error_names_its_key_and_survives_pickling(kind: type[NotFoundStorageError]) -> None:
    error = kind("users:7")
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301
        assert type(other) is kind
        assert other.key == "users:7"
        assert str(other) == str(error)
    assert "'users:7'" in str(error)


def test_a_config_error_survives_pickling() -> None:
    assert str(pickle.loads(pickle.dumps(ConfigError("no")))) == "no"  # noqa: S301
