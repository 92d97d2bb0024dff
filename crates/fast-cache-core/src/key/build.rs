//! The key of a request.

use super::encode::{push_number, push_part};
use super::inputs::{CookieInputs, Inputs, QueryInputs, freely_varied, glob, is_plain};
use super::{Identity, KeyRef, Secret};
use crate::fields::{Line, urlencoded, values};
use crate::request::Request;

const PRIMARY: u8 = 0;
const CUSTOM: u8 = 2;

/// Builds the key of `request` for a route, in `buffer`, which is cleared first.
///
/// It holds the route's identity, scheme, `Host`, `root_path`, the path both decoded and as it stood on the wire, and
/// the query parameters, headers and cookies among `inputs`. Values of headers and cookies are concealed.
pub fn build_key<'b>(
    identity: &Identity,
    inputs: &Inputs,
    secret: &Secret,
    request: &Request<'_>,
    host: Option<&[u8]>,
    buffer: &'b mut Vec<u8>,
) -> KeyRef<'b> {
    buffer.clear();
    let host_length = host.map_or(0, <[u8]>::len);
    buffer.reserve(128 + host_length + request.path.len() + request.query.len());
    buffer.push(PRIMARY);
    buffer.extend_from_slice(identity.bytes());
    push_scheme(buffer, request.scheme);
    push_host(buffer, host);
    push_part(buffer, request.root_path.as_bytes());
    push_part(buffer, request.path.as_bytes());
    match request.raw_path {
        Some(raw) if raw == request.path.as_bytes() => buffer.push(0),
        Some(raw) => {
            buffer.push(1);
            push_part(buffer, raw);
        }
        None => buffer.push(2),
    }
    push_query(buffer, &inputs.query, secret, request.query);
    push_headers_and_cookies(buffer, inputs, secret, request.lines);
    KeyRef {
        digest: secret.digest(buffer),
        bytes: buffer,
    }
}

/// Builds the key that the route's author made: the route's identity and the author's own text.
pub fn custom_key<'b>(
    identity: &Identity,
    secret: &Secret,
    text: &str,
    buffer: &'b mut Vec<u8>,
) -> KeyRef<'b> {
    authored_key(identity, &Inputs::default(), secret, text, b"", &[], buffer)
}

/// Builds the key of which the application's author made the part that stands for scheme, host, path and query. The
/// headers, cookies and credentials in the query among `inputs` join it all the same, so that an author who thought of a path forgets no
/// credential. The text may hold anything, so it is concealed as headers are.
pub fn authored_key<'b>(
    identity: &Identity,
    inputs: &Inputs,
    secret: &Secret,
    text: &str,
    query: &[u8],
    lines: &[Line<'_>],
    buffer: &'b mut Vec<u8>,
) -> KeyRef<'b> {
    buffer.clear();
    buffer.push(CUSTOM);
    buffer.extend_from_slice(identity.bytes());
    buffer.extend_from_slice(&secret.conceal(text.as_bytes()));
    if !inputs.query.secret.is_empty() {
        let credentials = QueryInputs {
            only: Some(inputs.query.secret.clone()),
            ignore: Box::default(),
            secret: inputs.query.secret.clone(),
        };
        push_query(buffer, &credentials, secret, query);
    }
    push_headers_and_cookies(buffer, inputs, secret, lines);
    KeyRef {
        digest: secret.digest(buffer),
        bytes: buffer,
    }
}

fn push_scheme(out: &mut Vec<u8>, scheme: &[u8]) {
    match scheme {
        b"http" => out.push(0),
        b"https" => out.push(1),
        other => {
            out.push(2);
            push_part(out, other);
        }
    }
}

fn push_host(out: &mut Vec<u8>, host: Option<&[u8]>) {
    let Some(host) = host else {
        out.push(0);
        return;
    };
    push_number(out, host.len() as u64 + 1);
    let start = out.len();
    out.extend_from_slice(host);
    // Host names are compared without regard to case (RFC 9110 §4.2.3).
    out[start..].make_ascii_lowercase();
}

