"""A caching reverse proxy: any HTTP origin, passed on faithfully, behind the middleware in HTTP mode.

    pip install uvicorn 'httpcore2[asyncio]'
    python examples/reverse_proxy.py --origin http://127.0.0.1:8000 --port 8001

What is stored and for how long is decided by the origin's own header fields (RFC 9111). `--help` lists the options of
the cache. A proxy has to leave messages alone, so the parts are chosen for what they do not do:

- `httpcore2` sends the header lines that it is given and returns those that came, as bytes: no field of its own, no
  decoding, no redirects, no cookies. It writes `Host` first; all other lines keep their order, repeats and case.
- uvicorn runs on `h11`, which takes any method and writes field names as they are. `httptools` knows a fixed list of
  methods and lowers the case of response fields. Both hand request fields over in lower case, as ASGI wants.

Not passed on: interim (1xx) responses, trailers, reason phrases, and a `?` with nothing behind it: ASGI has no place
for them. A body is sent to the origin as it comes in, and the answer is read when all of it is sent.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from urllib.parse import quote, urlsplit

import httpcore2
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from fast_cache_middleware import CacheConfig, CacheRule, Controller, FastCacheMiddleware, InMemoryStorage

Lines = list[tuple[bytes, bytes]]

HOP_BY_HOP = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade"})
"""Fields of one connection, besides those that `Connection` names (RFC 9110 §7.6.1)."""

IDLE = 4.0
"""Seconds until an unused connection is closed: less than the five after which many servers close theirs."""


class ClientLeftError(Exception):
    """The client closed its connection before it had the whole answer."""


class TruncatedError(Exception):
    """The origin's answer broke off. Raised, so that the server breaks off too and the cache stores nothing."""


@dataclass(frozen=True)
class Origin:
    """Where requests go, and what is changed on the way."""

    url: str
    own_host: bool = False
    """Send the origin's own name as `Host`, not the one that the client asked for."""
    via: str | None = None
    """The name to add to `Via` (RFC 9110 §7.6.3)."""
    forwarded: bool = False
    """Add `X-Forwarded-For`, `-Host` and `-Proto`."""
    connect_timeout: float = 5.0
    timeout: float = 60.0
    """Seconds of silence until an answer is given up."""


