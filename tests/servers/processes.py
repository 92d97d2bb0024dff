"""Real servers as processes: start, wait until they listen, stop."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from servers.wire import Connection, WireAnswer

HERE = Path(__file__).parent
START_TIMEOUT = 40.0
STOP_TIMEOUT = 20.0

ENVIRONMENT = {"PYTHONPATH": str(HERE), "PYTHONUNBUFFERED": "1", "PYTHONHASHSEED": "0", "XDG_RUNTIME_DIR": ""}

COMMANDS = {
    "uvicorn-h11": "-m uvicorn {app} --http h11 --loop asyncio --port {port} --no-access-log",
    "uvicorn-httptools": "-m uvicorn {app} --http httptools --loop uvloop --port {port} --no-access-log",
    "hypercorn": "-m hypercorn {app} --bind 127.0.0.1:{port}",
    "granian": "-m granian {app} --interface asgi --port {port}",
    "daphne": "-m daphne {app} -b 127.0.0.1 -p {port}",
}
"""The servers that every case runs on."""


@dataclass(frozen=True)
class Output:
    """How a server ended and what it printed."""

    code: int
    text: str


class Server:
    """A server process on a port of its own; a context manager that stops it."""

    def __init__(self, command: str, app: str) -> None:
        self.port = _free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="server-")
        self._printed = Path(self._folder.name, "printed")
        self._output: Output | None = None
        arguments = command.format(app=app, port=self.port).split()
        with self._printed.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=HERE,
                env={**os.environ, **ENVIRONMENT, "TMPDIR": self._folder.name, "PORT": str(self.port)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self.listening()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    def connect(self) -> Connection:
        return Connection(self.port)

    def ask(self, request: bytes) -> WireAnswer:
        """One request on a connection of its own."""
        with self.connect() as connection:
            return connection.ask(request)

    def listening(self) -> Self:
        """Wait until the server accepts connections. Fails with its output if it ends instead."""
        end = time.monotonic() + START_TIMEOUT
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self
            except OSError:
                if self._ended_within(0.02):
                    break
        raise AssertionError(f"the server did not start:\n{self.stop().text}")

    def wait(self) -> Output:
        """Wait until the server ends by itself."""
        ended = self._ended_within(START_TIMEOUT)
        output = self.stop()
        if not ended:
            raise AssertionError(f"the server did not end:\n{output.text}")
        return output

    def stop(self, number: int = signal.SIGTERM) -> Output:
        """Ask the server to end, once, and kill what is left of it if it does not."""
        if self._output is not None:
            return self._output
        if self._process.poll() is None:
            self._process.send_signal(number)
        ended = self._ended_within(STOP_TIMEOUT)
        self._kill_group()
        self._process.wait()
        self._output = Output(self._process.returncode, self._printed.read_text(errors="replace"))
        self._folder.cleanup()
        if not ended:
            raise AssertionError(f"the server did not stop:\n{self._output.text}")
        return self._output

    def peak_memory(self) -> int:
        """The largest resident size so far of any of the server's processes, in bytes."""
        return max(_peak(pid) for pid in (self.pid, *_children(self.pid)))

    def _ended_within(self, seconds: float) -> bool:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _kill_group(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in listed]


def _peak(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
