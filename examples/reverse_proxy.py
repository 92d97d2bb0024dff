"""A caching reverse proxy: any HTTP origin, passed on faithfully, behind the middleware in HTTP mode.

    pip install uvicorn h11
    python examples/reverse_proxy.py --origin http://127.0.0.1:8000 --port 8001

What is stored and for how long is decided by the origin's own header fields (RFC 9111); `--help` lists the options.

A proxy has to leave messages alone. `h11` does, on both sides: header lines stay as they are in bytes, case, order and
number, save that requests get `Host` first; any method is let through; nothing is decoded, followed or added. Clients
with more comfort add fields, merge lines, hide interim (1xx) responses, or reuse a connection on which the origin said
more than it announced. As a server, uvicorn runs on it too, where `httptools` would lower the case of field names and
refuse methods that it does not know.

Not passed on, for ASGI has no place for them: trailers, reason phrases, the case of the names of request fields, a `?`
with nothing behind it. An answer in a transfer coding other than `chunked` is a 502.
"""

import argparse
import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import Iterable
from email.utils import formatdate
from urllib.parse import quote, urlsplit

import h11
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from fast_cache_middleware import CacheConfig, CacheRule, Controller, FastCacheMiddleware, InMemoryStorage

Lines = list[tuple[bytes, bytes]]

HOP_BY_HOP = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade"})
"""Fields of one connection, besides those that `Connection` names (RFC 9110 §7.6.1)."""

IDLE = 4.0
"""Seconds until an unused connection is closed: less than the five after which many servers close theirs."""

INTERIM = "http.response.early_hint"
"""ASGI's message for a 103 with links. Here it carries any interim response: between the proxy and its own server."""

SWITCHES = ("heuristics", "cdn_cache_control", "stale_on_error", "normalize_language", "head_from_get")
STALE = ("stale_while_revalidate", "stale_if_error")

ORIGIN_FAILED = (OSError, h11.RemoteProtocolError)
"""What a broken connection raises; a timeout is an `OSError` too."""


class ClientLeftError(Exception):
    """The client closed its connection before it had the whole answer."""


class TruncatedError(Exception):
    """The origin's answer broke off. Raised, so that the server breaks off too and the cache stores nothing."""


