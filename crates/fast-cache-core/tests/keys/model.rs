//! Requests, and what an endpoint can tell of them, said without any encoding.

use fast_cache_core::fields::Line;
use fast_cache_core::key::inputs::{
    CookieInputs, HeaderInputs, Inputs, QueryInputs, freely_varied,
};
use fast_cache_core::key::{Identity, Secret, build_key};
use fast_cache_core::request::{Method, Request};
use proptest::prelude::*;
use proptest::sample::select;

/// A request that owns its parts.
#[derive(Clone, Debug)]
pub(crate) struct Owned {
    pub(crate) scheme: &'static str,
    pub(crate) host: Option<Vec<u8>>,
    pub(crate) root_path: String,
    pub(crate) path: String,
    pub(crate) raw_path: Option<Vec<u8>>,
    pub(crate) query: Vec<u8>,
    pub(crate) lines: Vec<(&'static str, Vec<u8>)>,
}

impl Owned {
    /// A request with nothing in it.
    pub(crate) fn plain() -> Self {
        Self {
            scheme: "http",
            host: None,
            root_path: String::new(),
            path: "/".into(),
            raw_path: None,
            query: Vec::new(),
            lines: Vec::new(),
        }
    }

    pub(crate) fn lines(&self) -> Vec<Line<'_>> {
        self.lines
            .iter()
            .map(|(name, value)| Line::new(name.as_bytes(), value))
            .collect()
    }

    pub(crate) fn key(&self, inputs: &Inputs) -> Vec<u8> {
        let lines = self.lines();
        let request = Request {
            method: Method::Get,
            scheme: self.scheme.as_bytes(),
            path: &self.path,
            raw_path: self.raw_path.as_deref(),
            root_path: &self.root_path,
            query: &self.query,
            lines: &lines,
        };
        let mut buffer = b"left over from before".to_vec();
        build_key(
            &identity("/a"),
            inputs,
            &secret(),
            &request,
            self.host.as_deref(),
            &mut buffer,
        );
        buffer
    }

    /// The values of a header, as often as it stands.
    fn values(&self, wanted: &str) -> Vec<Vec<u8>> {
        self.lines
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value.clone())
            .collect()
    }
}

/// What an endpoint with these inputs can tell of a request, said in plain values.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Visible {
    pub(crate) scheme: &'static str,
    pub(crate) host: Option<Vec<u8>>,
    pub(crate) paths: (String, String, Option<Vec<u8>>),
    pub(crate) query: Vec<Vec<u8>>,
    pub(crate) named: Vec<Vec<Vec<u8>>>,
    pub(crate) others: Vec<(String, Vec<u8>)>,
    pub(crate) cookies: Vec<Vec<Vec<u8>>>,
}

pub(crate) fn visible(request: &Owned, inputs: &Inputs) -> Visible {
    let trimmed = |name: &str, values: Vec<Vec<u8>>| match name {
        "accept" | "origin" => values
            .into_iter()
            .map(|value| value.trim_ascii().to_vec())
            .collect(),
        _ => values,
    };
    let named = inputs.headers.named.iter();
    let cookies = inputs.cookies.named.iter();
    let other = |name: &str| {
        let listed =
            |names: &[Box<str>]| names.iter().any(|known| name.eq_ignore_ascii_case(known));
        inputs.headers.others
            && !freely_varied(name.as_bytes())
            && !listed(&inputs.headers.named)
            && !listed(&inputs.headers.except)
    };
    Visible {
        scheme: request.scheme,
        host: request.host.as_ref().map(|host| host.to_ascii_lowercase()),
        paths: (
            request.root_path.clone(),
            request.path.clone(),
            request.raw_path.clone(),
        ),
        query: visible_query(request, &inputs.query),
        named: named
            .map(|name| trimmed(name, request.values(name)))
            .collect(),
        others: request
            .lines
            .iter()
            .filter(|(name, _)| other(name))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
            .collect(),
        cookies: cookies
            .map(|name| cookies_named(&request.values("cookie"), name))
            .collect(),
    }
}

fn visible_query(request: &Owned, inputs: &QueryInputs) -> Vec<Vec<u8>> {
    let is = |names: &[Box<str>], name: &[u8]| names.iter().any(|known| known.as_bytes() == name);
    // A credential is never left out.
    let is_secret = |name: &[u8]| is(&inputs.secret, name);
    let Some(only) = &inputs.only else {
        if inputs.ignore.is_empty() && inputs.secret.is_empty() {
            return vec![request.query.clone()];
        }
        return pairs(&request.query, |name| {
            !is(&inputs.ignore, name) || is_secret(name)
        });
    };
    pairs(&request.query, |name| is(only, name) || is_secret(name))
}

fn pairs(query: &[u8], joins: impl Fn(&[u8]) -> bool) -> Vec<Vec<u8>> {
    query
        .split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .filter(|pair| joins(pair.split(|byte| *byte == b'=').next().unwrap_or_default()))
        .map(<[u8]>::to_vec)
        .collect()
}

