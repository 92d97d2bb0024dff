//! Properties of the Structured Fields that caching reads, for any bytes.

use fast_cache_core::fields::Line;
use fast_cache_core::fields::cache_control::MAX_SECONDS;
use fast_cache_core::fields::groups::{
    MAX_GROUP_LENGTH, MAX_GROUPS, cache_groups, invalidated_groups,
};
use fast_cache_core::fields::no_vary_search::SearchVariance;
use fast_cache_core::fields::targeted::targeted;
use fast_cache_core::fields::urlencoded;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Bytes of which Structured Fields are made, so that random values are often nearly well formed.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        4 => select(b"\",\\=; \t()?:@%*-019azA".to_vec()),
        1 => any::<u8>(),
    ];
    let words = select(vec![
        "max-age=60",
        "s-maxage=",
        "no-store",
        "private=\"a, b\"",
        ", ",
        "\"a\"",
        "\"a\", \"b\"",
        "key-order",
        "params=(\"a\" \"b\")",
        "except=(\"%41\")",
        "?0",
        "?1",
        "12.5",
        ":YQ==:",
        "@1700000000",
        "%\"%c3%a9\"",
    ]);
    let piece = prop_oneof![
        1 => byte.prop_map(|byte| vec![byte]),
        2 => words.prop_map(|word| word.as_bytes().to_vec()),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

const NAMES: [&str; 4] = [
    "CDN-Cache-Control",
    "cache-groups",
    "Cache-Group-Invalidation",
    "no-vary-search",
];

/// A rule as a field says it, and the same rule as it is compared.
#[derive(Clone, Debug)]
struct Rule {
    any_order: bool,
    but: Option<Vec<&'static str>>,
    only: Option<Vec<&'static str>>,
}

fn rule() -> impl Strategy<Value = Rule> {
    let names = || vec(select(vec!["a", "b", "c d", "\u{e9}", "", "&"]), 0..4);
    let lists = prop_oneof![
        Just((None, None)),
        names().prop_map(|names| (Some(names), None)),
        names().prop_map(|names| (None, Some(names))),
    ];
    (any::<bool>(), lists).prop_map(|(any_order, (but, only))| Rule {
        any_order,
        but,
        only,
    })
}

impl Rule {
    fn field(&self) -> Vec<u8> {
        let mut members: Vec<Vec<u8>> = Vec::new();
        if self.any_order {
            members.push(b"key-order".to_vec());
        }
        for (key, names) in [("params", &self.but), ("except", &self.only)] {
            let Some(names) = names else { continue };
            let mut member = [key.as_bytes(), b"=("].concat();
            for name in names {
                member.extend_from_slice(b" \"");
                urlencoded::encode(name.as_bytes(), &mut member);
                member.push(b'"');
            }
            member.push(b')');
            members.push(member);
        }
        members.join(b", ".as_slice())
    }

    fn is_default(&self) -> bool {
        let says_nothing = self.but.as_ref().is_none_or(Vec::is_empty);
        !self.any_order && says_nothing && self.only.is_none()
    }

    /// The draft's algorithm, step by step.
    fn are_equivalent(&self, one: &[u8], other: &[u8]) -> bool {
        if self.is_default() {
            return one == other;
        }
        self.params(one) == self.params(other)
    }

    fn params(&self, query: &[u8]) -> Vec<(String, String)> {
        let text = |raw: &[u8]| {
            let raw: Vec<u8> = raw
                .iter()
                .map(|b| if *b == b'+' { b' ' } else { *b })
                .collect();
            let mut bytes = Vec::new();
            let mut at = 0;
            while at < raw.len() {
                let digits = raw.get(at + 1..at + 3);
                let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
                let byte = digits
                    .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
                    .and_then(|digits| u8::from_str_radix(digits, 16).ok());
                let byte = byte.filter(|_| raw[at] == b'%');
                at += if byte.is_some() { 3 } else { 1 };
                bytes.push(byte.unwrap_or(raw[at - 1]));
            }
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let mut params = Vec::new();
        for part in query.split(|byte| *byte == b'&') {
            if part.is_empty() {
                continue;
            }
            let mut halves = part.splitn(2, |byte| *byte == b'=');
            let name = text(halves.next().unwrap_or_default());
            let value = text(halves.next().unwrap_or_default());
            let listed = |names: &Vec<&str>| names.contains(&name.as_str());
            if self.but.as_ref().is_some_and(listed)
                || self.only.as_ref().is_some_and(|o| !listed(o))
            {
                continue;
            }
            params.push((name, value));
        }
        if self.any_order {
            params.sort_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
        }
        params
    }
}

fn query() -> impl Strategy<Value = Vec<u8>> {
    let piece = select(vec![
        "a", "b", "=", "&", "&", "%61", "%62", "+", "%20", "c", "d", "\u{e9}", "%c3%a9", "%C3",
        "%26", "%3d", "%", "1",
    ]);
    let pieces = vec(piece.prop_map(str::as_bytes), 0..7).prop_map(|pieces| pieces.concat());
    prop_oneof![4 => pieces, 1 => vec(any::<u8>(), 0..9)]
}

/// A query, and one made of the same pairs in another order and spelling.
fn queries() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let disguised = |query: &[u8], turn: usize, dressed: bool| {
        let mut pairs: Vec<(&[u8], &[u8])> = urlencoded::pairs(query).collect();
        let middle = turn % pairs.len().max(1);
        pairs.rotate_left(middle);
        let mut out = Vec::new();
        for (name, value) in pairs {
            for (raw, end) in [(name, b'='), (value, b'&')] {
                if dressed {
                    urlencoded::encode(&urlencoded::decode(raw), &mut out);
                } else {
                    out.extend_from_slice(raw);
                }
                out.push(end);
            }
        }
        out
    };
    prop_oneof![
        (query(), query()),
        (query(), 0..3_usize, any::<bool>()).prop_map(move |(query, turn, dressed)| {
            let other = disguised(&query, turn, dressed);
            (query, other)
        }),
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(
        values in vec((select(NAMES.to_vec()), value()), 0..5),
        query in query(),
    ) {
        let lines: Vec<Line<'_>> = values
            .iter()
            .map(|(name, value)| Line::new(name.as_bytes(), value))
            .collect();
        if let Some(found) = targeted(&lines) {
            let most = Some(MAX_SECONDS);
            prop_assert!(found.max_age <= most && found.s_maxage <= most);
            prop_assert!(found.private || found.private_fields.is_empty());
            prop_assert!(found.no_cache || found.no_cache_fields.is_empty());
        }
        for groups in [cache_groups(&lines).unwrap_or_default(), invalidated_groups(&lines)] {
            prop_assert!(groups.len() <= MAX_GROUPS);
            prop_assert!(groups.iter().all(|group| group.len() <= MAX_GROUP_LENGTH));
        }
        let variance = SearchVariance::parse(&lines);
        let mut canonical = Vec::new();
        variance.normalised(&query, &mut canonical);
        let mut again = Vec::new();
        variance.normalised(&canonical, &mut again);
        prop_assert_eq!(&again, &canonical);
        let mut written = Vec::new();
        variance.encode(&mut written);
        prop_assert_eq!(written.is_empty(), variance.is_default());
        prop_assert_eq!(SearchVariance::decode(&written), Some(variance));
    }

    #[test]
    fn strings_in_a_list_come_back(
        groups in vec(("[ -~]{0,12}", any::<bool>()), 0..9),
    ) {
        let mut values = vec![Vec::new()];
        for (group, is_new_line) in &groups {
            if *is_new_line {
                values.push(Vec::new());
            }
            let line: &mut Vec<u8> = values.last_mut().expect("one line at least");
            if !line.is_empty() {
                line.extend_from_slice(b" ,\t");
            }
            let escaped = group.replace('\\', "\\\\").replace('"', "\\\"");
            line.extend_from_slice(format!("\"{escaped}\"").as_bytes());
        }
        let lines: Vec<Line<'_>> =
            values.iter().map(|value| Line::new(b"cache-groups", value)).collect();
        let mut expected: Vec<&str> = Vec::new();
        for (group, _) in &groups {
            if !expected.contains(&group.as_str()) {
                expected.push(group);
            }
        }
        let found = cache_groups(&lines).expect("few and short");
        prop_assert_eq!(found.as_slice(), expected.as_slice());
    }

    #[test]
    fn canonical_queries_are_equal_exactly_where_the_draft_says(
        rule in rule(),
        (one, other) in queries(),
    ) {
        let field = rule.field();
        let variance = SearchVariance::parse(&[Line::new(b"No-Vary-Search", &field)]);
        prop_assert_eq!(variance.is_default(), rule.is_default());
        let (mut first, mut second) = (Vec::new(), Vec::new());
        variance.normalised(&one, &mut first);
        variance.normalised(&other, &mut second);
        prop_assert_eq!(first == second, rule.are_equivalent(&one, &other));
    }

    #[test]
    fn only_rules_that_were_written_are_read(
        bytes in prop_oneof![vec(any::<u8>(), 0..9), "[\x00-\x07](a|b|%C3|%A9|&|\\*){0,6}&?".prop_map(String::into_bytes)],
    ) {
        if let Some(variance) = SearchVariance::decode(&bytes) {
            let mut written = Vec::new();
            variance.encode(&mut written);
            prop_assert_eq!(written, bytes);
        }
    }

    #[test]
    fn what_is_encoded_is_decoded_again(bytes in vec(any::<u8>(), 0..40)) {
        let mut written = Vec::new();
        urlencoded::encode(&bytes, &mut written);
        prop_assert_eq!(urlencoded::decode(&written).into_owned(), bytes);
    }
}
