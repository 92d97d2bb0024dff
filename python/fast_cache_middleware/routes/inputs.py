"""What a route's code can see of a request, from FastAPI's `dependant` tree. Whatever is not understood is raw."""

import functools
import types
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin
from uuid import UUID

from fast_cache_middleware.config import CacheConfig, CacheDropConfig

from . import framework as fw
from . import template
from .record import FoldedType, Inputs

_KNOWN_FIELDS: Final = frozenset(
    {
        "path_params", "query_params", "header_params", "cookie_params", "body_params", "dependencies", "name", "call",
        "request_param_name", "websocket_param_name", "http_connection_param_name", "response_param_name",
        "background_tasks_param_name", "security_scopes_param_name", "security_requirements", "security_scopes",
        "own_oauth_scopes", "parent_oauth_scopes", "use_cache", "path", "scope", "cache_key", "concurrency",
    }
)  # fmt: skip
_SECURITY_READS: Final = {
    "APIKeyQuery": "query", "APIKeyHeader": "header", "APIKeyCookie": "cookie", "HTTPBase": "authorization",
    "HTTPBasic": "authorization", "HTTPBearer": "authorization", "HTTPDigest": "authorization",
    "OAuth2": "authorization", "OAuth2PasswordBearer": "authorization",
    "OAuth2AuthorizationCodeBearer": "authorization", "OpenIdConnect": "authorization",
}  # fmt: skip
_FOLDED: Final[tuple[tuple[type, FoldedType], ...]] = (
    (bool, "bool"), (int, "int"), (float, "number"), (Decimal, "number"), (UUID, "uuid"), (date, "date"),
    (IPv4Address, "address"), (IPv6Address, "address"), (IPv4Network, "address"), (IPv6Network, "address"),
    (time, "never"), (timedelta, "never"), (complex, "never"),
)  # fmt: skip
_CONFIGS: Final = frozenset({CacheConfig, CacheDropConfig})
_CONVERTOR_FOLDED: Final[dict[str, FoldedType]] = {"int": "int", "float": "number", "uuid": "uuid"}

Known = Literal["named", "whole"]


def raw_inputs(path: str = "") -> Inputs:
    """The inputs of an endpoint that takes the whole request."""
    return Inputs(True, None, (), True, None, False, canonical=_from_convertors(path))


def as_raw(inputs: Inputs) -> Inputs:
    """`inputs` where something unknown stands in front of the endpoint; what was declared stays declared."""
    return replace(inputs, raw=True, query=None, all_headers=True, cookies=None)


def with_headers(inputs: Inputs, *names: str) -> Inputs:
    """`inputs` that also see these headers."""
    return replace(inputs, headers=tuple(dict.fromkeys((*inputs.headers, *names))))


def united(first: Inputs, second: Inputs) -> Inputs:
    """Everything that either of two can see."""
    return Inputs(
        raw=first.raw or second.raw,
        query=None if first.query is None or second.query is None else _merged(first.query, second.query),
        headers=_merged(first.headers, second.headers),
        all_headers=first.all_headers or second.all_headers,
        cookies=None if first.cookies is None or second.cookies is None else _merged(first.cookies, second.cookies),
        authorization=first.authorization or second.authorization,
        secret_headers=_merged(first.secret_headers, second.secret_headers),
        secret_query=_merged(first.secret_query, second.secret_query),
        secret_cookies=_merged(first.secret_cookies, second.secret_cookies),
        reads_body=first.reads_body or second.reads_body,
        canonical=tuple(dict((*first.canonical, *second.canonical)).items()),
    )


