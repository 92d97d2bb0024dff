//! `Cache-Status`: what this cache did with a request ([RFC 9211](https://www.rfc-editor.org/rfc/rfc9211)).

use super::list;
use crate::reason::Reason;

/// The name under which a cache appears in `Cache-Status`, as it is written there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheName(Box<str>);

impl CacheName {
    /// The name as it stands in the field: a token, or a string in quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A name with characters that `Cache-Status` cannot hold: anything but printable ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidCacheName {
    /// The first character that cannot stand in a name.
    pub character: char,
}

impl std::fmt::Display for InvalidCacheName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "a cache name is printable ASCII, which {:?} is not",
            self.character
        )
    }
}

impl std::error::Error for InvalidCacheName {}

/// `name` made ready for `Cache-Status`: as it is where it is a token, else in quotes
/// ([RFC 9651 §3.3](https://www.rfc-editor.org/rfc/rfc9651#section-3.3)).
///
/// # Errors
///
/// Where `name` holds anything but printable ASCII.
///
/// ```
/// use fast_cache_core::fields::cache_status::cache_name;
///
/// assert_eq!(cache_name("fast-cache").unwrap().as_str(), "fast-cache");
/// assert_eq!(cache_name("my cache").unwrap().as_str(), "\"my cache\"");
/// assert!(cache_name("caché").is_err());
/// ```
pub fn cache_name(name: &str) -> Result<CacheName, InvalidCacheName> {
    if let Some(character) = name
        .chars()
        .find(|character| !matches!(character, ' '..='~'))
    {
        return Err(InvalidCacheName { character });
    }
    let starts_token = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '*');
    let is_token = |byte: u8| list::is_token_byte(byte) || matches!(byte, b':' | b'/');
    if starts_token && name.bytes().all(is_token) {
        return Ok(CacheName(name.into()));
    }
    let mut quoted = String::with_capacity(name.len() + 2);
    quoted.push('"');
    for character in name.chars() {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    Ok(CacheName(quoted.into_boxed_str()))
}

/// Why a request went to the application
/// ([RFC 9211 §2.2](https://www.rfc-editor.org/rfc/rfc9211#section-2.2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Forward {
    /// The cache does not handle such requests.
    Bypass,
    /// The method must be forwarded.
    Method,
    /// Nothing is stored for the target.
    UriMiss,
    /// What is stored for the target does not fit the request's headers.
    VaryMiss,
    /// Nothing stored could be used.
    Miss,
    /// The request forbids the use of what is stored.
    Request,
    /// What is stored is stale.
    Stale,
    /// What is stored is only a part of what is asked for.
    Partial,
}

impl Forward {
    /// The token in the field.
    pub const fn token(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Miss => "miss",
            Self::Request => "request",
            Self::Stale => "stale",
            Self::Partial => "partial",
        }
    }
}

/// How a request that ended with `reason` was forwarded.
///
/// Reasons that concern the application's answer say nothing of the lookup before it; they map to [`Forward::Miss`].
pub const fn forward_for(reason: Reason) -> Forward {
    match reason {
        Reason::Absent => Forward::UriMiss,
        Reason::VaryMismatch => Forward::VaryMiss,
        Reason::Expired | Reason::SoftDropped | Reason::MustValidate => Forward::Stale,
        Reason::Method => Forward::Method,
        Reason::RequestNoStore
        | Reason::RequestNoCache
        | Reason::RequestDirective
        | Reason::OnlyIfCached
        | Reason::RequestPrecondition => Forward::Request,
        Reason::RequestBody
        | Reason::Authorization
        | Reason::Cookie
        | Reason::NoncanonicalPath
        | Reason::MalformedRequest
        | Reason::Hook
        | Reason::HookFailed
        | Reason::RouteMismatch => Forward::Bypass,
        Reason::Status
        | Reason::MustUnderstand
        | Reason::NotExplicit
        | Reason::Outdated
        | Reason::StandIn
        | Reason::NoStore
        | Reason::Private
        | Reason::NoCache
        | Reason::NotFresh
        | Reason::SetCookie
        | Reason::VaryAny
        | Reason::VaryTooLong
        | Reason::TooLarge
        | Reason::Incomplete
        | Reason::ExceptionHandler
        | Reason::Unrepeatable
        | Reason::MalformedResponse
        | Reason::Dropped
        | Reason::StoreFailed
        | Reason::Tags => Forward::Miss,
    }
}

