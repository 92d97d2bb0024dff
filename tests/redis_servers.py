"""A Redis server for tests: started on a free loopback port, and stopped."""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

ROOT = Path(__file__).parent.parent


def binary() -> str:
    """Where the server is; skips the test where somebody has said that there is none."""
    named = os.environ.get("REDIS_SERVER")
    if named is None:
        script = [sys.executable, str(ROOT / "scripts/redis_server.py"), str(ROOT / ".cache/redis")]
        found = subprocess.run(script, capture_output=True, text=True, check=False)
        assert found.returncode == 0, found.stderr
        named = os.environ["REDIS_SERVER"] = found.stdout.strip()
    if named == "none":
        pytest.skip("REDIS_SERVER says that there is no Redis")
    return named


class Proxy:
    """A way to a server on this event loop, on which the server's answers can be held back; a context manager."""

    def __init__(self, port: int) -> None:
        self.port = 0
        self.open = asyncio.Event()
        self.open.set()
        self._target = port
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, questions = await asyncio.open_connection("127.0.0.1", self._target)
        always = asyncio.Event()
        always.set()
        for way in (self._pump(reader, questions, always), self._pump(answers, writer, self.open)):
            self._tasks.add(asyncio.create_task(way))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, open_: asyncio.Event) -> None:
        try:
            while data := await reader.read(65536):
                await open_.wait()
                writer.write(data)
        except OSError:
            pass
        finally:
            writer.close()


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisServer:
    """A server process; a context manager that stops it."""

    def __init__(self, *options: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="redis-")
        self._options = options
        self.port = free_port()
        self._process = self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
        self._folder.cleanup()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Start it again, empty, on the same port."""
        self._process = self._start()

    def command(self, *words: str) -> bytes:
        """The beginning of what the server answers to one command."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
            connection.sendall((f"*{len(words)}\r\n" + "".join(parts)).encode())
            return connection.recv(65536)

    def _arguments(self, folder: Path) -> list[str]:
        common = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        return [*common, *self._options]

    def _start(self) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [binary(), *self._arguments(Path(self._folder.name))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return process
            except OSError:
                assert process.poll() is None, "the Redis server has ended"
                time.sleep(0.01)
        process.kill()
        raise AssertionError("the Redis server did not start")
