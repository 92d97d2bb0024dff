"""HTTP response caching for FastAPI, Starlette and any ASGI application, decided in Rust.

```python
from fastapi import FastAPI
from fast_cache_middleware import CacheConfig, CacheDropConfig, FastCacheMiddleware

app = FastAPI()
app.add_middleware(FastCacheMiddleware)

@app.get("/users/{user_id}", dependencies=[CacheConfig(max_age=300)])
async def get_user(user_id: int) -> dict[str, int]:
    return {"user_id": user_id}

@app.post("/users/{user_id}", dependencies=[CacheDropConfig(paths=["/users/*"])])
async def update_user(user_id: int) -> dict[str, int]:
    return {"user_id": user_id}
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
    RedisStorage,
    SharedStorage,
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
    "RedisStorage",
    "SharedStorage",
    "StorageError",
    "TTLExpiredStorageError",
    "cached",
    "drops",
    "get_cache",
]
