//! A request as the core reads it.

use crate::cache::Shared;
use crate::kept::lines;
use fast_cache_core::exchange::matters;
use fast_cache_core::fields::Line;
use fast_cache_core::key::inputs::Inputs;
use fast_cache_core::request::{Method, Request};
use fast_cache_core::rules::request::Noted;
use http::uri::Scheme;
use http::{Extensions, HeaderMap, Uri};
use http_body::Body;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::cell::OnceCell;

/// The head of a request as it came, borrowed.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) method: &'a http::Method,
    /// As it is now: routers may have cut off a prefix.
    uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    extensions: &'a Extensions,
}

/// A request, borrowed.
pub(crate) struct Asked<'a> {
    method: &'a str,
    scheme: &'a str,
    /// Without its percent-encoding, once that was asked for.
    path: OnceCell<Cow<'a, str>>,
    pub(crate) uri: &'a Uri,
    pub(crate) lines: &'a [Line<'a>],
    noted: Noted<'a>,
}

/// The header lines of a request as the core reads them.
pub(crate) type Lines<'a> = SmallVec<[Line<'a>; 16]>;

/// The numbers of the caches through which a request has come. Inside, it waits for nobody who asks one of them: that may
/// be itself, or one that waits for it.
#[derive(Clone, Default)]
pub(crate) struct Passed(SmallVec<[u64; 1]>);

/// What of a request is remembered until its answer has come.
#[derive(Debug)]
pub(crate) struct Snapshot {
    method: http::Method,
    uri: Uri,
    scheme: Option<Scheme>,
    headers: HeaderMap,
}

impl<'a> Head<'a> {
    /// Of a request.
    pub(crate) fn of<A>(request: &'a http::Request<A>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }

    /// The URI as the client wrote it.
    pub(crate) fn uri(&self) -> &'a Uri {
        told_uri(self.extensions).unwrap_or(self.uri)
    }

    /// The template of the request's route, where the framework tells.
    pub(crate) fn told_template(&self) -> Option<&'a str> {
        told_template(self.extensions)
    }

    /// The header lines.
    pub(crate) fn lines(&self) -> Lines<'a> {
        lines(self.headers).collect()
    }

    /// Reads those header lines that can bear on a lookup by these inputs.
    #[inline]
    pub(crate) fn read_what_matters(&self, inputs: &Inputs, into: &mut Lines<'a>) {
        for line in lines(self.headers) {
            if matters(inputs, line.name) {
                into.push(line);
            }
        }
    }

    /// Whether it has come through this cache already, in a layer outside.
    pub(crate) fn has_passed(&self, cache: &Shared) -> bool {
        let passed = self.extensions.get();
        passed.is_some_and(|Passed(numbers)| numbers.contains(&cache.number))
    }

    /// What a server, or a layer, has left of the scheme that the client spoke.
    fn scheme(&self) -> Option<&'a Scheme> {
        self.extensions.get()
    }
}

fn told_template(extensions: &Extensions) -> Option<&str> {
    #[cfg(feature = "axum")]
    return crate::axum::template(extensions);
    #[cfg(not(feature = "axum"))]
    {
        let _ = extensions;
        None
    }
}

/// The URI of a request before routers cut off prefixes, where the framework tells.
fn told_uri(extensions: &Extensions) -> Option<&Uri> {
    #[cfg(feature = "axum")]
    return crate::axum::original_uri(extensions);
    #[cfg(not(feature = "axum"))]
    {
        let _ = extensions;
        None
    }
}

impl<'a> Asked<'a> {
    /// Of a request's head, of which these lines are to be read.
    #[inline]
    pub(crate) fn of(head: &Head<'a>, lines: &'a [Line<'a>]) -> Self {
        Self::new(head.method, head.uri(), head.scheme(), lines)
    }

    #[inline]
    fn new(
        method: &'a http::Method,
        uri: &'a Uri,
        scheme: Option<&'a Scheme>,
        lines: &'a [Line<'a>],
    ) -> Self {
        let mut noted = Noted::from_lines(lines);
        if let Some(authority) = uri.authority() {
            let authority = authority.as_str().as_bytes();
            let differs = |host: &[u8]| !host.eq_ignore_ascii_case(authority);
            // The key holds what the URI says, and a handler may read the other.
            noted.host_repeated |= noted.host.is_some_and(differs);
            noted.host = Some(authority);
        }
        if let (Some(named), Some(spoken)) = (uri.scheme(), scheme) {
            // Likewise.
            noted.host_repeated |= named != spoken;
        }
        Self {
            method: method.as_str(),
            scheme: uri
                .scheme()
                .or(scheme)
                .map_or("http", |scheme| scheme.as_str()),
            path: OnceCell::new(),
            uri,
            lines,
            noted,
        }
    }

    /// The method.
    pub(crate) fn method(&self) -> Method<'a> {
        Method::from_name(self.method)
    }

    /// Notes that the request has a body, whatever its header lines say.
    pub(crate) fn note_body(&mut self) {
        self.noted.body = true;
    }

    /// The request.
    #[inline]
    pub(crate) fn request(&self) -> Request<'_> {
        Request {
            method: self.method(),
            scheme: self.scheme.as_bytes(),
            path: self.path.get_or_init(|| decoded(self.uri.path())),
            raw_path: Some(self.uri.path().as_bytes()),
            root_path: "",
            query: self.uri.query().unwrap_or_default().as_bytes(),
            lines: self.lines,
        }
    }

    /// What its header lines say of it.
    pub(crate) fn noted(&self) -> &Noted<'a> {
        &self.noted
    }

    /// Whether it came by TLS; `None` where it came by neither of the schemes of HTTP.
    pub(crate) fn is_https(&self) -> Option<bool> {
        match self.scheme {
            "http" => Some(false),
            "https" => Some(true),
            _ => None,
        }
    }

    /// The host that it names.
    pub(crate) fn host(&self) -> Option<&'a [u8]> {
        self.noted.host
    }
}

impl Passed {
    /// Notes in the extensions of a request that it has come through this cache.
    pub(crate) fn note(extensions: &mut Extensions, cache: &Shared) {
        let Self(numbers) = extensions.get_or_insert_default();
        numbers.push(cache.number);
    }
}

impl Snapshot {
    /// Of a request's head.
    pub(crate) fn of(head: &Head<'_>) -> Self {
        Self {
            method: head.method.clone(),
            uri: head.uri().clone(),
            scheme: head.scheme().cloned(),
            headers: head.headers.clone(),
        }
    }

    /// The header lines.
    pub(crate) fn lines(&self) -> Lines<'_> {
        lines(&self.headers).collect()
    }

    /// The request, which has these lines.
    pub(crate) fn asked<'a>(&'a self, lines: &'a [Line<'a>]) -> Asked<'a> {
        Asked::new(&self.method, &self.uri, self.scheme.as_ref(), lines)
    }
}

/// Whether a request has a body. A body that does not tell has one.
pub(crate) fn has_body(body: &impl Body) -> bool {
    !body.is_end_stream() && body.size_hint().exact() != Some(0)
}

/// Text without its percent-encoding; what is no UTF-8 is replaced.
#[inline]
pub(crate) fn decoded(text: &str) -> Cow<'_, str> {
    if text.as_bytes().contains(&b'%') {
        Cow::Owned(decode(text))
    } else {
        Cow::Borrowed(text)
    }
}

fn decode(text: &str) -> String {
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
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{Asked, Head, decoded};
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
            let request = request.expect("a request");
            let head = Head::of(&request);
            let lines = head.lines();
            let asked = Asked::of(&head, &lines);
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
