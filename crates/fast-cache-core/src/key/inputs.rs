//! Which parts of a request join a route's key.

/// Which query parameters join the key.
#[derive(Clone, Debug, Default)]
pub struct QueryInputs {
    /// The only names that count; `None` for the whole query.
    pub only: Option<Box<[Box<str>]>>,
    /// Names that never count, as globs (`utm_*`).
    pub ignore: Box<[Box<str>]>,
    /// Names whose values are credentials.
    pub secret: Box<[Box<str>]>,
}

/// Which headers join the key.
#[derive(Clone, Debug, Default)]
pub struct HeaderInputs {
    /// Names in lower case, sorted, without repeats.
    pub named: Box<[Box<str>]>,
    /// Every other header joins too, except those on the list of [`freely_varied`] ones and `except`.
    pub others: bool,
    /// More names, in lower case, that stay out of `others`.
    pub except: Box<[Box<str>]>,
}

/// Which cookies join the key.
#[derive(Clone, Debug, Default)]
pub struct CookieInputs {
    /// Names, sorted, without repeats. Cookie names are case-sensitive.
    pub named: Box<[Box<str>]>,
}

/// Everything of a request that joins a route's key beside scheme, host and path.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The query.
    pub query: QueryInputs,
    /// The headers.
    pub headers: HeaderInputs,
    /// The cookies.
    pub cookies: CookieInputs,
}

/// Headers that clients, proxies and tracing vary freely and that an endpoint with the raw request is trusted not to
/// shape a shared answer by. `Origin`, `Forwarded` and `X-Forwarded-Host`, `-Proto`, `-Port`, `-Prefix` are not among
/// them. `Cookie`, `Authorization` and `Host` have rules of their own.
pub fn freely_varied(name: &[u8]) -> bool {
    const PREFIXES: [&[u8]; 6] = [b"accept", b"sec-", b"if-", b"x-b3-", b"x-datadog-", b"cf-"];
    const NAMES: [&[u8]; 45] = [
        b"user-agent",
        b"referer",
        b"dnt",
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"upgrade-insecure-requests",
        b"cache-control",
        b"pragma",
        b"priority",
        b"purpose",
        b"save-data",
        b"viewport-width",
        b"dpr",
        b"rtt",
        b"downlink",
        b"ect",
        b"date",
        b"via",
        b"from",
        b"cdn-loop",
        b"traceparent",
        b"tracestate",
        b"baggage",
        b"b3",
        b"sentry-trace",
        b"uber-trace-id",
        b"x-request-id",
        b"x-request-start",
        b"x-correlation-id",
        b"x-trace-id",
        b"x-amzn-trace-id",
        b"x-cloud-trace-context",
        b"x-client-trace-id",
        b"x-forwarded-for",
        b"x-real-ip",
        b"x-client-ip",
        b"true-client-ip",
        b"fastly-client-ip",
        b"content-length",
        b"range",
        b"host",
        b"cookie",
        b"authorization",
    ];
    PREFIXES.iter().any(|prefix| name.len() >= prefix.len() && name[..prefix.len()].eq_ignore_ascii_case(prefix))
        || NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Header values that tell nothing secret and stay readable in a key. All others are concealed.
pub(super) fn is_plain(name: &str) -> bool {
    matches!(name, "accept" | "accept-charset" | "accept-encoding" | "accept-language" | "origin" | "x-requested-with")
}
