"""Where the instructions of a hit or a pass-through go, function by function, callees included.

`python benches/breakdown.py [SUBJECT] [HITS]`, with the subjects of instructions.py.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import instructions

LINE = re.compile(r"^\s*([\d,]+) \([^)]*\)\s+(.+)$")
SHOWN = 20


def per_hit(subject: str, hits: int) -> dict[str, float]:
    """Instructions per hit of each function: the difference between a run with N hits and one with 2 N."""
    with tempfile.TemporaryDirectory() as folder:
        once, twice = (Path(folder) / name for name in ("once", "twice"))
        instructions.callgrind(subject, hits, once)
        instructions.callgrind(subject, 2 * hits, twice)
        before = dict(_functions(once))
        return {name: (count - before.get(name, 0)) / hits for name, count in _functions(twice)}


def _functions(profile: Path) -> Iterator[tuple[str, int]]:
    command = ["callgrind_annotate", "--inclusive=yes", "--threshold=100", "--auto=no", str(profile)]
    annotated = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    counts: dict[str, int] = {}
    for line in annotated.splitlines():
        found = LINE.match(line)
        if found:
            name = _short(found[2])
            counts[name] = counts.get(name, 0) + int(found[1].replace(",", ""))
    return iter(counts.items())


def _short(place: str) -> str:
    """`file:function [object]` with the last part of each path."""
    place, _, binary = place.partition(" [")
    file, _, function = place.partition(":")
    return f"{function}  ({file.rsplit('/', 1)[-1]}, {binary.rstrip(']').rsplit('/', 1)[-1]})"


def main() -> None:
    subject = sys.argv[1] if len(sys.argv) > 1 else "bare hit"
    hits = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    counts = sorted(per_hit(subject, hits).items(), key=lambda one: -one[1])
    for name, count in counts:
        if count >= SHOWN and "(???" not in name:
            print(f"{count:>12,.0f}  {name}")


if __name__ == "__main__":
    main()
