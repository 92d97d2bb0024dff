"""A raw ASGI client for tests: no HTTP library between the test and the messages."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

Scope = dict[str, Any]
Message = dict[str, Any]
Headers = Iterable[tuple[str | bytes, str | bytes]]


@dataclass
class Answer:
    """What an application sent for one request."""

    scope: Scope
    messages: list[Message] = field(default_factory=list)

    @property
    def status(self) -> int:
        return int(self._start["status"])

    @property
    def lines(self) -> list[tuple[bytes, bytes]]:
        """The header lines, in order."""
        return [(bytes(name), bytes(value)) for name, value in self._start.get("headers", [])]

    @property
    def body(self) -> bytes:
        return b"".join(m.get("body", b"") for m in self.messages if m["type"] == "http.response.body")

    @property
    def cache(self) -> str | None:
        """`X-Cache-Status`."""
        return self.header("x-cache-status")

    def header(self, name: str) -> str | None:
        """The first value of a header."""
        values = self.all(name)
        return values[0] if values else None

    def all(self, name: str) -> list[str]:
        """All values of a header."""
        wanted = name.lower().encode()
        return [value.decode("latin-1") for line, value in self.lines if line.lower() == wanted]

    @property
    def _start(self) -> Message:
        return next(m for m in self.messages if m["type"] == "http.response.start")


def scope_for(method: str, target: str, headers: Headers = (), **more: Any) -> Scope:
    """An HTTP scope as uvicorn makes it. `target` is a path with an optional query, percent-encoded where needed."""
    from urllib.parse import unquote

    raw_path, _, query = target.partition("?")
    lines = [(_bytes(name).lower(), _bytes(value)) for name, value in headers]
    if not any(name == b"host" for name, _ in lines):
        lines.insert(0, (b"host", b"testserver"))
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(raw_path),
        "raw_path": raw_path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": lines,
        "client": ("127.0.0.1", 50000),
        "server": ("testserver", 80),
    }
    scope.update(more)
    return scope


async def request(
    app: Callable[..., Awaitable[None]],
    method: str,
    target: str,
    headers: Headers = (),
    body: bytes | Sequence[bytes] = b"",
    on_message: Callable[[Message], Awaitable[None]] | None = None,
    **more: Any,
) -> Answer:
    """One request. What the application raises is raised, after `Answer.messages` were filled.

    `on_message` runs before each message is noted, as a slow or failing client would.
    """
    chunks = [body] if isinstance(body, bytes) else list(body)
    headers = list(headers)
    if any(chunks) and not any(_bytes(name).lower() == b"content-length" for name, _ in headers):
        headers.append(("content-length", str(sum(map(len, chunks)))))
    scope = scope_for(method, target, headers, **more)
    answer = Answer(scope)
    pending = list(chunks)
    never = asyncio.Event()

    async def receive() -> Message:
        if pending:
            chunk = pending.pop(0)
            return {"type": "http.request", "body": chunk, "more_body": bool(pending)}
        await never.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if on_message is not None:
            await on_message(message)
        answer.messages.append(message)

    await app(scope, receive, send)
    return answer


async def lifespan(app: Callable[..., Awaitable[None]]) -> list[Message]:
    """Start and stop an application; the messages it sent."""
    sent: list[Message] = []
    received = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive() -> Message:
        return received.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
    return sent


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")
