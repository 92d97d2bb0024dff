//! Which parts of a request join a route's key.

use super::encode::{push_number, push_part};
use crate::fields::{Line, urlencoded};

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

impl QueryInputs {
    /// Whether the query joins as it stands: nothing is left out of it, and nothing is concealed.
    pub fn is_whole(&self) -> bool {
        self.only.is_none() && self.ignore.is_empty() && self.secret.is_empty()
    }
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

/// How a header line bears on a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bearing {
    /// Not at all.
    None,
    /// Its value joins, and tells nothing secret.
    Clear,
    /// Its value joins, and may be a credential.
    Concealed,
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
#[inline]
pub fn freely_varied(name: &[u8]) -> bool {
    // Hosts hand names over in lower case, so that the first look mostly tells.
    lower_freely_varied(name)
        || (name.iter().any(u8::is_ascii_uppercase) && freely_varied_in_lower_case(name))
}

#[cold]
fn freely_varied_in_lower_case(name: &[u8]) -> bool {
    // What is longer is told by its first bytes, or not at all.
    let mut lower = [0; 32];
    let length = name.len().min(lower.len());
    let lower = &mut lower[..length];
    lower.copy_from_slice(&name[..length]);
    lower.make_ascii_lowercase();
    lower_freely_varied(lower)
}

/// The list, of names in lower case.
#[inline]
fn lower_freely_varied(name: &[u8]) -> bool {
    let starts = |prefix: &[u8]| name.starts_with(prefix);
    match name.first() {
        Some(b'a') if starts(b"accept") => return true,
        Some(b's') if starts(b"sec-") => return true,
        Some(b'i') if starts(b"if-") => return true,
        Some(b'x') if starts(b"x-b3-") || starts(b"x-datadog-") => return true,
        _ => {}
    }
    // By length, so that few names are compared.
    match name.len() {
        2 => matches!(name, b"te" | b"b3"),
        3 => matches!(name, b"dnt" | b"dpr" | b"rtt" | b"ect" | b"via"),
        4 => matches!(name, b"host" | b"date" | b"from"),
        5 => name == b"range",
        6 => matches!(name, b"cookie" | b"pragma" | b"cf-ray"),
        7 => matches!(name, b"referer" | b"purpose" | b"baggage"),
        8 => matches!(name, b"priority" | b"downlink" | b"cdn-loop"),
        9 => matches!(name, b"save-data" | b"x-real-ip"),
        10 => matches!(
            name,
            b"user-agent" | b"connection" | b"keep-alive" | b"tracestate" | b"x-trace-id"
        ),
        11 => matches!(name, b"traceparent" | b"x-client-ip"),
        12 => matches!(name, b"sentry-trace" | b"x-request-id"),
        13 => matches!(name, b"authorization" | b"cache-control" | b"uber-trace-id"),
        14 => matches!(
            name,
            b"content-length" | b"viewport-width" | b"true-client-ip"
        ),
        15 => matches!(
            name,
            b"x-forwarded-for" | b"x-request-start" | b"x-amzn-trace-id"
        ),
        16 => matches!(
            name,
            b"proxy-connection" | b"cf-connecting-ip" | b"x-correlation-id" | b"fastly-client-ip"
        ),
        17 => name == b"x-client-trace-id",
        21 => name == b"x-cloud-trace-context",
        25 => name == b"upgrade-insecure-requests",
        _ => false,
    }
}

/// Whether a query parameter of an endpoint with the raw request may be a credential, by its name: such values are not
/// handed to storages of other people's making.
pub fn may_be_credential(name: &str) -> bool {
    const PARTS: [&str; 12] = [
        "key", "token", "secret", "passw", "pwd", "auth", "sign", "sig", "session", "jwt", "code",
        "cred",
    ];
    let name = name.to_ascii_lowercase();
    PARTS.iter().any(|part| name.contains(part))
}

/// The names in a query that [`may_be_credential`].
pub fn credential_names(query: &[u8]) -> impl Iterator<Item = String> {
    query
        .split(|byte| *byte == b'&')
        .map(|pair| pair.split(|byte| *byte == b'=').next().unwrap_or_default())
        .map(|name| String::from_utf8_lossy(&urlencoded::decode(name)).into_owned())
        .filter(|name| may_be_credential(name))
}

/// Header values that tell nothing secret and stay readable in a key. All others are concealed.
pub(super) fn is_plain(name: &str) -> bool {
    matches!(
        name,
        "accept"
            | "accept-charset"
            | "accept-encoding"
            | "accept-language"
            | "origin"
            | "x-requested-with"
    )
}

impl Inputs {
    /// Whether a header of this name joins the key.
    #[inline]
    pub fn holds_header(&self, name: &[u8]) -> bool {
        let line = Line::new(name, b"");
        let among = |names: &[Box<str>]| names.iter().any(|known| line.is(known));
        among(&self.headers.named)
            || (self.headers.others && !freely_varied(name) && !among(&self.headers.except))
    }

