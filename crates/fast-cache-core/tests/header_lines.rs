//! Header lines survive being stored, freshened and replayed, in order and number: against models that know lines only
//! as pairs.

use fast_cache_core::exchange::{BodyOf, Form, Layout, LineOf, Piece, compose};
use fast_cache_core::fields::Line;
use fast_cache_core::rules::freshening::{Source, freshened};
use fast_cache_core::rules::kept_fields::KeptFields;
use fast_cache_core::stored::{Stored, StoredTag, Traits};
use fast_cache_core::time::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::time::Duration;

type Pair = (Vec<u8>, Vec<u8>);

const NEVER_KEPT: [&str; 12] = [
    "age",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-cache-status",
];
const OF_THE_BODY: [&str; 5] = [
    "content-encoding",
    "content-length",
    "content-md5",
    "content-range",
    "etag",
];
const OTHERS: [&str; 17] = [
    "cache-control",
    "content-digest",
    "content-location",
    "content-security-policy",
    "content-type",
    "date",
    "expires",
    "last-modified",
    "link",
    "repr-digest",
    "set-cookie",
    "surrogate-control",
    "vary",
    "x",
    "x-a",
    "cdn-cache-control",
    "",
];

fn known_name() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => select(OTHERS.to_vec()),
        2 => select(OF_THE_BODY.to_vec()),
        1 => select(NEVER_KEPT.to_vec()),
    ]
    .prop_map(str::to_owned)
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let cased = (known_name(), 0..3_u8).prop_map(|(name, case)| match case {
        0 => name.to_ascii_uppercase().into_bytes(),
        1 => {
            let mut name = name.into_bytes();
            if let Some(first) = name.first_mut() {
                first.make_ascii_uppercase();
            }
            name
        }
        _ => name.into_bytes(),
    });
    prop_oneof![8 => cased, 1 => vec(any::<u8>(), 0..6)]
}

fn pair() -> impl Strategy<Value = Pair> {
    let nominating = vec(known_name(), 0..3).prop_map(|names| {
        let value = names.join(" , ");
        (b"Connection".to_vec(), value.into_bytes())
    });
    let value = prop_oneof![
        4 => select(vec!["", " ", "1", "2", "a, b", "\"a\""]).prop_map(|text| text.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..8),
    ];
    let plain = (name(), value).prop_filter("another way to nominate", |(name, _)| {
        !name.eq_ignore_ascii_case(b"connection")
    });
    prop_oneof![12 => plain, 1 => nominating]
}

fn pairs() -> impl Strategy<Value = Vec<Pair>> {
    vec(pair(), 0..14)
}

fn lines(pairs: &[Pair]) -> Vec<Line<'_>> {
    pairs
        .iter()
        .map(|(name, value)| Line::new(name, value))
        .collect()
}

fn lower(pair: &Pair) -> Vec<u8> {
    pair.0.to_ascii_lowercase()
}

fn is_among(pair: &Pair, names: &[&str]) -> bool {
    let name = lower(pair);
    names.iter().any(|known| known.as_bytes() == name)
}

/// The lines that may be kept, found by name.
fn kept(pairs: &[Pair]) -> Vec<Pair> {
    let nominated: Vec<String> = pairs
        .iter()
        .filter(|pair| is_among(pair, &["connection"]))
        .flat_map(|(_, value)| {
            let text = String::from_utf8_lossy(value).into_owned();
            let names = text.split(',').map(|name| name.trim().to_ascii_lowercase());
            names.filter(|name| !name.is_empty()).collect::<Vec<_>>()
        })
        .collect();
    let stays = |pair: &&Pair| {
        let name = lower(pair);
        let is_nominated = nominated.iter().any(|known| known.as_bytes() == name);
        !is_among(pair, &NEVER_KEPT) && !is_nominated
    };
    pairs.iter().filter(stays).cloned().collect()
}

