//! What a route's author asked for, as plain data.

pub mod declared;

use std::time::Duration;

/// How long a response may be reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// As long as the route says, whatever `max-age`, `s-maxage` and `Expires` in the response say.
    Fixed(Duration),
    /// As long as the response's own headers say (HTTP mode, [RFC 9111
    /// §4.2.1](https://www.rfc-editor.org/rfc/rfc9111#section-4.2.1)).
    Response,
}

/// What a credential on the request means for a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// The answer is the same whatever it is: the endpoint cannot see it, or the author said so.
    Ignored,
    /// It is part of the key, so everybody has an entry of their own.
    InKey,
    /// The endpoint may read it and the key does not hold it: not shared unless the response says that it may be.
    NotShared,
}

/// The statuses that are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statuses([u64; 8]);

impl Statuses {
    /// No status at all.
    pub const NONE: Self = Self([0; 8]);

    /// Adds a status from 100 to 599; others are ignored.
    #[must_use]
    pub const fn with(mut self, status: u16) -> Self {
        if status >= 100 && status < 600 {
            let bit = (status - 100) as usize;
            self.0[bit / 64] |= 1 << (bit % 64);
        }
        self
    }

    /// Whether the status is stored.
    pub const fn contains(&self, status: u16) -> bool {
        if status < 100 || status >= 600 {
            return false;
        }
        let bit = (status - 100) as usize;
        self.0[bit / 64] & (1 << (bit % 64)) != 0
    }
}

impl Default for Statuses {
    fn default() -> Self {
        Self::NONE.with(200).with(301).with(308)
    }
}

/// A path parameter whose declared type folds several spellings into one value, so that a drop by value could miss an
/// entry under another spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canonical {
    /// Decimal without sign, blanks or leading zeros (`-` is fine before a non-zero number).
    Integer,
    /// Lower-case with hyphens.
    Uuid,
}

impl Canonical {
    /// Whether `text` is the one spelling that is cached.
    pub fn holds(self, text: &str) -> bool {
        let bytes = text.as_bytes();
        match self {
            Self::Integer => {
                let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
                match digits {
                    [b'0'] => digits.len() == bytes.len(),
                    [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
                    _ => false,
                }
            }
            Self::Uuid => {
                bytes.len() == 36
                    && bytes.iter().enumerate().all(|(index, byte)| match index {
                        8 | 13 | 18 | 23 => *byte == b'-',
                        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
                    })
            }
        }
    }
}

/// The canonical spelling of a path parameter that reads as an integer or a UUID in another spelling; `None` where it is
/// neither, or is canonical already. A drop by value covers both spellings.
pub fn canonical_spelling(text: &str) -> Option<String> {
    let trimmed = text.trim();
    let canonical = integer(trimmed).or_else(|| uuid(trimmed))?;
    (canonical != text).then_some(canonical)
}

fn integer(text: &str) -> Option<String> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    // Python and pydantic read "1_000" and "7.0" as integers too.
    let whole = digits
        .split_once('.')
        .map_or(Some(digits), |(whole, zeros)| {
            zeros.bytes().all(|byte| byte == b'0').then_some(whole)
        })?;
    let digits: String = whole.chars().filter(|letter| *letter != '_').collect();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = digits.trim_start_matches('0');
    Some(match (digits, negative) {
        ("", _) => "0".to_owned(),
        (digits, true) => format!("-{digits}"),
        (digits, false) => digits.to_owned(),
    })
}

fn uuid(text: &str) -> Option<String> {
    let inner = text.strip_prefix("urn:uuid:").unwrap_or(text);
    let inner = inner
        .strip_prefix('{')
        .and_then(|inner| inner.strip_suffix('}'))
        .unwrap_or(inner);
    let digits: String = inner
        .chars()
        .filter(|letter| *letter != '-')
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    Some(format!(
        "{}-{}-{}-{}-{}",
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..]
    ))
}

/// The caching policy of one route.
#[derive(Clone, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent switches of the public contract"
)]
pub struct Policy {
    /// How long a response may be reused.
    pub lifetime: Lifetime,
    /// How long past its lifetime it may be served while it is refreshed.
    pub stale_while_revalidate: Duration,
    /// How long past its lifetime it may stand in for a failure.
    pub stale_if_error: Duration,
    /// The author's word that the answer is the same for everybody.
    pub public: bool,
    /// Make entity tags and answer conditional requests.
    pub etag: bool,
    /// Listen to the request's `Cache-Control` and `Pragma`.
    pub client_directives: bool,
    /// What `Authorization` on the request means.
    pub authorization: Credential,
    /// What cookies on the request mean.
    pub cookies: Credential,
    /// The endpoint reads a request body, which no key holds.
    pub reads_body: bool,
    /// The statuses that are stored.
    pub statuses: Statuses,
    /// The largest body that is stored, in bytes.
    pub max_body_size: u64,
    /// Path parameters that must be written canonically, by name.
    pub canonical: Box<[(Box<str>, Canonical)]>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            lifetime: Lifetime::Fixed(Duration::from_secs(300)),
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            public: false,
            etag: true,
            client_directives: true,
            authorization: Credential::NotShared,
            cookies: Credential::Ignored,
            reads_body: false,
            statuses: Statuses::default(),
            max_body_size: 1 << 20,
            canonical: Box::new([]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Canonical, Statuses, canonical_spelling};

    #[test]
    fn statuses_hold_what_was_added() {
        let statuses = Statuses::default();
        for status in 0..1000 {
            assert_eq!(
                statuses.contains(status),
                matches!(status, 200 | 301 | 308),
                "{status}"
            );
        }
        assert!(Statuses::NONE.with(100).with(599).contains(599));
        assert!(!Statuses::NONE.with(600).contains(600));
    }

    #[test]
    fn other_spellings_are_found() {
        let id = "123e4567-e89b-12d3-a456-426614174000";
        for (text, expected) in [
            ("007", Some("7")),
            ("+7", Some("7")),
            (" 7 ", Some("7")),
            ("-00", Some("0")),
            ("7.0", Some("7")),
            ("1_000", Some("1000")),
            ("7", None),
            ("-7", None),
            ("seven", None),
            ("", None),
            ("7.5", None),
            ("123E4567E89B12D3A456426614174000", Some(id)),
            ("urn:uuid:123e4567-e89b-12d3-a456-426614174000", Some(id)),
            (id, None),
            ("\u{661}", None),
        ] {
            assert_eq!(canonical_spelling(text).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn one_spelling_is_canonical() {
        for (text, expected) in [
            ("0", true),
            ("7", true),
            ("-7", true),
            ("-0", false),
            ("07", false),
            ("+7", false),
            (" 7", false),
            ("", false),
            ("-", false),
            ("7.0", false),
        ] {
            assert_eq!(Canonical::Integer.holds(text), expected, "{text:?}");
        }
        assert!(Canonical::Uuid.holds("123e4567-e89b-12d3-a456-426614174000"));
        assert!(!Canonical::Uuid.holds("123E4567-e89b-12d3-a456-426614174000"));
        assert!(!Canonical::Uuid.holds("123e4567e89b12d3a456426614174000"));
    }
}
