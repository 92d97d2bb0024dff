"""The reverse proxy under load: many clients at once, each of which gets its own answers."""

import asyncio

from servers.processes import Server
from servers.wire import TIMEOUT

CLIENTS = 24
REQUESTS = 20


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An origin that answers every request with its target, and sometimes closes."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            target = head.split(b" ", 2)[1]
            last = target.endswith(b"7")
            line = b"Connection: close\r\n" if last else b""
            writer.write(b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (line, len(target), target))
            if last:
                return
    except (asyncio.IncompleteReadError, ConnectionError):
        return
    finally:
        writer.close()


async def ask(port: int, client: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in range(REQUESTS):
        target = b"/%d/%d" % (client, number)
        writer.write(b"GET %b HTTP/1.1\r\nHost: test\r\n\r\n" % target)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert await reader.readexactly(len(target)) == target
    writer.close()
    await writer.wait_closed()


async def run() -> None:
    origin = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = origin.sockets[0].getsockname()[1]
    with Server(f"../../examples/reverse_proxy.py --origin http://127.0.0.1:{port} --port {{port}}", "") as proxy:
        async with asyncio.timeout(TIMEOUT), asyncio.TaskGroup() as group:
            for client in range(CLIENTS):
                group.create_task(ask(proxy.port, client))
        assert "Traceback" not in proxy.stop().text
    origin.close()


def test_every_client_gets_its_own_answers() -> None:
    asyncio.run(run())
