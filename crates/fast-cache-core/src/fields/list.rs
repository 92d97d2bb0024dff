//! Comma-separated lists, tokens and quoted strings
//! ([RFC 9110 §5.6](https://www.rfc-editor.org/rfc/rfc9110#section-5.6)).
//!
//! A quoted string never reaches past its line, and a quote that is never closed is an ordinary byte. So a damaged
//! line can hide nothing that follows it: not the next line, and not what stands behind the next comma.

use std::borrow::Cow;

/// The members of a list that may stand on several lines, in order.
///
/// Commas inside quoted strings do not separate, white space around a member is cut off, and empty members are left
/// out ([RFC 9110 §5.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.1)).
///
/// ```
/// use fast_cache_core::fields::list::members;
///
/// let lines: [&[u8]; 2] = [b"a, b=\"1, 2\" ,,", b"\tc"];
/// let expected: [&[u8]; 3] = [b"a", b"b=\"1, 2\"", b"c"];
/// assert!(members(lines).eq(expected));
/// ```
pub fn members<'a, I>(values: I) -> Members<'a, I::IntoIter>
where
    I: IntoIterator<Item = &'a [u8]>,
{
    Members {
        values: values.into_iter(),
        pieces: Pieces::of(&[]),
    }
}

/// The iterator that [`members`] gives.
#[derive(Clone, Debug)]
pub struct Members<'a, I> {
    values: I,
    pieces: Pieces<'a>,
}

impl<'a, I: Iterator<Item = &'a [u8]>> Iterator for Members<'a, I> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            if let Some(piece) = self.pieces.next(Escapes::Backslash, |byte| byte == b',') {
                return Some(piece);
            }
            self.pieces = Pieces::of(self.values.next()?);
        }
    }
}

/// The part of a member before its first `=`, and the part behind it, both without white space around them.
pub fn name_and_argument(member: &[u8]) -> (&[u8], Option<&[u8]>) {
    match member.iter().position(|&byte| byte == b'=') {
        Some(at) => (trim(&member[..at]), Some(trim(&member[at + 1..]))),
        None => (trim(member), None),
    }
}

/// Whether `bytes` is a token ([RFC 9110 §5.6.2](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2)).
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| is_token_byte(byte))
}

/// Whether a token may hold `byte`.
pub const fn is_token_byte(byte: u8) -> bool {
    TOKEN_BYTES[byte as usize]
}

/// What a quoted string says, escapes resolved; `None` where `bytes` is not one quoted string from end to end
/// ([RFC 9110 §5.6.4](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.4)).
///
/// ```
/// use fast_cache_core::fields::list::unquote;
///
/// assert_eq!(unquote(br#""a \"b\"""#).as_deref(), Some(br#"a "b""#.as_slice()));
/// assert_eq!(unquote(b"a"), None);
/// ```
pub fn unquote(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    let length = quoted_length(bytes, Escapes::Backslash)?;
    if length != bytes.len() {
        return None;
    }
    let inner = &bytes[1..length - 1];
    if !inner.iter().all(|&byte| is_text_byte(byte)) {
        return None;
    }
    if !inner.contains(&b'\\') {
        return Some(Cow::Borrowed(inner));
    }
    let mut text = Vec::with_capacity(inner.len());
    let mut rest = inner.iter();
    while let Some(&byte) = rest.next() {
        text.push(match byte {
            b'\\' => *rest.next()?,
            other => other,
        });
    }
    Some(Cow::Owned(text))
}

/// `bytes` without the spaces and tabs at its ends
/// ([RFC 9110 §5.6.3](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.3)).
pub fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// Whether a backslash inside quotes takes the next byte with it; in entity tags it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escapes {
    Backslash,
    None,
}

/// One line, given out piece by piece.
#[derive(Clone, Debug)]
pub(super) struct Pieces<'a> {
    rest: &'a [u8],
    /// Cleared at the first quote that is never closed: what follows is not searched again, so a line full of quotes
    /// still takes linear time.
    quotes: bool,
}

impl<'a> Pieces<'a> {
    pub(super) fn of(line: &'a [u8]) -> Self {
        Self {
            rest: line,
            quotes: true,
        }
    }

    /// The next piece that is not empty, without white space around it.
    pub(super) fn next(
        &mut self,
        escapes: Escapes,
        is_separator: impl Fn(u8) -> bool,
    ) -> Option<&'a [u8]> {
        while !self.rest.is_empty() {
            let end = self.end(escapes, &is_separator);
            let piece = trim(&self.rest[..end]);
            self.rest = self.rest.get(end + 1..).unwrap_or_default();
            if !piece.is_empty() {
                return Some(piece);
            }
        }
        None
    }

    fn end(&mut self, escapes: Escapes, is_separator: impl Fn(u8) -> bool) -> usize {
        let mut at = 0;
        while let Some(&byte) = self.rest.get(at) {
            if is_separator(byte) {
                return at;
            }
            at += 1;
            if byte == b'"' && self.quotes {
                match quoted_length(&self.rest[at - 1..], escapes) {
                    Some(length) => at += length - 1,
                    None => self.quotes = false,
                }
            }
        }
        at
    }
}

