"""The reverse proxy with many clients at once, and with slow ones."""

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


async def digest(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An origin that answers a POST when it has its ten bytes, and anything else never."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            body = await reader.readexactly(10 if head.startswith(b"POST") else 1)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" + body)
    except (asyncio.IncompleteReadError, ConnectionError):
        return
    finally:
        writer.close()


async def run_slowly() -> None:
    origin = await asyncio.start_server(digest, "127.0.0.1", 0)
    port = origin.sockets[0].getsockname()[1]
    options = f"--origin http://127.0.0.1:{port} --port {{port}} --timeout 0.1"
    with Server(f"../../examples/reverse_proxy.py {options}", "") as proxy:
        async with asyncio.timeout(TIMEOUT):
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            writer.write(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhalf ")
            # While that one waits for its client, others wait in vain for the origin, more than once.
            for _ in range(3):
                others, asking = await asyncio.open_connection("127.0.0.1", proxy.port)
                asking.write(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
                assert (await others.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 504 ")
                asking.close()
                await asking.wait_closed()
            writer.write(b"whole")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            assert await reader.readexactly(10) == b"half whole"
            writer.close()
            await writer.wait_closed()
    origin.close()


def test_a_slow_client_is_no_silent_origin() -> None:
    asyncio.run(run_slowly())
