"""What the documentation says about the code is there: links, paths, reasons, names, commands, dependencies."""

import inspect
import re
import tomllib
from pathlib import Path

import pytest

import fast_cache_middleware
from fast_cache_middleware import (
    CacheConfig,
    CacheDropConfig,
    CacheHandle,
    Controller,
    FastCacheMiddleware,
    InMemoryStorage,
)
from fast_cache_middleware.controller import HOOKS

ROOT = Path(__file__).resolve().parents[2]
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    *DOCS,
]
PAGES.append(ROOT / "crates" / "README.md")


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def in_code_style(text: str) -> set[str]:
    return set(re.findall(r"`([^`\n]+)`", text))


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith(("https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_in_the_text_exist(page: Path) -> None:
    for path in in_code_style(prose(page)):
        if re.fullmatch(r"(?:crates|python|tests|scripts|docs|examples|testdata)/[\w./-]+", path):
            assert (ROOT / path).exists(), path


def test_rules_name_files_of_the_core() -> None:
    text = prose(ROOT / "docs" / "rules.md")
    files = {
        path for path in in_code_style(text) if re.fullmatch(r"[a-z_/]+\.rs", path) and not path.startswith("crates")
    }
    assert len(files) > 10
    for file in files:
        assert (ROOT / "crates/fast-cache-core/src" / file).exists(), file


def test_rules_name_every_file_of_scenarios_and_no_other() -> None:
    named = set(re.findall(r"`([a-z_]+\.toml)`", prose(ROOT / "docs" / "rules.md")))
    assert named == {file.name for file in (ROOT / "testdata" / "scenarios").glob("*.toml")}


def test_every_reason_has_its_row_and_no_other() -> None:
    source = (ROOT / "crates/fast-cache-core/src/reason.rs").read_text()
    reasons = re.findall(r'^    \w+ = "([a-z-]+)", (?:true|false);', source, re.MULTILINE)
    assert len(reasons) > 30
    page = (ROOT / "docs/troubleshooting.md").read_text()
    section = page[page.index("## Reasons") : page.index("## No header at all")]
    rows = re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE)
    assert sorted(rows) == sorted(reasons)


def test_every_public_name_is_documented() -> None:
    text = "\n".join(prose(page) for page in DOCS)
    words = {word for code in in_code_style(text) for word in re.findall(r"\w+", code)} | set(
        re.findall(r"\w+Error", text)
    )
    words |= set(re.findall(r"\w+", (ROOT / "docs/configuration.md").read_text()))
    missing = [name for name in fast_cache_middleware.__all__ if name not in words]
    assert missing == []
    assert all(inspect.getdoc(getattr(fast_cache_middleware, name)) for name in fast_cache_middleware.__all__)


@pytest.mark.parametrize(
    ("documented", "page"),
    [
        (FastCacheMiddleware, "configuration"),
        (CacheConfig, "configuration"),
        (CacheDropConfig, "configuration"),
        (CacheHandle.drop, "configuration"),
        (Controller, "hooks"),
        (InMemoryStorage, "storages"),
    ],
    ids=lambda value: getattr(value, "__qualname__", value),
)
def test_every_parameter_is_documented(documented: object, page: str) -> None:
    function = documented.__init__ if isinstance(documented, type) else documented
    names = {word for code in in_code_style(prose(ROOT / "docs" / f"{page}.md")) for word in re.findall(r"\w+", code)}
    parameters = [name for name in inspect.signature(function).parameters if name not in ("self", "app")]
    assert parameters
    assert [name for name in parameters if name not in names] == []


def test_every_hook_is_documented() -> None:
    rows = re.findall(r"^\| `(\w+)\(", (ROOT / "docs/hooks.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(HOOKS)


def test_every_freely_varied_header_is_documented() -> None:
    source = (ROOT / "crates/fast-cache-core/src/key/inputs.rs").read_text()
    body = source[source.index("pub fn freely_varied") : source.index("pub(super) fn is_plain")]
    known = {name.lower() for name in re.findall(r'\bb"([a-z0-9-]{2,})"', body)}
    assert len(known) > 40
    page = (ROOT / "docs/keys.md").read_text()
    section = page[page.index("## Endpoints that take the raw request") : page.index("`Origin`, `Forwarded`")]
    told = {name.lower().rstrip("*") for name in in_code_style(section) if re.fullmatch(r"[A-Za-z0-9-]+\*?", name)}
    assert told - {"request"} == known


def test_commands_are_verbs_of_make() -> None:
    verbs = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        text = page.read_text()
        named = re.findall(r"^make ([a-z-]+)", text, re.MULTILINE)
        named += [word for code in in_code_style(prose(page)) for word in re.findall(r"^make ([a-z-]+)", code)]
        assert set(named) <= verbs, page
    assert "run" in re.findall(r"^make ([a-z-]+)", (ROOT / "README.md").read_text(), re.MULTILINE)


def test_every_dependency_has_its_reason() -> None:
    told = {
        name
        for row in re.findall(r"^\| (.+?) \|", (ROOT / "docs/dependencies.md").read_text(), re.MULTILINE)
        for name in in_code_style(row)
    }
    wanted: set[str] = set()
    others = [ROOT / "examples/rust/Cargo.toml", ROOT / "fuzz/Cargo.toml"]
    for manifest in [*(ROOT / "crates").glob("*/Cargo.toml"), *others]:
        read = tomllib.loads(manifest.read_text())
        for table in ("dependencies", "dev-dependencies", "build-dependencies"):
            wanted |= set(read.get(table, {}))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lists = [project["project"]["dependencies"], project["build-system"]["requires"]]
    lists += project["project"]["optional-dependencies"].values()
    lists += [file.read_text().splitlines() for file in (ROOT / "requirements").glob("*.txt")]
    for line in (line for lines in lists for line in lines):
        if found := re.match(r"[A-Za-z][\w.-]*", line):
            wanted.add(found[0])
    assert len(wanted) > 15
    assert sorted(name for name in wanted - told if not name.startswith("fast-cache-")) == []


def test_decisions_are_listed_and_end_with_what_would_change_them() -> None:
    folder = ROOT / "docs" / "adr"
    index = (folder / "README.md").read_text()
    records = sorted(folder.glob("[0-9]*.md"))
    assert len(records) >= 7
    for record in records:
        title = re.match(r"# \d{4}\. (.+)\n", record.read_text())
        assert title is not None and f"[{record.name[:4]}]({record.name}) | {title[1]} |" in index, record.name
        assert re.findall(r"^## (.+)$", record.read_text(), re.MULTILINE)[-1] == "What would change our minds", (
            record.name
        )
