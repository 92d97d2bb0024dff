"""Response, request and metadata as bytes or text, and back, for storages of your own.

Both formats are versioned and checksummed, keep every header line in its order, and take any body. Neither uses
pickle: reading foreign data gives a `StorageError` at worst.
"""

import base64
import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from fast_cache_middleware.exceptions import StorageError

from .base import Stored

_MAGIC: Final = b"FCMR\x01"
"""Four letters and the version of the format."""

_VERSION: Final = 1
_DIGEST_SIZE: Final = 16
_LENGTH_SIZE: Final = 4
_TEXTS_IN_SCOPE: Final = ("http_version", "method", "scheme", "path", "root_path")
_BYTES_IN_SCOPE: Final = ("raw_path", "query_string")


class BaseSerializer(ABC):
    """The interface of serializers."""

    @property
    @abstractmethod
    def is_binary(self) -> bool:
        """Whether `dumps` gives bytes rather than a str."""

    @abstractmethod
    async def dumps(self, response: Response, request: Request, metadata: Mapping[str, Any]) -> bytes | str:
        """The three in one piece; `StorageError` for a streaming response or metadata that is not JSON-able."""

    @abstractmethod
    async def loads(self, data: bytes | str) -> Stored:
        """What `dumps` was given; `StorageError` if `data` is damaged, foreign or of another version."""


class DefaultSerializer(BaseSerializer):
    """Compact and binary: magic and version, digest, length of the head, head as JSON, body as it is."""

    @property
    def is_binary(self) -> bool:
        """`True`."""
        return True

    async def dumps(self, response: Response, request: Request, metadata: Mapping[str, Any]) -> bytes:
        """The three as bytes; `StorageError` for a streaming response or metadata that is not JSON-able."""
        head = _to_json(_head_of(response, request, metadata)).encode("ascii")
        framed = len(head).to_bytes(_LENGTH_SIZE, "big") + head + _body_of(response)
        return _MAGIC + _digest(framed) + framed

    async def loads(self, data: bytes | str) -> Stored:
        """What `dumps` was given; `StorageError` if `data` is damaged, foreign or of another version."""
        if isinstance(data, str):
            raise StorageError("a binary entry was expected, not text")
        data = bytes(data)
        start = len(_MAGIC) + _DIGEST_SIZE
        if not data.startswith(_MAGIC) or len(data) < start + _LENGTH_SIZE:
            raise StorageError("not an entry of this version")
        framed = data[start:]
        if _digest(framed) != data[len(_MAGIC) : start]:
            raise StorageError("the entry is damaged")
        end = _LENGTH_SIZE + int.from_bytes(framed[:_LENGTH_SIZE], "big")
        if end > len(framed):
            raise StorageError("the entry is damaged")
        return _stored_from(_from_json(framed[_LENGTH_SIZE:end]), framed[end:])


class JSONSerializer(BaseSerializer):
    """JSON text, for storages that want to be read by people; bodies stand in it as base64."""

    @property
    def is_binary(self) -> bool:
        """`False`."""
        return False

    async def dumps(self, response: Response, request: Request, metadata: Mapping[str, Any]) -> str:
        """The three as JSON; `StorageError` for a streaming response or metadata that is not JSON-able."""
        head = _head_of(response, request, metadata)
        head["body"] = base64.b64encode(_body_of(response)).decode("ascii")
        entry = _from_json(_to_json(head))
        return _to_json({"version": _VERSION, "digest": _digest(_canonical(entry)).hex(), "entry": entry})

    async def loads(self, data: bytes | str) -> Stored:
        """What `dumps` was given; `StorageError` if `data` is damaged, foreign or of another version."""
        document = _from_json(data)
        if not isinstance(document, dict) or document.get("version") != _VERSION:
            raise StorageError("not an entry of this version")
        entry: Any = document.get("entry")
        if document.get("digest") != _digest(_canonical(entry)).hex():
            raise StorageError("the entry is damaged")
        try:
            body = base64.b64decode(entry["body"], validate=True)
        except (KeyError, TypeError, ValueError) as error:
            raise StorageError("the entry's body is not base64") from error
        return _stored_from(entry, body)


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST_SIZE).digest()


def _to_json(value: object, *, sort_keys: bool = False) -> str:
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"), sort_keys=sort_keys)
    except (TypeError, ValueError, RecursionError) as error:
        raise StorageError(f"the entry cannot be written as JSON: {error}") from error


def _from_json(text: bytes | str) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise StorageError("the entry is not JSON") from error


def _canonical(value: object) -> bytes:
    return _to_json(value, sort_keys=True).encode("ascii")


def _body_of(response: Response) -> bytes:
    body = getattr(response, "body", None)
    if not isinstance(body, (bytes, bytearray, memoryview)):
        raise StorageError(f"a {type(response).__name__} has no body to keep")
    return bytes(body)


def _head_of(response: Response, request: Request, metadata: Mapping[str, Any]) -> dict[str, Any]:
    scope = request.scope
    kept: dict[str, Any] = {name: scope[name] for name in _TEXTS_IN_SCOPE if name in scope}
    kept |= {name: scope[name].decode("latin-1") for name in _BYTES_IN_SCOPE if scope.get(name) is not None}
    kept["headers"] = _lines_of(scope.get("headers", ()))
    if scope.get("server") is not None:
        kept["server"] = list(scope["server"])
    return {
        "status": response.status_code,
        "headers": _lines_of(response.raw_headers),
        "media_type": response.media_type,
        "request": kept,
        "metadata": dict(metadata),
    }


def _lines_of(headers: Any) -> list[list[str]]:
    return [[name.decode("latin-1"), value.decode("latin-1")] for name, value in headers]


def _stored_from(head: Any, body: bytes) -> Stored:
    try:
        status, media_type, metadata = head["status"], head["media_type"], head["metadata"]
        valid = type(status) is int and 100 <= status <= 999 and isinstance(metadata, dict)
        if not valid or not (media_type is None or isinstance(media_type, str)):
            raise ValueError("status, media type or metadata")
        response = Response(body, status)
        response.raw_headers = _raw_lines(head["headers"])
        response.media_type = media_type
        return response, Request(_scope_from(head["request"])), metadata
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StorageError("the entry's fields are not those of a response") from error


def _raw_lines(lines: Any) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in lines]


def _scope_from(kept: Any) -> dict[str, Any]:
    scope: dict[str, Any] = {"type": "http", "headers": _raw_lines(kept["headers"])}
    for name in _TEXTS_IN_SCOPE:
        if name in kept:
            if not isinstance(kept[name], str):
                raise ValueError(name)
            scope[name] = kept[name]
    scope |= {name: kept[name].encode("latin-1") for name in _BYTES_IN_SCOPE if name in kept}
    if "server" in kept:
        host, port = kept["server"]
        scope["server"] = (host, port)
    return scope
