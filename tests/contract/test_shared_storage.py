"""`SharedStorage`: one cache for several middlewares, as for several processes, and what it refuses."""

import asyncio
import os
import re
import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from asgi_client import request
from contract.support import START, Client, Counter, fastapi_app
from fastapi import Response
from starlette.requests import Request

from fast_cache_middleware import CacheConfig, CacheDropConfig, CacheHandle, SharedStorage, StorageError
from fast_cache_middleware._core import SystemClock
from fast_cache_middleware.storages.shared import own_directory

SMALL = 16 << 20


def build(path: Path, clock: SystemClock | None = None) -> tuple[Client, Counter, SharedStorage]:
    clock = SystemClock(START) if clock is None else clock
    storage = SharedStorage(path, clock=clock, max_bytes=SMALL)
    app = fastapi_app(clock, options={"storage": storage})
    counter = Counter()

    @app.get("/x/{item}", dependencies=[CacheConfig(60, tags=["item:{item}"])])
    async def show(item: str) -> list[Any]:
        return [item, counter()]

    @app.post("/x/{item}", dependencies=[CacheDropConfig(tags=["item:{item}"])])
    async def change(item: str) -> str:
        return item

    @app.post("/matching", dependencies=[CacheDropConfig(paths=[re.compile(r"/X/\d", re.I)])])
    async def change_matching() -> None: ...

    return Client(app), counter, storage


def test_what_one_keeps_the_other_finds(tmp_path: Path) -> None:
    (one, first, _), (other, second, _) = build(tmp_path), build(tmp_path)
    assert one.get("/x/1").cache == "MISS"
    answer = other.get("/x/1")
    assert (answer.cache, answer.body) == ("HIT", b'["1",1]')
    assert (first.calls, second.calls) == (1, 0)


def test_what_one_drops_is_gone_for_the_other(tmp_path: Path) -> None:
    (one, _, _), (other, _, _) = build(tmp_path), build(tmp_path)
    assert one.outcomes("/x/1", "/x/2") == ["MISS", "MISS"]
    assert other.outcomes("/x/1", "/x/2") == ["HIT", "HIT"]
    assert one.post("/x/1").status == 200
    assert other.outcomes("/x/1", "/x/2", "/x/1") == ["MISS", "HIT", "HIT"]


def test_what_an_expression_drops_is_gone_for_the_other(tmp_path: Path) -> None:
    (one, _, _), (other, _, _) = build(tmp_path), build(tmp_path)
    assert other.outcomes("/x/1", "/x/a") == ["MISS", "MISS"]
    assert one.post("/matching").status == 200
    assert other.outcomes("/x/1", "/x/a") == ["MISS", "HIT"]


def test_a_new_process_finds_what_an_earlier_one_kept(tmp_path: Path) -> None:
    clock = SystemClock(START)
    one, _, storage = build(tmp_path, clock)
    assert one.get("/x/1").cache == "MISS"
    asyncio.run(storage.close())
    other, counter, _ = build(tmp_path, clock)
    assert other.get("/x/1").cache == "HIT"
    assert counter.calls == 0


def test_what_is_reloaded_in_one_is_new_in_the_other(tmp_path: Path) -> None:
    (one, _, _), (other, _, _) = build(tmp_path), build(tmp_path)
    assert [one.get("/x/1").cache, other.get("/x/1").cache, other.get("/x/1").cache] == ["MISS", "HIT", "HIT"]
    reloaded = one.get("/x/1", [("cache-control", "no-cache")])
    assert reloaded.cache == "MISS"
    assert other.get("/x/1").body == reloaded.body


def test_what_is_stale_is_refreshed_by_one_of_all(tmp_path: Path) -> None:
    async def run() -> None:
        clock, counter, gate = SystemClock(START), Counter(), asyncio.Event()
        apps = []
        for _ in range(2):
            app = fastapi_app(clock, options={"storage": SharedStorage(tmp_path, clock=clock, max_bytes=SMALL)})

            @app.get("/x", dependencies=[CacheConfig(60, stale_while_revalidate=60)])
            async def show() -> int:
                await gate.wait()
                return counter()

            apps.append(app)
        gate.set()
        assert (await request(apps[0], "GET", "/x")).cache == "MISS"
        gate.clear()
        clock.advance(61)
        answers = [await request(app, "GET", "/x") for app in apps * 3]
        assert {(answer.cache, answer.body) for answer in answers} == {("STALE", b"1")}
        gate.set()
        while (await request(apps[1], "GET", "/x")).cache != "HIT":  # noqa: ASYNC110 - the refresh has to come to its end
            await asyncio.sleep(0)
        assert [(await request(app, "GET", "/x")).body for app in apps] == [b"2", b"2"]
        assert counter.calls == 2

    asyncio.run(run())


