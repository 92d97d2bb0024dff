"""Path templates such as `/users/{user_id:int}`: which of them mean what they say."""

import re
from typing import Any, Final

from starlette.convertors import (
    FloatConvertor,
    IntegerConvertor,
    PathConvertor,
    StringConvertor,
    UUIDConvertor,
)

from fast_cache_middleware._core import is_usual_pattern

_FLAGS: Final = int(re.UNICODE)
_UUID: Final = "-?".join(["[0-9a-fA-F]{8}", *["[0-9a-fA-F]{4}"] * 3, "[0-9a-fA-F]{12}"])
_BUILT_IN: Final[dict[str, tuple[type, str]]] = {
    "str": (StringConvertor, "[^/]+"),
    "path": (PathConvertor, ".*"),
    "int": (IntegerConvertor, "[0-9]+"),
    "float": (FloatConvertor, r"[0-9]+(\.[0-9]+)?"),
    "uuid": (UUIDConvertor, _UUID),
}
_PARAMETER: Final = re.compile(r"\{([a-zA-Z_][a-zA-Z0-9_]*)(?::([a-zA-Z_][a-zA-Z0-9_]*))?\}")


def parameters(path: str) -> dict[str, str]:
    """The path parameters with their convertors, `str` where none is written."""
    if "{" not in path:
        return {}
    return {match[1]: match[2] or "str" for match in _PARAMETER.finditer(path)}


def has_distinct_names(prefix: str, path: str) -> bool:
    """Whether a mount prefix and what is mounted there share no parameter name; the framework lets the inner win."""
    return "{" not in prefix or "{" not in path or parameters(prefix).keys().isdisjoint(parameters(path))


def without_convertors(path: str) -> str:
    """The template with `{name}` for every `{name:convertor}`."""
    return _PARAMETER.sub(r"{\1}", path) if ":" in path else path


def literal_prefix(path: str) -> str:
    """What every path of this template starts with."""
    return path.partition("{")[0]


def regex(path: str) -> str | None:
    """The pattern of a template with built-in convertors; `None` with any other."""
    return _regex(path, None)


def is_plain(path: str, compiled: re.Pattern[str], convertors: dict[str, Any]) -> bool:
    """Whether the framework matches this template by built-in convertors and nothing else."""
    if compiled.flags != _FLAGS:
        return False
    pattern = compiled.pattern
    return is_usual_pattern(path, pattern, convertors, StringConvertor) or pattern == _regex(path, convertors)


def has_custom_convertor(path: str, convertors: dict[str, Any]) -> bool:
    """Whether a convertor is not one of the five built-in ones."""
    return _regex(path, convertors) is None


def _regex(path: str, convertors: dict[str, Any] | None) -> str | None:
    if "{" not in path:
        return f"^{_escape(path)}$"
    pattern, position = "^", 0
    for match in _PARAMETER.finditer(path):
        name, kind = match.groups("str")
        built_in = _BUILT_IN.get(kind)
        if built_in is None or (convertors is not None and type(convertors.get(name)) is not built_in[0]):
            return None
        start, end = match.span()
        pattern = f"{pattern}{_escape(path[position:start])}(?P<{name}>{built_in[1]})"
        position = end
    return f"{pattern}{_escape(path[position:])}$" if position < len(path) else pattern + "$"


def _escape(text: str) -> str:
    return text if text == "/" else re.escape(text)
