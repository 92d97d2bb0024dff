"""What the package offers to its users' tests: a clock, an isolated cache, assertions, a storage that fails."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.metadata import entry_points
from typing import Any

import pytest
from asgi_client import Answer, request
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from fast_cache_middleware import CacheHandle, ConfigError, FastCacheMiddleware, InMemoryStorage, cached
from fast_cache_middleware._core import SystemClock
from fast_cache_middleware.testing import (
    Clock,
    FailingStorage,
    IsolatedCache,
    assert_hit,
    assert_miss,
    assert_stale,
    isolated,
)

START = 1_700_000_000.0


class Site:
    """An application with one cached page that counts its calls."""

    def __init__(self, **options: Any) -> None:
        self.calls = 0

        @cached(max_age=60, stale_while_revalidate=60, tags=["page"])
        async def page(_: Request) -> Response:
            self.calls += 1
            return PlainTextResponse(f"call {self.calls}")

        self.routes = [Route("/page", page)]
        self.app = Starlette(routes=self.routes, middleware=[Middleware(FastCacheMiddleware, **options)])

    def get(self, *headers: tuple[str, str]) -> Answer:
        return get(self.app, *headers)


def get(app: Any, *headers: tuple[str, str]) -> Answer:
    return asyncio.run(request(app, "GET", "/page", headers))


class TestClock:
    def test_it_stands_still_until_it_is_moved(self) -> None:
        clock = Clock(START)
        assert clock.now() == START
        clock.advance(1.5)
        clock.advance(timedelta(minutes=1))
        clock.advance(-0.5)
        assert clock.now() == START + 61
        clock.set(START - 1)
        assert clock.now() == START - 1
        clock.set(datetime(2030, 1, 1, tzinfo=UTC))
        assert clock.now() == datetime(2030, 1, 1, tzinfo=UTC).timestamp()
        assert repr(clock) == "Clock(1893456000)"

    def test_it_begins_now_or_whenever_one_likes(self) -> None:
        before = datetime.now(UTC).timestamp()
        now = Clock().now()
        assert before - 1 < now <= datetime.now(UTC).timestamp() and now == int(now)
        assert Clock(datetime(2030, 1, 1, tzinfo=UTC)).now() == Clock(1_893_456_000).now()

    @pytest.mark.parametrize("moment", [float("nan"), float("inf"), datetime(2030, 1, 1)])
    def test_what_is_no_time_is_refused(self, moment: Any) -> None:
        with pytest.raises(ValueError, match="time"):
            Clock(moment)
        clock = Clock(START)
        with pytest.raises(ValueError, match="time"):
            clock.set(moment)
        assert clock.now() == START

    def test_it_is_the_clock_of_a_middleware_and_of_a_storage(self) -> None:
        for clock in (Clock(START), Clock()):
            for options in ({"clock": clock}, {"storage": InMemoryStorage(clock=clock)}):
                site = Site(**options)
                assert_miss(site.get().lines)
                clock.advance(59)
                assert_hit(site.get().lines)
                assert site.get().header("age") == "59"
                clock.advance(2)
                assert_stale(site.get().lines)
                clock.advance(61)
                assert site.get().cache != "HIT"

    def test_it_holds_another_clock_for_a_while(self) -> None:
        clock, other = Clock(START), SystemClock()
        with clock.holding(other):
            assert other.now() == START
            clock.advance(5)
            assert other.now() == START + 5
            clock.set(START)
            assert other.now() == START
        clock.advance(5)
        assert other.now() > START + 1000
        with pytest.raises(ValueError, match="moved"):
            other.advance(1)

    def test_what_was_held_before_is_held_again(self) -> None:
        inner, outer, held = Clock(START), Clock(START + 100), SystemClock(1.0)
        with outer.holding(held), inner.holding(held), inner.holding(inner):
            inner.advance(1)
            assert held.now() == inner.now() == START + 1
        assert held.now() == 1.0 and inner.now() == START


class TestIsolated:
    def test_the_cache_is_empty_frozen_and_empty_again(self) -> None:
        site = Site()
        assert_miss(site.get().lines)
        with isolated(site.app) as cache:
            assert_miss(site.get().lines)
            cache.clock.advance(59)
            assert_hit(site.get().lines)
            cache.clock.advance(2)
            assert_stale(site.get().lines)
        assert_miss(site.get().lines)
        assert_hit(site.get().lines)

    def test_time_runs_again_afterwards(self) -> None:
        storage = InMemoryStorage()
        site = Site(storage=storage)
        with isolated(site.app, clock=Clock(START)):
            site.get()
            assert storage.core.clock.now() == START
        assert storage.core.clock.hold(None) is None
        with pytest.raises(RuntimeError), isolated(site.app, clock=Clock(START)):
            raise RuntimeError
        assert storage.core.clock.hold(None) is None

    def test_it_needs_no_request_before(self) -> None:
        with isolated(Site().app, clock=Clock(START)) as cache:
            assert cache.stats()["misses"] == 0

    def test_one_clock_moves_many(self) -> None:
        clock = Clock(START)
        sites = [Site(), Site(clock=Clock(5.0)), Site(storage=FailingStorage())]
        with (
            isolated(sites[0].app, clock=clock),
            isolated(sites[1].app, clock=clock),
            isolated(sites[2].app, clock=clock),
        ):
            for site in sites:
                assert_miss(site.get().lines)
            clock.advance(59)
            for site in sites:
                assert_hit(site.get().lines)
            clock.advance(61)
            for site in sites:
                assert site.get().cache != "HIT"

    def test_it_counts_drops_and_explains(self) -> None:
        site = Site()
        site.get()
        with isolated(site.app) as cache:
            empty = cache.stats()
            assert {**empty, "by_route": None} == {**dict.fromkeys(empty, 0), "by_route": None}
            site.get()
            site.get()
            stats = cache.stats()
            assert (stats["hits"], stats["misses"], stats["entries"], stats["drops"]) == (1, 1, 1, 0)
            assert stats["by_route"]["/page"]["hits"] == 1
            assert cache.explain(Request(site.get().scope))["outcome"] == "HIT"
            asyncio.run(cache.drop(tags=["page"]))
            assert_miss(site.get().lines)
            assert cache.stats()["drops"] == 1
            asyncio.run(cache.clear())
            assert cache.stats()["entries"] == 0

    def test_other_handles_of_the_storage_reach_it(self) -> None:
        storage = InMemoryStorage()
        handle = CacheHandle(storage)
        site = Site(storage=storage)
        with isolated(site.app):
            assert_miss(site.get().lines)
            asyncio.run(handle.drop(tags=["page"]))
            assert_miss(site.get().lines)

    def test_a_custom_storage_keeps_what_it_holds_and_it_is_not_used(self) -> None:
        storage = FailingStorage()
        site = Site(storage=storage)
        site.get()
        with isolated(site.app):
            assert_miss(site.get().lines)
            assert_hit(site.get().lines)
        assert_miss(site.get().lines)
        assert storage.calls["delete"] == 0

    @pytest.mark.parametrize("wrap", [lambda app: app, lambda app: Wrapper(Wrapper(app))])
    def test_a_middleware_wrapped_around_the_application(self, wrap: Callable[[Any], Any]) -> None:
        site = Site()
        app = wrap(FastCacheMiddleware(Starlette(routes=site.routes)))
        get(app)
        with isolated(app) as cache:
            assert_miss(get(app).lines)
            cache.clock.advance(59)
            assert_hit(get(app).lines)

    def test_all_middlewares_on_the_way_are_isolated(self) -> None:
        site = Site(cache_status="inner")
        app = FastCacheMiddleware(site.app, cache_status="outer")
        get(app)
        with isolated(app) as cache:
            assert get(app).cache == "MISS" and site.calls == 2
            cache.clock.advance(59)
            assert get(app).cache == "HIT" and site.calls == 2
        assert get(app).cache == "MISS" and site.calls == 3

    def test_what_is_known_to_be_unshared_is_forgotten(self) -> None:
        @cached(max_age=60)
        async def page(_: Request) -> Response:
            nonlocal waiting
            waiting += 1
            await asyncio.sleep(0)
            return PlainTextResponse("page", headers={"cache-control": control})

        async def twice() -> list[str | None]:
            return [one.cache for one in await asyncio.gather(*(request(app, "GET", "/page") for _ in range(2)))]

        waiting, control = 0, "no-store"
        app = FastCacheMiddleware(Starlette(routes=[Route("/page", page)]))
        with isolated(app, clock=Clock(START)):
            assert asyncio.run(twice()) == ["MISS", "MISS"]
            control = "public"
        with isolated(app, clock=Clock(START)):
            waiting = 0
            assert sorted(map(str, asyncio.run(twice()))) == ["HIT", "MISS"] and waiting == 1

    def test_without_a_middleware_there_is_nothing_to_isolate(self) -> None:
        for app in (Starlette(), Wrapper(None), object()):
            with pytest.raises(ConfigError, match="no FastCacheMiddleware"), isolated(app):
                pass


class Wrapper:
    """As middlewares are."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


