"""Where responses are kept: the interface for storages of your own, and serializers to build them with."""

from .base import BaseStorage, Stored, as_storage, request_without_credentials
from .memory import InMemoryStorage
from .redis import RedisStorage
from .serializers import BaseSerializer, DefaultSerializer, JSONSerializer
from .shared import SharedStorage

__all__ = [
    "BaseSerializer",
    "BaseStorage",
    "DefaultSerializer",
    "InMemoryStorage",
    "JSONSerializer",
    "RedisStorage",
    "SharedStorage",
    "Stored",
    "as_storage",
    "request_without_credentials",
]
