//! Validators and the preconditions a cache judges itself
//! ([RFC 9110 §8.8](https://www.rfc-editor.org/rfc/rfc9110#section-8.8),
//! [§13.1](https://www.rfc-editor.org/rfc/rfc9110#section-13.1)).

use super::date;
use super::list::{Escapes, Pieces, trim};
use crate::time::Timestamp;

/// An entity tag ([RFC 9110 §8.8.3](https://www.rfc-editor.org/rfc/rfc9110#section-8.8.3)).
///
/// Two tags are compared by [`strong_eq`](Self::strong_eq) or [`weak_eq`](Self::weak_eq); which, the field that holds
/// them says.
#[derive(Clone, Copy, Debug)]
pub struct EntityTag<'a> {
    /// Whether it is marked weak.
    pub weak: bool,
    /// What stands between the quotes.
    pub opaque: &'a [u8],
}

impl<'a> EntityTag<'a> {
    /// The tag that `bytes` is, white space around it apart; `None` where it is not one.
    ///
    /// ```
    /// use fast_cache_core::fields::validators::EntityTag;
    ///
    /// let (weak, strong) = (EntityTag::parse(b"W/\"a\"").unwrap(), EntityTag::parse(b"\"a\"").unwrap());
    /// assert!(weak.weak_eq(strong) && !weak.strong_eq(strong));
    /// assert!(EntityTag::parse(b"a").is_none());
    /// ```
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let bytes = trim(bytes);
        let (weak, quoted) = match bytes.strip_prefix(b"W/") {
            Some(quoted) => (true, quoted),
            None => (false, bytes),
        };
        let opaque = quoted.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        let valid = opaque
            .iter()
            .all(|byte| matches!(byte, b'!' | b'#'..=b'~' | 0x80..=0xff));
        valid.then_some(Self { weak, opaque })
    }

    /// Whether both are strong and equal ([RFC 9110 §8.8.3.2](https://www.rfc-editor.org/rfc/rfc9110#section-8.8.3.2)).
    pub fn strong_eq(self, other: EntityTag<'_>) -> bool {
        !self.weak && !other.weak && self.opaque == other.opaque
    }

    /// Whether both are equal, weakness apart.
    pub fn weak_eq(self, other: EntityTag<'_>) -> bool {
        self.opaque == other.opaque
    }
}

/// Whether the values of a request's `If-None-Match` lines, taken together, match a stored response, so that 304 is the
/// answer ([RFC 9110 §13.1.2](https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2)).
///
/// `stored` is the response's `ETag`; only a lone `*` matches a response without one. Comparison is weak. Members that
/// are not entity tags match nothing.
///
/// ```
/// use fast_cache_core::fields::validators::if_none_match;
///
/// let values: [&[u8]; 2] = [b"\"a\", W/\"b,c\"", b"\"d\""];
/// assert!(if_none_match(values, Some(b"\"b,c\"")));
/// assert!(!if_none_match(values, Some(b"\"b\"")));
/// ```
pub fn if_none_match<'a>(
    values: impl IntoIterator<Item = &'a [u8]>,
    stored: Option<&[u8]>,
) -> bool {
    let stored = stored.and_then(EntityTag::parse);
    let (mut members, mut star) = (0_usize, false);
    for value in values {
        let mut pieces = Pieces::of(value);
        while let Some(member) = pieces.next(Escapes::None, |byte| byte == b',') {
            members += 1;
            star |= member == b"*";
            let matches = |stored: EntityTag<'_>| {
                EntityTag::parse(member).is_some_and(|given| given.weak_eq(stored))
            };
            if stored.is_some_and(matches) {
                return true;
            }
        }
    }
    star && members == 1
}