class InputsReader:
    """Reads the inputs of routes, and what many routes share only once: types, models, and the result."""

    def __init__(self) -> None:
        self._made: dict[tuple[Any, ...], Inputs] = {}
        self._kinds: dict[type, FoldedType | None] = {}
        self._models: dict[type, list[str | None] | None] = {}
        self._known: dict[type, bool] = {}

    def declared(self, dependant: Any, path: str, *, raw: bool = False) -> Inputs:
        """The inputs of a route of FastAPI with the full template `path`."""
        if type(dependant) not in self._known:
            self._known[type(dependant)] = _has_known_fields(type(dependant))
        raw = raw or not self._known[type(dependant)]
        if not raw and ":" not in path and _declares_path_alone(dependant):
            return self._of_path(dependant.path_params)
        seen = _Seen(raw, dict(_from_convertors(path)))
        pending = [dependant]
        while pending:
            current = pending.pop()
            call = current.call
            if type(call) is not types.FunctionType and (_is_config(call) or _reads_as_scheme(call, seen)):
                continue
            pending += current.dependencies
            if (current.request_param_name or current.http_connection_param_name) and not _is_ours(call):
                seen.raw = True
            if current.body_params:
                seen.reads_body = True
            for field in current.path_params:
                folded = self._folded(field)
                if folded is not None:
                    seen.canonical[field.alias] = folded
            for field in current.query_params:
                self._field("query", field, seen)
            for field in current.header_params:
                self._field("header", field, seen)
            for field in current.cookie_params:
                self._field("cookie", field, seen)
        values = seen.values()
        return self._made.get(values) or self._made.setdefault(values, Inputs(*values))

    def _of_path(self, fields: Iterable[Any]) -> Inputs:
        """The inputs of code that sees these path parameters and nothing else: what `_Seen` says, in a third of the
        time."""
        canonical: tuple[tuple[str, FoldedType], ...] = ()
        for field in fields:
            folded = self._folded(field)
            if folded is not None:
                canonical += ((field.alias, folded),)
        known = self._made.get(canonical)
        if known is None:
            known = self._made[canonical] = Inputs(False, (), (), False, (), False, canonical=canonical)
        return known

    def _field(self, place: str, field: Any, seen: "_Seen") -> None:
        info = field.field_info
        names = _names(field.alias, info)
        if getattr(field, "config", None):
            names.append(field.name)
        annotation = _annotation(field)
        for model in _models(annotation):
            inner = self._model_names(model)
            if inner is None or getattr(info, "metadata", None) or get_origin(annotation) is Annotated:
                names.append(None)
            else:
                names += inner
                if place == "header":
                    names += [name.replace("_", "-") for name in inner if name is not None]
        for name in names:
            seen.add(place, name)

    def _model_names(self, model: type) -> list[str | None] | None:
        if model not in self._models:
            self._models[model] = _model_names(model)
        return self._models[model]

    def _folded(self, field: Any) -> FoldedType | None:
        annotation = _annotation(field)
        if not isinstance(annotation, type):
            return _folded(annotation)
        if annotation not in self._kinds:
            self._kinds[annotation] = _kind(annotation)
        return self._kinds[annotation]


def _declares_path_alone(dependant: Any) -> bool:
    """Whether an endpoint declares path parameters and configs, and nothing else."""
    for inner in dependant.dependencies:
        if type(inner.call) not in _CONFIGS:
            return False
    return type(dependant.call) is types.FunctionType and not (
        dependant.query_params or dependant.header_params or dependant.cookie_params or dependant.body_params
        or dependant.request_param_name or dependant.http_connection_param_name
    )  # fmt: skip


class _Seen:
    """What the code of one route was found to see."""

    def __init__(self, raw: bool, canonical: dict[str, FoldedType]) -> None:
        self.raw, self.reads_body, self.authorization = raw, False, False
        self.canonical = canonical
        self.names: dict[tuple[str, str | None], None] = {}
        """Places and names in order; without a name, it is the whole place."""
        self.secrets: dict[tuple[str, str], None] = {}

    def add(self, place: str, name: str | None) -> None:
        """A name that is read; `None` where it is the whole place."""
        if place != "header" or name is None:
            self.names[place, name] = None
        elif (lower := name.lower()) in ("authorization", "cookie", "proxy-authorization"):
            self.add_secret("header", lower)
        else:
            self.names["header", lower] = None

    def add_secret(self, place: str, name: str) -> None:
        """A name whose value is a credential."""
        if place == "header" and name == "authorization":
            self.authorization = True
        elif place == "header" and name == "cookie":
            self.names["cookie", None] = None
        else:
            self.secrets[place, name] = None

    def values(self) -> tuple[Any, ...]:
        """The fields of `Inputs`."""
        raw, canonical = self.raw, tuple(self.canonical.items())
        if not (raw or self.names or self.secrets):
            return (False, (), (), False, (), self.authorization, (), (), (), self.reads_body, canonical)
        return (
            raw,
            None if raw or ("query", None) in self.names else _of("query", self.names),
            _of("header", self.names),
            raw or ("header", None) in self.names,
            None if raw or ("cookie", None) in self.names else _of("cookie", self.names),
            self.authorization,
            _of("header", self.secrets),
            _of("query", self.secrets),
            _of("cookie", self.secrets),
            self.reads_body,
            canonical,
        )


def _of(place: str, found: Iterable[tuple[str, str | None]]) -> tuple[str, ...]:
    return tuple([name for where, name in found if where == place and name is not None])


def _merged(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def _from_convertors(path: str) -> tuple[tuple[str, FoldedType], ...]:
    if ":" not in path:
        return ()
    parameters = template.parameters(path).items()
    return tuple((name, _CONVERTOR_FOLDED[kind]) for name, kind in parameters if kind in _CONVERTOR_FOLDED)


def _is_config(call: Any) -> bool:
    if type(call) in _CONFIGS:
        return True
    return isinstance(call, (CacheConfig, CacheDropConfig)) and type(call).__call__ in (
        CacheConfig.__call__,
        CacheDropConfig.__call__,
    )


def _reads_as_scheme(call: Any, seen: _Seen) -> bool:
    """Whether this is a security scheme as FastAPI has them; notes what it reads."""
    if fw.SecurityBase is None or not isinstance(call, fw.SecurityBase):
        return False
    place = _security_calls().get(type(call).__call__)
    if place is None:
        return False
    if place == "authorization":
        seen.authorization = True
        return True
    name = getattr(getattr(call, "model", None), "name", None)
    if not isinstance(name, str):
        return False
    seen.add_secret(place, name.lower() if place == "header" else name)
    return True


def _is_ours(call: Any) -> bool:
    """This package's own dependencies take the request only to find the cache."""
    module = getattr(call, "__module__", None)
    return isinstance(module, str) and module.partition(".")[0] == __name__.partition(".")[0]


def _has_known_fields(dependant_class: Any) -> bool:
    """Whether FastAPI's `Dependant` has only the fields that are read here."""
    fields = getattr(dependant_class, "__dataclass_fields__", None)
    if fields is None:
        code = dependant_class.__init__.__code__
        fields = set(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]) - {"self", "security_schemes"}
    return all(name in _KNOWN_FIELDS or name.startswith("_") for name in fields if name.endswith(("_params", "_name")))


