"""The quick start for several machines, which share one cache in Redis or Valkey.

make run STORAGE=redis://127.0.0.1:6379
"""

import os

import uvicorn
from fastapi import FastAPI

from fast_cache_middleware import CacheConfig, CacheDropConfig, FastCacheMiddleware, RedisStorage

storage = RedisStorage(os.environ.get("STORAGE", "redis://127.0.0.1:6379"), namespace="quick-start")
app = FastAPI()
app.add_middleware(FastCacheMiddleware, storage=storage)


@app.get("/users/{user_id}", dependencies=[CacheConfig(max_age=300)])
async def get_user(user_id: int) -> dict[str, int | str]:
    return {"user_id": user_id, "name": f"User {user_id}", "made_by": os.getpid()}


@app.post("/users/{user_id}", dependencies=[CacheDropConfig(paths=["/users/*", "/api/users/*"])])
async def update_user(user_id: int) -> dict[str, int | str]:
    return {"user_id": user_id, "status": "updated", "changed_by": os.getpid()}


@app.get("/health")
async def health() -> dict[str, bool | int | str | None]:
    """How the storage is: whether it is up, and what is the matter if it is not."""
    return storage.health


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
