//! URI references: taken apart, resolved, and spelled alike where they mean the same
//! ([RFC 3986](https://www.rfc-editor.org/rfc/rfc3986)).
//!
//! Any bytes are a reference. What no URI may hold, such as the blanks and brackets that real `Location` fields have,
//! is percent-encoded by [`spell_path`] and [`spell_query`] instead of being refused.

use super::urlencoded::{hex_pair, push_encoded};
use std::borrow::Cow;

/// The parts of a URI reference, as they were written, less its fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference<'a> {
    /// The scheme, in whatever case.
    pub scheme: Option<&'a [u8]>,
    /// What stands between `//` and the path.
    pub authority: Option<&'a [u8]>,
    /// The path.
    pub path: Cow<'a, [u8]>,
    /// The query without its `?`.
    pub query: Option<&'a [u8]>,
}

impl<'a> Reference<'a> {
    /// Takes a reference apart ([RFC 3986 Appendix B](https://www.rfc-editor.org/rfc/rfc3986#appendix-B)).
    pub fn parse(bytes: &'a [u8]) -> Self {
        let (rest, _) = cut(bytes, b'#');
        let (rest, query) = cut(rest, b'?');
        let (scheme, rest) = match cut(rest, b':') {
            (scheme, Some(rest)) if is_scheme(scheme) => (Some(scheme), rest),
            _ => (None, rest),
        };
        let (authority, path) = match rest.strip_prefix(b"//") {
            Some(rest) => {
                let end = rest.iter().position(|byte| *byte == b'/');
                let (authority, path) = rest.split_at(end.unwrap_or(rest.len()));
                (Some(authority), path)
            }
            None => (None, rest),
        };
        Self {
            scheme,
            authority,
            path: Cow::Borrowed(path),
            query,
        }
    }

    /// The reference seen from the URI `base` ([RFC 3986 §5.2](https://www.rfc-editor.org/rfc/rfc3986#section-5.2)).
    ///
    /// ```
    /// use fast_cache_core::fields::uri::Reference;
    ///
    /// let base = Reference::parse(b"http://a/b/c/d;p?q");
    /// let found = Reference::parse(b"../g?y").resolve(&base);
    /// assert_eq!((&*found.path, found.query), (b"/b/g".as_slice(), Some(b"y".as_slice())));
    /// assert_eq!(found.authority, Some(b"a".as_slice()));
    /// ```
    #[must_use]
    pub fn resolve(self, base: &Self) -> Self {
        if self.scheme.is_some() {
            return self.without_dot_segments();
        }
        let scheme = base.scheme;
        if self.authority.is_some() {
            return Self { scheme, ..self }.without_dot_segments();
        }
        let authority = base.authority;
        if self.path.is_empty() {
            return Self {
                scheme,
                authority,
                path: base.path.clone(),
                query: self.query.or(base.query),
            };
        }
        let path = if self.path.starts_with(b"/") {
            self.path
        } else {
            Cow::Owned(base.merged(&self.path))
        };
        Self {
            scheme,
            authority,
            path,
            query: self.query,
        }
        .without_dot_segments()
    }

    fn merged(&self, path: &[u8]) -> Vec<u8> {
        if self.authority.is_some() && self.path.is_empty() {
            return [b"/", path].concat();
        }
        let end = self.path.iter().rposition(|byte| *byte == b'/');
        let kept = self.path.get(..end.map_or(0, |at| at + 1));
        [kept.unwrap_or_default(), path].concat()
    }

    fn without_dot_segments(self) -> Self {
        let path = Cow::Owned(remove_dot_segments(&self.path));
        Self { path, ..self }
    }
}

/// A path without `.` and `..` ([RFC 3986 §5.2.4](https://www.rfc-editor.org/rfc/rfc3986#section-5.2.4)).
pub fn remove_dot_segments(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some(behind) = strip_any(rest, [b"../", b"./"]) {
        rest = behind;
    }
    while !rest.is_empty() {
        if matches!(rest, b"." | b"..") {
            break;
        } else if rest == b"/." || rest.starts_with(b"/./") {
            rest = rest
                .get(2..)
                .filter(|rest| !rest.is_empty())
                .unwrap_or(b"/");
        } else if rest == b"/.." || rest.starts_with(b"/../") {
            rest = rest
                .get(3..)
                .filter(|rest| !rest.is_empty())
                .unwrap_or(b"/");
            let parent = out.iter().rposition(|byte| *byte == b'/');
            out.truncate(parent.unwrap_or(0));
        } else {
            let slash = rest.iter().skip(1).position(|byte| *byte == b'/');
            let (segment, behind) = rest.split_at(slash.map_or(rest.len(), |at| at + 1));
            out.extend_from_slice(segment);
            rest = behind;
        }
    }
    out
}

