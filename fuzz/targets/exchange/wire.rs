//! Requests, and what answers the origin gives.

use crate::choices::{Choices, Pair};
use fast_cache_core::fields::Line;
use fast_cache_core::fields::date;
use fast_cache_core::request::{Method, Request};
use fast_cache_core::time::Timestamp;
use std::time::Duration;

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) query: &'static str,
    pub(crate) lines: Vec<Pair>,
}

/// What the application answers.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) status: u16,
    pub(crate) lines: Vec<Pair>,
    pub(crate) body: Vec<u8>,
    /// The body ends before it is whole.
    pub(crate) breaks_off: bool,
}

pub(crate) const PATHS: &[&str] = &["/", "/a", "/a/b", "/ab", "/c"];
pub(crate) const QUERIES: &[&str] = &["", "x=1", "x=2&y=1", "y=1&x=2", "utm=1&x=1", "x=%31"];
pub(crate) const TAGS: &[&str] = &["t", "u"];

const ASKED: &[&str] = &[
    "no-cache",
    "no-store",
    "max-age=0",
    "max-age=5",
    "max-age=100",
    "min-fresh=5",
    "max-stale",
    "max-stale=5",
    "only-if-cached",
    "No-Cache",
    "no-transform",
    "max-stale=x",
];
const DIRECTIVES: &[&str] = &[
    "max-age=10",
    "max-age=60",
    "max-age=0",
    "s-maxage=20",
    "s-maxage=0",
    "no-store",
    "no-cache",
    "private",
    "public",
    "must-revalidate",
    "proxy-revalidate",
    "must-understand",
    "immutable",
    "stale-while-revalidate=10",
    "stale-if-error=30",
    "NO-STORE",
    "Max-Age=30",
    "max-age=x",
    "max-age=99999999999",
    "s-maxage",
    "stale-while-revalidate=99999999999",
];
const GARBAGE: &[&str] = &[
    "\"",
    "\\",
    ",",
    ", ",
    "=",
    ";",
    "no-store",
    "private=\"set-cookie\"",
    "no-cache=\"a\"",
    "max-age=\"60\"",
    "max-age=60",
    "public",
    "é",
    "\0",
    "W/\"a\"",
    "*",
    "-",
    "bytes=",
];

impl Wire {
    pub(crate) fn chosen(choices: &mut Choices<'_>, now: Timestamp) -> Self {
        let method = choices.of(&[
            "GET", "GET", "GET", "GET", "GET", "HEAD", "POST", "DELETE", "OPTIONS", "get",
        ]);
        let mut lines = Vec::new();
        if !choices.one_in(8) {
            let host = choices.of(&["a.example", "a.example", "A.Example", "b.example"]);
            lines.push(pair("host", host));
        }
        for _ in 0..choices.of(&[0, 0, 1, 1, 2, 3, 4]) {
            let (name, value) = match choices.below(14) {
                0 | 1 => ("cache-control", some_of(choices, ASKED)),
                2 => (
                    "accept-language",
                    choices
                        .of(&["de", "en, de", "en,  de", "DE;q=0.5, en", "*", ""])
                        .into(),
                ),
                3 => ("x-a", choices.of(&["1", "2", "1, 2", "1 ,2", ""]).into()),
                4 => (
                    "accept-encoding",
                    choices.of(&["gzip", "br, gzip", "identity"]).into(),
                ),
                5 => (
                    "if-none-match",
                    choices
                        .of(&["\"a\"", "\"b\", W/\"a\"", "*", "\"", "a"])
                        .into(),
                ),
                6 => ("if-modified-since", moment(choices, now)),
                7 | 8 => ("range", choices.of(RANGES).into()),
                9 => (
                    "if-range",
                    if choices.one_in(2) {
                        "\"a\"".into()
                    } else {
                        moment(choices, now)
                    },
                ),
                10 => (
                    "authorization",
                    choices.of(&["Bearer 1", "Bearer 2"]).into(),
                ),
                11 => ("cookie", choices.of(&["a=1", "a=2; b=1", "b"]).into()),
                12 => ("pragma", "no-cache".into()),
                _ => {
                    let name = choices.of(&[
                        "cache-control",
                        "range",
                        "if-none-match",
                        "content-length",
                        "if-match",
                        "x-a",
                    ]);
                    let value = choices.text(GARBAGE, 5);
                    lines.push((choices.cased(name).into_bytes(), value));
                    continue;
                }
            };
            lines.push((choices.cased(name).into_bytes(), value));
        }
        Self {
            method,
            path: often(choices, "/a", PATHS),
            query: often(choices, "", QUERIES),
            lines,
        }
    }

    pub(crate) fn request<'a>(&self, lines: &'a [Line<'a>]) -> Request<'a> {
        Request {
            method: Method::from_name(self.method),
            scheme: b"http",
            path: self.path,
            raw_path: Some(self.path.as_bytes()),
            root_path: "",
            query: self.query.as_bytes(),
            lines,
        }
    }

    /// The host as names are compared.
    pub(crate) fn host(&self) -> Option<Vec<u8>> {
        let host = self.lines.iter().find(|(name, _)| name == b"host");
        host.map(|(_, value)| value.to_ascii_lowercase())
    }
}

/// `first` mostly, else one of all.
fn often<'a>(choices: &mut Choices<'_>, first: &'a str, all: &[&'a str]) -> &'a str {
    if choices.one_in(4) {
        choices.of(all)
    } else {
        first
    }
}

