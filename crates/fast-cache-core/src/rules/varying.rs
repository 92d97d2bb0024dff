//! For whom a response is good: `Vary` ([RFC 9111 §4.1](https://www.rfc-editor.org/rfc/rfc9111#section-4.1)).

use crate::fields::vary::Vary;
use crate::fields::{Line, values};
use crate::key::inputs::Inputs;
use crate::reason::Reason;
use smallvec::SmallVec;

/// The most header names that select among variants of one response.
pub const MAX_VARYING: usize = 16;

/// The header names that select among the variants of a response, sorted and in lower case, less those that its
/// primary key holds already.
///
/// A response with a content coding varies by `Accept-Encoding` even where it forgot to say so.
///
/// # Errors
///
/// [`Reason::VaryAny`] for `Vary: *`, [`Reason::VaryTooLong`] for more than [`MAX_VARYING`] names.
pub fn varying_names(
    lines: &[Line<'_>],
    inputs: &Inputs,
) -> Result<SmallVec<[Box<str>; 4]>, Reason> {
    let mut names: SmallVec<[Box<str>; 4]> = match Vary::parse(lines) {
        Vary::None => SmallVec::new(),
        Vary::Any => return Err(Reason::VaryAny),
        Vary::Names(names) => names.into_iter().collect(),
    };
    let coded = values(lines, "content-encoding")
        .any(|value| !value.trim_ascii().eq_ignore_ascii_case(b"identity"));
    if coded && !names.iter().any(|name| &**name == "accept-encoding") {
        names.push("accept-encoding".into());
        names.sort_unstable();
    }
    names.retain(|name| &**name != "host" && !inputs.headers.named.contains(name));
    if names.len() > MAX_VARYING {
        return Err(Reason::VaryTooLong);
    }
    Ok(names)
}