/// The one spelling of equivalent paths: percent-encoding in upper case and only where it is needed, no dot segments,
/// at least `/` ([RFC 3986 §6.2.2](https://www.rfc-editor.org/rfc/rfc3986#section-6.2.2)).
pub fn spell_path(path: &[u8]) -> Vec<u8> {
    let path = remove_dot_segments(&spell(path, |byte| is_path_byte(byte) || byte == b'/'));
    if path.is_empty() {
        return vec![b'/'];
    }
    path
}

/// The one spelling of a path that was decoded: [`spell_path`], but each `%` is one that was meant.
pub fn spell_decoded_path(path: &[u8]) -> Vec<u8> {
    if !path.contains(&b'%') {
        return spell_path(path);
    }
    let parts: Vec<&[u8]> = path.split(|byte| *byte == b'%').collect();
    spell_path(&parts.join(b"%25".as_slice()))
}

/// The one spelling of equivalent queries: percent-encoding in upper case and only where it is needed.
pub fn spell_query(query: &[u8]) -> Vec<u8> {
    spell(query, |byte| is_path_byte(byte) || b"/?".contains(&byte))
}

/// Scheme and authority as two URIs of one origin have them: in lower case, without user information and without the
/// scheme's own port ([RFC 9110 §4.3.1](https://www.rfc-editor.org/rfc/rfc9110#section-4.3.1)).
pub fn spell_origin(scheme: &[u8], authority: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let scheme = scheme.to_ascii_lowercase();
    let host_start = authority.iter().rposition(|byte| *byte == b'@');
    let host = authority.get(host_start.map_or(0, |at| at + 1)..);
    let mut host = host.unwrap_or_default().to_ascii_lowercase();
    if let Some(colon) = host.iter().rposition(|byte| *byte == b':') {
        let (name, port) = host.split_at(colon);
        let port = port.get(1..).unwrap_or_default();
        // The colons of an IPv6 address stand in brackets.
        let is_name = name.ends_with(b"]") || !name.contains(&b':');
        if is_name && port.iter().all(u8::is_ascii_digit) {
            let zeros = port.iter().take_while(|digit| **digit == b'0').count();
            let port = port.get(zeros..).unwrap_or_default();
            let is_own = matches!(
                (scheme.as_slice(), port),
                (_, b"") | (b"http", b"80") | (b"https", b"443")
            );
            host = if is_own {
                name.to_vec()
            } else {
                [name, b":", port].concat()
            };
        }
    }
    (scheme, host)
}

fn spell(bytes: &[u8], may_stand: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match hex_pair(after) {
            Some(byte) if first == b'%' => {
                rest = after.get(2..).unwrap_or_default();
                if is_unreserved(byte) {
                    out.push(byte);
                } else {
                    push_encoded(byte, &mut out);
                }
            }
            _ if may_stand(first) => out.push(first),
            _ => push_encoded(first, &mut out),
        }
    }
    out
}

fn cut(bytes: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match bytes.iter().position(|byte| *byte == at) {
        Some(position) => {
            let (before, behind) = bytes.split_at(position);
            (before, behind.get(1..))
        }
        None => (bytes, None),
    }
}

fn strip_any<'a>(bytes: &'a [u8], prefixes: [&[u8]; 2]) -> Option<&'a [u8]> {
    prefixes
        .iter()
        .find_map(|prefix| bytes.strip_prefix(*prefix))
}

fn is_scheme(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(u8::is_ascii_alphabetic)
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn is_path_byte(byte: u8) -> bool {
    is_unreserved(byte) || b"!$&'()*+,;=:@".contains(&byte)
}

#[cfg(test)]
mod tests;
