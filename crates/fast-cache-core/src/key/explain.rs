//! The parts of a key in words, for people who ask why two requests did or did not share an answer.

use super::build::cookie_values;
use super::inputs::{Inputs, freely_varied, is_plain};
use super::secret::Secret;
use crate::fields::{urlencoded, values};
use crate::request::Request;

/// The parts of the key of `request`, as name and value. Values that may be credentials are concealed.
pub fn explain_key(
    inputs: &Inputs,
    secret: &Secret,
    request: &Request<'_>,
    host: Option<&[u8]>,
) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut parts = vec![
        ("scheme".to_owned(), text(request.scheme)),
        (
            "host".to_owned(),
            text(host.unwrap_or_default()).to_ascii_lowercase(),
        ),
        ("root_path".to_owned(), request.root_path.to_owned()),
        ("path".to_owned(), request.path.to_owned()),
    ];
    if let Some(raw) = request.raw_path {
        parts.push(("raw_path".to_owned(), text(raw)));
    }
    explain_query(inputs, secret, request, &mut parts);
    for name in &inputs.headers.named {
        for value in values(request.lines, name) {
            let shown = if is_plain(name) {
                text(value)
            } else {
                concealed(secret, value)
            };
            parts.push((format!("header:{name}"), shown));
        }
    }
    if inputs.headers.others {
        for line in request.lines {
            let listed = |names: &[Box<str>]| names.iter().any(|name| line.is(name));
            if !(freely_varied(line.name)
                || listed(&inputs.headers.named)
                || listed(&inputs.headers.except))
            {
                parts.push((
                    format!("header:{}", text(line.name).to_ascii_lowercase()),
                    concealed(secret, line.value),
                ));
            }
        }
    }
    for name in &inputs.cookies.named {
        for value in cookie_values(request.lines, name) {
            parts.push((format!("cookie:{name}"), concealed(secret, value)));
        }
    }
    parts
}

/// The same for a key that the route's author made: it may hold anything, and so is concealed.
pub fn explain_custom_key(secret: &Secret, text: &str) -> Vec<(String, String)> {
    vec![("custom".to_owned(), concealed(secret, text.as_bytes()))]
}

fn explain_query(
    inputs: &Inputs,
    secret: &Secret,
    request: &Request<'_>,
    parts: &mut Vec<(String, String)>,
) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let whole = inputs.query.only.is_none()
        && inputs.query.ignore.is_empty()
        && inputs.query.secret.is_empty();
    if whole {
        parts.push(("query".to_owned(), text(request.query)));
        return;
    }
    for pair in request
        .query
        .split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
    {
        let at = pair.iter().position(|byte| *byte == b'=');
        let name = urlencoded::decode(&pair[..at.unwrap_or(pair.len())]);
        let value = at.map_or(&b""[..], |at| &pair[at + 1..]);
        let named = |list: &[Box<str>]| list.iter().any(|listed| listed.as_bytes() == &*name);
        if !inputs.query.only.as_deref().is_none_or(named)
            || inputs
                .query
                .ignore
                .iter()
                .any(|pattern| super::inputs::glob(pattern.as_bytes(), &name))
        {
            continue;
        }
        let shown = if named(&inputs.query.secret) {
            concealed(secret, value)
        } else {
            text(value)
        };
        parts.push((format!("query:{}", text(&name)), shown));
    }
}

fn concealed(secret: &Secret, value: &[u8]) -> String {
    let hash = secret.conceal(value);
    let mut shown = String::from("hashed:");
    for byte in &hash[..6] {
        use std::fmt::Write as _;
        let _ = write!(shown, "{byte:02x}");
    }
    shown
}