class TestPlugin:
    def test_the_fixtures_are_there(
        self,
        cache_clock: Clock,
        isolated_cache: Callable[[object], IsolatedCache],
        failing_storage: FailingStorage,
    ) -> None:
        site, other = Site(), Site(storage=failing_storage)
        cache = isolated_cache(site.app)
        assert cache.clock is cache_clock and isolated_cache(other.app).clock is cache_clock
        for one in (site, other):
            assert_miss(one.get().lines)
        cache_clock.advance(59)
        for one in (site, other):
            assert_hit(one.get().lines)
        assert failing_storage.calls["get"] == 2

    def test_isolation_ends_with_the_test(self, request: pytest.FixtureRequest) -> None:
        storage = InMemoryStorage()
        site = Site(storage=storage)
        request.addfinalizer(lambda: self.check(site, storage))
        # Set up after the finalizer was added, so torn down before it runs.
        request.getfixturevalue("isolated_cache")(site.app)
        assert_miss(site.get().lines)
        assert storage.core.clock.hold(START) is not None

    @staticmethod
    def check(site: Site, storage: InMemoryStorage) -> None:
        assert len(storage) == 0
        assert storage.core.clock.hold(None) is None

    def test_pytest_finds_it_and_imports_no_framework_for_it(self) -> None:
        (found,) = entry_points(group="pytest11", name="fast_cache_middleware")
        program = (
            f"import sys, {found.value}\n"
            "assert not {'starlette', 'fastapi', 'fast_cache_middleware'} & set(sys.modules)\n"
        )
        subprocess.run([sys.executable, "-c", program], check=True, timeout=60)

    def test_neither_pytest_nor_an_http_library_is_needed(self) -> None:
        program = (
            "import sys\n"
            "for name in ('pytest', 'httpx', 'fastapi'):\n"
            "    sys.modules[name] = None\n"
            "from fast_cache_middleware.testing import *\n"
            "assert isolated and Clock().now()\n"
        )
        subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