const RANGES: &[&str] = &[
    "bytes=0-3",
    "bytes=2-",
    "bytes=-4",
    "bytes=0-0, -1",
    "bytes=9999-",
    "bytes=4-2",
    "lines=1-2",
    "bytes=0-1,1-2,5-",
];

impl Origin {
    /// An answer; `number` tells its body from others, and `asked` that it may confirm what is stored.
    pub(crate) fn chosen(
        choices: &mut Choices<'_>,
        now: Timestamp,
        number: usize,
        asked: bool,
    ) -> Self {
        let status = match choices.below(8) {
            0..=2 => 200,
            3..=5 => {
                if asked {
                    304
                } else {
                    200
                }
            }
            6 => choices.of(&[500, 503, 599]),
            _ => choices.of(&[304, 404, 301, 206, 204, 302, 299, 410, 199, 600]),
        };
        let mut body = format!("body {number} ").into_bytes();
        body.resize(body.len() + choices.below(40), b'.');
        if status == 304 || status == 204 || choices.one_in(16) {
            body.clear();
        }
        let mut lines = Vec::new();
        if !choices.one_in(4) {
            let lasts = choices.of(&[
                "max-age=60",
                "max-age=10",
                "s-maxage=30, max-age=1",
                "max-age=60, stale-while-revalidate=60",
            ]);
            lines.push(pair("cache-control", lasts));
        }
        if choices.one_in(2) {
            lines.push(pair("etag", "\"a\""));
        }
        for _ in 0..choices.of(&[0, 1, 1, 2, 2, 3, 4, 6]) {
            lines.push(line(choices, now, body.len()));
        }
        Self {
            status,
            lines,
            body,
            breaks_off: choices.one_in(16),
        }
    }
}

fn line(choices: &mut Choices<'_>, now: Timestamp, length: usize) -> Pair {
    let (name, value): (_, Vec<u8>) = match choices.below(24) {
        0..=3 => ("cache-control", some_of(choices, DIRECTIVES)),
        6 => ("cdn-cache-control", some_of(choices, DIRECTIVES)),
        7 => (
            "etag",
            choices.of(&["\"a\"", "W/\"a\"", "\"b\"", "a", ""]).into(),
        ),
        8 => ("last-modified", moment(choices, now)),
        9 => ("date", moment(choices, now)),
        10 => ("expires", moment(choices, now)),
        11 => (
            "age",
            choices
                .of(&["0", "5", "100", "5, 7", "x", "99999999999"])
                .into(),
        ),
        12 | 13 => (
            "vary",
            choices
                .of(&[
                    "x-a",
                    "Accept-Language",
                    "x-a, accept-encoding",
                    "*",
                    "host",
                    "cookie",
                    "",
                    "x y",
                ])
                .into(),
        ),
        14 => {
            let shift = choices.below(3);
            (
                "content-length",
                (length + usize::from(shift == 2)).to_string().into(),
            )
        }
        15 => (
            "connection",
            choices
                .of(&["close", "x-b", "etag, Vary", "cache-control"])
                .into(),
        ),
        16 => ("set-cookie", "s=1".into()),
        17 => ("content-encoding", choices.of(&["gzip", "identity"]).into()),
        18 => (
            "content-language",
            choices.of(&["de", "en", "de, en"]).into(),
        ),
        19 => ("cache-tag", choices.of(TAGS).into()),
        20 => (
            "no-vary-search",
            choices
                .of(&[
                    "key-order",
                    "params=(\"utm\")",
                    "params",
                    "except=(\"x\")",
                    "?",
                ])
                .into(),
        ),
        21 => (
            "cache-groups",
            choices.of(&["\"g\"", "\"h\", \"g\"", "g"]).into(),
        ),
        22 => (
            choices.of(&[
                "x-b",
                "content-type",
                "keep-alive",
                "x-cache-status",
                "content-location",
            ]),
            choices.of(&["1", "2", "/a"]).into(),
        ),
        _ => {
            let names = [
                "cache-control",
                "etag",
                "date",
                "expires",
                "age",
                "content-length",
                "x-b",
                "",
            ];
            let name = choices.of(&names);
            (name, choices.text(GARBAGE, 5))
        }
    };
    (choices.cased(name).into_bytes(), value)
}

fn pair(name: &str, value: &str) -> Pair {
    (name.into(), value.into())
}

fn some_of(choices: &mut Choices<'_>, directives: &[&str]) -> Vec<u8> {
    let chosen: Vec<&str> = (0..=choices.below(3))
        .map(|_| choices.of(directives))
        .collect();
    let separator = choices.of(&[", ", ",", " ,\t", ",,"]);
    chosen.join(separator).into_bytes()
}

/// A date near now, mostly.
fn moment(choices: &mut Choices<'_>, now: Timestamp) -> Vec<u8> {
    let by = choices.of(&[0, 0, 5, 30, 300, 100_000, u64::MAX]);
    let by = Duration::from_secs(by);
    let past = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
    let moment = if choices.one_in(2) {
        now.plus(by)
    } else {
        Timestamp::from_micros(now.micros().saturating_sub(past))
    };
    date::format(moment).map_or_else(|| b"0".to_vec(), |text| text.to_vec())
}
