"""Make a virtual environment and keep it in step with requirements.

Usage: python3 scripts/environment.py DIRECTORY [-r FILE]... [REQUIREMENT]...

Uses the standard library alone. An environment whose requirements have not changed since the last run is left as it is.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FALLBACK = ROOT / ".cache" / "virtualenv"
OLDEST = (3, 11)

NO_WAY = """\
No virtual environment can be made with {python}: it has neither `ensurepip` nor `pip`.
On Debian and Ubuntu this installs what is missing:

    apt-get install python3-venv

Then run the same command again, or name another interpreter: make PYTHON=/path/to/python3 ..."""


class SetupError(Exception):
    """Something the user has to put right; the message says what."""


def ensure(directory: Path, requirements: Sequence[str], files: Sequence[Path] = ()) -> Path:
    """Make `directory` an environment that has `requirements` and those of `files`; give its interpreter.

    Raises:
        SetupError: no environment can be made here, or the requirements cannot be installed.
    """
    python = directory / "bin" / "python"
    stamp = directory / "requirements.sha256"
    wanted = _digest(requirements, files)
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    if not _has_pip(python):
        _create(directory)
    stamp.unlink(missing_ok=True)
    print(f"Installing into {_shown(directory)}", flush=True)
    arguments = [*requirements]
    for file in files:
        arguments += ["-r", str(file)]
    install(python, *(["--upgrade", *arguments] if arguments else []))
    stamp.write_text(wanted)
    return python


def install(python: Path, *arguments: str) -> None:
    """Run `pip install` with these arguments for this interpreter; nothing happens without arguments."""
    if arguments:
        run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments])


def run(command: Sequence[str | Path], cwd: Path | None = None) -> None:
    """Run `command` to its end.

    Raises:
        SetupError: it ended with another status than 0.
    """
    # A `pip` that root runs inside an environment is no reason to warn about.
    environment = {**os.environ, "PIP_ROOT_USER_ACTION": "ignore"}
    status = subprocess.run([str(word) for word in command], cwd=cwd, env=environment, check=False).returncode
    if status:
        raise SetupError(f"{' '.join(str(word) for word in command)}\nended with status {status}.")


def _create(directory: Path) -> None:
    print(f"Creating {_shown(directory)} with {sys.executable}", flush=True)
    shutil.rmtree(directory, ignore_errors=True)
    if importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip"):
        run([sys.executable, "-m", "venv", directory])
        return
    # Debian ships Python without `ensurepip`. Its `pip`, where present, can fetch `virtualenv` into a folder of ours.
    if not importlib.util.find_spec("pip"):
        raise SetupError(NO_WAY.format(python=sys.executable))
    if not (FALLBACK / "virtualenv").exists():
        install(Path(sys.executable), "--target", str(FALLBACK), "virtualenv")
    code = f"import sys; sys.path.insert(0, {str(FALLBACK)!r}); import virtualenv; virtualenv.cli_run(sys.argv[1:])"
    run([sys.executable, "-c", code, "--quiet", directory])


def _has_pip(python: Path) -> bool:
    # `bin/python` may point to an interpreter that was removed since.
    if not python.exists():
        return False
    probe = [str(python), "-m", "pip", "--version"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def _digest(requirements: Sequence[str], files: Sequence[Path]) -> str:
    digest = hashlib.sha256("\n".join([sys.executable, *requirements]).encode())
    pending = list(files)
    while pending:
        file = pending.pop()
        text = file.read_text()
        digest.update(text.encode())
        pending += [file.parent / name for name in re.findall(r"^-r\s+(\S+)", text, re.MULTILINE)]
    return digest.hexdigest()


def _shown(path: Path) -> str:
    path = path.absolute()
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def main() -> int:
    """Read the command line and do as it says."""
    if sys.version_info < OLDEST:
        print(f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed; {sys.executable} is {sys.version.split()[0]}.")
        return 1
    parser = argparse.ArgumentParser(description="Make a virtual environment and keep it in step with requirements.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("-r", dest="files", metavar="FILE", type=Path, action="append", default=[])
    parser.add_argument("requirements", metavar="REQUIREMENT", nargs="*")
    arguments = parser.parse_args()
    try:
        ensure(arguments.directory, arguments.requirements, arguments.files)
    except SetupError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
