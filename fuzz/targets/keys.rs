//! What is made of a request as a whole: keys, labels, targets, patterns and templates.

use crate::choices::Choices;
use crate::fields::lines;
use fast_cache_core::fields::Line;
use fast_cache_core::fields::no_vary_search::SearchVariance;
use fast_cache_core::key::explain::explain_key;
use fast_cache_core::key::inputs::{CookieInputs, HeaderInputs, Inputs, QueryInputs};
use fast_cache_core::key::search::Searched;
use fast_cache_core::key::{
    Identity, Key, Secret, Selecting, authored_key, build_key, variant_key, visible_cookies,
};
use fast_cache_core::policy::{Canonical, canonical_spellings};
use fast_cache_core::purge::{Label, MAX_SEGMENTS, PathPattern};
use fast_cache_core::reason::Reason;
use fast_cache_core::request::{Method, Request};
use fast_cache_core::route::parse_template;
use fast_cache_core::rules::invalidation::{Target, carried, invalidated, is_unsafe};
use fast_cache_core::rules::request::Noted;
use fast_cache_core::rules::tagging::{MAX_TAG_LENGTH, MAX_TAGS, collect_tags};
use fast_cache_core::rules::varying::varying_names;

const PATHS: &[&str] = &[
    "/", "a", "b", "%2F", "%", "..", "{", "}", "é", " ", "//", "?", ":int", "*",
];
const QUERIES: &[&str] = &[
    "a", "b", "=", "&", "+", "%61", "%", "1", "api_key", "utm_x", "é",
];
const NAMES: &[&str] = &[
    "host",
    "accept",
    "accept-language",
    "accept-encoding",
    "authorization",
    "cookie",
    "x-a",
    "origin",
];
const VALUES: &[&str] = &[
    "a", "b", "=", ";", ", ", ",", " ", "\"", "de", "en;q=0.5", "gzip", "\\", "é",
];

/// A request that owns its parts.
struct Owned {
    scheme: Vec<u8>,
    path: String,
    raw_path: Option<Vec<u8>>,
    root_path: String,
    query: Vec<u8>,
}

impl Owned {
    fn chosen(choices: &mut Choices<'_>) -> Self {
        let path = choices.string(PATHS, 6);
        let raw_path = match choices.below(4) {
            0 => None,
            1 => Some(choices.text(PATHS, 6)),
            _ => Some(path.clone().into_bytes()),
        };
        Self {
            scheme: choices.of(&["http", "https", "", "HTTP", "ws"]).into(),
            path,
            raw_path,
            root_path: choices.of(&["", "/a", "/", "a"]).to_owned(),
            query: choices.text(QUERIES, 10),
        }
    }

    fn request<'a>(&'a self, lines: &'a [Line<'a>]) -> Request<'a> {
        Request {
            method: Method::Get,
            scheme: &self.scheme,
            path: &self.path,
            raw_path: self.raw_path.as_deref(),
            root_path: &self.root_path,
            query: &self.query,
            lines,
        }
    }
}

fn listed(choices: &mut Choices<'_>, names: &[&str]) -> Box<[Box<str>]> {
    let chosen = names.iter().filter(|_| choices.one_in(3));
    let mut chosen: Vec<Box<str>> = chosen.map(|name| Box::from(*name)).collect();
    chosen.sort_unstable();
    chosen.into()
}

fn inputs(choices: &mut Choices<'_>) -> Inputs {
    let query = QueryInputs {
        only: choices
            .one_in(3)
            .then(|| listed(choices, &["a", "b", "api_key"])),
        ignore: listed(choices, &["utm_*", "b", "*"]),
        secret: listed(choices, &["api_key", "a"]),
    };
    let named = listed(choices, NAMES);
    let headers = HeaderInputs {
        named,
        others: choices.one_in(3),
        except: listed(choices, &["origin", "x-a"]),
    };
    let cookies = CookieInputs {
        named: listed(choices, &["", "a", "b"]),
    };
    Inputs {
        query,
        headers,
        cookies,
    }
}

