"""Every Python block of the documentation and of the docstrings runs, and the README prints what the app says."""

import ast
import asyncio
import re
import sys
import textwrap
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asgi_client import Answer, lifespan, request

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "python" / "fast_cache_middleware"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PREAMBLE = ROOT / "docs" / "README.md"


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks_of_pages() -> Iterator[Any]:
    for page in pages():
        for number, block in enumerate(BLOCK.findall(page.read_text()), 1):
            yield pytest.param(block, id=f"{page.relative_to(ROOT)}-{number}")


def blocks_of_docstrings() -> Iterator[Any]:
    for file in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(file.read_text())
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                name = getattr(node, "name", "module")
                docstring = textwrap.dedent(ast.get_docstring(node) or "")
                for number, block in enumerate(BLOCK.findall(docstring + "\n"), 1):
                    yield pytest.param(block, id=f"{file.relative_to(PACKAGE)}-{name}-{number}")


@pytest.fixture(autouse=True)
def served(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A `uvicorn` whose `run` starts and stops the application, and notes it, instead of waiting for requests."""
    applications: list[Any] = []

    def run(app: Any, **_options: Any) -> None:
        sent = asyncio.run(lifespan(app))
        assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
        applications.append(app)

    uvicorn = types.ModuleType("uvicorn")
    uvicorn.__dict__["run"] = run
    monkeypatch.setitem(sys.modules, "uvicorn", uvicorn)
    return applications


def run_block(block: str, name: str) -> dict[str, Any]:
    """What the block defines; the helpers that docs/README.md defines first are there from the start."""
    module = types.ModuleType(name)
    namespace = module.__dict__
    exec(compile(BLOCK.findall(PREAMBLE.read_text())[0], str(PREAMBLE), "exec"), namespace)
    try:
        # FastAPI looks for the types of annotations in the module of the function.
        sys.modules[name] = module
        exec(compile(block, name, "exec"), namespace)
    finally:
        del sys.modules[name]
    return namespace


@pytest.mark.parametrize("block", [*blocks_of_pages(), *blocks_of_docstrings()])
def test_a_block_runs(block: str, request: pytest.FixtureRequest) -> None:
    run_block(block, re.sub(r"\W", "_", request.node.callspec.id))


def test_no_block_escapes() -> None:
    """A fence that is indented or written otherwise would not be run."""
    for file in [*pages(), ROOT / "ARCHITECTURE.md", *PACKAGE.rglob("*.py")]:
        text = file.read_text()
        loose = len(re.findall(r"(?:```|~~~)\s*(?:python|py|python3|pycon)\b", text, re.IGNORECASE))
        strict = len(re.findall(r"^ *```python$", text, re.MULTILINE))
        assert loose == strict, file


def test_the_readme_begins_with_the_quick_start() -> None:
    first = BLOCK.findall((ROOT / "README.md").read_text())[0]
    assert first == (ROOT / "examples" / "quick_start.py").read_text()


def test_the_readme_prints_what_the_application_says(served: list[Any]) -> None:
    """Replays the `curl -i` commands of the quick start. What the server adds and what a clock decides may differ."""
    readme = (ROOT / "README.md").read_text()
    run_block(BLOCK.findall(readme)[0], "quick_start")
    commands = re.findall(
        r"^\$ curl -i(?: -X (\w+))?((?: -H '[^']+')*) http://127\.0\.0\.1:8000(\S+)\n(.*?)(?=^\$ |^```)",
        readme,
        re.MULTILINE | re.DOTALL,
    )
    assert len(commands) >= 4
    for method, headers, target, printed in commands:
        lines = [tuple(line.split(": ", 1)) for line in re.findall(r"-H '([^']+)'", headers)]
        answer = asyncio.run(request(served[0], method or "GET", target, lines))
        head, _, body = printed.partition("\n\n")
        assert told(head) == told(written(answer)), target
        assert body.strip() == answer.body.decode(), target


def test_the_table_of_the_readme_says_what_happens(served: list[Any]) -> None:
    readme = (ROOT / "README.md").read_text()
    run_block(BLOCK.findall(readme)[0], "quick_start")
    asyncio.run(request(served[0], "GET", "/users/1"))
    rows = re.findall(r"`curl -i(?: -H '([^']+)')? '?http://127\.0\.0\.1:8000([^' `]+)'?` (?:is a )?(\w+)", readme)
    outcomes = set()
    for header, target, said in rows:
        lines = [tuple(header.split(": ", 1))] if header else []
        answer = asyncio.run(request(served[0], "GET", target, lines))
        if said == "on":
            assert answer.status == 304 and answer.cache == "HIT", target
        elif said.isupper():
            assert answer.cache == said, target
            outcomes.add(said)
    assert outcomes == {"HIT", "MISS", "BYPASS"}
    assert b'"x-cache-age":300' in asyncio.run(request(served[0], "GET", "/openapi.json")).body


def written(answer: Answer) -> str:
    lines = [f"{name.decode()}: {value.decode()}" for name, value in answer.lines]
    return "\n".join([f"HTTP/1.1 {answer.status}", *lines])


def told(head: str) -> tuple[str, list[str]]:
    status, *lines = head.splitlines()
    lines = [line for line in lines if not line.startswith(("date:", "server:"))]
    return status.split()[1], sorted(re.sub(r"^(age: |.*; ttl=)\d+", r"\1N", line) for line in lines)


def test_the_replay_would_see_a_difference() -> None:
    printed = "HTTP/1.1 200 OK\ndate: today\nage: 1\nx-cache-status: HIT\ncache-status: fast-cache; hit; ttl=298"
    other = "HTTP/1.1 200\ncache-status: fast-cache; hit; ttl=1\nage: 9\nx-cache-status: HIT"
    assert told(printed) == told(other)
    assert told(printed) != told(other.replace("HIT", "MISS"))
