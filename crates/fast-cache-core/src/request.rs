//! The request as the core sees it: borrowed, and nothing but what a decision may rest on.

use crate::fields::Line;

/// A request method, as far as caching cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method<'a> {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// Any other method, by name; names are case-sensitive.
    Other(&'a str),
}

impl<'a> Method<'a> {
    /// The method with this name.
    pub fn from_name(name: &'a str) -> Self {
        match name {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            other => Self::Other(other),
        }
    }

    /// The method's name.
    pub const fn name(self) -> &'a str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Other(name) => name,
        }
    }
}

/// A borrowed request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: Method<'a>,
    /// The scheme, `http` or `https`.
    pub scheme: &'a [u8],
    /// The decoded path, `root_path` included.
    pub path: &'a str,
    /// The path as it stood on the wire, where the host knows it.
    pub raw_path: Option<&'a [u8]>,
    /// The prefix under which the application is served, which routes do not name.
    pub root_path: &'a str,
    /// The query without its `?`, as it stood on the wire.
    pub query: &'a [u8],
    /// All header lines, in order.
    pub lines: &'a [Line<'a>],
}

impl<'a> Request<'a> {
    /// The path as routes see it: without `root_path`, where it lies below that.
    pub fn route_path(&self) -> &'a str {
        route_path(self.path, self.root_path)
    }
}

/// `path` below `root_path`, cut at a segment boundary; `path` itself where it does not lie below.
pub fn route_path<'a>(path: &'a str, root_path: &str) -> &'a str {
    if root_path.is_empty() {
        return path;
    }
    match path.strip_prefix(root_path) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => rest,
        _ => path,
    }
}
