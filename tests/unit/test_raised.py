"""Exceptions once more."""

import json
import sqlite3
import ssl
import subprocess
import traceback
from dataclasses import dataclass

import pytest
from fastapi import HTTPException

from fast_cache_middleware.raised import another


class NamedError(Exception):
    def __init__(self, text: str, *, code: int) -> None:
        super().__init__(text)
        self.code = code


class SlottedError(Exception):
    __slots__ = ("code",)

    def __init__(self, code: int) -> None:
        self.code = code


class ReducedError(OSError):
    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(5, "broken", "file")


@dataclass(frozen=True)
class FrozenError(Exception):
    code: int


class SeveralError(ExceptionGroup[Exception]):
    pass


@pytest.mark.parametrize(
    "error",
    [
        NamedError("broken", code=5),
        SlottedError(5),
        ReducedError(5),
        OSError(),
        OSError(5, "broken"),
        FileNotFoundError(2, "gone", "from", None, "to"),
        BlockingIOError(11, "later", 7),
        ConnectionRefusedError(111, "refused"),
        UnicodeDecodeError("utf-8", b"abc", 0, 1, "broken"),
        ImportError("broken", name="module", path="file"),
        AttributeError("broken", name="name", obj=5),
        SyntaxError("broken", ("file", 1, 2, "text")),
        KeyError("key"),
        TimeoutError(),
        HTTPException(status_code=503, detail="broken", headers={"retry-after": "1"}),
        json.JSONDecodeError("broken", "text", 1),
        subprocess.CalledProcessError(3, "command", b"output"),
        sqlite3.OperationalError("locked"),
        ssl.SSLError(1, "broken"),
        SeveralError("several", [ValueError(1), ExceptionGroup("more", [KeyError(2)])]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_exception_is_the_same_once_more(error: Exception) -> None:
    error.add_note("a note")
    try:
        try:
            raise OSError
        except OSError:
            raise error from ValueError("its cause")
    except Exception:
        made = another(error)
    assert made is not error
    assert type(made) is type(error)
    assert (repr(made), str(made), made.__dict__) == (repr(error), str(error), error.__dict__)
    assert (made.__cause__, made.__context__) == (error.__cause__, error.__context__)
    assert made.__suppress_context__
    assert traceback.format_exception(made) == traceback.format_exception(error)
    for name in ("errno", "filename", "filename2", "characters_written", "object", "name", "obj", "lineno", "code"):
        assert getattr(made, name, None) == getattr(error, name, None)
    made.add_note("another note")
    assert error.__notes__ == ["a note"]


def test_an_exception_that_its_author_has_frozen_is_the_same_once_more() -> None:
    error = FrozenError(5)
    made = another(error)
    assert made is not error
    assert made == error
    assert made.args == error.args


def test_the_exceptions_of_a_group_are_made_anew_as_well() -> None:
    group = SeveralError("several", [ValueError(1)])
    made = another(group)
    assert isinstance(made, SeveralError)
    assert made.exceptions[0] is not group.exceptions[0]
    assert repr(made.exceptions) == repr(group.exceptions)
