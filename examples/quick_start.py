import uvicorn
from fastapi import FastAPI
from fast_cache_middleware import CacheConfig, CacheDropConfig, FastCacheMiddleware

app = FastAPI()
app.add_middleware(FastCacheMiddleware)          # analyses the routes by itself

@app.get("/users/{user_id}", dependencies=[CacheConfig(max_age=300)])
async def get_user(user_id: int) -> dict[str, int | str]:
    return {"user_id": user_id, "name": f"User {user_id}"}

@app.post("/users/{user_id}", dependencies=[CacheDropConfig(paths=["/users/*", "/api/users/*"])])
async def update_user(user_id: int) -> dict[str, int | str]:
    return {"user_id": user_id, "status": "updated"}

uvicorn.run(app, host="127.0.0.1", port=8000)
