//! Names and values in a query, as `application/x-www-form-urlencoded` writes them
//! ([URL §5.1](https://url.spec.whatwg.org/#urlencoded-parsing)).

use std::borrow::Cow;

/// The pairs of a query, not decoded; a pair without `=` has an empty value, and empty pairs are left out.
///
/// ```
/// use fast_cache_core::fields::urlencoded::pairs;
///
/// let expected: [(&[u8], &[u8]); 3] = [(b"a", b"1=2"), (b"b", b""), (b"", b"3")];
/// assert!(pairs(b"a=1=2&&b&=3").eq(expected));
/// ```
pub fn pairs(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let pairs = query.split(|byte| *byte == b'&');
    pairs.filter(|pair| !pair.is_empty()).map(|pair| {
        let end = pair.iter().position(|byte| *byte == b'=');
        let (name, value) = pair.split_at(end.unwrap_or(pair.len()));
        (name, value.get(1..).unwrap_or_default())
    })
}

/// A name or value as an application sees it: `+` is a blank, `%xx` a byte.
pub fn decode(raw: &[u8]) -> Cow<'_, [u8]> {
    if !raw.iter().any(|byte| matches!(byte, b'+' | b'%')) {
        return Cow::Borrowed(raw);
    }
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match (first, hex_pair(after)) {
            (b'+', _) => out.push(b' '),
            (b'%', Some(byte)) => {
                out.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => out.push(first),
        }
    }
    Cow::Owned(out)
}

/// [`decode`]d text; what is not UTF-8 becomes U+FFFD.
pub fn decode_text(raw: &[u8]) -> Cow<'_, str> {
    match decode(raw) {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => String::from_utf8(bytes).map_or_else(
            |error| Cow::Owned(String::from_utf8_lossy(error.as_bytes()).into_owned()),
            Cow::Owned,
        ),
    }
}

/// Appends what [`decode`] reads as `bytes`, in ASCII letters, digits, `*-._` and `%xx`.
pub fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'*' | b'-' | b'.' | b'_') {
            out.push(byte);
        } else {
            push_encoded(byte, out);
        }
    }
}

/// Appends `%xx`, in upper case.
pub(super) fn push_encoded(byte: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push(b'%');
    out.push(DIGITS[usize::from(byte >> 4)]);
    out.push(DIGITS[usize::from(byte & 15)]);
}

/// The byte that the two hexadecimal digits say with which `bytes` begins.
pub(super) fn hex_pair(bytes: &[u8]) -> Option<u8> {
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16)?).ok();
    match *bytes {
        [high, low, ..] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{decode, decode_text, encode, pairs};

    #[test]
    fn pairs_are_split_at_ampersands_and_first_equals_signs() {
        let table: &[(&str, &[(&str, &str)])] = &[
            ("", &[]),
            ("&&", &[]),
            ("a", &[("a", "")]),
            ("a=", &[("a", "")]),
            ("=", &[("", "")]),
            ("a==b&a=b=&", &[("a", "=b"), ("a", "b=")]),
            ("a;b=c", &[("a;b", "c")]),
        ];
        for (query, expected) in table {
            let expected = expected
                .iter()
                .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
            assert!(pairs(query.as_bytes()).eq(expected), "{query:?}");
        }
    }

    #[test]
    fn what_is_not_encoded_stays() {
        for (raw, expected) in [
            ("a", "a"),
            ("a+b%20c", "a b c"),
            ("%4a%4A", "JJ"),
            ("%", "%"),
            ("%4", "%4"),
            ("%4%41", "%4A"),
            ("%zz%", "%zz%"),
            ("%2b%2B", "++"),
            ("%c3%a9", "\u{e9}"),
        ] {
            assert_eq!(decode(raw.as_bytes()), expected.as_bytes(), "{raw:?}");
            assert_eq!(decode_text(raw.as_bytes()), expected, "{raw:?}");
        }
        assert_eq!(decode_text(b"%f6\xf6"), "\u{fffd}\u{fffd}");
        assert_eq!(decode_text(b"\xf6"), "\u{fffd}");
    }

    #[test]
    fn every_byte_is_read_as_it_was_written() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mut written = Vec::new();
        encode(&bytes, &mut written);
        assert!(written.iter().all(u8::is_ascii_graphic));
        assert!(!written.iter().any(|byte| b"&=+".contains(byte)));
        assert_eq!(decode(&written), bytes);
    }
}
