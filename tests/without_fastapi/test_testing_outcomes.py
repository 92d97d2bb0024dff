"""What tests of users' applications are offered: assertions of outcomes, and a storage that fails on demand."""

import asyncio
import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from asgi_client import Answer, request
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from fast_cache_middleware import ConfigError, FastCacheMiddleware, StorageError, cached
from fast_cache_middleware.testing import (
    Clock,
    FailingStorage,
    assert_bypass,
    assert_hit,
    assert_miss,
    assert_revalidated,
    assert_stale,
)

START = 1_700_000_000.0


class Site:
    """An application with one cached page."""

    def __init__(self, **options: Any) -> None:
        @cached(max_age=60, stale_while_revalidate=60)
        async def page(_: Request) -> Response:
            return PlainTextResponse("page")

        self.app = Starlette(routes=[Route("/page", page)], middleware=[Middleware(FastCacheMiddleware, **options)])

    def get(self, *headers: tuple[str, str]) -> Answer:
        return asyncio.run(request(self.app, "GET", "/page", headers))


class TestOutcomes:
    def test_what_became_of_requests(self) -> None:
        site = Site(clock=(clock := Clock(START)))
        bypassed = site.get(("authorization", "Bearer x"))
        assert_bypass(bypassed.lines)
        assert_bypass(bypassed.lines, "authorization")
        assert_miss(site.get().lines, "uri-miss")
        assert_hit(site.get().lines)
        clock.advance(61)
        assert_stale(site.get().lines)

    def test_whatever_has_headers_will_do(self) -> None:
        lines = [(b"X-Cache-Status", b"HIT"), (b"cache-status", b"fast-cache; hit; ttl=3")]
        texts = {name.decode(): value.decode() for name, value in lines}
        for response in (
            lines,
            tuple(lines),
            texts,
            list(texts.items()),
            SimpleNamespace(headers=texts),
            SimpleNamespace(headers=lines),
            {"type": "http.response.start", "status": 200, "headers": lines},
            Response(headers=texts),
            PlainTextResponse(headers=texts),
        ):
            assert_hit(response)
            with pytest.raises(AssertionError, match="expected MISS, got HIT"):
                assert_miss(response)
        for other in (3, "HIT", [1, 2]):
            with pytest.raises(TypeError, match="neither a response nor header lines"):
                assert_hit(other)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("check", "word"),
        [
            (assert_hit, "HIT"),
            (assert_miss, "MISS"),
            (assert_stale, "STALE"),
            (assert_revalidated, "REVALIDATED"),
            (assert_bypass, "BYPASS"),
        ],
    )
    def test_each_takes_its_own_word_and_no_other(self, check: Callable[[Any], None], word: str) -> None:
        for other in ("HIT", "MISS", "STALE", "REVALIDATED", "BYPASS", "hit", ""):
            if other == word:
                check({"x-cache-status": other})
            else:
                with pytest.raises(AssertionError, match=f"expected {word}, got {other}"):
                    check({"x-cache-status": other})

    def test_the_message_says_what_cache_status_says(self) -> None:
        missed = {"x-cache-status": "MISS", "cache-status": "fast-cache; fwd=uri-miss; detail=set-cookie"}
        with pytest.raises(AssertionError) as raised:
            assert_hit(missed)
        assert str(raised.value) == (
            "expected HIT, got MISS (Cache-Status: fast-cache; fwd=uri-miss; detail=set-cookie)"
        )
        with pytest.raises(AssertionError, match="expected MISS because of private, got MISS for another reason"):
            assert_miss(missed, "private")
        with pytest.raises(AssertionError, match=r"no cached route answered \(there is no Cache-Status\)"):
            assert_bypass({"content-type": "text/plain"})

    def test_the_reason_is_that_of_the_last_cache(self) -> None:
        said = r'"a;, \"detail=x" ; fwd=request, origin; detail=y, mine; fwd=bypass; detail="cookie"'
        headers = {"x-cache-status": "BYPASS", "cache-status": said}
        assert_bypass(headers, "cookie")
        assert_bypass(headers, "bypass")
        for reason in ("x", "y", "request", "mine", "", "cook"):
            with pytest.raises(AssertionError):
                assert_bypass(headers, reason)
        with pytest.raises(AssertionError):
            assert_bypass({"x-cache-status": "BYPASS"}, "cookie")


class TestFailingStorage:
    def test_it_stores_until_it_is_told_to_fail(self, caplog: pytest.LogCaptureFixture) -> None:
        storage = FailingStorage()
        site = Site(storage=storage)
        assert [site.get().cache, site.get().cache] == ["MISS", "HIT"]
        assert storage.calls == {"get": 2, "set": 1}
        storage.fail("get")
        with caplog.at_level(logging.CRITICAL):
            assert [site.get().cache, site.get().cache] == ["MISS", "MISS"]
        storage.heal("get")
        assert_hit(site.get().lines)
        assert storage.calls == {"get": 5, "set": 3}

    def test_it_fails_as_often_as_it_is_told(self) -> None:
        storage = FailingStorage()
        storage.fail("get", "close", times=2)
        error = OSError("the network is down")
        storage.fail("set", error=error)

        async def play() -> list[object]:
            outcomes: list[object] = []
            for call in (*[lambda: storage.get("key")] * 3, *[lambda: storage.set("key", *stored)] * 3, storage.close):
                try:
                    outcomes.append(await call())
                except (StorageError, OSError) as raised:
                    outcomes.append(raised)
            return outcomes

        stored: Any = (PlainTextResponse("page"), Request({"type": "http", "path": "/", "headers": []}), {})
        first, second, third, *sets, closed = asyncio.run(play())
        assert str(first) == str(second) == "get fails on demand" and third is None
        assert sets == [error] * 3
        assert isinstance(closed, StorageError)
        storage.heal()
        asyncio.run(storage.close())
        assert storage.calls == {"get": 3, "set": 3, "close": 2}

    def test_all_operations_fail_where_none_is_named(self) -> None:
        storage = FailingStorage()
        storage.fail(times=1)
        for call in (storage.get("key"), storage.close()):
            with pytest.raises(StorageError, match="on demand"):
                asyncio.run(call)
        assert asyncio.run(storage.get("key")) is None

    def test_it_wraps_any_storage_and_hands_on_its_secret(self) -> None:
        class Given:
            secret = b"s" * 48
            kept: dict[str, Any] = {}  # noqa: RUF012

            async def store(self, key: str, *stored: Any) -> None:
                self.kept[key] = stored

            async def retrieve(self, key: str) -> Any:
                return self.kept.get(key)

            async def delete(self, path: Any) -> None:
                self.kept.clear()

        storage = FailingStorage(Given())
        assert storage.secret == b"s" * 48
        site = Site(storage=storage)
        assert [site.get().cache, site.get().cache] == ["MISS", "HIT"]
        assert len(Given.kept) == 1
        with pytest.raises(ConfigError):
            FailingStorage(object())

    def test_what_cannot_be_meant_is_refused(self) -> None:
        storage = FailingStorage()
        with pytest.raises(ValueError, match="set, get, delete, close"):
            storage.fail("put")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="at least 1"):
            storage.fail("get", times=0)
        assert asyncio.run(storage.get("key")) is None
