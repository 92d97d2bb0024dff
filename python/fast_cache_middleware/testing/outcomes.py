"""What became of a request, asserted from the headers of its response."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

_MEMBER: Final = re.compile(r'(?:"(?:\\.|[^"\\])*"|[^",])+')
_PARAMETER: Final = re.compile(r';\s*([a-z*][\w.*-]*)(?:=("(?:\\.|[^"\\])*"|[^;\s]+))?')


class HasHeaders(Protocol):
    """A response of Starlette's or FastAPI's test client, of httpx, requests or anything like them."""

    @property
    def headers(self) -> Any:
        """A mapping of names to values, or pairs of both."""


Answered = HasHeaders | Mapping[Any, Any] | Iterable[tuple[str | bytes, str | bytes]]
"""A response, its headers, its header lines, or an ASGI `http.response.start`."""


def assert_hit(response: Answered) -> None:
    """The answer came from the cache, and was fresh."""
    __tracebackhide__ = True
    _assert_outcome(response, "HIT")


def assert_miss(response: Answered, reason: str | None = None) -> None:
    """The application was asked, since nothing stored could be used.

    `reason`: also, why it was asked or why its answer was not kept: `fwd` or `detail` in `Cache-Status`.
    """
    __tracebackhide__ = True
    _assert_outcome(response, "MISS", reason)


def assert_stale(response: Answered) -> None:
    """The answer came from the cache, and was past its lifetime."""
    __tracebackhide__ = True
    _assert_outcome(response, "STALE")


def assert_revalidated(response: Answered) -> None:
    """The answer came from the cache, and the application confirmed it."""
    __tracebackhide__ = True
    _assert_outcome(response, "REVALIDATED")


def assert_bypass(response: Answered, reason: str | None = None) -> None:
    """The cache kept out of it; with `reason`, because of that: `detail` in `Cache-Status`."""
    __tracebackhide__ = True
    _assert_outcome(response, "BYPASS", reason)


def _assert_outcome(response: Answered, expected: str, reason: str | None = None) -> None:
    __tracebackhide__ = True
    lines = _lines_of(response)
    outcome, said = _joined(lines, "x-cache-status"), _joined(lines, "cache-status")
    told = "there is no Cache-Status" if said is None else f"Cache-Status: {said}"
    if outcome is None:
        raise AssertionError(f"expected {expected}, but there is no X-Cache-Status: no cached route answered ({told})")
    # A cache further inside may have said something, too.
    if outcome.rpartition(",")[2].strip() != expected:
        raise AssertionError(f"expected {expected}, got {outcome} ({told})")
    if reason is not None and reason not in _reasons_in(said or ""):
        raise AssertionError(f"expected {expected} because of {reason}, got {outcome} for another reason ({told})")


def _reasons_in(cache_status: str) -> list[str]:
    """`fwd` and `detail` of the cache that spoke last."""
    members = _MEMBER.findall(cache_status)
    parameters = dict(_PARAMETER.findall(members[-1])) if members else {}
    return [parameters[name].strip('"') for name in ("fwd", "detail") if name in parameters]


def _joined(lines: list[tuple[str, str]], name: str) -> str | None:
    values = [value for line, value in lines if line == name]
    return ", ".join(values) if values else None


def _lines_of(response: Answered) -> list[tuple[str, str]]:
    headers: Any = getattr(response, "headers", response)
    if isinstance(headers, Mapping) and headers.get("type") == "http.response.start":
        headers = headers.get("headers", ())
    items = headers.items() if hasattr(headers, "items") else headers
    try:
        return [(_text(name).lower(), _text(value)) for name, value in items]
    except (TypeError, ValueError):
        raise TypeError(f"neither a response nor header lines: {response!r}") from None


def _text(part: Any) -> str:
    if isinstance(part, str):
        return part
    return bytes(part).decode("latin-1")
