"""What the core is told of each cached route; routes that differ in nothing that counts share one object."""

from typing import Any

from fastapi import FastAPI, Header
from starlette.requests import Request

from fast_cache_middleware import CacheConfig, Controller
from fast_cache_middleware.compiling import CachedSpec, Settings, rows
from fast_cache_middleware.routes import analyse


def specs_of(*routes: tuple[str, CacheConfig, Any], **options: Any) -> list[CachedSpec]:
    app = FastAPI()
    for path, config, endpoint in routes:
        app.api_route(path, dependencies=[config], **options)(endpoint)
    settings = Settings(
        Controller(default_ttl=77),
        hooked=False,
        client_directives=True,
        undeclared_headers=(),
        coalesce=True,
        follower_timeout=10.0,
    )
    table, _ = rows(analyse(app), settings)
    return [row[6] for row in table if row[6] is not None]


async def plain() -> None: ...


async def numbered(number: int) -> None: ...


async def with_header(tenant: str = Header()) -> None: ...


def first_key(request: Request) -> str:
    return "1"


def second_key(request: Request) -> str:
    return "2"


def test_equal_settings_and_inputs_share_one() -> None:
    one, two = specs_of(("/a", CacheConfig(60, tags=["t"]), plain), ("/b", CacheConfig(60.0, tags=["t"]), plain))
    assert one is two
    assert (one.max_age, one.tags, one.methods) == (60, ["t"], ["GET"])


def test_whatever_counts_keeps_them_apart() -> None:
    base = ("/a", CacheConfig(60), plain)
    for path, config, endpoint in (
        ("/b", CacheConfig(61), plain),
        ("/b", CacheConfig(None), plain),
        ("/b", CacheConfig(), plain),
        ("/b", CacheConfig(60, tags=["t"]), plain),
        ("/b", CacheConfig(60, vary=["accept"]), plain),
        ("/b", CacheConfig(60, vary=["cookie:a"]), plain),
        ("/b", CacheConfig(60, query=[]), plain),
        ("/b", CacheConfig(60, ignore_query=["a"]), plain),
        ("/b", CacheConfig(60, stale_while_revalidate=1), plain),
        ("/b", CacheConfig(60, stale_if_error=1), plain),
        ("/b", CacheConfig(60, public=True), plain),
        ("/b", CacheConfig(60, strict_inputs=True), plain),
        ("/b", CacheConfig(60, etag=False), plain),
        ("/b", CacheConfig(60, key_func=first_key), plain),
        ("/{number}", CacheConfig(60), numbered),
        ("/b", CacheConfig(60), with_header),
    ):
        one, two = specs_of(base, (path, config, endpoint))
        assert one != two and one is not two, config
    first, second = specs_of(
        ("/a", CacheConfig(60, key_func=first_key), plain), ("/b", CacheConfig(60, key_func=second_key), plain)
    )
    assert (first.key_func, second.key_func) == (first_key, second_key)


def test_a_lifetime_that_is_left_out_is_the_controllers() -> None:
    left_out, given, same = specs_of(
        ("/a", CacheConfig(), plain), ("/b", CacheConfig(300), plain), ("/c", CacheConfig(77), plain)
    )
    assert (left_out.max_age, given.max_age) == (77, 300)
    assert left_out is same


def test_methods_keep_them_apart() -> None:
    app = FastAPI()
    app.get("/a", dependencies=[CacheConfig(60)])(plain)
    app.api_route("/b", methods=["GET", "OPTIONS"], dependencies=[CacheConfig(60)])(plain)
    controller = Controller(cacheable_methods={"GET", "OPTIONS"})
    table, _ = rows(analyse(app), Settings(controller, False, True, (), True, 10.0))
    assert [row[6].methods for row in table if row[6] is not None] == [["GET"], ["GET", "OPTIONS"]]
