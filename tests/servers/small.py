"""Small applications that start fast, for the tests of starting and stopping."""

import os

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from fast_cache_middleware import CacheConfig, CacheRule, FastCacheMiddleware, cached


async def user(request: Request) -> Response:
    return PlainTextResponse(f"User {request.path_params['user_id']}")


async def process(request: Request) -> Response:
    return JSONResponse(os.getpid())


@cached(max_age=60, tags=["user:{name}"])
async def wrong(request: Request) -> Response:
    return PlainTextResponse("never")


ROUTES = [Route("/users/{user_id}", user), Route("/process", process)]
GOOD = [CacheRule("/users/{user_id}", CacheConfig(60))]

plain = Starlette(routes=ROUTES)
inside = Starlette(routes=ROUTES, middleware=[Middleware(FastCacheMiddleware, rules=GOOD)])
outside = FastCacheMiddleware(Starlette(routes=ROUTES), rules=GOOD)
bad = Starlette(routes=[Route("/users/{user_id}", wrong)], middleware=[Middleware(FastCacheMiddleware)])
