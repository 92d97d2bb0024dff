"""The quick start for several worker processes, which share one cache: a drop in one holds at once in all.

make run WORKERS=4
"""

import os

import uvicorn
from fastapi import FastAPI

from fast_cache_middleware import CacheConfig, CacheDropConfig, FastCacheMiddleware, SharedStorage

app = FastAPI()
app.add_middleware(FastCacheMiddleware, storage=SharedStorage())


@app.get("/users/{user_id}", dependencies=[CacheConfig(max_age=300)])
async def get_user(user_id: int) -> dict[str, int | str]:
    return {"user_id": user_id, "name": f"User {user_id}", "made_by": os.getpid()}


@app.post("/users/{user_id}", dependencies=[CacheDropConfig(paths=["/users/*", "/api/users/*"])])
async def update_user(user_id: int) -> dict[str, int | str]:
    return {"user_id": user_id, "status": "updated", "changed_by": os.getpid()}


if __name__ == "__main__":
    workers = int(os.environ.get("WORKERS", "4"))
    uvicorn.run("shared_app:app", host="127.0.0.1", port=int(os.environ.get("PORT", "8000")), workers=workers)
