"""An origin that a test plays by hand, byte by byte."""

import socket
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from servers.wire import TIMEOUT


@dataclass(frozen=True)
class Asked:
    """The head of a request as it stood on the wire."""

    line: bytes
    lines: tuple[bytes, ...]

    def values(self, name: bytes) -> list[bytes]:
        """All values of a header, in order."""
        pairs = (line.split(b": ", 1) for line in self.lines)
        return [value for key, value in pairs if key.lower() == name]


class Peer:
    """A connection that was made to the origin."""

    def __init__(self, accepted: socket.socket) -> None:
        self._socket = accepted
        self._socket.settimeout(TIMEOUT)
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()

    def asked(self) -> Asked:
        """Read the head of the next request."""
        line, *lines = self.until(b"\r\n\r\n").split(b"\r\n")
        return Asked(line, tuple(lines))

    def until(self, mark: bytes) -> bytes:
        """Read to the next `mark`, which is not part of what is returned."""
        while mark not in self._buffer:
            self._more()
        found, self._buffer = self._buffer.split(mark, 1)
        return found

    def exactly(self, count: int) -> bytes:
        """Read so many bytes."""
        while len(self._buffer) < count:
            self._more()
        found, self._buffer = self._buffer[:count], self._buffer[count:]
        return found

    def send(self, *lines: bytes, body: bytes = b"") -> None:
        """Send a status line, header lines and a body, just as they are."""
        self._socket.sendall(b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body)

    def raw(self, data: bytes) -> None:
        """Send these bytes."""
        self._socket.sendall(data)

    def is_abandoned(self) -> bool:
        """The other side closes, now or a little later, and has nothing more to say."""
        try:
            return not self._buffer and self._socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def _more(self) -> None:
        piece = self._socket.recv(1 << 16)
        if not piece:
            raise EOFError(f"the connection was closed after {self._buffer!r}")
        self._buffer += piece


class Origin:
    """A listening socket."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(TIMEOUT)
        self.port = int(self._socket.getsockname()[1])

    def accept(self) -> Peer:
        """The next connection that is made."""
        return Peer(self._socket.accept()[0])

    def close(self) -> None:
        self._socket.close()
