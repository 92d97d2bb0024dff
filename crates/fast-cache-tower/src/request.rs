//! A request as the core reads it.

use crate::kept::lines;
use fast_cache_core::fields::Line;
use fast_cache_core::request::{Method, Request};
use fast_cache_core::rules::request::Noted;
use http::request::Parts;
use http::uri::Scheme;
use http::{HeaderMap, Uri};
use http_body::Body;
use smallvec::SmallVec;
use std::borrow::Cow;

/// A request, borrowed.
pub(crate) struct Asked<'a> {
    method: &'a str,
    scheme: &'a str,
    path: Cow<'a, str>,
    uri: &'a Uri,
    pub(crate) lines: SmallVec<[Line<'a>; 16]>,
    noted: Noted<'a>,
}

/// What of a request is remembered until its answer has come.
#[derive(Debug)]
pub(crate) struct Snapshot {
    method: http::Method,
    uri: Uri,
    scheme: Option<Scheme>,
    headers: HeaderMap,
}

impl<'a> Asked<'a> {
    /// Of a request's head. `uri` is its URI as the client wrote it.
    pub(crate) fn of(parts: &'a Parts, uri: &'a Uri) -> Self {
        Self::new(&parts.method, uri, scheme_of(parts), &parts.headers)
    }

    fn new(
        method: &'a http::Method,
        uri: &'a Uri,
        scheme: Option<&'a Scheme>,
        headers: &'a HeaderMap,
    ) -> Self {
        let lines: SmallVec<[Line<'a>; 16]> = lines(headers).collect();
        let mut noted = Noted::from_lines(&lines);
        if let Some(authority) = uri.authority() {
            let authority = authority.as_str().as_bytes();
            let differs = |host: &[u8]| !host.eq_ignore_ascii_case(authority);
            // The key holds what the URI says, and a handler may read the other.
            noted.host_repeated |= noted.host.is_some_and(differs);
            noted.host = Some(authority);
        }
        Self {
            method: method.as_str(),
            scheme: uri
                .scheme()
                .or(scheme)
                .map_or("http", |scheme| scheme.as_str()),
            path: decoded(uri.path()),
            uri,
            lines,
            noted,
        }
    }

    /// Notes that the request has a body, whatever its header lines say.
    pub(crate) fn note_body(&mut self) {
        self.noted.body = true;
    }

    /// The request.
    pub(crate) fn request(&self) -> Request<'_> {
        Request {
            method: Method::from_name(self.method),
            scheme: self.scheme.as_bytes(),
            path: &self.path,
            raw_path: Some(self.uri.path().as_bytes()),
            root_path: "",
            query: self.uri.query().unwrap_or_default().as_bytes(),
            lines: &self.lines,
        }
    }

    /// What its header lines say of it.
    pub(crate) fn noted(&self) -> &Noted<'a> {
        &self.noted
    }

    /// The host that it names.
    pub(crate) fn host(&self) -> Option<&'a [u8]> {
        self.noted.host
    }
}

impl Snapshot {
    /// Of a request's head.
    pub(crate) fn of(parts: &Parts, uri: &Uri) -> Self {
        Self {
            method: parts.method.clone(),
            uri: uri.clone(),
            scheme: scheme_of(parts).cloned(),
            headers: parts.headers.clone(),
        }
    }

    /// The request.
    pub(crate) fn asked(&self) -> Asked<'_> {
        Asked::new(&self.method, &self.uri, self.scheme.as_ref(), &self.headers)
    }
}

/// Whether a request has a body. A body that does not tell has one.
pub(crate) fn has_body(body: &impl Body) -> bool {
    !body.is_end_stream() && body.size_hint().exact() != Some(0)
}

/// What a server, or a layer, has left of the scheme that the client spoke.
fn scheme_of(parts: &Parts) -> Option<&Scheme> {
    parts.extensions.get()
}

/// Text without its percent-encoding; what is no UTF-8 is replaced.
pub(crate) fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let byte = (first == b'%')
            .then(|| std::str::from_utf8(after.get(..2)?).ok())
            .flatten()
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        rest = if byte.is_some() { &after[2..] } else { after };
        bytes.push(byte.unwrap_or(first));
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::{Asked, decoded};
    use http::Request;

    #[test]
    fn only_hexadecimal_digits_are_decoded() {
        for (text, expected) in [
            ("/a", "/a"),
            ("/%61%2Fb", "/a/b"),
            ("/%+1", "/%+1"),
            ("/%4", "/%4"),
            ("/%ff", "/\u{fffd}"),
        ] {
            assert_eq!(decoded(text), expected);
        }
    }

    #[test]
    fn the_authority_of_the_uri_is_the_host() {
        let host = |uri: &str, host: &str| {
            let request = Request::builder().uri(uri).header("host", host).body(());
            let (parts, ()) = request.expect("a request").into_parts();
            let asked = Asked::of(&parts, &parts.uri);
            (
                asked.host().map(<[u8]>::to_vec),
                asked.noted().host_repeated,
            )
        };
        assert_eq!(host("/x", "a"), (Some(b"a".to_vec()), false));
        assert_eq!(host("http://a/x", "A"), (Some(b"a".to_vec()), false));
        assert_eq!(host("http://a/x", "b"), (Some(b"a".to_vec()), true));
    }
}