class Connection:
    """A connection to the origin, for one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout: float) -> None:
        self._reader, self._writer, self._timeout = reader, writer, timeout
        self.protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 17)
        self._sent_at = 0.0

    async def send(self, *events: h11.Event) -> None:
        for event in events:
            self._writer.write(self.protocol.send(event) or b"")
        async with asyncio.timeout(self._timeout):
            await self._writer.drain()
        self._sent_at = asyncio.get_running_loop().time()

    async def receive(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while (event := self.protocol.next_event()) is h11.NEED_DATA:
            try:
                async with asyncio.timeout(self._timeout):
                    self.protocol.receive_data(await self._reader.read(1 << 16))
            except TimeoutError:
                # An origin that has not got the whole request may be silent.
                waited = asyncio.get_running_loop().time() - self._sent_at
                if self.protocol.our_state is not h11.SEND_BODY and waited >= self._timeout:
                    raise
        return event

    def rest(self) -> bool:
        """Get ready for the next request; false if there can be none."""
        over = self.protocol.our_state is self.protocol.their_state is h11.DONE
        if not over or self.protocol.trailing_data[0]:
            return False
        self.protocol.start_next_cycle()
        self._resting = asyncio.create_task(self._rest())
        return True

    async def _rest(self) -> None:
        # Nothing is to come now. If something does, be it the end, the connection is of no use.
        with contextlib.suppress(OSError):
            async with asyncio.timeout(IDLE):
                await self._reader.read(1)
        self.close()

    async def wake(self) -> bool:
        """End the rest; false if the connection is too old, was closed, or something came that nobody asked for."""
        self._resting.cancel()
        await asyncio.wait({self._resting})
        return self._resting.cancelled()

    def close(self) -> None:
        self._writer.close()


class ReverseProxy:
    """An ASGI application that answers every request with what the origin answers."""

    def __init__(self, options: argparse.Namespace) -> None:
        origin = urlsplit(options.origin)
        if origin.scheme not in ("http", "https") or not origin.hostname or origin.path.strip("/") or origin.query:
            raise ValueError(f"an origin is http://NAME:PORT or https://NAME:PORT, not {options.origin}")
        self._options, self._authority = options, origin.netloc.encode()
        self._name, self._port = origin.hostname, origin.port or (443 if origin.scheme == "https" else 80)
        self._tls = ssl.create_default_context() if origin.scheme == "https" else None
        self._idle: deque[Connection] = deque(maxlen=100)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(f"cannot proxy {scope['type']}")
        if scope["method"] == "CONNECT":
            return await answer(send, 501)
        lines = self._request_lines(scope)
        target = scope.get("raw_path") or quote(scope["path"]).encode()
        target += b"?" + scope["query_string"] if scope["query_string"] else b""
        request = h11.Request(method=scope["method"], target=target, headers=lines)
        has_content = bool(names(lines) & {b"content-length", b"transfer-encoding"})
        try:
            connection = await self._connect()
        except OSError as error:
            return await answer(send, 504 if isinstance(error, TimeoutError) else 502)
        await self._exchange(connection, request, has_content, scope, receive, send)

    async def _connect(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if await connection.wake():
                return connection
        async with asyncio.timeout(self._options.connect_timeout):
            streams = await asyncio.open_connection(self._name, self._port, ssl=self._tls)
        return Connection(*streams, self._options.timeout)

    async def _exchange(
        self,
        connection: Connection,
        request: h11.Request,
        has_content: bool,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """Send and receive at the same time, for as long as the client is there."""
        # Set when the answer is complete; from then on the connection may serve another request already.
        complete = asyncio.Event()
        upload = asyncio.create_task(self._upload(connection, request, has_content, receive))
        download = asyncio.create_task(self._download(connection, scope, send, complete))
        try:
            await asyncio.wait({upload, download}, return_when=asyncio.FIRST_COMPLETED)
            if not download.done() and not complete.is_set() and upload.exception() is None:
                raise ClientLeftError
            await download
        finally:
            upload.cancel()
            download.cancel()
            if not complete.is_set():
                connection.close()
            await asyncio.wait({upload, download})

    async def _upload(self, connection: Connection, request: h11.Request, has_content: bool, receive: Receive) -> None:
        """Send the request as it comes in. Returns when the client has left, or got its answer."""
        all_sent = not has_content
        try:
            await connection.send(request, *((h11.EndOfMessage(),) if all_sent else ()))
            while (message := await receive())["type"] != "http.disconnect":
                if all_sent:
                    continue
                all_sent = not message.get("more_body", False)
                events: list[h11.Event] = [h11.Data(data=message["body"])] if message.get("body") else []
                await connection.send(*events, *((h11.EndOfMessage(),) if all_sent else ()))
        except (OSError, h11.LocalProtocolError):
            # The origin listens no longer. It may have answered all the same.
            connection.protocol.send_failed()
            while (await receive())["type"] != "http.disconnect":
                pass

    async def _download(self, connection: Connection, scope: Scope, send: Send, complete: asyncio.Event) -> None:
        """Pass the answer on as it comes."""
        started = False
        try:
            while not isinstance(event := await connection.receive(), h11.EndOfMessage):
                if isinstance(event, h11.Data):
                    await send({"type": "http.response.body", "body": bytes(event.data), "more_body": True})
                elif isinstance(event, h11.InformationalResponse) and event.status_code != 101:
                    # The server has said 100 already, when the content was asked for.
                    if event.status_code != 100 and scope.get("extensions", {}).get(INTERIM):
                        lines = end_to_end(event.headers.raw_items())
                        await send({"type": INTERIM, "status": event.status_code, "headers": lines})
                elif isinstance(event, h11.Response) and event.status_code <= 599:
                    lines = self._response_lines(event)
                    await send({"type": "http.response.start", "status": event.status_code, "headers": lines})
                    started = True
                else:
                    # Another protocol, or a number that is no status (RFC 9110 §15).
                    raise h11.RemoteProtocolError(f"unexpected {event}")
        except ORIGIN_FAILED as error:
            if started:
                raise TruncatedError(f"{scope['method']} {scope['path']}: {error}") from error
            connection.close()
            complete.set()
            return await answer(send, 504 if isinstance(error, TimeoutError) else 502)
        # Before the client knows of the end, so that its next request finds the connection.
        if connection.rest():
            self._idle.append(connection)
        else:
            connection.close()
        complete.set()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _request_lines(self, scope: Scope) -> Lines:
        given: Lines = list(scope["headers"])
        lines = end_to_end(given, keep={b"host", b"content-length"})
        hosts = [value for name, value in lines if name == b"host"]
        if self._options.own_host or not hosts:
            lines = [(b"host", self._authority), *(line for line in lines if line[0] != b"host")]
        if b"transfer-encoding" in names(given):
            # Of the two, `Transfer-Encoding` counts, and `Content-Length` must not go on beside it (RFC 9112 §6.3).
            lines = [line for line in lines if line[0] != b"content-length"]
            lines.append((b"transfer-encoding", b"chunked"))
        if self._options.via:
            lines.append((b"via", f"{scope['http_version']} {self._options.via}".encode()))
        if self._options.forwarded:
            client = scope.get("client")
            lines.append((b"x-forwarded-for", (client[0] if client else "unknown").encode()))
            lines.append((b"x-forwarded-proto", scope["scheme"].encode()))
            lines += [(b"x-forwarded-host", host) for host in hosts[:1]]
        return lines

    def _response_lines(self, response: h11.Response) -> Lines:
        lines = end_to_end(response.headers.raw_items())
        if b"date" not in names(lines):
            # Whoever has a clock adds a missing one (RFC 9110 §6.6.1).
            lines.append((b"Date", formatdate(usegmt=True).encode()))
        if self._options.via:
            lines.append((b"Via", response.http_version + b" " + self._options.via.encode()))
        return lines


def names(lines: Lines) -> set[bytes]:
    """The names of the fields, in lower case."""
    return {name.lower() for name, _ in lines}


def end_to_end(lines: Iterable[tuple[bytes, bytes]], keep: Iterable[bytes] = ()) -> Lines:
    """The lines without those of this connection; `keep` are names that `Connection` has no power over."""
    given = list(lines)
    options = (option for name, value in given if name.lower() == b"connection" for option in value.split(b","))
    dropped = HOP_BY_HOP | {option.strip().lower() for option in options}.difference(keep)
    return [(name, value) for name, value in given if name.lower() not in dropped]


async def answer(send: Send, status: int) -> None:
    """An answer of the proxy's own."""
    lines = [(b"Date", formatdate(usegmt=True).encode()), (b"Content-Length", b"0"), (b"Cache-Control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


class InterimProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, which sends interim responses as well, and logs nothing when a client leaves."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        app = self.app

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            async def send_any(message: Message) -> None:
                if message["type"] != INTERIM:
                    await send(message)
                elif scope["http_version"] != "1.0" and not self.transport.is_closing():
                    interim = h11.InformationalResponse(status_code=message["status"], headers=message["headers"])
                    self.transport.write(self.conn.send(interim) or b"")

            scope.setdefault("extensions", {})[INTERIM] = {"any": True}
            try:
                await app(scope, receive, send_any)
            except ClientLeftError:
                return

        self.app = serve


def cached(proxy: ASGIApp, options: argparse.Namespace) -> ASGIApp:
    """The proxy behind the cache: one rule for every path, and the response's own header fields decide."""
    stale = {name: getattr(options, name) for name in STALE}
    return FastCacheMiddleware(
        proxy,
        InMemoryStorage(max_size=options.max_entries, max_bytes=options.max_bytes),
        Controller(max_body_size=options.max_body_size),
        rules=[CacheRule("/{path:path}", CacheConfig(max_age=None, etag=not options.no_etag, **stale))],
        cache_status=options.cache_status,
        client_directives=not options.ignore_client_directives,
        coalesce=not options.no_coalesce,
        handler_timeout=options.handler_timeout,
        **{name: getattr(options, name) for name in SWITCHES},
    )


def command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="A caching reverse proxy.", allow_abbrev=False)
    add = parser.add_argument_group("proxy").add_argument
    add("--origin", required=True, metavar="URL", help="where requests go: http://NAME:PORT")
    add("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    add("--port", type=int, default=8001, help="the port to listen on (default: %(default)s)")
    add("--own-host", action="store_true", help="send the origin's name as Host, not the client's")
    add("--via", metavar="NAME", help="add Via with this name, both ways")
    add("--forwarded", action="store_true", help="add X-Forwarded-For, -Host and -Proto")
    add("--connect-timeout", type=float, default=5.0, metavar="SECONDS")
    add("--timeout", type=float, default=60.0, metavar="SECONDS", help="of silence, then 504")
    add("--no-cache", action="store_true", help="the proxy alone")
    add = parser.add_argument_group("cache", "options of FastCacheMiddleware and CacheConfig, one for one").add_argument
    for name in SWITCHES:
        add(f"--{name.replace('_', '-')}", action="store_true")
    for name in STALE:
        add(f"--{name.replace('_', '-')}", type=float, default=0, metavar="SECONDS")
    for name in ("no-etag", "no-coalesce", "ignore-client-directives"):
        add(f"--{name}", action="store_true")
    add("--handler-timeout", type=float, metavar="SECONDS")
    add("--cache-status", default="fast-cache", metavar="NAME", help="this cache's name in Cache-Status")
    add("--max-bytes", type=int, default=256 << 20, metavar="N", help="the size of the cache")
    add("--max-entries", type=int, default=100_000, metavar="N")
    add("--max-body-size", type=int, default=1 << 20, metavar="N", help="larger bodies are not stored")
    return parser


def main() -> None:
    parser = command_line()
    options = parser.parse_args()
    try:
        proxy = ReverseProxy(options)
    except ValueError as error:
        parser.error(str(error))
    uvicorn.run(
        proxy if options.no_cache else cached(proxy, options),
        host=options.host,
        port=options.port,
        http=InterimProtocol,
        ws="none",
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        date_header=False,
        access_log=False,
    )


if __name__ == "__main__":
    main()