@functools.cache
def _security_calls() -> dict[Any, str]:
    """The `__call__` of every scheme of FastAPI with the one thing it reads."""
    from fastapi import security
    from fastapi.security import http

    found = {}
    for name, place in _SECURITY_READS.items():
        scheme = getattr(security, name, None) or getattr(http, name, None)
        if scheme is not None and "__call__" in vars(scheme):
            found[scheme.__call__] = place
    return found


def _annotation(field: Any) -> Any:
    annotation = getattr(field.field_info, "annotation", None)
    return getattr(field, "type_", None) if annotation is None else annotation


def _folded(annotation: Any) -> FoldedType | None:
    """The kind of a type that reads several spellings as one value; of a union, the kind that suits every member."""
    kinds = {_kind(member) if isinstance(member, type) else None for member in _members(annotation)}
    for kind in ("never", "bool", "date"):
        if kind in kinds:
            return kind
    if len(kinds) == 1:
        return kinds.pop()
    return "number" if kinds == {"int", "number"} else "mixed"


def _members(annotation: Any) -> Iterator[Any]:
    """The types that an annotation stands for, without `Annotated`, `NewType`, aliases and `| None`."""
    pending = [annotation]
    while pending:
        one = pending.pop()
        origin = get_origin(one)
        if origin is Annotated:
            pending.append(get_args(one)[0])
        elif origin is Union or origin is types.UnionType:
            pending += (member for member in get_args(one) if member is not types.NoneType)
        elif isinstance(one, TypeVar):
            pending += one.__constraints__ or ((one.__bound__,) if one.__bound__ is not None else ())
        elif not isinstance(one, type) and (inner := _named(one)) is not None:
            pending.append(inner)
        else:
            yield one


def _named(alias: Any) -> Any:
    """What a `NewType` or a type alias stands for."""
    inner = getattr(alias, "__supertype__", None)
    return getattr(alias, "__value__", None) if inner is None else inner


def _kind(one: Any) -> FoldedType | None:
    module, name = one.__module__, one.__qualname__
    # An integer that reads `1kB`, and addresses of either version.
    if module == "pydantic.types" and name == "ByteSize":
        return "never"
    if module == "pydantic.networks" and name.startswith("IPvAny"):
        return "address"
    for base, kind in _FOLDED:
        if issubclass(one, base):
            return kind
    # `PastDate` and the like are dates to type checkers only.
    return "date" if module == "pydantic.types" and "date" in name.lower() else None


def _models(annotation: Any) -> Iterator[type]:
    """Every Pydantic model in an annotation."""
    if isinstance(annotation, type) and (hasattr(annotation, "model_fields") or hasattr(annotation, "__fields__")):
        yield annotation
    else:
        for member in get_args(annotation):
            yield from _models(member)


def _names(alias: Any, info: Any) -> list[str | None]:
    """The names under which a parameter may come; `None` among them where one is a path into a structure."""
    found: list[str | None] = []
    for name in (alias, getattr(info, "alias", None), getattr(info, "validation_alias", None)):
        if name is None:
            continue
        choices = getattr(name, "choices", (name,))
        found += (choice if isinstance(choice, str) else None for choice in choices)
    return found


def _model_names(model: Any) -> list[str | None] | None:
    """The names a model of parameters reads; `None` if it can see parameters that it does not declare."""
    from pydantic import BaseModel, RootModel

    if not issubclass(model, BaseModel) or issubclass(model, RootModel):
        return None
    config = model.model_config
    validators = model.__pydantic_decorators__.model_validators.values()
    if (
        config.get("extra", "ignore") != "ignore"
        or config.get("alias_generator") is not None
        or getattr(model, "__pydantic_custom_init__", True)
        or any(validator.info.mode != "after" for validator in validators)
        or getattr(model.__get_pydantic_core_schema__, "__func__", None)
        is not BaseModel.__get_pydantic_core_schema__.__func__  # type: ignore[attr-defined]
    ):
        return None
    found: list[str | None] = []
    for name, field in model.model_fields.items():
        found += [name, *_names(None, field)]
    return None if None in found else found
