//! `No-Vary-Search`: which parts of a query do not matter to a response
//! ([draft-ietf-httpbis-no-vary-search](https://datatracker.ietf.org/doc/draft-ietf-httpbis-no-vary-search/)).

use super::Line;
use super::structured::{Member, dictionary, text};
use super::urlencoded::{decode, decode_text, encode, pairs};
use sfv::BareItemFromInput;
use std::borrow::Cow;

/// Which parts of a query matter to a response: by default all of it, byte for byte.
///
/// ```
/// use fast_cache_core::fields::{Line, no_vary_search::SearchVariance};
///
/// let lines = [Line::new(b"no-vary-search", b"key-order, params=(\"utm_source\")")];
/// let variance = SearchVariance::parse(&lines);
/// let (mut one, mut other) = (Vec::new(), Vec::new());
/// variance.normalised(b"a=%78&b=2&utm_source=mail", &mut one);
/// variance.normalised(b"b=2&a=x&", &mut other);
/// assert_eq!(one, other);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SearchVariance {
    any_order: bool,
    params: Params,
}

/// Which parameters matter. Names are decoded, sorted, and each there once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
enum Params {
    #[default]
    All,
    /// All but these, of which there is one at least.
    AllBut(Vec<Box<str>>),
    Only(Vec<Box<str>>),
}

const ANY_ORDER: u8 = 1;
const ALL_BUT: u8 = 2;
const ONLY: u8 = 4;

impl SearchVariance {
    /// Reads every `No-Vary-Search` line. A malformed field, and one that says what the draft does not provide for,
    /// counts as absent; keys that it does not know are skipped.
    ///
    /// `params, except=("a")` is understood, as browsers have it, and so is `except=("a")` alone, as later drafts have
    /// it.
    pub fn parse(lines: &[Line<'_>]) -> Self {
        dictionary(lines, "no-vary-search")
            .and_then(Self::from_members)
            .unwrap_or_default()
    }

    fn from_members(members: Vec<(&str, Member<'_>)>) -> Option<Self> {
        let (mut key_order, mut params, mut except) = (None, None, None);
        for (key, value) in members {
            match key {
                "key-order" => key_order = Some(value),
                "params" => params = Some(value),
                "except" => except = Some(value),
                _ => {}
            }
        }
        let any_order = match key_order {
            None => false,
            Some(value) => boolean(&value)?,
        };
        let only = match except {
            None => None,
            Some(value) => Some(names(value)?),
        };
        let params = match (params, only) {
            (None, None) => Params::All,
            (None, Some(only)) => Params::Only(only),
            (Some(params), only) => match (boolean(&params), only) {
                (Some(true), only) => Params::Only(only.unwrap_or_default()),
                (Some(false), None) => Params::All,
                (None, None) => match names(params)? {
                    names if names.is_empty() => Params::All,
                    names => Params::AllBut(names),
                },
                (_, Some(_)) => return None,
            },
        };
        Some(Self { any_order, params })
    }

    /// Whether every byte of a query matters.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Appends the canonical form of `query`. Two queries are equivalent for the response exactly if their canonical
    /// forms are the same bytes; the canonical form of a canonical form is itself.
    pub fn normalised(&self, query: &[u8], out: &mut Vec<u8>) {
        if self.is_default() {
            out.extend_from_slice(query);
            return;
        }
        let mut kept: Vec<(Cow<'_, str>, &[u8])> = pairs(query)
            .map(|(name, value)| (decode_text(name), value))
            .filter(|(name, _)| self.params.matter(name))
            .collect();
        if self.any_order {
            kept.sort_by(|(one, _), (other, _)| one.cmp(other));
        }
        for (index, (name, value)) in kept.iter().enumerate() {
            if index > 0 {
                out.push(b'&');
            }
            encode(name.as_bytes(), out);
            out.push(b'=');
            encode(decode_text(value).as_bytes(), out);
        }
    }

    /// Appends the rule as bytes, for a store to keep; nothing for the default.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let (kind, names) = match &self.params {
            Params::All => (0, [].as_slice()),
            Params::AllBut(names) => (ALL_BUT, names.as_slice()),
            Params::Only(names) => (ONLY, names.as_slice()),
        };
        let kind = kind | if self.any_order { ANY_ORDER } else { 0 };
        if kind == 0 {
            return;
        }
        out.push(kind);
        for name in names {
            encode(name.as_bytes(), out);
            out.push(b'&');
        }
    }

    /// The rule that [`encode`](Self::encode) wrote as `bytes`; `None` for bytes that it never writes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let Some((&kind, rest)) = bytes.split_first() else {
            return Some(Self::default());
        };
        let mut names = Vec::new();
        if let Some(listed) = rest.strip_suffix(b"&") {
            for name in listed.split(|byte| *byte == b'&') {
                let name = decode(name).into_owned();
                names.push(String::from_utf8(name).ok()?.into_boxed_str());
            }
        }
        let params = match kind & !ANY_ORDER {
            0 => Params::All,
            ALL_BUT => Params::AllBut(names),
            ONLY => Params::Only(names),
            _ => return None,
        };
        let any_order = kind & ANY_ORDER != 0;
        let variance = Self { any_order, params };
        let mut written = Vec::with_capacity(bytes.len());
        variance.encode(&mut written);
        (written == bytes && variance.params.is_canonical()).then_some(variance)
    }
}

impl Params {
    fn matter(&self, name: &str) -> bool {
        let listed = |names: &[Box<str>]| names.binary_search_by(|one| (**one).cmp(name)).is_ok();
        match self {
            Self::All => true,
            Self::AllBut(names) => !listed(names),
            Self::Only(names) => listed(names),
        }
    }

    fn is_canonical(&self) -> bool {
        match self {
            Self::All => true,
            Self::AllBut(names) => !names.is_empty() && names.is_sorted_by(|one, next| one < next),
            Self::Only(names) => names.is_sorted_by(|one, next| one < next),
        }
    }
}

fn boolean(value: &Member<'_>) -> Option<bool> {
    match value {
        Member::Item(BareItemFromInput::Boolean(value)) => Some(*value),
        _ => None,
    }
}

/// The names in an inner list of strings, each written as in a query.
fn names(value: Member<'_>) -> Option<Vec<Box<str>>> {
    let Member::InnerList(items) = value else {
        return None;
    };
    let names = items.into_iter().map(|item| {
        let raw = text(item)?;
        Some(decode_text(raw.as_bytes()).into_owned().into_boxed_str())
    });
    let mut names: Vec<Box<str>> = names.collect::<Option<_>>()?;
    names.sort_unstable();
    names.dedup();
    Some(names)
}

#[cfg(test)]
mod tests;
