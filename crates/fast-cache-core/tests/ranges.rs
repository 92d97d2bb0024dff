//! Byte ranges against a model that knows a body only as a set of positions, and for any bytes.

use fast_cache_core::fields::Line;
use fast_cache_core::fields::list::is_token;
use fast_cache_core::fields::range::{ByteRanges, content_range, unsatisfied};
use fast_cache_core::rules::range::{
    MAX_RANGES, Multipart, Selection, select, stands_in_multipart, stands_in_partial,
    stands_in_unsatisfied,
};
use fast_cache_core::stored::{Stored, StoredTag, Traits};
use fast_cache_core::time::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use regex::bytes::Regex;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;
use std::time::Duration;

fn stored(body_length: u64) -> Stored<()> {
    Stored {
        received: Timestamp::from_seconds(1_700_000_000),
        initial_age: 0,
        took: 0,
        lifetime: Duration::from_secs(60),
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        status: 200,
        traits: Traits::default(),
        etag: StoredTag::Generated(body_length),
        last_modified: Some(Timestamp::from_seconds(784_111_777)),
        body_length,
        representation: (),
    }
}

/// One range: both ends, the first alone, or a suffix.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Both(u64, u64),
    From(u64),
    Last(u64),
}

impl Asked {
    fn text(self) -> String {
        match self {
            Self::Both(first, last) => format!("{first}-{last}"),
            Self::From(first) => format!("{first}-"),
            Self::Last(count) => format!("-{count}"),
        }
    }

    fn covers(self, position: u64, length: u64) -> bool {
        match self {
            Self::Both(first, last) => first <= position && position <= last,
            Self::From(first) => first <= position,
            Self::Last(count) => position + count >= length,
        }
    }
}

fn asked() -> impl Strategy<Value = Asked> {
    prop_oneof![
        4 => (0..24_u64, 0..9_u64).prop_map(|(first, more)| Asked::Both(first, first + more)),
        1 => (0..40_u64).prop_map(Asked::From),
        1 => (0..9_u64).prop_map(Asked::Last),
    ]
}

/// What is to come out, found position by position.
fn model(asked: &[Asked], length: u64) -> Selection {
    if asked.len() > MAX_RANGES {
        return Selection::Whole;
    }
    let sets: Vec<BTreeSet<u64>> = asked
        .iter()
        .map(|one| (0..length).filter(|&at| one.covers(at, length)).collect())
        .collect();
    let union: BTreeSet<u64> = sets.iter().flatten().copied().collect();
    if union.is_empty() {
        let suffix = asked.iter().any(|one| matches!(one, Asked::Last(1..)));
        return if suffix && length == 0 {
            Selection::Whole
        } else {
            Selection::Unsatisfiable
        };
    }
    if sets.iter().map(BTreeSet::len).sum::<usize>() as u64 > length {
        return Selection::Whole;
    }
    // Runs of positions, each with the first range that has a part in it.
    let starts = union
        .iter()
        .filter(|&&at| at == 0 || !union.contains(&(at - 1)));
    let mut runs: Vec<(usize, Range<u64>)> = starts
        .map(|&start| {
            let end = (start..=length).find(|at| !union.contains(at)).unwrap();
            let first = sets
                .iter()
                .position(|set| set.range(start..end).next().is_some());
            (first.unwrap(), start..end)
        })
        .collect();
    runs.sort_by_key(|(first, _)| *first);
    match &runs[..] {
        [(_, range)] => Selection::One(range.clone()),
        _ => Selection::Many(runs.into_iter().map(|(_, range)| range).collect()),
    }
}

/// Bytes of which ranges are made, so that random values are often nearly well formed.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let words = proptest::sample::select(vec![
        "bytes=",
        "BYTES=",
        "bytes",
        "items=",
        "0-1",
        "5-4",
        "-7",
        "3-",
        ",",
        ", ",
        "\t,",
        " ",
        "18446744073709551615",
        "99999999999999999999-99999999999999999998",
        "-",
        "=",
        "\"",
        "0",
        "W/\"x\"",
        "Sun, 06 Nov 1994 08:49:37 GMT",
    ]);
    let piece = prop_oneof![
        8 => words.prop_map(|word| word.as_bytes().to_vec()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    (any::<bool>(), vec(piece, 0..12)).prop_map(|(unit, pieces)| {
        let unit: &[u8] = if unit { b"bytes=" } else { b"" };
        [unit, &pieces.concat()].concat()
    })
}

/// The syntax by another road. That no range ends before it begins is left to [`is_ordered`].
static SYNTAX: LazyLock<Regex> = LazyLock::new(|| {
    let ows = "[ \t]*";
    let spec = "(?:[0-9]+-[0-9]*|-[0-9]+)";
    let empty = format!("{ows}(?:,{ows})*");
    let pattern = format!("(?-u)^{ows}(?i:bytes)={empty}{spec}(?:{ows},{empty}{spec})*{empty}$");
    Regex::new(&pattern.replace('$', r"\z")).unwrap()
});

static BOTH_ENDS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("(?-u)0*([0-9]+)-0*([0-9]+)").unwrap());

fn is_ordered(value: &[u8]) -> bool {
    BOTH_ENDS.captures_iter(value).all(|ends| {
        let (first, last) = (&ends[1], &ends[2]);
        (first.len(), first) <= (last.len(), last)
    })
}

