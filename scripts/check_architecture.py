"""Hold the direction of dependencies: core decides, store keeps, engine waits, adapters speak.

Usage: python3 scripts/check_architecture.py [WORKSPACE]

Checks, from what Cargo resolves and from the sources of the core:

1. a crate of the workspace depends only on those that `ALLOWED` gives it;
2. a crate in `GUARDED` is depended on only by those named there;
3. nothing in `BANNED_BELOW_CORE` is reached from the core, however indirectly (tests and build scripts excepted);
4. the core names no clock, environment, file, socket, process or thread outside its tests;
5. the crates in `SAFE` forbid `unsafe`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CORE = "fast-cache-core"
STORE = "fast-cache-store"
ENGINE = "fast-cache-engine"
SHARED = "fast-cache-shared"
REDIS = "fast-cache-redis"
TOWER = "fast-cache-tower"
PYTHON = "fast-cache-python"
FUZZ = "fast-cache-fuzz"
EXAMPLES = "fast-cache-examples"

ALLOWED: dict[str, frozenset[str]] = {
    CORE: frozenset(),
    STORE: frozenset({CORE}),
    SHARED: frozenset({CORE, STORE}),
    REDIS: frozenset({CORE, STORE}),
    ENGINE: frozenset({CORE, STORE}),
    TOWER: frozenset({CORE, STORE, ENGINE}),
    PYTHON: frozenset({CORE, STORE, ENGINE, SHARED, REDIS}),
    FUZZ: frozenset({CORE, STORE, ENGINE}),
    EXAMPLES: frozenset({TOWER, SHARED, REDIS}),
}

GUARDED: dict[str, tuple[frozenset[str], str]] = {
    "pyo3": (frozenset({PYTHON}), "only the binding knows Python"),
    "tokio": (frozenset({REDIS, TOWER, PYTHON, EXAMPLES}), "only what talks to a network has a runtime"),
    "redis": (frozenset({REDIS}), "one crate knows Redis"),
    "lmdb-master-sys": (frozenset({SHARED}), "one crate knows LMDB"),
    "http": (frozenset({TOWER, EXAMPLES}), "the core's own request type serves every host"),
    "http-body": (frozenset({TOWER, EXAMPLES}), "bodies are the host's own"),
    "axum": (frozenset({TOWER, EXAMPLES}), "one adapter knows axum"),
    "tower-layer": (frozenset({TOWER, EXAMPLES}), "one adapter knows tower"),
    "tower-service": (frozenset({TOWER, EXAMPLES}), "one adapter knows tower"),
}

BANNED_BELOW_CORE = frozenset(
    {
        *("async-trait", "futures", "futures-core", "mio", "socket2", "tokio"),  # waiting
        *("chrono", "jiff", "time"),  # clocks
        *("getrandom", "rand"),  # chance
        *("log", "tracing"),  # speaking
        *("http", "lmdb-master-sys", "pyo3", "redis", "serde", "serde_json"),  # hosts and stores
    }
)

NOT_SHIPPED = ("dev", "build")

SAFE = (CORE, STORE)

FORBIDDEN_MODULES = "env|fs|net|os|process|thread"
FORBIDDEN_SOURCE = {
    re.compile(r"\b(?:SystemTime|Instant)\b"): "reads a clock; time is an argument",
    re.compile(rf"\bstd::(?:{FORBIDDEN_MODULES})\b"): "does I/O or asks the system; that is a host's work",
    re.compile(rf"\bstd::\{{[^;]*\b(?:{FORBIDDEN_MODULES})\b"): "does I/O or asks the system; that is a host's work",
}
NOT_CODE = re.compile(r"""//[^\n]*|/\*.*?\*/|'(?:\\.|[^'\\\n])'|r(#*)".*?"\1|"(?:\\.|[^"\\])*\"""", re.DOTALL)
TEST_MODULE = re.compile(
    r"#\[cfg\((?:test|all\(test\b[^\]]*)\)\]\s*(?:#\[[^\]]*\]\s*)*(?:pub(?:\([a-z]+\))?\s+)?mod\s+(\w+)\s*([{;])"
)


def metadata(workspace: Path) -> dict[str, Any]:
    """What Cargo resolves for `workspace`, from the lock file; fetched only where it is not at hand."""
    command = ["cargo", "metadata", "--format-version=1", "--locked"]
    offline = subprocess.run([*command, "--offline"], cwd=workspace, capture_output=True, text=True, check=False)
    if offline.returncode == 0:
        return dict(json.loads(offline.stdout))
    online = subprocess.run(command, cwd=workspace, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(online.stdout))


