//! Properties of the header syntax that hold for any bytes.

use fast_cache_core::fields::cache_control::{RequestDirectives, ResponseDirectives};
use fast_cache_core::fields::hop_by_hop::{Nominated, is_hop_by_hop};
use fast_cache_core::fields::validators::{
    EntityTag, format_generated, if_modified_since, if_none_match, parse_generated,
};
use fast_cache_core::fields::vary::Vary;
use fast_cache_core::fields::{Line, cache_status, date, list};
use fast_cache_core::time::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;

/// Bytes of which syntax is made, so that random values are often nearly well formed.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        4 => proptest::sample::select(b"\",\\=; \t*W/-019az".to_vec()),
        1 => any::<u8>(),
    ];
    let words = proptest::sample::select(vec![
        "no-store",
        "private",
        "max-age=",
        "s-maxage=",
        "\"a, b\"",
        "W/\"x\"",
        "Sun, 06 Nov",
        " GMT",
        "-94 08:49:37",
    ]);
    let piece = prop_oneof![
        2 => byte.prop_map(|byte| vec![byte]),
        1 => words.prop_map(|word| word.as_bytes().to_vec()),
    ];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn token() -> impl Strategy<Value = String> {
    "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}"
}

/// What a quoted string may say.
fn text(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(
        prop_oneof![Just(b'\t'), 0x20..=0x7e_u8, 0x80..=0xff_u8],
        0..=longest,
    )
}

fn quote(text: &[u8]) -> Vec<u8> {
    let mut quoted = vec![b'"'];
    for &byte in text {
        if matches!(byte, b'"' | b'\\') {
            quoted.push(b'\\');
        }
        quoted.push(byte);
    }
    quoted.push(b'"');
    quoted
}

/// A member of a list that must come back as it is: a token, perhaps with an argument in quotes.
fn member() -> impl Strategy<Value = Vec<u8>> {
    (token(), proptest::option::of(text(12))).prop_map(|(name, text)| {
        let mut member = name.into_bytes();
        if let Some(text) = text {
            member.push(b'=');
            member.extend(quote(&text));
        }
        member
    })
}

fn white_space() -> impl Strategy<Value = String> {
    "[ \t]{0,3}"
}

fn tag() -> impl Strategy<Value = Vec<u8>> {
    let opaque = vec(proptest::sample::select(b"ab,\\".to_vec()), 0..3);
    (any::<bool>(), opaque).prop_map(|(weak, opaque)| {
        let mark: &[u8] = if weak { b"W/" } else { b"" };
        [mark, b"\"", &opaque, b"\""].concat()
    })
}

fn moment() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_micros)
}

fn directive() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "no-store",
        "no-cache",
        "private",
        "public",
        "must-revalidate",
        "immutable",
        "max-age=60",
        "s-maxage=\"7\"",
        "stale-if-error=1",
        "private=\"x-a, x-b\"",
        "no-cache=x-c",
        "min-fresh=3",
        "max-stale",
        "max-stale=4",
        "only-if-cached",
        "unknown=\"no-store, max-age=1\"",
        "max-age=x",
    ])
}