/// Appends the member for an answer from the cache that stays fresh for `ttl_seconds`, negative where it is stale
/// ([RFC 9211 §2.4](https://www.rfc-editor.org/rfc/rfc9211#section-2.4)); numbers of more than 15 digits are cut.
///
/// ```
/// use fast_cache_core::fields::cache_status::{cache_name, hit};
///
/// let mut value = Vec::new();
/// hit(&mut value, &cache_name("fast-cache").unwrap(), 299);
/// assert_eq!(value, b"fast-cache; hit; ttl=299");
/// ```
pub fn hit(out: &mut Vec<u8>, name: &CacheName, ttl_seconds: i64) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b"; hit; ttl=");
    push_integer(out, ttl_seconds.clamp(-MAX_INTEGER, MAX_INTEGER));
}

/// Appends the member for a request that was neither answered from the cache nor forwarded, and why.
///
/// ```
/// use fast_cache_core::fields::cache_status::{cache_name, neither};
/// use fast_cache_core::reason::Reason;
///
/// let mut value = Vec::new();
/// neither(&mut value, &cache_name("fast-cache").unwrap(), Reason::OnlyIfCached);
/// assert_eq!(value, b"fast-cache; detail=only-if-cached");
/// ```
pub fn neither(out: &mut Vec<u8>, name: &CacheName, detail: Reason) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b"; detail=");
    out.extend_from_slice(detail.token().as_bytes());
}

/// Appends the member for a request that went to the application: why, with which `status` the application answered
/// (`fwd-status`), whether the answer was `stored`, and the reason in detail.
///
/// ```
/// use fast_cache_core::fields::cache_status::{Forward, cache_name, forward};
/// use fast_cache_core::reason::Reason;
///
/// let mut value = Vec::new();
/// let name = cache_name("fast-cache").unwrap();
/// forward(&mut value, &name, Forward::UriMiss, Some(200), false, Some(Reason::SetCookie));
/// assert_eq!(value, b"fast-cache; fwd=uri-miss; fwd-status=200; detail=set-cookie");
/// ```
pub fn forward(
    out: &mut Vec<u8>,
    name: &CacheName,
    why: Forward,
    status: Option<u16>,
    stored: bool,
    detail: Option<Reason>,
) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b"; fwd=");
    out.extend_from_slice(why.token().as_bytes());
    if let Some(status) = status {
        out.extend_from_slice(b"; fwd-status=");
        push_integer(out, i64::from(status));
    }
    if stored {
        out.extend_from_slice(b"; stored");
    }
    if let Some(reason) = detail {
        out.extend_from_slice(b"; detail=");
        out.extend_from_slice(reason.token().as_bytes());
    }
}

/// Appends the member for a request that waited for another one on its way to the application, and takes its answer: why
/// it would have been forwarded, and the reason in detail ([RFC 9211
/// §2.6](https://www.rfc-editor.org/rfc/rfc9211#section-2.6)).
///
/// ```
/// use fast_cache_core::fields::cache_status::{Forward, cache_name, collapsed};
/// use fast_cache_core::reason::Reason;
///
/// let mut value = Vec::new();
/// collapsed(&mut value, &cache_name("fast-cache").unwrap(), Forward::UriMiss, Reason::Status);
/// assert_eq!(value, b"fast-cache; fwd=uri-miss; collapsed; detail=status");
/// ```
pub fn collapsed(out: &mut Vec<u8>, name: &CacheName, why: Forward, detail: Reason) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b"; fwd=");
    out.extend_from_slice(why.token().as_bytes());
    out.extend_from_slice(b"; collapsed; detail=");
    out.extend_from_slice(detail.token().as_bytes());
}

