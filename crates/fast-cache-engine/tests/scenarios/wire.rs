//! What goes between the client and the host.

use crate::corpus::{Step, bytes, line};
use fast_cache_core::exchange::Outcome;
use fast_cache_core::fields::Line;
use fast_cache_core::request::{Method, Request};

/// A request as a server hands it over.
pub(crate) struct Wire {
    pub(crate) method: String,
    path: String,
    raw_path: Vec<u8>,
    query: Vec<u8>,
    scheme: String,
    root_path: String,
    lines: Vec<OwnedLine>,
}

/// The name and value of a header line.
pub(crate) type OwnedLine = (Vec<u8>, Vec<u8>);

/// What the client got.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) lines: Vec<OwnedLine>,
    pub(crate) body: Vec<u8>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) cache_status: Vec<u8>,
    /// A server's answer where the endpoint raised.
    pub(crate) is_exception: bool,
}

impl Wire {
    /// The request of a step. `etag` is the last entity tag that the client saw.
    pub(crate) fn of(step: &Step, etag: &str) -> Self {
        let (method, target) = step
            .request
            .as_deref()
            .and_then(|request| request.split_once(' '))
            .expect("a method and a target");
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut lines: Vec<_> = step
            .headers
            .iter()
            .map(|text| line(&text.replace("$etag", etag)))
            .collect();
        let has = |wanted: &[u8], lines: &[OwnedLine]| {
            lines
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case(wanted))
        };
        if !has(b"host", &lines) {
            lines.insert(0, (b"host".to_vec(), b"testserver".to_vec()));
        }
        if !step.sends.is_empty() && !has(b"content-length", &lines) {
            let length = step.sends.len().to_string().into_bytes();
            lines.push((b"content-length".to_vec(), length));
        }
        Self {
            method: method.to_owned(),
            path: decode(path),
            raw_path: bytes(path),
            query: bytes(query),
            scheme: step.scheme.clone().unwrap_or_else(|| "http".into()),
            root_path: step.root_path.clone(),
            lines,
        }
    }

    /// The header lines, borrowed.
    pub(crate) fn lines(&self) -> Vec<Line<'_>> {
        self.lines
            .iter()
            .map(|(name, value)| Line::new(name, value))
            .collect()
    }

    /// The request as the core sees it.
    pub(crate) fn request<'a>(&'a self, lines: &'a [Line<'a>]) -> Request<'a> {
        Request {
            method: Method::from_name(&self.method),
            scheme: self.scheme.as_bytes(),
            path: &self.path,
            raw_path: Some(&self.raw_path),
            root_path: &self.root_path,
            query: &self.query,
            lines,
        }
    }
}

impl Answer {
    /// An answer that no endpoint had a part in.
    pub(crate) fn of_framework(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// The answer of a server whose application raised.
    pub(crate) fn of_exception() -> Self {
        Self {
            status: 500,
            body: b"Internal Server Error".to_vec(),
            is_exception: true,
            ..Self::default()
        }
    }

    /// All values of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<Vec<u8>> {
        let own = (name.eq_ignore_ascii_case("cache-status") && !self.cache_status.is_empty())
            .then(|| self.cache_status.clone());
        self.lines
            .iter()
            .filter(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value.clone())
            .chain(own)
            .collect()
    }
}

/// A path without its percent-encoding; what is no UTF-8 is replaced.
fn decode(path: &str) -> String {
    let mut decoded = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let byte = (first == b'%')
            .then(|| std::str::from_utf8(after.get(..2)?).ok())
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        rest = if byte.is_some() { &after[2..] } else { after };
        decoded.push(byte.unwrap_or(first));
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
