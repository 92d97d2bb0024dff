//! Strings that are made once: keys and values of ASGI scopes and messages, and method names.

use pyo3::prelude::*;
use pyo3::types::PyString;

macro_rules! names {
    ($($name:ident = $text:literal),* $(,)?) => {
        $(
            #[doc = concat!("`", $text, "`")]
            #[inline]
            pub(crate) fn $name(py: Python<'_>) -> &Bound<'_, PyString> {
                pyo3::intern!(py, $text)
            }
        )*
    };
}

names! {
    await_ = "__await__",
    throw = "throw",
    close = "close",
    type_ = "type",
    http = "http",
    method = "method",
    path = "path",
    raw_path = "raw_path",
    root_path = "root_path",
    scheme = "scheme",
    query_string = "query_string",
    headers = "headers",
    status = "status",
    body = "body",
    more_body = "more_body",
    trailers = "trailers",
    endpoint = "endpoint",
    route = "route",
    session = "session",
    user = "user",
    extensions = "extensions",
    tls = "tls",
    path_params = "path_params",
    http_version = "http_version",
    telemetry = "fastapi.telemetry",
    response_start = "http.response.start",
    response_body = "http.response.body",
    dependency_overrides = "dependency_overrides",
}
