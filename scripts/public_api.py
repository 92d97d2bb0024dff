"""Check the public API of fast-cache-tower: which crates' types it names, and that it is the one written down.

    python scripts/public_api.py            # check
    python scripts/public_api.py --write    # write down what it is now

The API is read from rustdoc's JSON. Stable rustdoc writes that only with RUSTC_BOOTSTRAP=1, which is set for rustdoc
alone. The format changes between compilers: where it is one that this script was not written for, nothing is checked,
and that is said. Signatures are listed as they stand in the source.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LISTING = ROOT / "testdata/public_api/fast-cache-tower.txt"
OWN = ("fast_cache_tower", "fast_cache_engine", "fast_cache_store", "fast_cache_core")
ALLOWED = {"std", "core", "alloc", "http", "http_body", "bytes", "tower_layer", "tower_service", *OWN}
FORMATS = {57}
# What rustdoc sees of macros that only they can name.
PRIVATE = ("pin_project_lite::__private",)
LISTED_WHOLE = {"function", "constant", "type_alias"}

Item = dict[str, Any]


class Api:
    """What the crate offers: lines of the listing, and what they name."""

    def __init__(self, crates: dict[str, Item]) -> None:
        self.crates = crates
        self.lines: set[str] = set()
        self.foreign: set[str] = set()
        self._seen: set[tuple[str, str]] = set()

    def module(self, crate: str, module: Item, path: str) -> None:
        """Adds what is public in a module."""
        index = self.crates[crate]["index"]
        for child in module["inner"]["module"]["items"]:
            item = index[str(child)]
            kind = kind_of(item)
            if kind == "module":
                self.lines.add(f"mod {path}::{item['name']}")
                self.module(crate, item, f"{path}::{item['name']}")
            elif kind == "use":
                used = item["inner"]["use"]
                self.lines.add(f"use {path}::{used['name']} = {self.path_of(crate, used['id'])}")
                self.reexported(crate, used["id"])
            else:
                self.item(crate, item, f"{path}::{item['name']}")

    def reexported(self, crate: str, number: int) -> None:
        """Adds what is re-exported, from whichever crate of ours."""
        full = self.path_of(crate, number)
        owner = full.split("::")[0]
        if owner not in ALLOWED:
            self.foreign.add(f"{full} is re-exported")
        if owner in self.crates:
            document = self.crates[owner]
            for found, known in document["paths"].items():
                is_it = known["crate_id"] == 0 and "::".join(known["path"]) == full
                if is_it and found in document["index"]:
                    self.item(owner, document["index"][found], full)

    def item(self, crate: str, item: Item, path: str) -> None:
        """Adds a type, a trait, a function or a constant."""
        if (crate, path) in self._seen:
            return
        self._seen.add((crate, path))
        index = self.crates[crate]["index"]
        kind, inner = kind_of(item), item["inner"][kind_of(item)]
        shown = f": {header(item)}" if kind in LISTED_WHOLE else generics(inner)
        self.lines.add(f"{kind} {path}{shown}")
        if any("non_exhaustive" in str(attribute) for attribute in item["attrs"]):
            self.lines.add(f"{kind} {path} is non_exhaustive")
        self.check(crate, {**item, "inner": {kind: {**inner, "impls": [], "items": []}}}, path)
        members: list[int] = list(inner.get("items") or []) + list(inner.get("variants") or [])
        if kind == "struct" and "plain" in inner["kind"]:
            members += inner["kind"]["plain"]["fields"]
        for number in members:
            self.member(crate, index.get(str(number)), path)
        for number in inner.get("impls") or []:
            self.implementation(crate, index.get(str(number)), path)

    def implementation(self, crate: str, item: Item | None, path: str) -> None:
        """Adds what an `impl` block offers."""
        if item is None or item["inner"]["impl"]["blanket_impl"] is not None:
            return
        given = item["inner"]["impl"]
        if given["trait"] is None:
            for number in given["items"]:
                self.member(crate, self.crates[crate]["index"].get(str(number)), path)
            return
        name = self.path_of(crate, given["trait"]["id"]).rpartition("::")[2]
        if name in {"StructuralPartialEq", "Freeze", "UnsafeUnpin"}:
            return
        self.lines.add(f"impl {'!' if given['is_negative'] else ''}{name} for {path}")
        self.check(crate, item, f"{path} as {name}")
        for number in given["items"]:
            inner = self.crates[crate]["index"].get(str(number))
            if inner is not None and kind_of(inner) == "assoc_type":
                self.check(crate, inner, f"{path} as {name}")

    def member(self, crate: str, item: Item | None, path: str) -> None:
        """Adds a field, a variant or a function."""
        if item is None:
            return
        self.lines.add(f"  {path}::{item['name']}: {header(item)}")
        self.check(crate, item, f"{path}::{item['name']}")

    def check(self, crate: str, part: Any, place: str) -> None:
        """Notes types that must not be named."""
        for number in named(part):
            full = self.path_of(crate, number)
            if full.split("::")[0] not in ALLOWED and not full.startswith(PRIVATE):
                self.foreign.add(f"{place} names {full}")

    def path_of(self, crate: str, number: int) -> str:
        """The path of a type or trait, its crate first."""
        known = self.crates[crate]["paths"].get(str(number))
        if known is None:
            item = self.crates[crate]["index"].get(str(number))
            return f"{crate}::{item['name']}" if item else f"{crate}::?"
        path: list[str] = known["path"]
        return "::".join(path)


def kind_of(item: Item) -> str:
    """What an item is."""
    kind: str = next(iter(item["inner"]))
    return kind


def named(part: Any) -> Iterator[int]:
    """The numbers of all types and traits in a part of a document, its links aside."""
    if isinstance(part, dict):
        if "path" in part and isinstance(part.get("id"), int):
            yield part["id"]
        for key, value in part.items():
            if key not in {"links", "attrs", "span"}:
                yield from named(value)
    elif isinstance(part, list):
        for value in part:
            yield from named(value)


def generics(inner: Item) -> str:
    """The parameters of a type."""
    names = [one["name"] for one in (inner.get("generics") or {}).get("params", [])]
    return f"<{', '.join(names)}>" if names else ""


def header(item: Item) -> str:
    """An item as it stands in the source, without its body."""
    span = item["span"]
    if span is None:
        return str(item["name"])
    (first, column), (last, end) = span["begin"], span["end"]
    lines = list(source(span["filename"])[first - 1 : last])
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][column - 1 :]
    text = " ".join(line.strip() for line in lines if not line.strip().startswith(("///", "#[")))
    kind = kind_of(item)
    if kind == "function":
        text = text.split("{")[0].rstrip(" ;")
    text = re.sub(r"\s+", " ", text)
    if re.match(r"\w+! ?[{(]", text):
        return f"{kind} {item['name']}, made by a macro"
    return re.sub(r"([(<]) | ,? ?(?=[)>])|, (?=[)>])", lambda found: found[1] or "", text)


@cache
def source(filename: str) -> tuple[str, ...]:
    """The lines of a file."""
    return tuple((ROOT / filename).read_text().splitlines())


def documents() -> dict[str, Item]:
    """What rustdoc says of each of our crates."""
    folder = ROOT / "target/public-api"
    folder.mkdir(parents=True, exist_ok=True)
    # Only rustdoc gets the variable: Cargo would build dependencies anew that look at it.
    rustdoc = folder / "rustdoc"
    rustdoc.write_text('#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc "$@"\n')
    rustdoc.chmod(0o755)
    found = {}
    for crate in OWN:
        package = crate.replace("_", "-")
        command = ["cargo", "rustdoc", "--quiet", "--locked", "--lib", "--package", package, "--all-features", "--"]
        command += ["-Z", "unstable-options", "--output-format", "json"]
        subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, "RUSTDOC": str(rustdoc)})
        found[crate] = json.loads((ROOT / f"target/doc/{crate}.json").read_text())
    return found


def main() -> int:
    """Checks, or writes down."""
    parser = argparse.ArgumentParser(description="Check the public API of fast-cache-tower.")
    parser.add_argument("--write", action="store_true", help="write down what it is now")
    options = parser.parse_args()
    crates = documents()
    version = crates[OWN[0]]["format_version"]
    if version not in FORMATS:
        print(f"Public API: not checked, this rustdoc writes format {version}.")
        return 0
    api = Api(crates)
    document = crates[OWN[0]]
    api.module(OWN[0], document["index"][str(document["root"])], OWN[0])
    for complaint in sorted(api.foreign):
        print(f"Public API: {complaint}, a crate's that it must not name.")
    text = "\n".join(sorted(api.lines, key=str.strip)) + "\n"
    if options.write:
        LISTING.parent.mkdir(parents=True, exist_ok=True)
        LISTING.write_text(text)
    before = LISTING.read_text() if LISTING.exists() else ""
    both = before.splitlines(), text.splitlines()
    changes = list(difflib.unified_diff(*both, "written down", "now", lineterm="", n=0))
    if changes:
        print("\n".join(changes))
        print(f"Public API: not as {LISTING.relative_to(ROOT)} has it. If that is meant: make public-api")
    else:
        print(f"Public API: {len(api.lines)} lines, {len(api.foreign)} foreign types.")
    return 1 if changes or api.foreign else 0


if __name__ == "__main__":
    sys.exit(main())
