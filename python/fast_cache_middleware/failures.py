"""Who answers what an application has raised."""

import sys
from typing import Any

from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware


def is_handled_by_the_framework(scope: Any, error: BaseException) -> bool:
    """Whether a handler of Starlette's or FastAPI's own answers `error`: it makes its answer of the exception alone.

    The handlers stand in the scope, where `ExceptionMiddleware` leaves them. An author's own handler, and any that is
    not found, may look at the whole request.
    """
    if not isinstance(error, HTTPException):
        return False
    try:
        by_class, by_status = scope["starlette.exception_handlers"]
        handler = by_status.get(error.status_code)
        if handler is None:
            handler = next(by_class[kind] for kind in type(error).__mro__ if kind in by_class)
    except (KeyError, TypeError, ValueError, StopIteration):
        return False
    if getattr(handler, "__func__", None) is ExceptionMiddleware.http_exception:
        return True
    own = sys.modules.get("fastapi.exception_handlers")
    return own is not None and handler is getattr(own, "http_exception_handler", None)