/// Whether a response last modified at `last_modified` is newer than the values of a request's `If-Modified-Since`
/// lines say, in whole seconds; `Some(false)` means that 304 is the answer
/// ([RFC 9110 §13.1.3](https://www.rfc-editor.org/rfc/rfc9110#section-13.1.3)).
///
/// `None` where there is not exactly one line or it is no date: then there is no condition. `now` is for two-digit
/// years. That `If-None-Match` takes precedence is the caller's to heed.
///
/// ```
/// use fast_cache_core::{fields::validators::if_modified_since, time::Timestamp};
///
/// let now = Timestamp::from_seconds(1_700_000_000);
/// let since: [&[u8]; 1] = [b"Sun, 06 Nov 1994 08:49:37 GMT"];
/// assert_eq!(if_modified_since(since, Timestamp::from_seconds(784_111_777), now), Some(false));
/// assert_eq!(if_modified_since(since, Timestamp::from_seconds(784_111_778), now), Some(true));
/// ```
pub fn if_modified_since<'a>(
    values: impl IntoIterator<Item = &'a [u8]>,
    last_modified: Timestamp,
    now: Timestamp,
) -> Option<bool> {
    let mut values = values.into_iter();
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    Some(last_modified.seconds() > date::parse(value, now)?.seconds())
}

/// The strong entity tag made of `hash`: its 16 lower-case hexadecimal digits in quotes.
///
/// ```
/// use fast_cache_core::fields::validators::{format_generated, parse_generated};
///
/// assert_eq!(&format_generated(0xbeef), b"\"000000000000beef\"");
/// assert_eq!(parse_generated(b"\"000000000000beef\""), Some(0xbeef));
/// ```
pub fn format_generated(hash: u64) -> [u8; 18] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut tag = [b'"'; 18];
    for (place, byte) in hash.to_be_bytes().into_iter().enumerate() {
        tag[1 + 2 * place] = DIGITS[usize::from(byte >> 4)];
        tag[2 + 2 * place] = DIGITS[usize::from(byte & 15)];
    }
    tag
}

/// The hash of which [`format_generated`] makes exactly this tag; `None` for any other bytes.
pub fn parse_generated(tag: &[u8]) -> Option<u64> {
    let digits: &[u8; 16] = tag
        .strip_prefix(b"\"")?
        .strip_suffix(b"\"")?
        .try_into()
        .ok()?;
    digits.iter().try_fold(0, |hash, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(hash << 4 | u64::from(value))
    })
}

