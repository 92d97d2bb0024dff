//! What a request permits: its method, body, directives and credentials
//! ([RFC 9111 §3](https://www.rfc-editor.org/rfc/rfc9111#section-3),
//! [§5.2.1](https://www.rfc-editor.org/rfc/rfc9111#section-5.2.1)).

use crate::fields::Line;
use crate::fields::cache_control::{MaxStale, RequestDirectives};
use crate::policy::{Credential, Policy};
use crate::reason::Reason;

/// What one pass over a request's header lines found. Most requests need nothing more.
#[derive(Clone, Copy, Debug, Default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "one flag a header; a set would hide which"
)]
pub struct Noted<'a> {
    /// The value of `Host`.
    pub host: Option<&'a [u8]>,
    /// `Host` stands more than once, or the target names another host or scheme.
    pub host_repeated: bool,
    /// `Authorization` is present.
    pub authorization: bool,
    /// `Cookie` is present.
    pub cookie: bool,
    /// `Cache-Control` or `Pragma` is present.
    pub directives: bool,
    /// `If-None-Match` or `If-Modified-Since` is present.
    pub conditional: bool,
    /// `If-Match` or `If-Unmodified-Since` is present.
    pub precondition: bool,
    /// `Range` is present.
    pub range: bool,
    /// A body is announced.
    pub body: bool,
    /// The endpoint would learn who the client is from elsewhere than the header lines, and the key does not hold it. No
    /// line says so; the host does.
    pub identified: bool,
}

impl<'a> Noted<'a> {
    /// Looks once at every line.
    #[inline]
    pub fn from_lines(lines: &[Line<'a>]) -> Self {
        let mut noted = Self::default();
        for line in lines {
            noted.add(line);
        }
        noted
    }

    /// Takes note of one line.
    #[inline]
    pub fn add(&mut self, line: &Line<'a>) {
        // The length tells most names apart, so that an uninteresting line costs one comparison.
        match line.name.len() {
            4 if line.is("host") => {
                self.host_repeated |= self.host.is_some();
                self.host = Some(line.value);
            }
            5 => self.range |= line.is("range"),
            6 => {
                self.cookie |= line.is("cookie");
                self.directives |= line.is("pragma");
            }
            8 => self.precondition |= line.is("if-match"),
            13 => {
                self.directives |= line.is("cache-control");
                self.authorization |= line.is("authorization");
                self.conditional |= line.is("if-none-match");
            }
            14 => self.body |= line.is("content-length") && line.value != b"0",
            17 => {
                self.conditional |= line.is("if-modified-since");
                self.body |= line.is("transfer-encoding");
            }
            19 => {
                self.precondition |= line.is("if-unmodified-since");
                self.authorization |= line.is("proxy-authorization");
            }
            _ => {}
        }
    }
}

/// Whether [`Noted`] takes note of lines with this name.
#[inline]
pub fn is_noted(name: &[u8]) -> bool {
    let is = |known: &str| Line::new(name, b"").is(known);
    match name.len() {
        4 => is("host"),
        5 => is("range"),
        6 => is("cookie") || is("pragma"),
        // `If-Range` says nothing without `Range`, but it is looked for along with it.
        8 => is("if-match") || is("if-range"),
        13 => is("cache-control") || is("authorization") || is("if-none-match"),
        14 => is("content-length"),
        17 => is("if-modified-since") || is("transfer-encoding"),
        19 => is("if-unmodified-since") || is("proxy-authorization"),
        _ => false,
    }
}

/// What the request allows, once it is not turned away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permits {
    /// Do not look up; the fresh answer is stored all the same.
    pub skip_lookup: bool,
    /// The request carries a credential that is not in the key: only an answer that says it may be shared will do.
    pub only_shared: bool,
    /// The oldest answer that is welcome, in seconds.
    pub max_age: Option<u32>,
    /// How much longer the answer must stay fresh, in seconds.
    pub min_fresh: u32,
    /// How stale an answer is welcome.
    pub max_stale: Option<MaxStale>,
    /// Only what is stored is welcome.
    pub only_if_cached: bool,
}

