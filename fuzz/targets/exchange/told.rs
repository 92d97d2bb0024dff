//! What header lines say, read in the plainest way: enough to hold the cache to it, and silent where it is not sure.

use crate::choices::Pair;
use fast_cache_core::fields::date;
use fast_cache_core::policy::Policy;
use fast_cache_core::time::Timestamp;
use std::collections::BTreeMap;

/// The most seconds that count.
pub(crate) const MOST: u64 = i32::MAX as u64;

/// What the `Cache-Control` lines of a message say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// Directives and the smallest of their arguments, as far as they are plain.
    directives: BTreeMap<String, Option<u64>>,
    /// There is more than plain directives, or another field has a say.
    pub(crate) unclear: bool,
}

impl Told {
    pub(crate) fn by(lines: &[Pair]) -> Self {
        let mut told = Self::default();
        for value in all(lines, "cache-control") {
            let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-=, \t".contains(byte);
            if !value.iter().all(plain) {
                told.unclear = true;
                continue;
            }
            let text = String::from_utf8_lossy(value).to_ascii_lowercase();
            for member in text.split(',') {
                let (name, argument) = match member.split_once('=') {
                    Some((name, argument)) => (name, Some(argument)),
                    None => (member, None),
                };
                told.add(name.trim(), argument.map(str::trim));
            }
        }
        told
    }

    /// The same for a response, of which another field may take the place.
    pub(crate) fn by_response(lines: &[Pair], policy: &Policy) -> Self {
        let mut told = Self::by(lines);
        if policy.options.cdn_cache_control && all(lines, "cdn-cache-control").next().is_some() {
            told.directives.clear();
            told.unclear = true;
        }
        // An argument that a client's own spelling could turn, and a directive that allows what another forbids.
        let raw = all(lines, "cache-control").map(<[u8]>::to_ascii_lowercase);
        let understood = raw
            .into_iter()
            .any(|value| contains(&value, b"must-understand"));
        if policy.is_http() && understood {
            told.directives.remove("no-store");
        }
        told
    }

    fn add(&mut self, name: &str, argument: Option<&str>) {
        let number = argument.map(|text| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            if digits {
                text.parse().unwrap_or(MOST).min(MOST)
            } else {
                0
            }
        });
        let known = self.directives.entry(name.to_owned()).or_insert(number);
        *known = match (*known, number) {
            (Some(one), Some(other)) => Some(one.min(other)),
            _ => None,
        };
    }

    pub(crate) fn says(&self, directive: &str) -> bool {
        self.directives.contains_key(directive)
    }

    /// The seconds that come with a directive; 0 for what is no number.
    pub(crate) fn seconds(&self, directive: &str) -> Option<u64> {
        self.directives
            .get(directive)
            .map(|number| number.unwrap_or(0))
    }

    /// The most seconds for which the response may be fresh by its own word; `None` where that is not sure.
    pub(crate) fn lifetime(
        &self,
        lines: &[Pair],
        dated: &[Pair],
        received: Timestamp,
        policy: &Policy,
    ) -> Option<u64> {
        if self.unclear {
            return None;
        }
        if let Some(seconds) = self.seconds("s-maxage").or(self.seconds("max-age")) {
            return Some(seconds);
        }
        let Some(expires) = all(lines, "expires").next() else {
            return Some(if policy.options.heuristics {
                24 * 60 * 60
            } else {
                0
            });
        };
        let date = all(dated, "date")
            .next()
            .and_then(|value| date::parse(value, received));
        let expires = date::parse(expires, received);
        expires.map_or(Some(0), |expires| {
            Some(expires.since(date.unwrap_or(received)).as_secs())
        })
    }
}

/// The age that a response states, at least.
pub(crate) fn stated_age(lines: &[Pair]) -> u64 {
    let stated = all(lines, "age").next().and_then(|value| {
        let text = std::str::from_utf8(value).ok()?;
        text.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| text.parse::<u64>().ok())
            .flatten()
    });
    stated.unwrap_or(0).min(MOST)
}

/// The request headers by which a response varies; `None` for everything, or what is no name.
pub(crate) fn varies_by(lines: &[Pair]) -> Option<Vec<String>> {
    let mut names = Vec::new();
    for value in all(lines, "vary") {
        let text = std::str::from_utf8(value).ok()?;
        for name in text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            if !name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            {
                return None;
            }
            names.push(name.to_ascii_lowercase());
        }
    }
    Some(names)
}

/// What a request says under a name, blanks apart.
pub(crate) fn said(lines: &[Pair], name: &str) -> Option<Vec<u8>> {
    let values: Vec<&[u8]> = all(lines, name).collect();
    let mut joined = values.join(&b","[..]);
    joined.retain(|byte| !matches!(byte, b' ' | b'\t'));
    (!values.is_empty()).then_some(joined)
}

/// The lines that may be kept.
pub(crate) fn kept(lines: &[Pair]) -> Vec<Pair> {
    let nominated: Vec<Vec<u8>> = all(lines, "connection")
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(|name| name.trim_ascii().to_ascii_lowercase())
        .collect();
    let never: &[&[u8]] = &[
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"upgrade",
        b"transfer-encoding",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-authentication-info",
        b"age",
        b"x-cache-status",
    ];
    let may = |(name, _): &&Pair| {
        let name = name.to_ascii_lowercase();
        !never.contains(&name.as_slice()) && !nominated.contains(&name)
    };
    lines.iter().filter(may).cloned().collect()
}

/// The lines of a stored response after a confirmation.
pub(crate) fn confirmed(stored: &[Pair], update: &[Pair]) -> Vec<Pair> {
    let stays: &[&[u8]] = &[
        b"content-encoding",
        b"content-length",
        b"content-md5",
        b"content-range",
        b"etag",
    ];
    let mut fields: BTreeMap<Vec<u8>, Vec<Pair>> = BTreeMap::new();
    let mut merged = Vec::new();
    for (name, value) in kept(update) {
        let lower = name.to_ascii_lowercase();
        if stays.contains(&lower.as_slice()) {
            continue;
        }
        fields.entry(lower).or_default().push((name, value));
    }
    let mut placed = Vec::new();
    for (name, value) in stored {
        let lower = name.to_ascii_lowercase();
        match fields.get(&lower) {
            Some(lines) if !placed.contains(&lower) => {
                merged.extend(lines.iter().cloned());
                placed.push(lower);
            }
            None if lower != b"date" => merged.push((name.clone(), value.clone())),
            _ => {}
        }
    }
    for (name, value) in kept(update) {
        let lower = name.to_ascii_lowercase();
        if fields.contains_key(&lower) && !placed.contains(&lower) {
            merged.push((name, value));
        }
    }
    merged
}

pub(crate) fn all<'a>(lines: &'a [Pair], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    lines
        .iter()
        .filter(move |(other, _)| other.eq_ignore_ascii_case(name.as_bytes()))
        .map(|(_, value)| value.as_slice())
}

pub(crate) fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