pub(crate) fn keys(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let inputs = inputs(&mut choices);
    let (one, other) = (Owned::chosen(&mut choices), Owned::chosen(&mut choices));
    let text = choices.string(QUERIES, 4);
    let pairs = choices.pairs(NAMES, VALUES);
    let all = lines(&pairs);
    let noted = Noted::from_lines(&all);
    let secret = Secret::from_bytes(&[7; 48]);
    let identity = Identity::of_route("", "GET", "", &one.path, &inputs);
    let key = |owned: &Owned, inputs: &Inputs| -> Key {
        let mut buffer = Vec::new();
        let request = owned.request(&all);
        build_key(
            &identity,
            inputs,
            &secret,
            &request,
            noted.host,
            &mut buffer,
        )
        .to_owned()
    };
    let (first, second) = (key(&one, &inputs), key(&other, &inputs));
    // What identifies a resource is never lost, whatever joins the key beside it.
    let place = |owned: &Owned| {
        let root_path = owned.root_path.clone();
        (
            owned.scheme.clone(),
            owned.path.clone(),
            owned.raw_path.clone(),
            root_path,
        )
    };
    if first == second {
        assert_eq!(place(&one), place(&other));
    }
    let whole = Inputs::default();
    let same = place(&one) == place(&other) && one.query == other.query;
    assert_eq!(key(&one, &whole) == key(&other, &whole), same);
    explain_key(&inputs, &secret, &one.request(&all), noted.host);
    let mut buffer = Vec::new();
    authored_key(
        &identity,
        &inputs,
        &secret,
        &text,
        &one.query,
        &all,
        &mut buffer,
    );
    for line in &all {
        if let Some(shown) = visible_cookies(line.value, &inputs.cookies) {
            assert!(shown.len() <= line.value.len() * 2 + 2);
        }
    }
}

pub(crate) fn variants(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let inputs = inputs(&mut choices);
    let vary = choices.text(
        &[
            "accept",
            "Accept-Language",
            ", ",
            "x-a",
            "cookie",
            "*",
            "host",
            "\"",
        ],
        8,
    );
    let spoken = choices.text(&["de", "EN", " ", "en", ","], 2);
    let response = [
        Line::new(b"vary", &vary),
        Line::new(b"content-encoding", b"gzip"),
    ];
    let normalize_language = choices.one_in(2);
    let pairs = choices.pairs(NAMES, VALUES);
    let all = lines(&pairs);
    let Ok(names) = varying_names(&response[..=choices.below(2)], &inputs) else {
        return;
    };
    assert!(
        names
            .iter()
            .all(|name| !inputs.headers.named.contains(name))
    );
    let secret = Secret::from_bytes(&[7; 48]);
    let selecting = Selecting {
        lines: &all,
        normalize_language,
    };
    // What is stored is found again by the same request.
    let stored = selecting.stored(b"primary", &names, &secret, Some(&spoken));
    let candidates = selecting.candidates(b"primary", &names, &secret);
    assert!(candidates.contains(&stored));
    assert!(candidates.len() <= 5);
    let mut buffer = Vec::new();
    let plain = variant_key(b"primary", &names, &secret, &all, &mut buffer).to_owned();
    assert!(normalize_language || plain == stored);
    let elsewhere = selecting.stored(b"another", &names, &secret, Some(&spoken));
    assert_ne!(elsewhere, stored);
}

pub(crate) fn searches(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let one = Owned::chosen(&mut choices);
    let other = Owned {
        query: choices.text(QUERIES, 10),
        path: one.path.clone(),
        raw_path: one.raw_path.clone(),
        scheme: one.scheme.clone(),
        root_path: one.root_path.clone(),
    };
    let rule = choices.of(&[
        "key-order",
        "params",
        "params=(\"a\")",
        "except=(\"b\")",
        "key-order, params=(\"utm_x\")",
        "?",
    ]);
    let variance = SearchVariance::parse(&[Line::new(b"no-vary-search", rule.as_bytes())]);
    let (identity, inputs) = (Identity::of_endpoint("", "", "/"), Inputs::default());
    let secret = Secret::from_bytes(&[7; 48]);
    let keys = |owned: &Owned| {
        let request = owned.request(&[]);
        let searched = Searched {
            identity: &identity,
            inputs: &inputs,
            secret: &secret,
            request: &request,
            host: None,
        };
        let mut normalised = Vec::new();
        variance.normalised(&owned.query, &mut normalised);
        (searched.key(&variance), searched.rules_key(), normalised)
    };
    let (one, other) = (keys(&one), keys(&other));
    assert_eq!(one.0 == other.0, one.2 == other.2);
    assert_eq!(one.1, other.1);
    assert_ne!(one.0, one.1);
}

