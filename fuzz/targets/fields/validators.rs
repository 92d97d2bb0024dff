//! Entity tags, dates and ranges.

use super::{NOW, lines};
use crate::choices::Choices;
use fast_cache_core::fields::range::{ByteRanges, content_range, unsatisfied};
use fast_cache_core::fields::validators::{
    EntityTag, format_generated, if_modified_since, if_none_match, parse_generated,
};
use fast_cache_core::fields::{date, values};
use fast_cache_core::rules::range::{Multipart, Selection, select};
use fast_cache_core::stored::{Stored, StoredTag, Traits};
use fast_cache_core::time::Timestamp;
use std::time::Duration;

pub(crate) fn entity_tags(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let words = [
        "\"a\"", "W/\"a\"", "*", "\"", ", ", ",", "W/", "\\", "a", " ", "\"a,b\"", "\"\"", "é",
        "\u{1}",
    ];
    let tag = choices.text(&words, 4);
    let hash = choices.number();
    let pairs = choices.pairs(&["if-none-match", "if-modified-since"], &words);
    let lines = lines(&pairs);
    let mut none_match: Vec<&[u8]> = values(&lines, "if-none-match").collect();
    if_none_match(none_match.iter().copied(), None);
    let matched = if_none_match(none_match.iter().copied(), Some(&tag));
    if let Some(parsed) = EntityTag::parse(&tag) {
        assert!(parsed.weak_eq(parsed) && parsed.strong_eq(parsed) != parsed.weak);
        none_match.push(&tag);
        assert!(if_none_match(none_match, Some(&tag)));
    } else {
        assert_eq!(matched, if_none_match(none_match, None));
    }
    if_modified_since(values(&lines, "if-modified-since"), NOW, NOW);
    let generated = format_generated(hash);
    assert_eq!(parse_generated(&generated), Some(hash));
    if let Some(hash) = parse_generated(&tag) {
        assert_eq!(format_generated(hash), *tag);
    }
}

pub(crate) fn dates(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let micros = i64::from_le_bytes(choices.number().to_le_bytes());
    let words = [
        "Sun, ", "Sunday, ", "Sun ", "06", " 6", "29", "31", "00", " Nov ", "-Feb-", " feb ",
        "1994", "2000", "94", "9999", "0000", " ", "08:49:37", "23:59:60", "24:00:00", " GMT",
        " gmt", "-", ":", ",", "+0100", "Nov ",
    ];
    let text = choices.rest(&words);
    for now in [
        NOW,
        Timestamp::from_micros(micros),
        Timestamp::from_micros(i64::MIN),
    ] {
        if let Some(moment) = date::parse(&text, now) {
            let written = date::format(moment).expect("a year from 1 to 9999");
            assert_eq!(date::parse(&written, now), Some(moment));
        }
    }
    let moment = Timestamp::from_micros(micros);
    if let Some(written) = date::format(moment) {
        let read = date::parse(&written, NOW).expect("what was written");
        assert_eq!(read.seconds(), moment.seconds());
    }
}

pub(crate) fn range(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let length = match choices.below(4) {
        0 => u64::from(choices.byte()),
        1 => 0,
        2 => choices.number(),
        _ => u64::MAX,
    };
    let (seed, tag) = (choices.number(), choices.number());
    let dated = choices.one_in(2);
    let words = [
        "bytes=",
        "Bytes=",
        "bytes",
        "=",
        "-",
        ",",
        ", ",
        "0",
        "1",
        "5",
        "10",
        "255",
        "0-0",
        "-1",
        "18446744073709551615",
        "99999999999999999999999",
        "W/",
        "\"a\"",
        "\"",
        "Sun, 06 Nov 1994 08:49:37 GMT",
    ];
    let pairs = choices.pairs(&["range", "range", "range", "if-range", "other"], &words);
    let lines = lines(&pairs);
    if let Some(ranges) = ByteRanges::parse(&lines) {
        assert!(ranges.len() > 0 && ranges.iter().count() == ranges.len());
        for within in ranges.iter().filter_map(|range| range.within(length)) {
            assert!(within.start <= within.end && within.end <= length);
            content_range(&within, length);
        }
    }
    unsatisfied(length);
    let stored = Stored {
        received: NOW,
        initial_age: 0,
        took: 0,
        lifetime: Duration::from_secs(60),
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        status: 200,
        traits: Traits::default(),
        etag: StoredTag::Generated(tag),
        last_modified: dated.then(|| Timestamp::from_seconds(784_111_777)),
        body_length: length,
        representation: (),
    };
    match select(&lines, &stored) {
        Selection::Whole => {}
        Selection::Unsatisfiable => assert!(lines.iter().any(|line| line.is("range"))),
        Selection::One(range) => assert!(range.start < range.end && range.end <= length),
        Selection::Many(ranges) => {
            let content_type = values(&lines, "other").next();
            let multipart = Multipart::new(&ranges, length, content_type, seed);
            let heads: u64 = multipart
                .parts()
                .iter()
                .map(|part| part.head.len() as u64)
                .sum();
            let sent: u64 = ranges.iter().map(|range| range.end - range.start).sum();
            assert!(ranges.len() > 1 && sent <= length);
            let whole = heads
                .saturating_add(sent)
                .saturating_add(multipart.end().len() as u64);
            assert_eq!(multipart.content_length(), whole);
            for (index, range) in ranges.iter().enumerate() {
                assert!(range.start < range.end && range.end <= length);
                let mut others = ranges[..index].iter();
                assert!(others.all(|it| it.end < range.start || range.end < it.start));
            }
        }
    }
}