/// How long the quoted string is, quotes included, with which `bytes` begins; `None` where none does or it never ends.
fn quoted_length(bytes: &[u8], escapes: Escapes) -> Option<usize> {
    if bytes.first() != Some(&b'"') {
        return None;
    }
    let mut at = 1;
    loop {
        match *bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' if escapes == Escapes::Backslash => at += 2,
            _ => at += 1,
        }
    }
}

/// Whether a quoted string may hold `byte`, escaped or not.
const fn is_text_byte(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..=0xff)
}

const TOKEN_BYTES: [bool; 256] = {
    let bytes = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut table = [false; 256];
    let mut at = 0;
    while at < bytes.len() {
        table[bytes[at] as usize] = true;
        at += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::{is_token, is_token_byte, members, name_and_argument, trim, unquote};

    #[test]
    fn lists_are_split_at_commas_outside_quotes() {
        type Lines = [&'static [u8]];
        let table: &[(&Lines, &Lines)] = &[
            (&[], &[]),
            (&[b""], &[]),
            (&[b" ,\t, ,"], &[]),
            (&[b"a"], &[b"a"]),
            (&[b"a,b", b"c , d"], &[b"a", b"b", b"c", b"d"]),
            (&[b",a,,b,"], &[b"a", b"b"]),
            (&[b"\"a,b\",c"], &[b"\"a,b\"", b"c"]),
            (&[br#"x="a\",b",c"#], &[br#"x="a\",b""#, b"c"]),
            (&[br#""a\\",b"#], &[br#""a\\""#, b"b"]),
            (&[b"a b,c"], &[b"a b", b"c"]),
            (&[b"a=\"b,c", b"d"], &[b"a=\"b", b"c", b"d"]),
            (&[b"\"a\",\"b,c"], &[b"\"a\"", b"\"b", b"c"]),
            (&[b"\"a,\\", b"b"], &[b"\"a", b"\\", b"b"]),
            (&[b"a\x00\xff,b"], &[b"a\x00\xff", b"b"]),
        ];
        for (lines, expected) in table {
            let found: Vec<&[u8]> = members(lines.iter().copied()).collect();
            assert_eq!(&found, expected, "{lines:?}");
        }
    }

    #[test]
    fn unclosed_quotes_take_linear_time() {
        // Long enough that quadratic time would not end.
        let mut line = b"\"".to_vec();
        line.extend(br#"\","#.repeat(400_000));
        assert_eq!(members([line.as_slice()]).count(), 400_000);
    }

    #[test]
    fn tokens() {
        for token in [b"a".as_slice(), b"no-store", b"*", b"!#$%&'*+-.^_`|~09azAZ"] {
            assert!(is_token(token), "{token:?}");
        }
        for other in [
            b"".as_slice(),
            b"a b",
            b"a,",
            b"\"a\"",
            b"a=",
            b"\x7f",
            b"\xe4",
            b"a/b",
            b"a\0",
        ] {
            assert!(!is_token(other), "{other:?}");
        }
        assert_eq!((0..=255).filter(|&byte| is_token_byte(byte)).count(), 77);
    }

    #[test]
    fn quoted_strings() {
        let table: &[(&[u8], Option<&[u8]>)] = &[
            (b"\"\"", Some(b"")),
            (b"\"a b\"", Some(b"a b")),
            (br#""a\"b\\c\d""#, Some(br#"a"b\cd"#)),
            (b"\"\xe4\t\"", Some(b"\xe4\t")),
            (b"", None),
            (b"\"", None),
            (b"a", None),
            (b"\"a", None),
            (br#""a\""#, None),
            (b"\"a\"b", None),
            (b"\"a\"\"b\"", None),
            (b"\"a\0\"", None),
            (b"\"\\\r\"", None),
        ];
        for (bytes, expected) in table {
            assert_eq!(unquote(bytes).as_deref(), *expected, "{bytes:?}");
        }
    }

    #[test]
    fn names_arguments_and_white_space() {
        assert_eq!(trim(b" \t a b\t "), b"a b");
        assert_eq!(trim(b"\t"), b"");
        assert_eq!(name_and_argument(b"a"), (b"a".as_slice(), None));
        assert_eq!(
            name_and_argument(b"a=b=c"),
            (b"a".as_slice(), Some(b"b=c".as_slice()))
        );
        assert_eq!(
            name_and_argument(b"a\t= \"b\" "),
            (b"a".as_slice(), Some(b"\"b\"".as_slice()))
        );
        assert_eq!(
            name_and_argument(b"="),
            (b"".as_slice(), Some(b"".as_slice()))
        );
    }
}
