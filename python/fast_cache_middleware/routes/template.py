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


def without_convertors(path: str) -> str:
    """The template with `{name}` for every `{name:convertor}`."""
    return _PARAMETER.sub(r"{\1}", path) if ":" in path else path


def literal_prefix(path: str) -> str:
    """What every path of this template starts with."""
    return path.partition("{")[0]


def regex(path: str) -> str | None:
    """The pattern of a template with built-in convertors; `None` with any other."""
    if "{" not in path:
        return f"^{re.escape(path)}$"
    pattern, position = "^", 0
    for match in _PARAMETER.finditer(path):
        built_in = _BUILT_IN.get(match[2] or "str")
        if built_in is None:
            return None
        pattern += f"{re.escape(path[position : match.start()])}(?P<{match[1]}>{built_in[1]})"
        position = match.end()
    return f"{pattern}{re.escape(path[position:])}$"


def is_plain(path: str, compiled: re.Pattern[str], convertors: dict[str, Any]) -> bool:
    """Whether the framework matches this template by built-in convertors and nothing else."""
    if compiled.flags != re.UNICODE or compiled.pattern != regex(path):
        return False
    return not convertors or all(
        type(convertors.get(name)) is _BUILT_IN[kind][0] for name, kind in parameters(path).items()
    )


def has_custom_convertor(path: str, convertors: dict[str, Any]) -> bool:
    """Whether a convertor is not one of the five built-in ones."""
    return any(
        (built_in := _BUILT_IN.get(kind)) is None or type(convertors.get(name)) is not built_in[0]
        for name, kind in parameters(path).items()
    )