pub(crate) fn targets(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let owned = Owned::chosen(&mut choices);
    let host = choices
        .one_in(2)
        .then(|| choices.text(&["a", ":80", ":", "@", "B", "[::1]", "é"], 4));
    let method = choices.of(&["GET", "POST", "DELETE", "post", "QUERY", "PURGE", "HEAD"]);
    let status = u16::from(choices.byte()) * 3;
    let words = [
        "/", "..", "http://a", "?a", "#", "\"g\"", ", ", "a", "%2e", " ", "\\", "params",
        "(\"a\")", "=",
    ];
    let names = [
        "location",
        "content-location",
        "cache-groups",
        "cache-group-invalidation",
        "no-vary-search",
    ];
    let pairs = choices.pairs(&names, &words);
    let lines = lines(&pairs);
    let target = Target::of(&owned.request(&[]), host.as_deref());
    let method = Method::from_name(method);
    let dropped = invalidated(&target, method, status, &lines);
    assert_eq!(
        dropped.is_empty(),
        !is_unsafe(method) || !(200..400).contains(&status)
    );
    let Ok(labels) = carried(&target, &SearchVariance::parse(&lines), &lines) else {
        return;
    };
    // A write drops what was stored for its own target.
    assert!(dropped.is_empty() || labels.iter().any(|label| dropped.contains(label)));
}

pub(crate) fn tags(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let long = "t".repeat(MAX_TAG_LENGTH + 1);
    let words = ["a", "b", " ", ",", "\t", "\"c\"", "é", "\u{2028}", &long];
    let own = choices.string(&words, 4);
    let pairs = choices.pairs(&["cache-tag", "surrogate-key", "cache-groups"], &words);
    match collect_tags([own.as_str()].into_iter(), &lines(&pairs)) {
        Ok(tags) => {
            assert!(tags.len() <= MAX_TAGS);
            for (index, tag) in tags.iter().enumerate() {
                assert!(!tag.is_empty() && tag.len() <= MAX_TAG_LENGTH);
                assert!(!tags[..index].contains(tag));
            }
            assert!(own.is_empty() || tags.iter().any(|tag| **tag == *own));
        }
        Err(reason) => assert_eq!(reason, Reason::Tags),
    }
}

/// Whether a glob matches, by trying everything.
fn matches(glob: &[char], path: &[char]) -> bool {
    let mut reached = vec![true];
    reached.resize(path.len() + 1, false);
    for piece in glob {
        let mut next = vec![false; path.len() + 1];
        for at in 0..=path.len() {
            next[at] = if *piece == '*' {
                reached[at] || at > 0 && next[at - 1]
            } else {
                at > 0 && reached[at - 1] && path[at - 1] == *piece
            };
        }
        reached = next;
    }
    reached[path.len()]
}

pub(crate) fn patterns(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let words = [
        "/", "a", "b", "ab", "*", "é", "/users", "{id}", ":int", "{", "}", "..",
    ];
    let (pattern, path) = (choices.string(&words, 8), choices.string(&words, 12));
    let characters = |text: &str| text.chars().collect::<Vec<_>>();
    assert_eq!(
        PathPattern::glob(&pattern).matches(&path),
        matches(&characters(&pattern), &characters(&path))
    );
    assert_eq!(
        PathPattern::prefix(&pattern).matches(&path),
        path.starts_with(&pattern)
    );
    let mut labels = Vec::new();
    let segments = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .count();
    match Label::subtrees(&path, &mut labels) {
        Ok(()) => {
            assert_eq!(labels.len(), segments + 1);
            assert!(
                labels.contains(&Label::subtree(&path)) && labels.contains(&Label::subtree("/"))
            );
        }
        Err(_) => assert!(segments > MAX_SEGMENTS && labels.is_empty()),
    }
    if let Ok(template) = parse_template(&pattern) {
        let filled = template
            .fill(|_| Some(&path))
            .expect("every parameter has a value");
        assert!(template.parameters().next().is_some() || filled == pattern);
    }
    for canonical in [Canonical::Integer, Canonical::Uuid] {
        canonical.holds(&path);
    }
    for spelling in canonical_spellings(&path) {
        assert!(
            Canonical::Integer.holds(&spelling)
                || Canonical::Uuid.holds(&spelling)
                || !spelling.is_empty()
        );
    }
}
