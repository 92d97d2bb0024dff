"""For tests of applications that use this package; needs neither pytest nor an HTTP library.

```python
from fastapi import FastAPI
from fast_cache_middleware import CacheConfig, FastCacheMiddleware
from fast_cache_middleware.testing import assert_hit, assert_miss, isolated

app = FastAPI()
app.add_middleware(FastCacheMiddleware)

@app.get("/hello", dependencies=[CacheConfig(max_age=300)])
async def hello() -> str:
    return "Hello"

with isolated(app) as cache:
    assert_miss(ask(app, "GET /hello"))
    assert_hit(ask(app, "GET /hello"))
    cache.clock.advance(301)
    assert_miss(ask(app, "GET /hello"))
```

With pytest installed, the fixtures of `fast_cache_middleware_pytest` are there by themselves.
"""

from .clock import Clock
from .failing import FailingStorage
from .isolation import IsolatedCache, isolated
from .outcomes import assert_bypass, assert_hit, assert_miss, assert_revalidated, assert_stale

__all__ = [
    "Clock",
    "FailingStorage",
    "IsolatedCache",
    "assert_bypass",
    "assert_hit",
    "assert_miss",
    "assert_revalidated",
    "assert_stale",
    "isolated",
]