/// The lines with a name, in order and number.
fn named(pairs: &[Pair], name: &[u8]) -> Vec<Pair> {
    let is_it = |pair: &&Pair| lower(pair) == name;
    pairs.iter().filter(is_it).cloned().collect()
}

/// Each name once, where it stands first.
fn order(pairs: &[Pair]) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    for name in pairs.iter().map(lower) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn merge(stored: &[Pair], update: &[Pair]) -> Vec<Pair> {
    let sources = freshened(&lines(stored), &lines(update));
    let line = |source: Source| match source {
        Source::Stored(index) => stored[index].clone(),
        Source::Update(index) => update[index].clone(),
    };
    sources.into_iter().map(line).collect()
}

fn stored(status: u16, body_length: u64) -> Stored<()> {
    Stored {
        received: Timestamp::from_seconds(1_700_000_000),
        initial_age: 0,
        took: 0,
        lifetime: Duration::from_secs(60),
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        status,
        traits: Traits::default(),
        etag: StoredTag::None,
        last_modified: None,
        body_length,
        representation: (),
    }
}

/// What is stored of an answer: the lines with these indices, in order; and what was made.
fn parts(layout: &Layout) -> (Vec<usize>, Vec<(&'static str, Vec<u8>)>) {
    let (mut indices, mut made) = (Vec::new(), Vec::new());
    for line in &layout.lines {
        match line {
            LineOf::Stored(index) => {
                assert!(made.is_empty(), "what is made comes last");
                indices.push(*index);
            }
            LineOf::Made(name, value) => made.push((*name, value.clone())),
        }
    }
    (indices, made)
}

fn indices(pairs: &[Pair], stands: impl Fn(&str) -> bool) -> Vec<usize> {
    let stands = |(index, pair): (usize, &Pair)| {
        let name = String::from_utf8_lossy(&pair.0).to_ascii_lowercase();
        stands(&name).then_some(index)
    };
    pairs.iter().enumerate().filter_map(stands).collect()
}

proptest! {
    #[test]
    fn what_is_kept_is_kept_in_order_and_number(pairs in pairs()) {
        let all = lines(&pairs);
        let keeps = KeptFields::of(&all);
        let found: Vec<Pair> = pairs.iter().filter(|(name, _)| keeps.keeps(name)).cloned().collect();
        prop_assert_eq!(found, kept(&pairs));
    }

    #[test]
    fn a_confirmation_changes_fields_whole_and_moves_nothing(first in pairs(), update in pairs()) {
        let stored = kept(&first);
        let merged = merge(&stored, &update);
        let renewing: Vec<Pair> = kept(&update)
            .into_iter()
            .filter(|pair| !is_among(pair, &OF_THE_BODY))
            .collect();
        // By name: all lines of the one or all lines of the other, as they were.
        for name in order(&[&stored[..], &update[..], &merged[..]].concat()) {
            let new = named(&renewing, &name);
            let expected = match name.as_slice() {
                _ if !new.is_empty() => new,
                b"date" => Vec::new(),
                _ => named(&stored, &name),
            };
            prop_assert_eq!(named(&merged, &name), expected);
        }
        // Names stand where they stood, and new ones last.
        let mut expected = order(&stored);
        expected.extend(order(&renewing).into_iter().filter(|name| named(&stored, name).is_empty()));
        expected.retain(|name| !named(&merged, name).is_empty());
        prop_assert_eq!(order(&merged), expected);
        // Lines that were not renewed keep their order among each other.
        let untouched = |pairs: &[Pair]| -> Vec<Pair> {
            let untouched = |pair: &&Pair| named(&renewing, &lower(pair)).is_empty() && !is_among(pair, &["date"]);
            pairs.iter().filter(untouched).cloned().collect()
        };
        prop_assert_eq!(untouched(&merged), untouched(&stored));
    }

    #[test]
    fn a_confirmation_that_comes_twice_changes_nothing_more(first in pairs(), update in pairs()) {
        let once = merge(&kept(&first), &update);
        let twice = merge(&once, &update);
        prop_assert_eq!(order(&twice), order(&once));
        for name in order(&once) {
            prop_assert_eq!(named(&twice, &name), named(&once, &name));
        }
    }

    #[test]
    fn an_answer_has_the_lines_that_are_stored_whatever_came_between(
        first in pairs(),
        updates in vec(pairs(), 0..4),
        status in 200..600_u16,
        length in 0..100_u64,
    ) {
        let mut held = kept(&first);
        for update in &updates {
            held = merge(&held, update);
            prop_assert_eq!(kept(&held).len(), held.len());
        }
        let all: Vec<usize> = (0..held.len()).collect();
        for (form, body) in [(Form::Full, BodyOf::Whole), (Form::WithoutBody, BodyOf::Nothing)] {
            let layout = compose(form, &stored(status, length), &lines(&held), &[], 7);
            prop_assert_eq!((layout.status, &layout.body), (status, &body));
            prop_assert_eq!(parts(&layout), (all.clone(), vec![]));
        }
    }

    #[test]
    fn other_forms_leave_lines_out_and_nothing_else(
        first in pairs(),
        length in 4..100_u64,
        ends in (0..4_u64, 0..4_u64),
    ) {
        let held = kept(&first);
        let request = [Line::new(b"range", b"bytes=0-0, -1")];
        let composed = |form| compose(form, &stored(200, length), &lines(&held), &request, 7);

        let layout = composed(Form::NotModified);
        prop_assert_eq!((layout.status, &layout.body), (304, &BodyOf::Nothing));
        let of_representation = |name: &str| {
            name.starts_with("content-") && !matches!(name, "content-location" | "content-security-policy")
        };
        prop_assert_eq!(parts(&layout), (indices(&held, |name| !of_representation(name)), vec![]));

        let of_whole = ["content-length", "content-range", "content-digest", "content-md5"];
        let (start, end) = (ends.0.min(ends.1), ends.0.max(ends.1) + 1);
        let layout = composed(Form::Part(start, end));
        let body = BodyOf::Pieces(vec![Piece::Stored(start..end)]);
        prop_assert_eq!((layout.status, &layout.body), (206, &body));
        let made = vec![
            ("content-range", format!("bytes {start}-{}/{length}", end - 1).into_bytes()),
            ("content-length", (end - start).to_string().into_bytes()),
        ];
        prop_assert_eq!(parts(&layout), (indices(&held, |name| !of_whole.contains(&name)), made));

        let layout = composed(Form::Parts);
        let (found, made) = parts(&layout);
        let stands = |name: &str| !of_whole.contains(&name) && name != "content-type";
        prop_assert_eq!((layout.status, found), (206, indices(&held, stands)));
        let BodyOf::Pieces(pieces) = &layout.body else {
            return Err(TestCaseError::fail("several parts have pieces"));
        };
        let size = |piece: &Piece| match piece {
            Piece::Made(bytes) => bytes.len() as u64,
            Piece::Stored(range) => range.end - range.start,
        };
        let sent: u64 = pieces.iter().map(size).sum();
        prop_assert_eq!(made.len(), 2);
        prop_assert_eq!(&made[1], &("content-length", sent.to_string().into_bytes()));

        let layout = composed(Form::Unsatisfiable);
        prop_assert_eq!((layout.status, &layout.body), (416, &BodyOf::Nothing));
        let stands = |name: &str| {
            let describes = name.starts_with("content-") && !name.starts_with("content-security-policy");
            let names = ["etag", "expires", "last-modified", "repr-digest", "surrogate-control"];
            !describes && !name.ends_with("cache-control") && !names.contains(&name)
        };
        let made = vec![
            ("content-range", format!("bytes */{length}").into_bytes()),
            ("content-length", b"0".to_vec()),
        ];
        prop_assert_eq!(parts(&layout), (indices(&held, stands), made));
    }
}
