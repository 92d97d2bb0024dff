"""The routes of a Starlette or FastAPI application as plain data, on every supported version of both.

`analyse` reads an application once; `ask_framework` answers for the few routes that plain data cannot describe.
"""

from .analyse import analyse
from .chain import Chain, follow
from .overrides import inputs_with_overrides, overrides_of, overrides_token
from .record import Analysis, Inputs, InsideMiddleware, RouteRecord, Watch
from .resolve import ask_framework

__all__ = [
    "Analysis",
    "Chain",
    "Inputs",
    "InsideMiddleware",
    "RouteRecord",
    "Watch",
    "analyse",
    "ask_framework",
    "follow",
    "inputs_with_overrides",
    "overrides_of",
    "overrides_token",
]
