"""HTTP/1.1 over a plain socket, so that every byte is seen."""

import socket
from dataclasses import dataclass
from types import TracebackType
from typing import Self

TIMEOUT = 20.0
"""Seconds until a test gives up on a silent server."""

OURS = frozenset({b"x-cache-status", b"cache-status", b"age", b"etag"})
"""Header names that the middleware may add."""


@dataclass(frozen=True)
class WireAnswer:
    """One answer as it stood on the wire."""

    status_line: bytes
    lines: tuple[bytes, ...]
    body: bytes
    closes: bool
    """The server closed the connection after it."""

    @property
    def status(self) -> int:
        return int(self.status_line.split(b" ")[1])

    def values(self, name: str) -> list[str]:
        """All values of a header, in order."""
        wanted = name.lower().encode()
        pairs = (line.split(b":", 1) for line in self.lines)
        return [value.strip().decode("latin-1") for key, value in pairs if key.lower() == wanted]

    @property
    def cache(self) -> str | None:
        """`X-Cache-Status`."""
        return next(iter(self.values("x-cache-status")), None)

    def lines_but(self, *names: bytes) -> list[bytes]:
        """The header lines without those of these names, byte for byte and in order."""
        return [line for line in self.lines if line.split(b":", 1)[0].lower() not in names]

    @property
    def comparable(self) -> tuple[object, ...]:
        """What must not differ with and without the middleware. The time of day does."""
        return (self.status_line, self.lines_but(b"date", *OURS), self.body, self.closes)


class Connection:
    """One connection to a server."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def reset(self) -> None:
        """Close at once, throwing away what is under way."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def ask(self, request: bytes, method: bytes | None = None) -> WireAnswer:
        """Send one request and read its answer."""
        self.send(request)
        return self.answer(method or request.split(b" ", 1)[0])

    def ask_on(self, request: bytes) -> WireAnswer | None:
        """The same on a connection that the server may have closed; `None` if it has."""
        try:
            return self.ask(request)
        except (EOFError, ConnectionError):
            return None

    def answer(self, method: bytes = b"GET") -> WireAnswer:
        """Read the next answer, which is to a request of this method; interim answers are skipped."""
        while True:
            status_line, *lines = self._until(b"\r\n\r\n").split(b"\r\n")
            if not status_line.split(b" ")[1].startswith(b"1"):
                break
        head = WireAnswer(status_line, tuple(lines), b"", False)
        body, closes = self._body(head, method)
        closes = closes or "close" in head.values("connection")
        return WireAnswer(status_line, tuple(lines), body, closes)

    def head(self) -> WireAnswer:
        """Read the head of an answer and leave its body."""
        status_line, *lines = self._until(b"\r\n\r\n").split(b"\r\n")
        return WireAnswer(status_line, tuple(lines), b"", False)

    def chunk(self) -> bytes:
        """Read one chunk of a chunked body; empty at the end."""
        size = int(self._until(b"\r\n").split(b";")[0], 16)
        data = self._exactly(size)
        self._until(b"\r\n")
        return data

    def rest(self) -> int:
        """Read until the server closes, keeping nothing; how many bytes came."""
        count = len(self._buffer)
        self._buffer = b""
        while piece := self._socket.recv(1 << 20):
            count += len(piece)
        return count

    def is_closed(self) -> bool:
        """The server has nothing more to say and closes."""
        return not self._buffer and self._socket.recv(1) == b""

    def _body(self, head: WireAnswer, method: bytes) -> tuple[bytes, bool]:
        if method == b"HEAD" or head.status in (204, 304):
            return b"", False
        if head.values("transfer-encoding") == ["chunked"]:
            return b"".join(iter(self.chunk, b"")), False
        if lengths := head.values("content-length"):
            return self._exactly(int(lengths[0])), False
        return self._everything(), True

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            self._more()
        found, self._buffer = self._buffer.split(mark, 1)
        return found

    def _exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._more()
        found, self._buffer = self._buffer[:count], self._buffer[count:]
        return found

    def _everything(self) -> bytes:
        while piece := self._socket.recv(1 << 16):
            self._buffer += piece
        found, self._buffer = self._buffer, b""
        return found

    def _more(self) -> None:
        piece = self._socket.recv(1 << 16)
        if not piece:
            raise EOFError(f"the server closed the connection after {self._buffer!r}")
        self._buffer += piece


def get(target: str | bytes, *headers: str, method: str = "GET") -> bytes:
    """A request for `target` with these header lines."""
    target = target.encode() if isinstance(target, str) else target
    lines = "".join(f"{line}\r\n" for line in ("Host: test", *headers))
    return method.encode() + b" " + target + b" HTTP/1.1\r\n" + lines.encode("latin-1") + b"\r\n"
