"""Hold every source file to a length that can be read in one sitting.

Usage: python3 scripts/check_file_sizes.py
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

CEILING = 400
ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("crates", "python", "tests", "benches", "examples", "scripts", "fuzz")
SUFFIXES = frozenset({".rs", ".py", ".pyi", ".sh"})
NOT_OURS = frozenset({"target", "__pycache__", "corpus"})


def sources() -> Iterator[Path]:
    """Every source file that people wrote."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in SUFFIXES and not NOT_OURS.intersection(path.relative_to(ROOT).parts):
                yield path


def main() -> int:
    """Print every file that is too long, and a line that counts."""
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}
    too_long = {path: length for path, length in lengths.items() if length > CEILING}
    for path, length in too_long.items():
        print(f"{path.relative_to(ROOT)}: {length} lines; split it, {CEILING} is the ceiling")
    print(f"File sizes: {len(lengths)} files, {len(too_long)} over {CEILING} lines.")
    return 1 if too_long else 0


if __name__ == "__main__":
    sys.exit(main())
