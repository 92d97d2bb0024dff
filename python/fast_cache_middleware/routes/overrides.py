"""`app.dependency_overrides`: what the overriding dependencies can see, and a token that keeps their answers apart."""

import functools
import itertools
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

from .inputs import InputsReader, as_raw, raw_inputs, united
from .record import Inputs, RouteRecord

Overrides = Mapping[Any, Any]


def overrides_of(record: RouteRecord) -> Overrides:
    """The overrides that FastAPI would apply to this route now; empty almost always."""
    provider = getattr(record.node, "dependency_overrides_provider", None)
    overrides: Overrides = getattr(provider, "dependency_overrides", None) or {}
    return overrides


def overrides_token(overrides: Overrides) -> tuple[int, ...]:
    """Numbers that tell one set of overrides from another in this process; a number is never used for two objects."""
    return tuple(number for pair in overrides.items() for number in map(_number, pair))


def inputs_with_overrides(record: RouteRecord, overrides: Overrides) -> Inputs:
    """The inputs of a route together with those of whatever overrides one of its dependencies."""
    inputs = record.inputs or raw_inputs(record.path)
    dependant = record.dependant
    if dependant is None or not overrides:
        return inputs
    reader = InputsReader()
    for overriding in _overriding(dependant, overrides, set()):
        try:
            seen = reader.declared(_dependant(overriding, dependant.path or record.path), record.path)
        except Exception:  # FastAPI cannot read it either, or a new version wants to be asked differently
            return as_raw(inputs)
        inputs = united(inputs, seen)
    return as_raw(inputs) if inputs.raw else inputs


def _overriding(dependant: Any, overrides: Overrides, seen: set[int]) -> Iterator[Any]:
    for inner in dependant.dependencies:
        try:
            overriding = overrides.get(inner.call)
        except TypeError:  # an unhashable dependency cannot be overridden
            overriding = None
        if overriding is None:
            yield from _overriding(inner, overrides, seen)
        elif id(overriding) not in seen:
            seen.add(id(overriding))
            yield overriding
            yield from _overriding(_dependant(overriding, dependant.path or "/"), overrides, seen)


@functools.lru_cache(maxsize=256)
def _dependant(call: Any, path: str) -> Any:
    from fastapi.dependencies.utils import get_dependant

    return get_dependant(path=path, call=call)


_numbers = itertools.count(1)
_numbered: dict[int, tuple[Any, int]] = {}


def _number(node: Any) -> int:
    known = _numbered.get(id(node))
    if known is not None:
        return known[1]
    number, identity = next(_numbers), id(node)
    try:
        keeper = weakref.ref(node, lambda _: _numbered.pop(identity, None))
    except TypeError:  # kept alive instead, so that its identity is never used again
        keeper = node
    _numbered[identity] = (keeper, number)
    return number
