//! What a write makes invalid ([RFC 9111 §4.4](https://www.rfc-editor.org/rfc/rfc9111#section-4.4)), and which groups
//! of responses it says have changed ([RFC 9875 §3](https://www.rfc-editor.org/rfc/rfc9875#section-3)).
//!
//! Both sides meet in labels: an entry carries those that [`carried`] gives, and a write drops those that
//! [`invalidated`] gives.

use crate::fields::groups::{cache_groups, invalidated_groups};
use crate::fields::no_vary_search::SearchVariance;
use crate::fields::uri::{Reference, spell_decoded_path, spell_origin, spell_path, spell_query};
use crate::fields::{Line, list};
use crate::purge::Label;
use crate::reason::Reason;
use crate::request::{Method, Request};
use smallvec::SmallVec;

/// Whether a request with this method may change what it is sent to
/// ([RFC 9110 §9.2.1](https://www.rfc-editor.org/rfc/rfc9110#section-9.2.1)). Methods that are not known to be safe are
/// not.
pub fn is_unsafe(method: Method<'_>) -> bool {
    !matches!(
        method.name(),
        "GET" | "HEAD" | "OPTIONS" | "TRACE" | "QUERY"
    )
}

/// The URI that a request is about, spelled so that equivalent URIs are the same.
///
/// ```
/// use fast_cache_core::request::{Method, Request};
/// use fast_cache_core::rules::invalidation::Target;
///
/// let request = |raw_path| Request {
///     method: Method::Get,
///     scheme: b"http",
///     path: "/~user",
///     raw_path,
///     root_path: "",
///     query: b"a=1",
///     lines: &[],
/// };
/// let one = Target::of(&request(Some(b"/%7euser")), Some(b"Example.com:80"));
/// let other = Target::of(&request(None), Some(b"example.com"));
/// assert_eq!(one.label(), other.label());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    scheme: Vec<u8>,
    authority: Vec<u8>,
    path: Vec<u8>,
    query: Vec<u8>,
}

impl Target {
    /// The target of `request`, which named `host`. Any bytes have a target.
    ///
    /// The path is the one on the wire; where the host knows only the decoded one, it is encoded again. No query and an
    /// empty one are the same, as hosts do not tell them apart.
    pub fn of(request: &Request<'_>, host: Option<&[u8]>) -> Self {
        let host = host.unwrap_or_default();
        let raw_path = request.raw_path.filter(|raw| !raw.is_empty());
        // Some servers leave the absolute form of a request target as it is.
        if let Some(raw) = raw_path.filter(|raw| !raw.starts_with(b"/")) {
            let absolute = Reference::parse(raw);
            if let (Some(scheme), Some(authority)) = (absolute.scheme, absolute.authority) {
                return Self::new(scheme, authority, spell_path(&absolute.path), request.query);
            }
        }
        let path = raw_path.map_or_else(
            || spell_decoded_path(request.path.as_bytes()),
            // Others hand the query over with the path.
            |raw| spell_path(raw.split(|byte| *byte == b'?').next().unwrap_or_default()),
        );
        Self::new(request.scheme, host, path, request.query)
    }

    /// The label of this very URI.
    pub fn label(&self) -> Label {
        Label::target(&self.scheme, &self.authority, &self.path, &self.query)
    }

    /// The label of this URI and of those that differ from it in the query alone. What answers several of them carries
    /// it.
    pub fn path_label(&self) -> Label {
        Label::target_path(&self.scheme, &self.authority, &self.path)
    }

    /// The label of a group of responses of this URI's origin.
    pub fn group_label(&self, name: &str) -> Label {
        Label::group(&self.scheme, &self.authority, name)
    }

    /// The URI that a response about this one names in a field; `None` where it belongs to another origin.
    fn named(&self, value: &[u8]) -> Option<Self> {
        let base = Reference {
            scheme: Some(&self.scheme),
            authority: Some(&self.authority),
            path: self.path.as_slice().into(),
            query: Some(&self.query),
        };
        let named = Reference::parse(list::trim(value)).resolve(&base);
        let named = Self::new(
            named.scheme?,
            named.authority?,
            spell_path(&named.path),
            named.query.unwrap_or_default(),
        );
        (named.scheme == self.scheme && named.authority == self.authority).then_some(named)
    }

    fn new(scheme: &[u8], authority: &[u8], path: Vec<u8>, query: &[u8]) -> Self {
        let (scheme, authority) = spell_origin(scheme, authority);
        Self {
            scheme,
            authority,
            path,
            query: spell_query(query),
        }
    }
}

/// The labels by which writes can drop the response to a request for `target`: its URI, its path where it answers
/// other queries as well, and its groups.
///
/// # Errors
///
/// [`Reason::Tags`] where its groups are too many or too long: it is not kept.
pub fn carried(
    target: &Target,
    variance: &SearchVariance,
    lines: &[Line<'_>],
) -> Result<SmallVec<[Label; 4]>, Reason> {
    let mut labels = SmallVec::new();
    labels.push(target.label());
    if !variance.is_default() {
        labels.push(target.path_label());
    }
    let groups = cache_groups(lines)?;
    labels.extend(groups.iter().map(|name| target.group_label(name)));
    Ok(labels)
}

/// The labels that the response to a request for `target` drops: none for safe methods and for errors, else the target
/// itself, what `Location` and `Content-Location` name, and the groups in `Cache-Group-Invalidation`, all of the
/// target's origin.
///
/// A URI is dropped with what answers its path whatever the query, since that answers the URI too.
pub fn invalidated(
    target: &Target,
    method: Method<'_>,
    status: u16,
    lines: &[Line<'_>],
) -> SmallVec<[Label; 6]> {
    let mut labels = SmallVec::new();
    if !is_unsafe(method) || !(200..400).contains(&status) {
        return labels;
    }
    add_uri(&mut labels, target);
    for line in lines {
        if (line.is("location") || line.is("content-location"))
            && let Some(named) = target.named(line.value)
        {
            add_uri(&mut labels, &named);
        }
    }
    let groups = invalidated_groups(lines);
    labels.extend(groups.iter().map(|name| target.group_label(name)));
    labels
}

fn add_uri(labels: &mut SmallVec<[Label; 6]>, uri: &Target) {
    for label in [uri.label(), uri.path_label()] {
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
}

#[cfg(test)]
mod tests;