    /// How header lines of this name bear on the route's keys: two requests that differ in no line that bears on them, in
    /// scheme, paths and query have the same key.
    #[inline]
    pub fn bearing(&self, name: &[u8]) -> Bearing {
        let line = Line::new(name, b"");
        if line.is("host") {
            Bearing::Clear
        } else if self.holds_header(name) {
            let plain = std::str::from_utf8(name).is_ok_and(is_plain);
            if plain {
                Bearing::Clear
            } else {
                Bearing::Concealed
            }
        } else if line.is("cookie") && !self.cookies.named.is_empty() {
            Bearing::Concealed
        } else {
            Bearing::None
        }
    }

    /// Appends an injective description, so that routes with other inputs have another identity.
    pub(super) fn describe(&self, out: &mut Vec<u8>) {
        let mut list = |names: &[Box<str>]| {
            push_number(out, names.len() as u64);
            for name in names {
                push_part(out, name.as_bytes());
            }
        };
        match &self.query.only {
            None => list(&["*".into(), "*".into()]),
            Some(names) => {
                list(&[]);
                list(names);
            }
        }
        list(&self.query.ignore);
        list(&self.query.secret);
        list(&self.headers.named);
        list(&self.headers.except);
        list(&self.cookies.named);
        out.push(u8::from(self.headers.others));
    }
}

/// Whether `name` fits `pattern`, in which `*` stands for any run of characters.
pub(super) fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut rest) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while rest < name.len() {
        if pattern.get(at) == Some(&b'*') {
            retry = Some((at + 1, rest));
            at += 1;
        } else if pattern.get(at) == Some(&name[rest]) {
            at += 1;
            rest += 1;
        } else if let Some((after_star, matched)) = retry {
            at = after_star;
            rest = matched + 1;
            retry = Some((after_star, matched + 1));
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::{Bearing, CookieInputs, HeaderInputs, Inputs, freely_varied, glob};
    use crate::fields::Line;
    use crate::key::{Identity, Key, Secret, build_key};
    use crate::request::{Method, Request};
    use crate::rules::request::Noted;

    #[test]
    fn globs() {
        for (pattern, name, expected) in [
            ("utm_*", "utm_source", true),
            ("utm_*", "utm", false),
            ("*", "", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-d", false),
            ("fbclid", "fbclid", true),
            ("fbclid", "fbclid2", false),
        ] {
            assert_eq!(
                glob(pattern.as_bytes(), name.as_bytes()),
                expected,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn what_shapes_an_answer_is_not_varied_freely() {
        for name in [
            "origin",
            "forwarded",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-api-key",
            "cf-ipcountry",
            "x-http-method-override",
        ] {
            assert!(!freely_varied(name.as_bytes()), "{name}");
        }
        for name in [
            "User-Agent",
            "accept-language",
            "Sec-Fetch-Mode",
            "if-none-match",
            "traceparent",
        ] {
            assert!(freely_varied(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn case_does_not_tell_what_is_varied_freely() {
        let long = "x-datadog-parent-id-and-whatever-else";
        for name in [
            "te",
            "HOST",
            "Cache-Control",
            "upgrade-insecure-requests",
            long,
        ] {
            for name in [name.to_ascii_lowercase(), name.to_ascii_uppercase()] {
                assert!(freely_varied(name.as_bytes()), "{name}");
                let longer = format!("y{name}");
                assert!(!freely_varied(longer.as_bytes()), "{longer}");
            }
        }
        assert!(!freely_varied(b"") && !freely_varied(&[b'X'; 40]));
    }

    #[test]
    fn a_line_that_does_not_bear_on_the_key_leaves_it_as_it_is() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).into()).collect();
        let declared = Inputs {
            headers: HeaderInputs {
                named: names(&["accept-language", "authorization", "x-tenant"]),
                ..HeaderInputs::default()
            },
            cookies: CookieInputs {
                named: names(&["a"]),
            },
            ..Inputs::default()
        };
        let raw = Inputs {
            headers: HeaderInputs {
                others: true,
                except: names(&["x-tenant"]),
                ..HeaderInputs::default()
            },
            ..Inputs::default()
        };
        let key = |inputs: &Inputs, lines: &[Line<'_>]| -> Key {
            let identity = Identity::of_route("", "GET", "", "/", inputs);
            let request = Request {
                method: Method::Get,
                scheme: b"http",
                path: "/",
                raw_path: None,
                root_path: "",
                query: b"",
                lines,
            };
            let host = Noted::from_lines(lines).host;
            let secret = Secret::from_bytes(&[7; 48]);
            build_key(&identity, inputs, &secret, &request, host, &mut Vec::new()).to_owned()
        };
        for inputs in [&Inputs::default(), &declared, &raw] {
            for name in [
                "host",
                "Host",
                "accept-language",
                "Accept-Language",
                "authorization",
                "cookie",
                "origin",
                "user-agent",
                "x-other",
                "x-tenant",
            ] {
                let with = |value: &'static [u8]| key(inputs, &[Line::new(name.as_bytes(), value)]);
                let bears = with(b"a=1") != with(b"a=2") || with(b"a=1") != key(inputs, &[]);
                let bearing = inputs.bearing(name.as_bytes());
                assert_eq!(bearing != Bearing::None, bears, "{inputs:?} {name}");
                let clear = ["host", "Host", "accept-language", "origin"].contains(&name);
                assert!(bearing != Bearing::Clear || clear, "{inputs:?} {name}");
            }
        }
    }
}