def test_clearing_clears_for_all(tmp_path: Path) -> None:
    (one, _, storage), (other, _, _) = build(tmp_path), build(tmp_path)
    assert [one.get("/x/1").cache, other.get("/x/1").cache] == ["MISS", "HIT"]
    asyncio.run(CacheHandle(storage).clear())
    assert other.get("/x/1").cache == "MISS"


def test_an_entry_of_ones_own(tmp_path: Path) -> None:
    async def run() -> None:
        clock = SystemClock(START)
        storages = [SharedStorage(tmp_path, ttl=timedelta(seconds=5), clock=clock, max_bytes=SMALL) for _ in range(2)]
        request = Request({"type": "http", "method": "GET", "path": "/k", "headers": [], "query_string": b""})
        await storages[0].set("k", Response(b"\x00\xff", 203), request, {"note": 1})
        found = await storages[1].get("k")
        assert found is not None
        assert (found[0].body, found[0].status_code, dict(found[2])) == (b"\x00\xff", 203, {"note": 1})
        clock.advance(6)
        assert await storages[1].get("k") is None

    asyncio.run(run())


def test_the_directory_is_the_owners_alone(tmp_path: Path) -> None:
    build(tmp_path / "made" / "here")[0].get("/x/1")
    assert stat.S_IMODE(os.stat(tmp_path / "made" / "here").st_mode) == 0o700
    for found in (tmp_path / "made" / "here").iterdir():
        assert stat.S_IMODE(found.stat().st_mode) == 0o600, found


def test_a_directory_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(StorageError, match="may be written to by others"):
        SharedStorage(tmp_path)


def test_a_path_must_name_a_directory() -> None:
    with pytest.raises(StorageError, match=r"SharedStorage\.path must name a directory"):
        SharedStorage("")


@pytest.mark.parametrize("settings", [{"max_bytes": 1 << 70}, {"max_size": 1 << 70}])
def test_bounds_beyond_all_bounds_are_refused(tmp_path: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(StorageError, match="SharedStorage"):
        SharedStorage(tmp_path, **settings)


@pytest.mark.parametrize(
    "settings", [{"max_bytes": 0}, {"max_size": -1}, {"ttl": 0}, {"near_bytes": -1}, {"max_bytes": "a"}]
)
def test_impossible_settings_are_refused(tmp_path: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(StorageError, match=rf"SharedStorage.{next(iter(settings))} must be"):
        SharedStorage(tmp_path, **settings)


def test_trouble_is_a_miss_and_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "data.mdb").write_bytes(b"not a map" * 2000)
    (tmp_path / "lock.mdb").write_bytes(b"")
    client, counter, storage = build(tmp_path)
    outcomes = client.outcomes("/x/1", "/x/1", "/x/1")
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    # It may have begun anew, which is as good.
    assert outcomes in (["MISS", "MISS", "MISS"], ["MISS", "HIT", "HIT"])
    assert counter.calls == outcomes.count("MISS")
    assert len(warnings) <= 1
    assert (storage.core.health()["trouble"] is None) == (outcomes[1] == "HIT")


def test_a_drop_while_the_directory_cannot_be_used_holds_once_it_can(tmp_path: Path) -> None:
    first, _, storage = build(tmp_path)
    assert first.outcomes("/x/1", "/x/2") == ["MISS", "MISS"]
    asyncio.run(storage.close())
    clock = SystemClock(START)
    client, _, storage = build(tmp_path, clock)
    tmp_path.chmod(0o770)
    assert client.post("/x/1").status == 200
    assert storage.core.health()["trouble"] is not None
    tmp_path.chmod(0o700)
    clock.advance(11)
    assert client.outcomes("/x/1", "/x/1") == ["MISS", "HIT"]


def test_without_a_path_an_application_has_a_directory_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["uvicorn", "one:app"])
    tmp_path.chmod(0o700)
    one = own_directory()
    assert one.parent == tmp_path / "fast-cache-middleware"
    assert own_directory() == one
    monkeypatch.setattr("sys.argv", ["uvicorn", "other:app"])
    assert own_directory() != one
    # A runtime directory that others may write to is nobody's own.
    tmp_path.chmod(0o777)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    assert own_directory().parent.parent == tmp_path / f"fast-cache-{os.getuid()}"


def test_the_parents_map_is_left_alone_after_a_fork(tmp_path: Path) -> None:
    client, counter, _ = build(tmp_path)
    assert client.get("/x/1").cache == "MISS"
    child = os.fork()
    if child == 0:
        code = 1
        try:
            hit = client.get("/x/1").cache == "HIT"
            miss = client.get("/x/2").cache == "MISS"
            dropped = client.post("/x/1").status == 200
            code = 0 if hit and miss and dropped else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert client.outcomes("/x/1", "/x/2") == ["MISS", "HIT"]
    assert counter.calls == 2
