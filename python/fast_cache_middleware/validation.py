"""Checks that turn a user's setting into its normal form, or say in a `ConfigError` which field is wrong and why.

Every function takes the field's full name (`"CacheConfig.max_age"`) first, for the message.
"""

import math
import re
import reprlib
import sys
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import Any, Final

from .exceptions import ConfigError

LONGEST: Final = 2.0**31
"""Seconds; longer durations mean this one (RFC 9111 §1.2.2)."""

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(:[A-Za-z_][A-Za-z0-9_]*)?\}")


def wrong(field: str, value: object, why: str) -> ConfigError:
    """The error for `field`: it `why` ("must be …"), and was given `value`."""
    return ConfigError(f"{field} {why}, got {reprlib.repr(value)}")


def seconds(field: str, value: object) -> float:
    """A duration in seconds: finite, not negative, from an int, a float or a `timedelta`."""
    if isinstance(value, timedelta):
        number = value.total_seconds()
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = LONGEST if value > 0 else -LONGEST
    else:
        raise wrong(field, value, "must be a number of seconds or a timedelta")
    if not math.isfinite(number):
        raise wrong(field, value, "must be finite")
    if number < 0:
        raise wrong(field, value, "must not be negative")
    return min(number, LONGEST)


def number(field: str, value: object) -> float:
    """A number that is finite and not negative."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise wrong(field, value, "must be a number")
    if not 0 <= value <= sys.float_info.max:
        raise wrong(field, value, "must be finite and not negative")
    return float(value)


def flag(field: str, value: object) -> bool:
    """A bool, and nothing that merely acts like one."""
    if not isinstance(value, bool):
        raise wrong(field, value, "must be True or False")
    return value


def function(field: str, value: Any) -> Callable[..., Any]:
    """Anything callable."""
    if not callable(value):
        raise wrong(field, value, "must be callable")
    result: Callable[..., Any] = value
    return result


def items(field: str, value: object) -> tuple[Any, ...]:
    """The members of a list, tuple or set, each once and in order; a single string is refused, not split."""
    if isinstance(value, (str, bytes, re.Pattern)) or (callable(value) and not isinstance(value, Collection)):
        raise wrong(field, value, "must be a list or tuple (for a single one write [...] around it)")
    if isinstance(value, Mapping) or not isinstance(value, Collection):
        raise wrong(field, value, "must be a list or tuple")
    try:
        members = tuple(dict.fromkeys(value))
    except TypeError:  # unhashable members are no valid setting anywhere
        raise wrong(field, value, "has a member of a wrong type") from None
    return tuple(sorted(members, key=repr)) if isinstance(value, (set, frozenset)) else members


def texts(field: str, value: object) -> tuple[str, ...]:
    """Strings, none of them empty."""
    members = items(field, value)
    for member in members:
        if not isinstance(member, str) or not member:
            raise wrong(field, member, "must hold strings that are not empty")
        encodable(field, member)
    return members


def encodable(field: str, value: str) -> str:
    """A string without halves of surrogate pairs, which are no text."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise wrong(field, value, "must hold valid text, without halves of surrogate pairs") from None
    return value


def tokens(field: str, value: object) -> tuple[str, ...]:
    """Strings that are tokens (RFC 9110 §5.6.2), as header names, cookie names and methods are."""
    members = texts(field, value)
    for member in members:
        if not _TOKEN.fullmatch(member):
            raise wrong(field, member, "must hold names made of letters, digits and !#$%&'*+-.^_`|~")
    return members


def positive(field: str, value: object) -> int:
    """An int above zero."""
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise wrong(field, value, "must be a positive whole number")
    return value


def route_path(field: str, value: object) -> str:
    """A path as routes are written."""
    if not isinstance(value, str) or not value.startswith("/"):
        raise wrong(field, value, 'must be a string that starts with "/"')
    return value


def status_codes(field: str, value: object) -> frozenset[int]:
    """Status codes, 100 to 599."""
    members = items(field, value)
    for member in members:
        if not isinstance(member, int) or isinstance(member, bool) or not 100 <= member <= 599:
            raise wrong(field, member, "must hold status codes from 100 to 599")
    return frozenset(int(member) for member in members)


def template_names(field: str, text: str, *, convertors: bool = False) -> tuple[str, ...]:
    """The names in a text such as `user:{user_id}`, each once; with `convertors`, `{user_id:int}` is allowed too."""
    rest = _PLACEHOLDER.sub("", text)
    if "{" in rest or "}" in rest:
        raise wrong(field, text, "has braces that are not of the form {name}")
    found = list(_PLACEHOLDER.finditer(text))
    if not convertors and any(match[2] for match in found):
        raise wrong(field, text, "must write {name} without a convertor")
    return tuple(dict.fromkeys(match[1] for match in found))


def without_convertors(text: str) -> str:
    """`text` with every `{name:convertor}` written as `{name}`."""
    return _PLACEHOLDER.sub(lambda match: "{" + match[1] + "}", text)


def fill(
    field: str,
    text: str,
    values: Mapping[str, object],
    literal: Callable[[str], str] = str,
    value: Callable[[str], str] = str,
) -> str:
    """`text` with every `{name}` replaced by its value; the text around and the values pass through a function each."""
    parts: list[str] = []
    position = 0
    for match in _PLACEHOLDER.finditer(text):
        if match[1] not in values:
            raise wrong(field, text, f"names {match[1]!r}, which is not a path parameter here")
        parts += (literal(text[position : match.start()]), value(str(values[match[1]])))
        position = match.end()
    return "".join([*parts, literal(text[position:])])