/// The largest integer of a structured field.
const MAX_INTEGER: i64 = 999_999_999_999_999;

fn push_integer(out: &mut Vec<u8>, number: i64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use super::{Forward, InvalidCacheName, cache_name, forward, forward_for, hit};
    use crate::reason::Reason;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = b"origin; hit, ".to_vec();
        write(&mut out);
        let text = String::from_utf8(out).expect("ASCII");
        text.strip_prefix("origin; hit, ")
            .expect("what was there stays")
            .to_owned()
    }

    #[test]
    fn names_are_tokens_or_strings() {
        for (name, expected) in [
            ("fast-cache", "fast-cache"),
            ("*", "*"),
            ("Edge:1/a.example", "Edge:1/a.example"),
            ("", "\"\""),
            ("1st", "\"1st\""),
            ("my cache", "\"my cache\""),
            ("a;b,c", "\"a;b,c\""),
            (r#"a"b\c"#, r#""a\"b\\c""#),
        ] {
            assert_eq!(cache_name(name).expect(name).as_str(), expected);
        }
        for (name, character) in [
            ("caché", 'é'),
            ("a\r\nb", '\r'),
            ("a\t", '\t'),
            ("\0", '\0'),
            ("\x7f", '\x7f'),
        ] {
            let error = cache_name(name).expect_err(name);
            assert_eq!(error, InvalidCacheName { character });
            assert!(error.to_string().is_ascii() || name == "caché");
        }
    }

    #[test]
    fn hits() {
        let name = cache_name("my cache").expect("a name");
        for (ttl, expected) in [
            (0, "\"my cache\"; hit; ttl=0"),
            (300, "\"my cache\"; hit; ttl=300"),
            (-5, "\"my cache\"; hit; ttl=-5"),
            (i64::MAX, "\"my cache\"; hit; ttl=999999999999999"),
            (i64::MIN, "\"my cache\"; hit; ttl=-999999999999999"),
        ] {
            assert_eq!(text(|out| hit(out, &name, ttl)), expected);
        }
    }

    #[test]
    fn forwards() {
        let name = cache_name("c").expect("a name");
        for (why, status, stored, detail, expected) in [
            (
                Forward::UriMiss,
                None,
                true,
                None,
                "c; fwd=uri-miss; stored",
            ),
            (
                Forward::Miss,
                Some(200),
                true,
                None,
                "c; fwd=miss; fwd-status=200; stored",
            ),
            (
                Forward::Method,
                None,
                false,
                Some(Reason::Method),
                "c; fwd=method; detail=method",
            ),
            (
                Forward::Stale,
                Some(304),
                true,
                Some(Reason::Expired),
                "c; fwd=stale; fwd-status=304; stored; detail=expired",
            ),
        ] {
            assert_eq!(
                text(|out| forward(out, &name, why, status, stored, detail)),
                expected
            );
        }
    }

    #[test]
    fn every_reason_has_a_forward() {
        for (reason, expected) in [
            (Reason::Absent, "uri-miss"),
            (Reason::VaryMismatch, "vary-miss"),
            (Reason::SoftDropped, "stale"),
            (Reason::Method, "method"),
            (Reason::RequestNoCache, "request"),
            (Reason::Authorization, "bypass"),
            (Reason::SetCookie, "miss"),
        ] {
            assert_eq!(forward_for(reason).token(), expected, "{reason}");
        }
        for &reason in Reason::ALL {
            assert_ne!(
                forward_for(reason),
                Forward::Partial,
                "{reason}: no reason speaks of parts"
            );
        }
    }
}
