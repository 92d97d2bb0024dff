"""Find a Redis or Valkey server for the tests, and bring Debian's where there is none.

Usage: python3 scripts/redis_server.py [FOLDER]

Prints the server's path. `REDIS_SERVER` in the environment goes before everything; otherwise the one on the PATH is
taken, then the one in FOLDER (.cache/redis), into which Debian's packages are unpacked if need be. Nothing outside
FOLDER is changed, and no service is started.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = ("redis-server", "redis-tools")
NAMES = ("redis-server", "valkey-server")
ELSEWHERE = (
    "No Redis server was found, and Debian's could not be brought. Install redis-server (7.0 or newer) or "
    "valkey-server, or name one in REDIS_SERVER; REDIS_SERVER=none leaves its tests out."
)


def main() -> int:
    """Print the path of a server; say what to do where there is none."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".cache/redis").resolve()
    found = os.environ.get("REDIS_SERVER") or on_path() or unpacked(folder) or bring(folder)
    print(found or "", end="")
    if not found:
        print(ELSEWHERE, file=sys.stderr)
    return 0 if found else 1


def on_path() -> str | None:
    """The server that is installed."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def unpacked(folder: Path) -> str | None:
    """The server that was brought before."""
    server = folder / "redis-server"
    return str(server) if server.exists() else None


def bring(folder: Path) -> str | None:
    """Unpack Debian's server and the libraries that it wants into `folder`."""
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        return None
    print("Bringing Debian's redis-server", file=sys.stderr)
    archives = folder / "archives"
    archives.mkdir(parents=True, exist_ok=True)
    if not download(archives, [*PACKAGES, *libraries()]):
        return None
    root = folder / "root"
    for archive in archives.glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(archive), str(root)], check=True)
    binary = next(root.glob("usr/bin/redis-server"), None) or next(root.glob("usr/bin/redis-check-rdb"), None)
    if binary is None:
        return None
    paths = ":".join(str(path) for path in (root / "usr/lib").glob("*-linux-gnu*"))
    wrapper = folder / "redis-server"
    # The name decides what the binary is, and `exec -a` is not in every sh.
    wrapper.write_text(f'#!/bin/bash\nLD_LIBRARY_PATH="{paths}" exec -a redis-server "{binary}" "$@"\n')
    wrapper.chmod(0o755)
    works = subprocess.run([str(wrapper), "--version"], capture_output=True, check=False).returncode == 0
    if not works:
        wrapper.unlink()
    return str(wrapper) if works else None


def libraries() -> list[str]:
    """The packages that the server depends on and that are not installed."""
    command = ["apt-cache", "depends", *PACKAGES]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    depends = [line.removeprefix("  Depends: ") for line in listed.splitlines()]
    names = {name for name in depends if name.startswith(("lib", "lua-"))}
    return [name for name in sorted(names) if not installed(name)]


def installed(package: str) -> bool:
    """Whether the system has a package."""
    return subprocess.run(["dpkg", "-s", package], capture_output=True, check=False).returncode == 0


def download(archives: Path, packages: list[str]) -> bool:
    """Fetch archives of packages; the lists of packages are renewed where they are missing and we may."""
    for attempt in range(2):
        command = ["apt-get", "download", *packages]
        done = subprocess.run(command, cwd=archives, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        if done.returncode == 0:
            return True
        if attempt == 0:
            subprocess.run(["apt-get", "update"], capture_output=True, check=False)
            packages = [*PACKAGES, *libraries()]
    return False


if __name__ == "__main__":
    sys.exit(main())
