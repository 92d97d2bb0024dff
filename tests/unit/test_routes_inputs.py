"""What an endpoint can see of a request is read off its parameters; what is not understood counts as everything."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Annotated, Any, Literal, NewType, Union
from uuid import UUID

import pytest

pytest.importorskip("fastapi")

from fastapi import BackgroundTasks, Body, Cookie, Depends, FastAPI, Form, Header, Path, Query, Request, Response
from fastapi import Security as SecurityDependency
from fastapi.security import (
    APIKeyCookie,
    APIKeyHeader,
    APIKeyQuery,
    HTTPBasic,
    HTTPBearer,
    OAuth2PasswordBearer,
    OpenIdConnect,
    SecurityScopes,
)
from pydantic import (
    UUID4,
    AliasChoices,
    AwareDatetime,
    BaseModel,
    ByteSize,
    ConfigDict,
    Field,
    PastDate,
    PositiveInt,
    condecimal,
    conint,
    model_validator,
)
from pydantic.networks import IPvAnyAddress
from starlette.requests import HTTPConnection

from fast_cache_middleware.config import CacheConfig
from fast_cache_middleware.routes import Inputs, analyse, inputs_with_overrides, overrides_of, overrides_token
from fast_cache_middleware.routes.inputs import raw_inputs


def inputs_of(endpoint: Callable[..., Any], path: str = "/x") -> Inputs:
    app = FastAPI(openapi_url=None)
    app.get(path, dependencies=[CacheConfig()])(endpoint)
    inputs = analyse(app).records[0].inputs
    assert inputs is not None
    return inputs


def test_nothing_declared_is_nothing_seen() -> None:
    async def endpoint(response: Response, tasks: BackgroundTasks, scopes: SecurityScopes) -> None: ...

    assert inputs_of(endpoint) == Inputs(False, (), (), False, (), False)


class Level(IntEnum):
    LOW = 1


class Colour(Enum):
    RED = "red"


UserId = NewType("UserId", int)
Key = NewType("Key", UUID)


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (int, "int"),
        (UserId, "int"),
        (Annotated[UserId, Path(gt=0)], "int"),
        (PositiveInt, "int"),
        (conint(lt=5), "int"),
        (Level, "int"),
        (UUID, "uuid"),
        (UUID4, "uuid"),
        (Key, "uuid"),
        (float, "number"),
        (Decimal, "number"),
        (condecimal(max_digits=5), "number"),
        (int | float, "number"),
        (bool, "bool"),
        (bool | str, "bool"),
        (date, "date"),
        (datetime, "date"),
        (PastDate, "date"),
        (AwareDatetime, "date"),
        (Annotated[NewType("When", date), "said"] | str, "date"),
        (int | str, "mixed"),
        (IPv4Address | str, "mixed"),
        (IPv4Address | IPv6Address, "address"),
        (IPvAnyAddress, "address"),
        (IPv6Network, "address"),
        (time | str, "never"),
        (ByteSize, "never"),
        (timedelta, "never"),
        (Union[UserId, Key], "mixed"),  # noqa: UP007
        (Annotated[int, "said"] | str, "mixed"),
        (str, None),
        (Colour, None),
        (Literal["a", "b"], None),
        (str | Colour, None),
    ],
)
def test_types_that_fold_spellings_are_known(annotation: Any, kind: str | None) -> None:
    async def endpoint(item: Any) -> None: ...

    endpoint.__annotations__["item"] = annotation
    app = FastAPI(openapi_url=None)
    try:
        app.get("/{item}", dependencies=[CacheConfig()])(endpoint)
    except AssertionError as error:
        pytest.skip(str(error))
    inputs = analyse(app).records[0].inputs
    assert inputs is not None
    assert dict(inputs.canonical) == ({} if kind is None else {"item": kind})


def test_convertors_fold_too() -> None:
    canonical = dict(raw_inputs("/{a:int}/{b:float}/{c:uuid}/{d}/{e:path}").canonical)
    assert canonical == {"a": "int", "b": "number", "c": "uuid"}


def test_parameters_with_aliases() -> None:
    async def endpoint(
        item: int,
        number: Annotated[UUID, Path()],
        plain: str,
        q: Annotated[list[str], Query(alias="filter")] = [],  # noqa: B006
        x_token: Annotated[str, Header()] = "",
        kept_as_is: Annotated[str, Header(convert_underscores=False)] = "",
        named: Annotated[str, Header(alias="X-Name")] = "",
        session: Annotated[str, Cookie(alias="sid")] = "",
    ) -> None: ...

    inputs = inputs_of(endpoint, "/{item}/{number}/{plain}/{converted:int}")
    assert inputs.query == ("filter",)
    assert inputs.headers == ("x-token", "kept_as_is", "x-name")
    assert inputs.cookies == ("sid",)
    assert dict(inputs.canonical) == {"item": "int", "number": "uuid", "converted": "int"}
    assert not inputs.raw and not inputs.all_headers and not inputs.reads_body


def test_validation_aliases_are_seen() -> None:
    async def endpoint(q: Annotated[str, Query(validation_alias=AliasChoices("one", "two"))] = "") -> None: ...

    assert {"one", "two"} <= set(inputs_of(endpoint).query or ())


def test_dependencies_count() -> None:
    class Pages:
        def __init__(self, page: int = 1) -> None: ...

    class Filter:
        def __call__(self, name: str = "") -> None: ...

    def inner(x_inner: Annotated[str, Header()] = "") -> None: ...

    def outer(inner: Annotated[None, Depends(inner)], o: int = 1) -> None: ...

    async def endpoint(
        pages: Annotated[Pages, Depends()],
        named: Annotated[None, Depends(Filter())],
        o: Annotated[None, Depends(outer)],
    ) -> None: ...

    inputs = inputs_of(endpoint)
    assert set(inputs.query or ()) == {"page", "name", "o"}
    assert inputs.headers == ("x-inner",)
    assert not inputs.raw


@pytest.mark.parametrize("kind", [Request, HTTPConnection])
def test_the_raw_request_is_everything(kind: type) -> None:
    def dependency(request: kind) -> None: ...  # type: ignore[valid-type]

    async def endpoint(d: Annotated[None, Depends(dependency)], user_agent: Annotated[str, Header()] = "") -> None: ...

    inputs = inputs_of(endpoint)
    assert inputs.raw and inputs.query is None and inputs.all_headers and inputs.cookies is None
    assert inputs.headers == ("user-agent",)


@pytest.mark.parametrize(
    "scheme", [HTTPBasic(), HTTPBearer(), OAuth2PasswordBearer("/t"), OpenIdConnect(openIdConnectUrl="/o")]
)
def test_schemes_that_read_authorization(scheme: Any) -> None:
    async def endpoint(user: Annotated[Any, SecurityDependency(scheme)]) -> None: ...

    inputs = inputs_of(endpoint)
    assert inputs.authorization and not inputs.raw and inputs.headers == () and inputs.query == ()


def test_api_keys_are_secrets() -> None:
    async def endpoint(
        a: Annotated[str, Depends(APIKeyHeader(name="X-Key"))],
        b: Annotated[str, Depends(APIKeyQuery(name="key"))],
        c: Annotated[str, Depends(APIKeyCookie(name="sid"))],
        d: Annotated[str, Depends(APIKeyHeader(name="Authorization"))],
    ) -> None: ...

    inputs = inputs_of(endpoint)
    assert (inputs.secret_headers, inputs.secret_query, inputs.secret_cookies) == (("x-key",), ("key",), ("sid",))
    assert inputs.authorization and not inputs.raw


def test_a_scheme_with_its_own_call_is_raw() -> None:
    class Own(HTTPBearer):
        async def __call__(self, request: Request) -> Any: ...

    class OwnKey(APIKeyHeader):
        async def __call__(self, request: Request) -> Any: ...

    class Renamed(HTTPBearer): ...

    async def own_key(user: Annotated[Any, Depends(OwnKey(name="X-Key"))]) -> None: ...

    async def own(user: Annotated[Any, Depends(Own())]) -> None: ...

    async def renamed(user: Annotated[Any, Depends(Renamed())]) -> None: ...

    assert inputs_of(own).raw and inputs_of(own_key).raw
    assert not inputs_of(renamed).raw and inputs_of(renamed).authorization


def test_credentials_declared_as_headers() -> None:
    async def endpoint(
        authorization: Annotated[str, Header()] = "",
        cookie: Annotated[str, Header()] = "",
        proxy_authorization: Annotated[str, Header()] = "",
    ) -> None: ...

    inputs = inputs_of(endpoint)
    assert inputs.authorization and inputs.cookies is None
    assert inputs.headers == () and inputs.secret_headers == ("proxy-authorization",)


def test_bodies_are_seen_and_said() -> None:
    async def body(item: Annotated[dict[str, int], Body()]) -> None: ...

    async def form(name: Annotated[str, Form()] = "") -> None: ...

    for endpoint in (body, form):
        app = FastAPI(openapi_url=None)
        app.get("/search", dependencies=[CacheConfig()])(endpoint)
        analysis = analyse(app)
        assert analysis.records[0].inputs is not None and analysis.records[0].inputs.reads_body
        assert analysis.warnings == ("GET /search: its handler reads the request's body, so it is never cached",)


def has_parameter_models() -> bool:
    try:
        from fastapi.dependencies.utils import _get_flat_fields_from_params  # noqa: F401
    except ImportError:
        return False
    return True


class Filters(BaseModel):
    limit: int = 10
    sort_by: str = Field("", alias="sort")


class Strict(Filters):
    model_config = ConfigDict(extra="forbid")


class Open(Filters):
    model_config = ConfigDict(extra="allow")


class Peeking(Filters):
    @model_validator(mode="before")
    @classmethod
    def peek(cls, data: Any) -> Any:
        return data


class Checked(Filters):
    @model_validator(mode="after")
    def check(self) -> "Checked":
        return self


class OwnInit(Filters):
    def __init__(self, **data: Any) -> None:
        super().__init__(**data)


@pytest.mark.skipif(not has_parameter_models(), reason="this FastAPI has no models of parameters")
@pytest.mark.parametrize(
    ("model", "query"),
    [
        (Filters, {"limit", "sort_by", "sort"}),
        (Checked, {"limit", "sort_by", "sort"}),
        (Strict, None),
        (Open, None),
        (Peeking, None),
        (OwnInit, None),
    ],
)
def test_models_of_parameters(model: Any, query: set[str] | None) -> None:
    async def endpoint(
        filters: Annotated[model, Query()], headers: Annotated[model, Header()], cookies: Annotated[model, Cookie()]
    ) -> None: ...

    inputs = inputs_of(endpoint)
    assert not inputs.raw
    if query is None:
        assert inputs.query is None and inputs.all_headers and inputs.cookies is None
    else:
        assert query <= set(inputs.query or ())
        assert query | {"sort-by"} <= set(inputs.headers) and not inputs.all_headers
        assert query <= set(inputs.cookies or ())


def test_overrides_are_united_and_numbered() -> None:
    def user(x_user: Annotated[str, Header()] = "") -> str:
        return x_user

    def deep(x_deep: Annotated[str, Header()] = "") -> str:
        return x_deep

    def stand_in(deep: Annotated[str, Depends(deep)], fake: str = "") -> str:
        return fake

    def raw(request: Request) -> str:
        return ""

    app = FastAPI(openapi_url=None)

    @app.get("/x", dependencies=[CacheConfig()])
    async def endpoint(user: Annotated[str, Depends(user)]) -> None: ...

    record = analyse(app).records[0]
    assert overrides_of(record) == {}
    assert inputs_with_overrides(record, {}) is record.inputs
    app.dependency_overrides[user] = stand_in
    inputs = inputs_with_overrides(record, overrides_of(record))
    assert inputs.query == ("fake",) and set(inputs.headers) == {"x-user", "x-deep"} and not inputs.raw
    token = overrides_token(app.dependency_overrides)
    assert token == overrides_token(app.dependency_overrides) and len(token) == 2
    app.dependency_overrides[deep] = raw
    assert inputs_with_overrides(record, overrides_of(record)).raw
    assert overrides_token(app.dependency_overrides) != token


def test_an_override_of_itself_ends() -> None:
    def user() -> None: ...

    def stand_in(user: Annotated[None, Depends(user)], q: str = "") -> None: ...

    app = FastAPI(openapi_url=None)

    @app.get("/x", dependencies=[CacheConfig(), Depends(user)])
    async def endpoint() -> None: ...

    assert inputs_with_overrides(analyse(app).records[0], {user: stand_in}).query == ("q",)