def wrong_edges(packages: list[dict[str, Any]]) -> Iterator[str]:
    """Direct dependencies, of whatever kind, that the design does not have."""
    names = {package["name"] for package in packages}
    for package in packages:
        name = package["name"]
        if name not in ALLOWED:
            yield f"{name} is not known to scripts/check_architecture.py: give it a place in ALLOWED"
            continue
        for dependency in sorted({dependency["name"] for dependency in package["dependencies"]}):
            if dependency in names and dependency not in ALLOWED[name]:
                may = ", ".join(sorted(ALLOWED[name])) or "no crate of the workspace"
                yield f"{name} depends on {dependency}; it may depend on {may}"
            if dependency in GUARDED and name not in GUARDED[dependency][0]:
                yield f"{name} depends on {dependency}: {GUARDED[dependency][1]}"


def reached_from_core(graph: dict[str, Any]) -> Iterator[str]:
    """Crates the core must not reach, with the way that leads there."""
    names = {package["id"]: package["name"] for package in graph["packages"]}
    nodes = {node["id"]: node for node in graph["resolve"]["nodes"]}
    starts = [identity for identity in graph["workspace_members"] if names[identity] == CORE]
    ways = {identity: names[identity] for identity in starts}
    pending = list(starts)
    while pending:
        here = pending.pop()
        for edge in nodes[here]["deps"]:
            target = edge["pkg"]
            if target in ways or all(kind["kind"] in NOT_SHIPPED for kind in edge["dep_kinds"]):
                continue
            ways[target] = f"{ways[here]} -> {names[target]}"
            pending.append(target)
            if names[target] in BANNED_BELOW_CORE:
                yield f"{CORE} must not reach {names[target]}: {ways[target]}"


def impure_lines(crate: Path) -> Iterator[str]:
    """Places in `crate/src`, outside tests, that name what the core must not know."""
    sources = {path: _blank(NOT_CODE, path.read_text()) for path in sorted((crate / "src").rglob("*.rs"))}
    tests = {folder / name for path, text in sources.items() for folder, name in _test_files(path, text)}
    for path, source in sources.items():
        if any(path.with_suffix("") == test or test in path.parents for test in tests):
            continue
        code = _without_tests(source)
        for pattern, reason in FORBIDDEN_SOURCE.items():
            for match in pattern.finditer(code):
                line = code.count("\n", 0, match.start()) + 1
                yield f"{path.relative_to(crate.parent.parent)}:{line}: {' '.join(match[0].split())} {reason}"


def _blank(pattern: re.Pattern[str], text: str) -> str:
    return pattern.sub(lambda match: "\n" * match[0].count("\n"), text)


def _test_files(path: Path, source: str) -> Iterator[tuple[Path, str]]:
    folder = path.parent if path.name in ("lib.rs", "mod.rs") else path.with_suffix("")
    for match in TEST_MODULE.finditer(source):
        if match[2] == ";":
            yield folder, match[1]


def _without_tests(source: str) -> str:
    while match := next((found for found in TEST_MODULE.finditer(source) if found[2] == "{"), None):
        end, depth = match.end(), 1
        while depth and end < len(source):
            depth += {"{": 1, "}": -1}.get(source[end], 0)
            end += 1
        source = source[: match.start()] + "\n" * source.count("\n", match.start(), end) + source[end:]
    return source


def unsafe_allowed(crate: Path) -> Iterator[str]:
    """A word if the crate's root does not forbid `unsafe`."""
    root = crate / "src" / "lib.rs"
    if "#![forbid(unsafe_code)]" not in root.read_text():
        yield f"{root.relative_to(crate.parent.parent)}: says no #![forbid(unsafe_code)]"


def main() -> int:
    """Check the workspace named on the command line, or this one; print every violation."""
    workspace = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    graph = metadata(workspace)
    members = [package for package in graph["packages"] if package["id"] in graph["workspace_members"]]
    crates = {package["name"]: Path(package["manifest_path"]).parent for package in members}
    violations = [*wrong_edges(members), *reached_from_core(graph), *impure_lines(crates[CORE])]
    for name in SAFE:
        violations += unsafe_allowed(crates[name])
    for violation in violations:
        print(violation)
    print(f"Architecture: {len(members)} crates, {len(violations)} violations.")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
