"""Several worker processes with one storage: one call for all of them, and no answer older than a finished drop."""

import os
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from servers.processes import ENVIRONMENT, Server
from servers.wire import Connection, get

pytestmark = pytest.mark.slow

COMMAND = "-m uvicorn {app} --port {port} --workers 4 --no-access-log"
REQUESTS = int(os.environ.get("WORKERS_REQUESTS", "4000"))
"""How many requests the order of events is checked over."""

NAMES = ("a", "b", "c")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workers")


@pytest.fixture(scope="module")
def workers(folder: Path) -> Iterator[Server]:
    """Four workers."""
    ENVIRONMENT["FOLDER"] = str(folder)
    server = Server(COMMAND, "workers:app")
    try:
        yield server.listening()
    finally:
        del ENVIRONMENT["FOLDER"]
        server.stop()


def connections(server: Server, of: int) -> list[Connection]:
    """Connections until `of` different processes answer."""
    found: dict[bytes, Connection] = {}
    end = time.monotonic() + 60
    while len(found) < of and time.monotonic() < end:
        connection = server.connect()
        process = connection.ask(get("/pid")).body
        if process in found:
            connection.close()
        else:
            found[process] = connection
    assert len(found) == of, "not all workers have answered"
    return list(found.values())


def number(folder: Path, name: str) -> int:
    try:
        return int.from_bytes((folder / name).read_bytes(), "little")
    except FileNotFoundError:
        return 0


def until(what: str, condition: object) -> None:
    end = time.monotonic() + 30
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, what
        time.sleep(0.002)


def test_concurrent_misses_in_all_workers_make_one_call(workers: Server, folder: Path) -> None:
    asking = connections(workers, 4)
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(one.ask, get("/slow/x")) for one in asking]
        until("all have arrived", lambda: number(folder, "arrived") >= 4)
        (folder / "gate").touch()
        bodies = {answer.result(timeout=30).body for answer in answers}
    assert bodies == {b"1"}
    assert number(folder, "calls-x") == 1
    for one in asking:
        answer = one.ask(get("/slow/x"))
        assert (answer.cache, answer.body) == ("HIT", b"1")
        one.close()


def test_no_answer_is_older_than_a_finished_drop(workers: Server) -> None:
    """Each thread asks one worker. What a write has answered with is known from then on, wherever one asks."""
    finished = dict.fromkeys(NAMES, 0)
    lock = threading.Lock()
    faults: list[str] = []
    hits = 0

    def ask_on(connection: Connection, seed: int, requests: int) -> None:
        nonlocal hits
        draw = random.Random(seed)
        for _ in range(requests):
            name = draw.choice(NAMES)
            if draw.random() < 0.1:
                written = int(connection.ask(get(f"/value/{name}", "Content-Length: 0", method="POST")).body)
                with lock:
                    finished[name] = max(finished[name], written)
                continue
            with lock:
                known = finished[name]
            answer = connection.ask(get(f"/value/{name}"))
            with lock:
                hits += answer.cache == "HIT"
            if int(answer.body) < known:
                faults.append(f"{name}: {answer.body!r} ({answer.cache}) after {known} was finished")

    asking = connections(workers, 4)
    threads = [
        threading.Thread(target=ask_on, args=(connection, seed, REQUESTS // 4))
        for seed, connection in enumerate(asking)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for connection in asking:
        connection.close()
    assert not faults, faults[:5]
    assert hits > REQUESTS // 4