/// Whether the cache has anything to do with this request.
///
/// # Errors
///
/// The reason for which the request goes straight to the application and its answer is not kept.
pub fn permits(lines: &[Line<'_>], noted: &Noted<'_>, policy: &Policy) -> Result<Permits, Reason> {
    let mut permits = Permits::default();
    if noted.host_repeated {
        return Err(Reason::MalformedRequest);
    }
    if noted.body || policy.reads_body {
        return Err(Reason::RequestBody);
    }
    if noted.directives && policy.client_directives {
        let directives = RequestDirectives::parse(lines);
        if directives.no_store {
            return Err(Reason::RequestNoStore);
        }
        permits.skip_lookup = directives.no_cache || directives.max_age == Some(0);
        permits.max_age = directives.max_age;
        permits.min_fresh = directives.min_fresh.unwrap_or(0);
        permits.max_stale = directives.max_stale;
        permits.only_if_cached = directives.only_if_cached;
    }
    if noted.precondition {
        return Err(Reason::RequestPrecondition);
    }
    if noted.authorization && policy.authorization == Credential::NotShared {
        permits.only_shared = true;
    }
    if noted.identified || (noted.cookie && policy.cookies == Credential::NotShared) {
        return Err(Reason::Cookie);
    }
    Ok(permits)
}

#[cfg(test)]
mod tests {
    use super::{Noted, Permits, is_noted, permits};
    use crate::fields::Line;
    use crate::policy::{Credential, Policy};
    use crate::reason::Reason;

    fn check(policy: &Policy, headers: &[(&str, &str)]) -> Result<Permits, Reason> {
        let lines: Vec<Line<'_>> = headers
            .iter()
            .map(|(name, value)| Line::new(name.as_bytes(), value.as_bytes()))
            .collect();
        permits(&lines, &Noted::from_lines(&lines), policy)
    }

    #[test]
    fn whatever_is_noted_says_so() {
        for name in [
            "host",
            "range",
            "cookie",
            "pragma",
            "if-match",
            "cache-control",
            "authorization",
            "if-none-match",
            "content-length",
            "if-modified-since",
            "transfer-encoding",
            "if-unmodified-since",
            "proxy-authorization",
            "accept",
            "user-agent",
            "x-other",
            "",
            "te",
            "upgrade-insecure-requests",
        ] {
            let upper = name.to_ascii_uppercase();
            for name in [name, &upper] {
                let noted = Noted::from_lines(&[Line::new(name.as_bytes(), b"x")]);
                assert_eq!(
                    is_noted(name.as_bytes()),
                    format!("{noted:?}") != format!("{:?}", Noted::default()),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn a_plain_request_permits_all() {
        let headers = [
            ("host", "a"),
            ("user-agent", "b"),
            ("accept", "*/*"),
            ("content-length", "0"),
        ];
        assert_eq!(check(&Policy::default(), &headers), Ok(Permits::default()));
    }

    #[test]
    fn turned_away() {
        let cookies = Policy {
            cookies: Credential::NotShared,
            ..Policy::default()
        };
        for (policy, header, reason) in [
            (
                Policy::default(),
                ("Content-Length", "3"),
                Reason::RequestBody,
            ),
            (
                Policy::default(),
                ("transfer-encoding", "chunked"),
                Reason::RequestBody,
            ),
            (
                Policy::default(),
                ("cache-control", "NO-STORE"),
                Reason::RequestNoStore,
            ),
            (
                Policy::default(),
                ("if-match", "*"),
                Reason::RequestPrecondition,
            ),
            (
                Policy::default(),
                ("if-unmodified-since", "x"),
                Reason::RequestPrecondition,
            ),
            (
                Policy {
                    reads_body: true,
                    ..Policy::default()
                },
                ("accept", "*/*"),
                Reason::RequestBody,
            ),
            (cookies, ("Cookie", "a=b"), Reason::Cookie),
        ] {
            assert_eq!(check(&policy, &[header]), Err(reason), "{header:?}");
        }
        assert_eq!(
            check(&Policy::default(), &[("host", "a"), ("Host", "a")]),
            Err(Reason::MalformedRequest)
        );
    }

    #[test]
    fn a_client_that_is_known_from_elsewhere_is_turned_away() {
        let noted = Noted {
            identified: true,
            ..Noted::default()
        };
        assert_eq!(
            permits(&[], &noted, &Policy::default()),
            Err(Reason::Cookie)
        );
    }

    #[test]
    fn directives_of_the_request() {
        let no_cache = Permits {
            skip_lookup: true,
            ..Permits::default()
        };
        assert_eq!(
            check(&Policy::default(), &[("cache-control", "no-cache")]),
            Ok(no_cache)
        );
        assert_eq!(
            check(&Policy::default(), &[("pragma", "no-cache")]),
            Ok(no_cache)
        );
        assert_eq!(
            check(&Policy::default(), &[("cache-control", "max-age=0")]),
            Ok(Permits {
                max_age: Some(0),
                ..no_cache
            })
        );
        let deaf = Policy {
            client_directives: false,
            ..Policy::default()
        };
        assert_eq!(
            check(&deaf, &[("cache-control", "no-store")]),
            Ok(Permits::default())
        );
    }

    #[test]
    fn credentials() {
        let shared = Permits {
            only_shared: true,
            ..Permits::default()
        };
        assert_eq!(
            check(&Policy::default(), &[("authorization", "x")]),
            Ok(shared)
        );
        for credential in [Credential::Ignored, Credential::InKey] {
            let policy = Policy {
                authorization: credential,
                ..Policy::default()
            };
            assert_eq!(
                check(&policy, &[("authorization", "x")]),
                Ok(Permits::default())
            );
        }
    }
}
