"""A load client: a few keep-alive connections over raw sockets, one request at a time on each."""

import re
import socket
import sys
from collections import deque
from time import perf_counter

from traffic import BROWSER

CONNECTIONS = 16
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def request_for(path: str) -> bytes:
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in BROWSER)
    return b"GET " + path.encode() + b" HTTP/1.1\r\n" + lines + b"\r\n"


class Client:
    """Connections to one server that stay open."""

    def __init__(self, port: int, path: str, connections: int = CONNECTIONS) -> None:
        self.request = request_for(path)
        self.connections = deque(_connected(port) for _ in range(connections))

    def answer(self) -> bytes:
        """One answer, head and body."""
        connection = self.connections[0]
        connection.sendall(self.request)
        return _answer(connection)

    def rate(self, seconds: float) -> tuple[float, int]:
        """Requests per second, and how many there were. Every connection but one always waits for an answer."""
        for connection in self.connections:
            connection.sendall(self.request)
        began = perf_counter()
        until, count = began + seconds, 0
        while perf_counter() < until:
            for connection in self.connections:
                _answer(connection)
                connection.sendall(self.request)
                count += 1
        took = perf_counter() - began
        for connection in self.connections:
            _answer(connection)
        return count / took, count

    def close(self) -> None:
        for connection in self.connections:
            connection.close()


def _connected(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _answer(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    while True:
        head = data.find(b"\r\n\r\n")
        if head >= 0:
            length = LENGTH.search(data, 0, head + 2)
            if length is None or not data.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"unexpected answer: {data[:200]!r}")
            whole = head + 4 + int(length[1])
            if len(data) == whole:
                return data
            if len(data) > whole:
                raise RuntimeError("more than one answer to one request")
        more = connection.recv(65536)
        if not more:
            raise RuntimeError("the server closed the connection")
        data += more


def main() -> None:
    """`python benches/load.py PATH PORT…`: for every `INDEX SECONDS` on standard input, a line with rate and count."""
    path, *ports = sys.argv[1:]
    clients = [Client(int(port), path) for port in ports]
    for line in sys.stdin:
        index, seconds = line.split()
        rate, count = clients[int(index)].rate(float(seconds))
        print(rate, count, flush=True)
    for client in clients:
        client.close()


if __name__ == "__main__":
    main()
