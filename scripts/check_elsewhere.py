"""Check that the Rust sources compile with the oldest supported compiler, and for the systems that we do not run on.

Usage: python3 scripts/check_elsewhere.py msrv | systems

Both need rustup, which brings the compiler and the standard libraries. C sources are not compiled for another system:
that would need its headers, and only types are checked here.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SYSTEMS = ("aarch64-apple-darwin", "x86_64-pc-windows-gnu")
PACKAGES = ("fast-cache-tower", "fast-cache-shared", "fast-cache-redis", "fast-cache-python")
NO_COMPILER = """#!/bin/sh
while [ $# -gt 0 ]; do
    if [ "$1" = -o ]; then : > "$2"; fi
    shift
done
"""
"""Stands in for a C compiler: makes every file that it is asked for, empty."""


def main() -> int:
    """Run the check that is named on the command line."""
    checks = {"msrv": msrv, "systems": systems}
    if len(sys.argv) != 2 or sys.argv[1] not in checks:
        print(__doc__)
        return 2
    if shutil.which("rustup") is None:
        print("rustup is not installed, and only it brings other compilers: see https://rustup.rs.")
        return 1
    return checks[sys.argv[1]]()


def msrv() -> int:
    """Check everything with the version that Cargo.toml names."""
    found = re.search(r'^rust-version = "([\d.]+)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)
    if found is None:
        print("Cargo.toml names no rust-version.")
        return 1
    version = found[1]
    print(f"Rust {version}")
    installed = run("rustup", "toolchain", "install", version, "--profile", "minimal")
    return installed or run(
        "cargo", f"+{version}", "check", "--workspace", "--all-targets", "--locked", "--target-dir", "target/msrv"
    )


def systems() -> int:
    """Check the crates for every other system."""
    with tempfile.TemporaryDirectory() as folder:
        compiler = Path(folder) / "cc"
        compiler.write_text(NO_COMPILER)
        compiler.chmod(compiler.stat().st_mode | stat.S_IXUSR)
        for system in SYSTEMS:
            print(system)
            name = system.replace("-", "_")
            environment = {
                f"CC_{name}": str(compiler),
                f"AR_{name}": str(compiler),
                # blake3 without assembly.
                "CARGO_FEATURE_PURE": "1",
                "PYO3_CROSS": "1",
                "PYO3_CROSS_PYTHON_VERSION": "3.11",
            }
            packages = [argument for package in PACKAGES for argument in ("--package", package)]
            failed = run("rustup", "target", "add", system) or run(
                "cargo", "check", "--locked", "--target", system, "--target-dir", "target/elsewhere", *packages,
                **environment,
            )  # fmt: skip
            if failed:
                return failed
    return 0


def run(*command: str, **environment: str) -> int:
    """Run a command in the project's folder; its exit status."""
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "RUSTFLAGS": "-D warnings", **environment}).returncode


if __name__ == "__main__":
    sys.exit(main())