/// `directive` with some letters in upper case and white space wherever any is borne.
fn disguised(
    directive: &str,
    upper: &[bool],
    [first, second, third, fourth]: &[String; 4],
) -> String {
    let letters = directive.chars().zip(upper.iter().cycle());
    let directive: String = letters
        .map(|(letter, upper)| {
            if *upper {
                letter.to_ascii_uppercase()
            } else {
                letter
            }
        })
        .collect();
    match directive.split_once('=') {
        Some((name, argument)) => format!("{first}{name}{second}={third}{argument}{fourth}"),
        None => format!("{first}{directive}{second}"),
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(
        values in vec(value(), 0..4),
        names in vec(any::<prop::sample::Index>(), 4),
        odd_name in vec(any::<u8>(), 0..20),
        now in moment(),
    ) {
        const MAX: Option<u32> = Some(i32::MAX as u32);
        let known = ["Cache-Control", "pragma", "VARY", "connection", "if-none-match"];
        let lines: Vec<Line<'_>> = values
            .iter()
            .zip(&names)
            .map(|(value, name)| Line::new(name.get(&known).as_bytes(), value))
            .chain([Line::new(&odd_name, &odd_name)])
            .collect();
        let values = || lines.iter().map(|line| line.value);
        let request = RequestDirectives::parse(&lines);
        prop_assert!(request.max_age <= MAX && request.min_fresh <= MAX);
        let response = ResponseDirectives::from_values(values());
        prop_assert!(response.max_age <= MAX && response.s_maxage <= MAX);
        prop_assert!(response.private || response.private_fields.is_empty());
        if let vary @ Vary::Names(_) = Vary::parse(&lines) {
            prop_assert!(!vary.names().is_empty());
            prop_assert!(vary.names().is_sorted_by(|left, right| left < right));
        }
        let nominated = Nominated::from(&lines);
        for value in values() {
            prop_assert!(!nominated.contains(value) || list::is_token(value));
            prop_assert!(!is_hop_by_hop(value) || list::is_token(value));
            let is_date = date::parse(value, now).is_some();
            prop_assert_eq!(if_modified_since([value], now, now).is_some(), is_date);
            if let Some(hash) = parse_generated(value) {
                prop_assert_eq!(value, format_generated(hash));
            }
            prop_assert!(list::unquote(value).is_none_or(|text| text.len() + 2 <= value.len()));
        }
        let stored = lines.first().map(|line| line.value);
        let is_tag = stored.is_some_and(|stored| EntityTag::parse(stored).is_some());
        let is_star = list::members(values()).any(|member| member == b"*");
        prop_assert!(!if_none_match(values(), stored) || is_tag || is_star);
        for member in list::members(values()) {
            prop_assert!(!member.is_empty());
            prop_assert_eq!(list::trim(member), member);
        }
    }

    #[test]
    fn joined_members_are_split_again(
        members in vec((member(), white_space(), white_space(), 0..3_u8), 0..8),
    ) {
        let mut lines = vec![Vec::new()];
        for (member, before, behind, end) in &members {
            let line = lines.last_mut().expect("one line at least");
            line.extend([before.as_bytes(), member, behind.as_bytes()].concat());
            match end {
                0 => lines.push(Vec::new()),
                1 => line.extend(b","),
                _ => line.extend(b", ,"),
            }
        }
        let split: Vec<&[u8]> = list::members(lines.iter().map(Vec::as_slice)).collect();
        let expected: Vec<&[u8]> = members.iter().map(|(member, ..)| member.as_slice()).collect();
        prop_assert_eq!(split, expected);
    }

    #[test]
    fn quoted_text_is_read_as_it_was(text in text(40)) {
        let quoted = quote(&text);
        let read = list::unquote(&quoted);
        prop_assert_eq!(read.as_deref(), Some(text.as_slice()));
    }

    #[test]
    fn dates_are_read_as_they_were_written(
        seconds in -62_135_596_800..=253_402_300_799_i64,
        micros in 0..1_000_000_i64,
        now in moment(),
    ) {
        let date = date::format(Timestamp::from_micros(seconds * 1_000_000 + micros));
        let date = date.expect("a moment in the years 1 to 9999");
        let expected = Some(Timestamp::from_seconds(seconds));
        prop_assert_eq!(date::parse(&date, now), expected);
        let text = std::str::from_utf8(&date).expect("a date is ASCII");
        let (weekday, day, month) = (&text[..3], &text[5..7], &text[8..11]);
        let (year, time) = (&text[12..16], &text[17..25]);
        let day = day.strip_prefix('0').map_or(day.to_owned(), |digit| format!(" {digit}"));
        let asctime = format!("{weekday} {month} {day} {time} {year}");
        prop_assert_eq!(date::parse(asctime.as_bytes(), now), expected);
    }

    #[test]
    fn two_digit_years_come_near_now(
        now in 0..200_000_000_000_i64,
        offset in -49 * 31_556_952..49 * 31_556_952_i64,
    ) {
        let moment = Timestamp::from_seconds(now + offset);
        let date = date::format(moment).expect("a moment in the years 1 to 9999");
        let text = std::str::from_utf8(&date).expect("a date is ASCII");
        let (day, month, year, time) = (&text[5..7], &text[8..11], &text[14..16], &text[17..25]);
        let rfc_850 = format!("Monday, {day}-{month}-{year} {time} GMT");
        prop_assert_eq!(date::parse(rfc_850.as_bytes(), Timestamp::from_seconds(now)), Some(moment));
    }

    #[test]
    fn moments_outside_the_calendar_have_no_date(moment in moment()) {
        let within = (-62_135_596_800..=253_402_300_799).contains(&moment.seconds());
        prop_assert_eq!(date::format(moment).is_some(), within);
    }

    #[test]
    fn tags_compare_alike_both_ways(left in tag(), right in tag()) {
        let one = EntityTag::parse(&left).expect("a tag");
        let other = EntityTag::parse(&right).expect("a tag");
        prop_assert_eq!(one.weak_eq(other), other.weak_eq(one));
        prop_assert_eq!(one.strong_eq(other), other.strong_eq(one));
        prop_assert!(!one.strong_eq(other) || one.weak_eq(other));
        prop_assert!(one.weak_eq(one) && one.strong_eq(one) != one.weak);
        let found = if_none_match([left.as_slice()], Some(&right));
        prop_assert_eq!(found, if_none_match([right.as_slice()], Some(&left)));
        prop_assert_eq!(found, one.opaque == other.opaque);
    }

    #[test]
    fn a_tag_is_found_wherever_it_stands(
        tags in vec(vec(tag(), 0..4), 0..4),
        stored in tag(),
    ) {
        let lines: Vec<Vec<u8>> = tags.iter().map(|line| line.join(b" , ".as_slice())).collect();
        let parse = |tag| EntityTag::parse(tag).expect("a tag");
        let expected = tags.iter().flatten().any(|tag| parse(tag).weak_eq(parse(&stored)));
        prop_assert_eq!(if_none_match(lines.iter().map(Vec::as_slice), Some(&stored)), expected);
    }

    #[test]
    fn case_and_spacing_change_no_directive(
        directives in vec(
            (directive(), vec(any::<bool>(), 1..9), proptest::array::uniform4(white_space()), any::<bool>()),
            0..8,
        ),
    ) {
        let mut plain = Vec::new();
        let mut lines = vec![String::new()];
        for (directive, upper, spaces, new_line) in &directives {
            plain.push(*directive);
            if *new_line {
                lines.push(String::new());
            }
            let line = lines.last_mut().expect("one line at least");
            line.push_str(&disguised(directive, upper, spaces));
            line.push(',');
        }
        let plain = plain.join(",");
        let values = || lines.iter().map(String::as_bytes);
        prop_assert_eq!(
            ResponseDirectives::from_values(values()),
            ResponseDirectives::from_values([plain.as_bytes()])
        );
        prop_assert_eq!(
            RequestDirectives::from_values(values(), []),
            RequestDirectives::from_values([plain.as_bytes()], [])
        );
    }

    #[test]
    fn another_line_never_permits_more(first in value(), second in value()) {
        let before = ResponseDirectives::from_values([first.as_slice()]);
        let after = ResponseDirectives::from_values([first.as_slice(), &second]);
        prop_assert!(after.no_store >= before.no_store);
        prop_assert!(after.private >= before.private);
        prop_assert!(after.no_cache >= before.no_cache);
        prop_assert!(before.max_age.is_none() || after.max_age <= before.max_age);
    }

    #[test]
    fn cache_names_are_one_item_or_refused(name in prop_oneof!["[ -~]{0,12}", any::<String>()]) {
        match cache_status::cache_name(&name) {
            Ok(written) => {
                let written = written.as_str().as_bytes();
                let read = list::unquote(written).unwrap_or(written.into());
                prop_assert_eq!(read.as_ref(), name.as_bytes());
                prop_assert_eq!(list::members([written]).count(), 1);
            }
            Err(error) => prop_assert!(name.contains(error.character)),
        }
    }
}