/// Takes a multipart body apart by its boundary: for each part its `Content-Range` and its bytes.
fn take_apart<'a>(content: &'a [u8], boundary: &str) -> Vec<(String, &'a [u8])> {
    // Bodies here are ASCII.
    let content = std::str::from_utf8(content).unwrap();
    let content = content.strip_prefix(&format!("--{boundary}\r\n")).unwrap();
    let content = content
        .strip_suffix(&format!("\r\n--{boundary}--\r\n"))
        .unwrap();
    content
        .split(&format!("\r\n--{boundary}\r\n"))
        .map(|part| {
            let (head, bytes) = part.split_once("\r\n\r\n").unwrap();
            let (first, second) = head.split_once("\r\n").unwrap();
            assert_eq!(first, "Content-Type: text/plain");
            let content_range = second.strip_prefix("Content-Range: ").unwrap();
            (content_range.to_owned(), bytes.as_bytes())
        })
        .collect()
}

proptest! {
    #[test]
    fn selections_are_those_of_the_model(
        ranges in vec((asked(), "[ \t]{0,2}", "[ \t,]{0,3}", "0{0,3}"), 1..20),
        upper in any::<bool>(),
        length in 0..40_u64,
    ) {
        let mut text = String::from(if upper { "Bytes=" } else { "bytes=" });
        for (number, (one, before, after, zeros)) in ranges.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            // Leading zeros change nothing, wherever a number begins.
            let written = match one {
                Asked::Last(count) => format!("-{zeros}{count}"),
                other => format!("{zeros}{}", other.text()),
            };
            text = format!("{text}{comma}{before}{written}{after}");
        }
        let asked: Vec<Asked> = ranges.iter().map(|(one, ..)| *one).collect();
        let lines = [Line::new(b"Range", text.as_bytes())];
        prop_assert_eq!(select(&lines, &stored(length)), model(&asked, length), "{}", text);
    }

    #[test]
    fn few_ranges_of_a_long_body_are_those_of_the_model(
        ranges in vec(asked(), 1..5),
        length in 20..200_u64,
    ) {
        let texts: Vec<String> = ranges.iter().map(|one| one.text()).collect();
        let text = format!("bytes={}", texts.join(","));
        let lines = [Line::new(b"Range", text.as_bytes())];
        prop_assert_eq!(select(&lines, &stored(length)), model(&ranges, length), "{}", text);
    }

    #[test]
    fn any_bytes_are_read_without_panic(
        range in value(),
        condition in proptest::option::of(value()),
        name in vec(any::<u8>(), 0..40),
        length in prop_oneof![0..30_u64, any::<u64>()],
    ) {
        let mut lines = vec![Line::new(&name, &range), Line::new(b"range", &range)];
        lines.extend(condition.iter().map(|value| Line::new(b"if-range", value)));
        let parsed = ByteRanges::parse(&lines);
        prop_assert_eq!(parsed.is_some(), SYNTAX.is_match(&range) && is_ordered(&range));
        if let Some(parsed) = parsed {
            prop_assert!(parsed.len() > 0);
            prop_assert_eq!(parsed.iter().count(), parsed.len());
        }
        match select(&lines, &stored(length)) {
            Selection::Whole => {}
            Selection::One(range) => prop_assert!(range.start < range.end && range.end <= length),
            Selection::Many(ranges) => {
                prop_assert!((2..=MAX_RANGES).contains(&ranges.len()));
                let mut sorted = ranges.to_vec();
                sorted.sort_by_key(|range| range.start);
                prop_assert!(sorted.iter().all(|range| range.start < range.end));
                prop_assert!(sorted.windows(2).all(|pair| pair[0].end < pair[1].start));
                prop_assert!(sorted.last().is_none_or(|range| range.end <= length));
            }
            Selection::Unsatisfiable => prop_assert!(parsed.is_some()),
        }
        prop_assert!(!stands_in_multipart(&name) || stands_in_partial(&name));
        prop_assert!(!stands_in_unsatisfied(&name) || stands_in_multipart(&name));
    }

    #[test]
    fn parts_join_to_what_was_announced(
        cuts in proptest::collection::btree_set(0..500_u64, 2..12),
        turned in any::<bool>(),
        body in "[a-z\r\n-]{500}",
        seed in any::<u64>(),
    ) {
        let cuts: Vec<u64> = cuts.into_iter().collect();
        let mut ranges: Vec<Range<u64>> = cuts.windows(2).step_by(2).map(|pair| pair[0]..pair[1]).collect();
        if turned {
            ranges.reverse();
        }
        let multipart = Multipart::new(&ranges, 500, Some(b"text/plain"), seed);
        let slice = |range: &Range<u64>| {
            &body.as_bytes()[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]
        };
        let mut content = Vec::new();
        for part in multipart.parts() {
            content.extend_from_slice(&part.head);
            content.extend_from_slice(slice(&part.range));
        }
        content.extend_from_slice(multipart.end());
        prop_assert_eq!(content.len() as u64, multipart.content_length());
        prop_assert!(is_token(multipart.boundary()));
        let boundary = std::str::from_utf8(multipart.boundary()).unwrap();
        let announced = multipart.content_type();
        let expected = format!("multipart/byteranges; boundary={boundary}");
        prop_assert_eq!(announced, expected.into_bytes());
        let expected: Vec<(String, &[u8])> = ranges
            .iter()
            .map(|range| (format!("bytes {}-{}/500", range.start, range.end - 1), slice(range)))
            .collect();
        prop_assert_eq!(take_apart(&content, boundary), expected);
    }

    #[test]
    fn content_ranges_never_allocate(start in any::<u64>(), end in any::<u64>(), length in any::<u64>()) {
        let value = content_range(&(start..end), length);
        prop_assert!(!value.spilled());
        let expected = if start < end {
            format!("bytes {start}-{}/{length}", end - 1)
        } else {
            format!("bytes */{length}")
        };
        prop_assert_eq!(value.as_slice(), expected.as_bytes());
        let (value, expected) = (unsatisfied(length), format!("bytes */{length}"));
        prop_assert_eq!(value.as_slice(), expected.as_bytes());
    }
}