fn cookies_named(lines: &[Vec<u8>], wanted: &str) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for line in lines {
        for pair in line.split(|byte| *byte == b';') {
            let text = String::from_utf8_lossy(pair).into_owned();
            let (name, value) = text.split_once('=').unwrap_or(("", &text));
            if name.trim() == wanted {
                found.push(value.trim().as_bytes().to_vec());
            }
        }
    }
    found
}

pub(crate) fn secret() -> Secret {
    Secret::from_bytes(&std::array::from_fn(|index| {
        u8::try_from(index).unwrap_or(0)
    }))
}

pub(crate) fn identity(template: &str) -> Identity {
    Identity::of_route("", "GET", "", template, &Inputs::default())
}

pub(crate) fn boxed(names: &[&str]) -> Box<[Box<str>]> {
    names.iter().map(|name| Box::from(*name)).collect()
}

/// Few letters, so that parts of two requests often meet; the encoding's own numbers are among them.
pub(crate) fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(select(b"\0\x01\x02a=;:, ".to_vec()), 0..4)
}

fn query() -> impl Strategy<Value = Vec<u8>> {
    let written = [
        "", "a", "a=", "a&a", "a=&a", "a=1", "b=1&a", "a=1&b", "\0", "a\0", "a\x01",
    ];
    let any = prop::collection::vec(select(b"ab=&1\0\x01\x02".to_vec()), 0..8);
    prop_oneof![any, select(written.to_vec()).prop_map(Into::into)]
}

fn lines() -> impl Strategy<Value = Vec<(&'static str, Vec<u8>)>> {
    let names = [
        "x-a",
        "X-A",
        "x-b",
        "accept",
        "cookie",
        "Cookie",
        "authorization",
        "origin",
        "user-agent",
        "x-probe",
    ];
    let cookie = "[ab=; ]{0,6}".prop_map(String::into_bytes);
    // What the encoding of another line could look like.
    let line = Just(b"\x03x-a".to_vec());
    let value = prop_oneof![2 => bytes(), 2 => cookie, 1 => line];
    prop::collection::vec((select(names.to_vec()), value), 0..4)
}

pub(crate) fn request() -> impl Strategy<Value = Owned> {
    (
        select(vec!["http", "https", "ws"]),
        prop::option::of("[aA\0\x01]{0,2}".prop_map(String::into_bytes)),
        "(/[ab])?",
        "[/a\0\x01\x02]{0,3}",
        prop::option::of("[/a\0\x01\x02]{0,3}".prop_map(String::into_bytes)),
        query(),
        lines(),
    )
        .prop_map(
            |(scheme, host, root_path, path, raw_path, query, lines)| Owned {
                scheme,
                host,
                root_path,
                path,
                raw_path,
                query,
                lines,
            },
        )
}

/// Two requests that differ in few of their parts, often in none.
pub(crate) fn pair() -> impl Strategy<Value = (Owned, Owned)> {
    (
        request(),
        request(),
        prop::collection::vec(prop::bool::weighted(0.2), 7),
    )
        .prop_map(|(first, other, differs)| {
            let mut second = first.clone();
            let parts: [fn(&mut Owned, &Owned); 7] = [
                |to, from| to.scheme = from.scheme,
                |to, from| to.host.clone_from(&from.host),
                |to, from| to.root_path.clone_from(&from.root_path),
                |to, from| to.path.clone_from(&from.path),
                |to, from| to.raw_path.clone_from(&from.raw_path),
                |to, from| to.query.clone_from(&from.query),
                |to, from| to.lines.clone_from(&from.lines),
            ];
            for (copy, _) in parts.iter().zip(&differs).filter(|(_, differs)| **differs) {
                copy(&mut second, &other);
            }
            (first, second)
        })
}

pub(crate) fn inputs() -> impl Strategy<Value = Inputs> {
    let only = select(vec![
        None,
        Some(&["a"][..]),
        Some(&["a", "b"][..]),
        Some(&[][..]),
    ]);
    let ignore = select(vec![&[][..], &["b"][..]]);
    let secret = select(vec![&[][..], &["a"][..]]);
    let named = select(vec![
        &[][..],
        &["x-a"][..],
        &["accept", "authorization", "origin", "x-a"][..],
    ]);
    let cookies = select(vec![&[][..], &["a"][..], &["", "a", "b"][..]]);
    (only, ignore, secret, named, any::<bool>(), cookies).prop_map(
        |(only, ignore, secret, named, others, cookies)| Inputs {
            query: QueryInputs {
                only: only.map(boxed),
                ignore: boxed(if only.is_none() { ignore } else { &[] }),
                secret: boxed(secret),
            },
            headers: HeaderInputs {
                named: boxed(named),
                others,
                except: boxed(&["x-probe"]),
            },
            cookies: CookieInputs {
                named: boxed(cookies),
            },
        },
    )
}
