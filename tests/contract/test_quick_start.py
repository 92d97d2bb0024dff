"""The quick start, run as it is printed."""

import json
import runpy
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from contract.support import Client

QUICK_START = Path(__file__).parents[2] / "examples" / "quick_start.py"


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Any:
    served: list[tuple[Any, dict[str, Any]]] = []
    uvicorn = types.ModuleType("uvicorn")
    uvicorn.run = lambda app, **options: served.append((app, options))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "uvicorn", uvicorn)
    runpy.run_path(str(QUICK_START), run_name="__main__")
    [(app, options)] = served
    assert options == {"host": "127.0.0.1", "port": 8000}
    return app


def test_quick_start(app: Any) -> None:
    client = Client(app)
    first = client.get("/users/1")
    assert (first.status, first.cache) == (200, "MISS")
    assert json.loads(first.body) == {"user_id": 1, "name": "User 1"}
    assert first.header("age") is None

    second = client.get("/users/1")
    assert (second.status, second.cache) == (200, "HIT")
    assert second.body == first.body
    assert second.header("age") in ("0", "1")
    assert client.get("/users/2").cache == "MISS"

    written = client.post("/users/1")
    assert json.loads(written.body) == {"user_id": 1, "status": "updated"}
    assert written.cache is None

    third = client.get("/users/1")
    assert (third.cache, third.body) == ("MISS", first.body)
    assert client.get("/users/1").cache == "HIT"


def test_the_quick_start_starts_and_stops(app: Any) -> None:
    client = Client(app)
    assert [message["type"] for message in client.start()] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    assert client.outcomes("/users/1", "/users/1") == ["MISS", "HIT"]


def test_what_the_framework_refuses_is_refused(app: Any) -> None:
    client = Client(app)
    assert [client.get("/users/x").status for _ in range(2)] == [422, 422]
    assert client.get("/nobody").status == 404
    assert client.get("/nobody").cache is None
    assert client.request("DELETE", "/users/1").status == 405
