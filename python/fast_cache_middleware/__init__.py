"""HTTP response caching for FastAPI, Starlette and any ASGI application, decided in Rust.

```python
app.add_middleware(FastCacheMiddleware)

@app.get("/users/{user_id}", dependencies=[CacheConfig(max_age=300)])
@app.post("/users/{user_id}", dependencies=[CacheDropConfig(paths=["/users/*"])])
```
"""

from .config import CacheConfig, CacheDropConfig
from .controller import Controller
from .exceptions import (
    ConfigError,
    FastCacheMiddlewareError,
    NotFoundStorageError,
    StorageError,
    TTLExpiredStorageError,
)
from .handle import CacheHandle, get_cache
from .middleware import FastCacheMiddleware
from .rules import CacheRule, DropRule, cached, drops
from .storages import (
    BaseSerializer,
    BaseStorage,
    DefaultSerializer,
    InMemoryStorage,
    JSONSerializer,
)

__version__ = "0.1.0"

__all__ = [
    "BaseSerializer",
    "BaseStorage",
    "CacheConfig",
    "CacheDropConfig",
    "CacheHandle",
    "CacheRule",
    "ConfigError",
    "Controller",
    "DefaultSerializer",
    "DropRule",
    "FastCacheMiddleware",
    "FastCacheMiddlewareError",
    "InMemoryStorage",
    "JSONSerializer",
    "NotFoundStorageError",
    "StorageError",
    "TTLExpiredStorageError",
    "cached",
    "drops",
    "get_cache",
]
