"""The page about safety and these tests tell the same."""

import re
from pathlib import Path

FOLDER = Path(__file__).parent
PAGE = (FOLDER.parent.parent / "docs" / "safety.md").read_text()
LATER = {43}
"""Cases that need what is not there yet."""


def defined() -> set[str]:
    sources = [*FOLDER.glob("test_*.py"), *(FOLDER.parent / "servers").glob("test_*.py")]
    return {name for source in sources for name in re.findall(r"^def (test_\w+)", source.read_text(), re.MULTILINE)}


def test_every_case_has_a_row_and_a_test() -> None:
    rows = {int(number): row for number, row in re.findall(r"^\| (\d+) \|(.*)$", PAGE, re.MULTILINE)}
    assert sorted(rows) == list(range(1, 45))
    untested = {number for number, row in rows.items() if "`test_" not in row}
    assert untested == LATER


def test_every_test_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 60
    assert sorted(named - defined()) == []
    files = set(re.findall(r"`(test_\w+\.py)`", PAGE))
    assert all((FOLDER / name).exists() for name in files)


def test_every_numbered_test_is_in_its_row() -> None:
    for name in defined():
        number = re.match(r"test_(\d\d)_", name)
        if number is not None:
            assert f"`{name}`" in PAGE or name == "test_24_a_whole_stream_is_stored", name