#[cfg(test)]
mod tests {
    use super::{EntityTag, format_generated, if_modified_since, if_none_match, parse_generated};
    use crate::time::Timestamp;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_345_241);

    #[test]
    fn entity_tags() {
        for (bytes, expected) in [
            (b"\"\"".as_slice(), Some((false, b"".as_slice()))),
            (b"\"a,b\"", Some((false, b"a,b"))),
            (b" W/\"a\"\t", Some((true, b"a"))),
            (br#""a\""#, Some((false, br"a\"))),
            (b"\"\x80\xff\"", Some((false, b"\x80\xff"))),
            (b"", None),
            (b"a", None),
            (b"\"", None),
            (b"*", None),
            (b"\"a", None),
            (b"a\"", None),
            (b"w/\"a\"", None),
            (b"W/a", None),
            (b"W/ \"a\"", None),
            (b"\"a b\"", None),
            (b"\"a\"b\"", None),
            (b"\"a\x7f\"", None),
            (b"\"a\0\"", None),
        ] {
            let found = EntityTag::parse(bytes).map(|tag| (tag.weak, tag.opaque));
            assert_eq!(found, expected, "{bytes:?}");
        }
    }

    #[test]
    fn comparison() {
        // RFC 9110 §8.8.3.2, table 3.
        for (left, right, strong, weak) in [
            ("W/\"1\"", "W/\"1\"", false, true),
            ("W/\"1\"", "W/\"2\"", false, false),
            ("W/\"1\"", "\"1\"", false, true),
            ("\"1\"", "\"1\"", true, true),
            ("\"a\"", "\"A\"", false, false),
        ] {
            let parse = |tag: &'static str| EntityTag::parse(tag.as_bytes()).expect("a tag");
            assert_eq!(
                parse(left).strong_eq(parse(right)),
                strong,
                "{left} {right}"
            );
            assert_eq!(parse(left).weak_eq(parse(right)), weak, "{left} {right}");
        }
    }

    #[test]
    fn if_none_match_takes_lists_stars_and_weak_tags() {
        let table: &[(&[&str], Option<&str>, bool)] = &[
            (&[], Some("\"a\""), false),
            (&[""], Some("\"a\""), false),
            (&["\"a\""], Some("\"a\""), true),
            (&["W/\"a\""], Some("\"a\""), true),
            (&["\"a\""], Some("W/\"a\""), true),
            (&["\"A\""], Some("\"a\""), false),
            (&["\"x\" ,, \"a\""], Some("\"a\""), true),
            (&["\"x\"", "\"y\", \"a\""], Some("\"a\""), true),
            (&["\"x,a\""], Some("\"a\""), false),
            (&["\"x,a\", \"z\""], Some("\"x,a\""), true),
            (&[r#""x\", "a""#], Some("\"a\""), true),
            (&["*"], Some("\"a\""), true),
            (&[" * "], None, true),
            (&["\"*\""], Some("\"a\""), false),
            (&["*, \"x\""], Some("\"a\""), false),
            (&["*", "*"], Some("\"a\""), false),
            (&["**"], Some("\"a\""), false),
            (&["a"], Some("\"a\""), false),
            (&["a"], Some("a"), false),
            (&["\"a\" x"], Some("\"a\""), false),
            (&["a, \"a\""], Some("\"a\""), true),
            (&["\"a"], Some("\"a\""), false),
            (&["w/\"a\""], Some("\"a\""), false),
            (&["\"a\""], None, false),
            (&["\"a b\""], Some("\"a b\""), false),
        ];
        for (values, stored, expected) in table {
            let values = values.iter().map(|value| value.as_bytes());
            let found = if_none_match(values.clone(), stored.map(str::as_bytes));
            assert_eq!(
                found,
                *expected,
                "{:?} {stored:?}",
                values.collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn if_modified_since_needs_one_valid_date() {
        type Values = [&'static [u8]];
        let date: &[u8] = b"Sun, 06 Nov 1994 08:49:37 GMT";
        let moment = 784_111_777;
        let table: &[(&Values, i64, Option<bool>)] = &[
            (&[date], moment - 1, Some(false)),
            (&[date], moment, Some(false)),
            (&[date], moment + 1, Some(true)),
            (&[b"Sunday, 06-Nov-94 08:49:37 GMT"], moment, Some(false)),
            (&[], moment, None),
            (&[b""], moment, None),
            (&[b"yesterday"], moment, None),
            (&[date, date], moment, None),
        ];
        for (values, modified, expected) in table {
            let modified = Timestamp::from_seconds(*modified);
            assert_eq!(
                if_modified_since(values.iter().copied(), modified, NOW),
                *expected,
                "{values:?}"
            );
        }
        let fraction = Timestamp::from_micros(moment * 1_000_000 + 999_999);
        assert_eq!(if_modified_since([date], fraction, NOW), Some(false));
    }

    #[test]
    fn generated_tags() {
        assert_eq!(&format_generated(0), b"\"0000000000000000\"");
        assert_eq!(
            &format_generated(0x0123_4567_89ab_cdef),
            b"\"0123456789abcdef\""
        );
        for hash in [0, 1, u64::MAX, 0x0123_4567_89ab_cdef] {
            let tag = format_generated(hash);
            assert_eq!(parse_generated(&tag), Some(hash));
            assert!(EntityTag::parse(&tag).is_some_and(|tag| !tag.weak));
            assert!(if_none_match([tag.as_slice()], Some(&tag)));
        }
        for other in [
            "",
            "\"\"",
            "0123456789abcdef",
            "\"0123456789ABCDEF\"",
            "\"0123456789abcde\"",
            "\"0123456789abcdef0\"",
            "\"+123456789abcdef\"",
            "W/\"0123456789abcdef\"",
        ] {
            assert_eq!(parse_generated(other.as_bytes()), None, "{other}");
        }
    }
}
