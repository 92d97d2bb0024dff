//! Which of a response's directives count
//! ([RFC 9111 §5.2.2](https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2),
//! [RFC 9213](https://www.rfc-editor.org/rfc/rfc9213)).

use super::status::is_understood;
use crate::fields::Line;
use crate::fields::cache_control::ResponseDirectives;
use crate::policy::Policy;

/// The directives of a response that count for this cache.
#[derive(Clone, Debug)]
pub struct Governing {
    /// The directives.
    pub directives: ResponseDirectives,
    /// Whether they stand in `CDN-Cache-Control`, so that neither `Cache-Control` nor `Expires` counts.
    pub targeted: bool,
}

/// Reads the directives of a response with this status.
///
/// In HTTP mode, `must-understand` takes `no-store` away where the status is understood
/// ([RFC 9111 §5.2.2.3](https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2.3)); on routes with a lifetime of their
/// own `no-store` stands.
pub fn governing(status: u16, lines: &[Line<'_>], policy: &Policy) -> Governing {
    let targeted = if policy.options.cdn_cache_control {
        crate::fields::targeted::targeted(lines)
    } else {
        None
    };
    let is_targeted = targeted.is_some();
    let mut directives = targeted.unwrap_or_else(|| ResponseDirectives::parse(lines));
    if policy.is_http() && directives.must_understand && is_understood(status) {
        directives.no_store = false;
    }
    Governing {
        directives,
        targeted: is_targeted,
    }
}