fn push_query(out: &mut Vec<u8>, inputs: &QueryInputs, secret: &Secret, query: &[u8]) {
    if inputs.is_whole() {
        push_part(out, query);
        return;
    }
    for pair in query
        .split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
    {
        let (raw_name, value) = split_pair(pair);
        let name = urlencoded::decode(raw_name);
        // Frameworks differ in how they read bytes that should have been encoded: such a name may be any.
        let unclear = !raw_name.is_ascii() || std::str::from_utf8(&name).is_err();
        let named =
            |list: &[Box<str>]| unclear || list.iter().any(|listed| listed.as_bytes() == &*name);
        let ignored = || {
            let mut patterns = inputs.ignore.iter();
            patterns.any(|pattern| glob(pattern.as_bytes(), &name))
        };
        // A credential is never left out.
        let is_secret = !inputs.secret.is_empty() && named(&inputs.secret);
        let left_out = !inputs.only.as_deref().is_none_or(named) || !unclear && ignored();
        if left_out && !is_secret {
            continue;
        }
        if is_secret {
            out.push(if value.is_some() { 2 } else { 3 });
            push_part(out, raw_name);
            out.extend_from_slice(&secret.conceal(value.unwrap_or_default()));
        } else {
            out.push(1);
            push_part(out, pair);
        }
    }
    out.push(0);
}

fn split_pair(pair: &[u8]) -> (&[u8], Option<&[u8]>) {
    match pair.iter().position(|byte| *byte == b'=') {
        Some(at) => (&pair[..at], Some(&pair[at + 1..])),
        None => (pair, None),
    }
}

fn push_headers_and_cookies(
    out: &mut Vec<u8>,
    inputs: &Inputs,
    secret: &Secret,
    lines: &[Line<'_>],
) {
    for name in &inputs.headers.named {
        push_header(out, name, secret, lines);
    }
    if inputs.headers.others {
        push_other_headers(out, inputs, secret, lines);
    }
    for name in &inputs.cookies.named {
        push_cookie(out, name, secret, lines);
    }
}

pub(super) fn push_header(out: &mut Vec<u8>, name: &str, secret: &Secret, lines: &[Line<'_>]) {
    let count = lines.iter().filter(|line| line.is(name)).count();
    push_number(out, count as u64);
    if count == 0 {
        return;
    }
    if is_plain(name) {
        for value in values(lines, name) {
            push_part(out, value.trim_ascii());
        }
    } else {
        let mut parts = Vec::with_capacity(128);
        for value in values(lines, name) {
            push_part(&mut parts, value);
        }
        out.extend_from_slice(&secret.conceal(&parts));
    }
}

/// One hash over all header lines that are neither named nor varied freely.
fn push_other_headers(out: &mut Vec<u8>, inputs: &Inputs, secret: &Secret, lines: &[Line<'_>]) {
    let mut parts = Vec::new();
    for line in lines {
        let listed = |names: &[Box<str>]| names.iter().any(|name| line.is(name));
        if freely_varied(line.name)
            || listed(&inputs.headers.named)
            || listed(&inputs.headers.except)
        {
            continue;
        }
        push_number(&mut parts, line.name.len() as u64);
        parts.extend(line.name.iter().map(u8::to_ascii_lowercase));
        push_part(&mut parts, line.value);
    }
    if parts.is_empty() {
        out.push(0);
    } else {
        out.push(1);
        out.extend_from_slice(&secret.conceal(&parts));
    }
}

fn push_cookie(out: &mut Vec<u8>, name: &str, secret: &Secret, lines: &[Line<'_>]) {
    let mut parts = Vec::new();
    let mut count = 0;
    for value in cookie_values(lines, name) {
        count += 1;
        push_part(&mut parts, value);
    }
    push_number(out, count);
    if count > 0 {
        out.extend_from_slice(&secret.conceal(&parts));
    }
}

/// The values of every cookie of this name, over all `Cookie` lines, in order.
pub(super) fn cookie_values<'a>(
    lines: &'a [Line<'a>],
    name: &'a str,
) -> impl Iterator<Item = &'a [u8]> {
    values(lines, "cookie")
        .flat_map(|value| value.split(|byte| *byte == b';'))
        .filter_map(move |pair| {
            let (found, value) = split_pair(pair);
            // A cookie without "=" has an empty name and is all value.
            let (found, value) = value.map_or((&b""[..], found), |value| (found, value));
            (trim_blank(found) == name.as_bytes()).then(|| trim_blank(value))
        })
}

/// Trims every byte that Python takes for white space in Latin-1 text, as frameworks do before they compare.
fn trim_blank(mut bytes: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, 0x09..=0x0d | 0x1c..=0x20 | 0x85 | 0xa0);
    while let [first, rest @ ..] = bytes
        && blank(first)
    {
        bytes = rest;
    }
    while let [rest @ .., last] = bytes
        && blank(last)
    {
        bytes = rest;
    }
    bytes
}

