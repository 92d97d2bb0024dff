//! When a stored response is answered with `304 Not Modified`
//! ([RFC 9110 §13.2.2](https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2)).

use crate::fields::{Line, validators, values};
use crate::stored::{Stored, StoredTag};

/// Whether the client's copy is the stored response. `If-None-Match` decides where it is present; otherwise
/// `If-Modified-Since` does, by when the response last changed or was made. Only a stored `200` is ever "not modified".
pub fn not_modified<R>(lines: &[Line<'_>], stored: &Stored<R>) -> bool {
    if stored.status != 200 {
        return false;
    }
    if lines.iter().any(|line| line.is("if-none-match")) {
        let generated;
        let tag = match &stored.etag {
            StoredTag::None => None,
            StoredTag::Given(tag) => Some(&**tag),
            StoredTag::Generated(hash) => {
                generated = validators::format_generated(*hash);
                Some(&generated[..])
            }
        };
        return validators::if_none_match(values(lines, "if-none-match"), tag);
    }
    // RFC 9111 §4.3.2: without a date of its last change, a response is as old as the moment at which it was made.
    let changed = stored.last_modified.unwrap_or_else(|| stored.made());
    validators::if_modified_since(values(lines, "if-modified-since"), changed, stored.received)
        .is_some_and(|modified| !modified)
}

/// Whether a header line of the stored response stands in its `304`
/// ([RFC 9110 §15.4.5](https://www.rfc-editor.org/rfc/rfc9110#section-15.4.5)): everything but what describes the
/// body that is not sent.
pub fn stands_in_not_modified(name: &[u8]) -> bool {
    !name
        .get(..8)
        .is_some_and(|start| start.eq_ignore_ascii_case(b"content-"))
        || name.eq_ignore_ascii_case(b"content-location")
        || name.eq_ignore_ascii_case(b"content-security-policy")
}