class ReverseProxy:
    """An ASGI application that answers every request with what the origin answers."""

    def __init__(self, origin: Origin) -> None:
        parts = urlsplit(origin.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
            raise ValueError(f"an origin is http://NAME:PORT or https://NAME:PORT, not {origin.url}")
        self._origin = origin
        self._scheme, self._name, self._port = parts.scheme.encode(), parts.hostname.encode(), parts.port
        self._authority = parts.netloc.rpartition("@")[2].encode()
        self._pool = httpcore2.AsyncConnectionPool(
            max_connections=None, max_keepalive_connections=100, keepalive_expiry=IDLE
        )
        wait = origin.timeout
        self._timeouts = {"connect": origin.connect_timeout, "pool": wait, "read": wait, "write": wait}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._with_the_client(scope, receive, send)
        else:
            raise NotImplementedError(f"cannot proxy {scope['type']}")

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._pool.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    async def _with_the_client(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward for as long as the client is there; if it leaves, so do we."""
        sent = asyncio.Event()
        content = None
        if names(scope["headers"]) & {b"content-length", b"transfer-encoding"}:
            content = request_body(receive, sent)
        else:
            sent.set()
        forwarding = asyncio.create_task(self._forward(scope, content, send))
        watching = asyncio.create_task(until_gone(receive, sent))
        try:
            await asyncio.wait({forwarding, watching}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            left = not forwarding.done()
            for task in (forwarding, watching):
                task.cancel()
            await asyncio.wait({forwarding, watching})
        if left and forwarding.cancelled():
            raise ClientLeftError
        forwarding.result()

    async def _forward(self, scope: Scope, content: AsyncIterator[bytes] | None, send: Send) -> None:
        if scope["method"] == "CONNECT":
            return await answer(send, 501)
        target: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
        if scope["query_string"]:
            target += b"?" + scope["query_string"]
        request = httpcore2.Request(
            scope["method"],
            httpcore2.URL(scheme=self._scheme, host=self._name, port=self._port, target=target),
            headers=self._request_lines(scope),
            content=content,
            extensions={"timeout": self._timeouts},
        )
        try:
            response = await self._pool.handle_async_request(request)
        except httpcore2.TimeoutException:
            return await answer(send, 504)
        except (httpcore2.NetworkError, httpcore2.ProtocolError):
            return await answer(send, 502)
        try:
            # Neither a switch of protocols nor a number that is no status (RFC 9110 §15) can be passed on.
            if not 200 <= response.status <= 599:
                return await answer(send, 502)
            lines = self._response_lines(response)
            await send({"type": "http.response.start", "status": response.status, "headers": lines})
            async for chunk in response.aiter_stream():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise TruncatedError(f"{scope['method']} {scope['path']}: {error}") from error
        finally:
            await response.aclose()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _request_lines(self, scope: Scope) -> Lines:
        given: Lines = list(scope["headers"])
        lines = end_to_end(given, keep=(b"host", b"content-length"))
        hosts = [value for name, value in lines if name == b"host"]
        if self._origin.own_host or not hosts:
            lines = [(b"host", self._authority), *(line for line in lines if line[0] != b"host")]
        if b"transfer-encoding" in names(given):
            # Of the two, `Transfer-Encoding` counts, and `Content-Length` must not go on beside it (RFC 9112 §6.3).
            lines = [line for line in lines if line[0] != b"content-length"]
            lines.append((b"transfer-encoding", b"chunked"))
        if self._origin.via:
            lines.append((b"via", f"{scope['http_version']} {self._origin.via}".encode()))
        if self._origin.forwarded:
            client = scope.get("client")
            lines.append((b"x-forwarded-for", (client[0] if client else "unknown").encode()))
            lines.append((b"x-forwarded-proto", scope["scheme"].encode()))
            lines += [(b"x-forwarded-host", host) for host in hosts[:1]]
        return lines

    def _response_lines(self, response: httpcore2.Response) -> Lines:
        lines = end_to_end(response.headers)
        if b"date" not in names(lines):
            # Whoever has a clock adds a missing one (RFC 9110 §6.6.1).
            lines.append((b"Date", formatdate(usegmt=True).encode()))
        if self._origin.via:
            version = bytes(response.extensions["http_version"]).removeprefix(b"HTTP/")
            lines.append((b"Via", version + b" " + self._origin.via.encode()))
        return lines


def names(lines: Lines) -> set[bytes]:
    """The names of the fields, in lower case."""
    return {name.lower() for name, _ in lines}


def end_to_end(lines: Iterable[tuple[bytes, bytes]], keep: Sequence[bytes] = ()) -> Lines:
    """The lines without those of this connection; `keep` are names that `Connection` has no power over."""
    given = list(lines)
    nominated = {
        option.strip().lower() for name, value in given if name.lower() == b"connection" for option in value.split(b",")
    }
    dropped = HOP_BY_HOP | nominated.difference(keep)
    return [(name, value) for name, value in given if name.lower() not in dropped]


async def request_body(receive: Receive, sent: asyncio.Event) -> AsyncIterator[bytes]:
    """The request's content as it arrives; `sent` is set when nobody wants more of it."""
    try:
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientLeftError
            yield message.get("body", b"")
            more = message.get("more_body", False)
    finally:
        sent.set()


async def until_gone(receive: Receive, sent: asyncio.Event) -> None:
    """Wait until the client has left. Until the content is sent, whoever reads it finds out."""
    await sent.wait()
    while (await receive())["type"] != "http.disconnect":
        pass


async def answer(send: Send, status: int) -> None:
    """An answer of the proxy's own."""
    lines = [(b"Date", formatdate(usegmt=True).encode()), (b"Content-Length", b"0"), (b"Cache-Control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def quiet(app: ASGIApp) -> ASGIApp:
    """`app` for a server that would log a traceback when a client leaves. The cache has to see it; nobody else does."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except ClientLeftError:
            return

    return serve


def cached(proxy: ASGIApp, options: argparse.Namespace) -> ASGIApp:
    """The proxy behind the cache: one rule for every path, and the response's own header fields decide."""
    config = CacheConfig(
        max_age=None,
        stale_while_revalidate=options.stale_while_revalidate,
        stale_if_error=options.stale_if_error,
        etag=not options.no_etag,
    )
    return FastCacheMiddleware(
        proxy,
        InMemoryStorage(max_size=options.max_entries, max_bytes=options.max_bytes),
        Controller(max_body_size=options.max_body_size),
        rules=[CacheRule("/{path:path}", config)],
        cache_status=options.cache_status,
        client_directives=not options.ignore_client_directives,
        head_from_get=options.head_from_get,
        coalesce=not options.no_coalesce,
        handler_timeout=options.handler_timeout,
        heuristics=options.heuristics,
        cdn_cache_control=options.cdn_cache_control,
        stale_on_error=options.stale_on_error,
        normalize_language=options.normalize_language,
    )


def command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="A caching reverse proxy.", allow_abbrev=False)
    proxy = parser.add_argument_group("proxy")
    proxy.add_argument("--origin", required=True, metavar="URL", help="where requests go: http://NAME:PORT")
    proxy.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    proxy.add_argument("--port", type=int, default=8001, help="the port to listen on (default: %(default)s)")
    proxy.add_argument("--own-host", action="store_true", help="send the origin's name as Host, not the client's")
    proxy.add_argument("--via", metavar="NAME", help="add Via with this name, both ways")
    proxy.add_argument("--forwarded", action="store_true", help="add X-Forwarded-For, -Host and -Proto")
    proxy.add_argument("--connect-timeout", type=float, default=5.0, metavar="SECONDS")
    proxy.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS", help="of silence, then 504")
    cache = parser.add_argument_group("cache", "one for one the options of FastCacheMiddleware and CacheConfig")
    for flag in ("heuristics", "cdn-cache-control", "stale-on-error", "normalize-language", "head-from-get"):
        cache.add_argument(f"--{flag}", action="store_true")
    for flag in ("no-etag", "no-coalesce", "ignore-client-directives", "no-cache"):
        cache.add_argument(f"--{flag}", action="store_true")
    for flag in ("stale-while-revalidate", "stale-if-error"):
        cache.add_argument(f"--{flag}", type=float, default=0, metavar="SECONDS")
    cache.add_argument("--handler-timeout", type=float, metavar="SECONDS")
    cache.add_argument("--cache-status", default="fast-cache", metavar="NAME", help="this cache's name in Cache-Status")
    cache.add_argument("--max-bytes", type=int, default=256 << 20, metavar="N", help="the size of the cache")
    cache.add_argument("--max-entries", type=int, default=100_000, metavar="N")
    cache.add_argument("--max-body-size", type=int, default=1 << 20, metavar="N", help="larger bodies are not stored")
    return parser


def main() -> None:
    parser = command_line()
    options = parser.parse_args()
    origin = Origin(
        options.origin, options.own_host, options.via, options.forwarded, options.connect_timeout, options.timeout
    )
    try:
        proxy = ReverseProxy(origin)
    except ValueError as error:
        parser.error(str(error))
    uvicorn.run(
        quiet(proxy if options.no_cache else cached(proxy, options)),
        host=options.host,
        port=options.port,
        http="h11",
        ws="none",
        proxy_headers=False,
        server_header=False,
        date_header=False,
        access_log=False,
    )


if __name__ == "__main__":
    main()