/// The pairs of one `Cookie` line that a key holds; `None` where there are none.
pub fn visible_cookies(line: &[u8], inputs: &CookieInputs) -> Option<Vec<u8>> {
    let named = |pair: &&[u8]| {
        let (name, value) = split_pair(pair);
        let name = if value.is_some() {
            trim_blank(name)
        } else {
            b""
        };
        inputs.named.iter().any(|known| known.as_bytes() == name)
    };
    let pairs: Vec<&[u8]> = line
        .split(|byte| *byte == b';')
        .filter(named)
        .map(trim_blank)
        .collect();
    (!pairs.is_empty()).then(|| pairs.join(&b"; "[..]))
}

#[cfg(test)]
mod tests {
    use super::{authored_key, custom_key};
    use crate::fields::Line;
    use crate::key::inputs::{CookieInputs, HeaderInputs, Inputs};
    use crate::key::{Identity, Key, Secret};

    #[test]
    fn an_authored_key_holds_the_headers_and_cookies_of_its_route_and_no_clear_text() {
        let inputs = Inputs {
            headers: HeaderInputs {
                named: ["authorization".into()].into(),
                ..HeaderInputs::default()
            },
            cookies: CookieInputs {
                named: ["tenant".into()].into(),
            },
            ..Inputs::default()
        };
        let identity = Identity::of_route("", "GET", "", "/me", &inputs);
        let secret = Secret::from_bytes(&[7; 48]);
        let key = |text: &str, header: &[u8], cookie: &[u8]| -> Key {
            let lines = [
                Line::new(b"Authorization", header),
                Line::new(b"Cookie", cookie),
            ];
            let mut buffer = Vec::new();
            authored_key(&identity, &inputs, &secret, text, b"", &lines, &mut buffer).to_owned()
        };
        let ann = key("v1:secret-text", b"Bearer ann", b"tenant=a");
        assert_eq!(
            ann,
            key("v1:secret-text", b"Bearer ann", b"other=1; tenant=a")
        );
        assert_ne!(ann, key("v1:secret-text", b"Bearer bob", b"tenant=a"));
        assert_ne!(ann, key("v1:secret-text", b"Bearer ann", b"tenant=b"));
        assert_ne!(ann, key("v2:secret-text", b"Bearer ann", b"tenant=a"));
        let bytes = ann.into_bytes();
        for told in [&b"secret-text"[..], b"Bearer", b"tenant=a"] {
            assert!(!bytes.windows(told.len()).any(|window| window == told));
        }
        let mut buffer = Vec::new();
        let text = custom_key(&identity, &secret, "secret-text", &mut buffer).bytes;
        assert!(!text.windows(11).any(|window| window == b"secret-text"));
    }
}
