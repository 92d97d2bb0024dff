//! Fields that are lists of names or languages, and lists as such.

use super::lines;
use crate::choices::Choices;
use fast_cache_core::fields::groups::{
    MAX_GROUP_LENGTH, MAX_GROUPS, cache_groups, invalidated_groups,
};
use fast_cache_core::fields::hop_by_hop::{Nominated, is_hop_by_hop};
use fast_cache_core::fields::vary::Vary;
use fast_cache_core::fields::{Line, language, list, values};
use fast_cache_core::reason::Reason;

pub(super) const SYNTAX: &[&str] = &[
    ",",
    ";",
    "=",
    "\"",
    "\\",
    " ",
    "\t",
    "*",
    "a",
    "B",
    "0",
    "1",
    "-",
    "/",
    "W/",
    "(",
    ")",
    "?1",
    "?0",
    ":",
    "\r\n",
    "\0",
    "é",
    "99999999999999999999",
];

pub(crate) fn lists(bytes: &[u8]) {
    let pairs = Choices::new(bytes).pairs(&["a"], SYNTAX);
    let lines = lines(&pairs);
    let members: Vec<&[u8]> = list::members(values(&lines, "a")).collect();
    for member in &members {
        assert!(!member.is_empty() && list::trim(member) == *member);
        let (name, argument) = list::name_and_argument(member);
        assert!(name.len() + argument.map_or(0, <[u8]>::len) <= member.len());
        if let Some(text) = list::unquote(member) {
            assert!(text.len() + 2 <= member.len());
        }
        assert!(!list::is_token(member) || list::members([*member]).eq([*member]));
    }
    let by_line: usize = lines
        .iter()
        .map(|line| list::members([line.value]).count())
        .sum();
    assert_eq!(members.len(), by_line);
}

pub(crate) fn vary(bytes: &[u8]) {
    let words = [
        "*",
        "Accept",
        "accept-language",
        "Origin",
        ",",
        ", ",
        "\"",
        "\t",
        "é",
        "x y",
        "host",
    ];
    let pairs = Choices::new(bytes).pairs(&["vary", "other"], &words);
    let vary = Vary::parse(&lines(&pairs));
    let names = vary.names();
    assert_eq!(names.is_empty(), !matches!(vary, Vary::Names(_)));
    assert!(names.is_sorted_by(|one, next| one < next));
    let joined = names.join(", ");
    let again = Vary::parse(&[Line::new(b"vary", joined.as_bytes())]);
    assert_eq!(again.names(), names);
}

pub(crate) fn hop_by_hop(bytes: &[u8]) {
    let words = [
        "close",
        "keep-alive",
        "X-A",
        "te",
        ", ",
        ",",
        "\"",
        " ",
        "\"x\"",
        "connection",
        "é",
    ];
    let pairs = Choices::new(bytes).pairs(&["connection", "keep-alive", "x-a", "te"], &words);
    let lines = lines(&pairs);
    let nominated = Nominated::from(&lines);
    for line in &lines {
        assert_eq!(is_hop_by_hop(line.name), !line.is("x-a"));
        for member in line.value.split(|byte| matches!(byte, b',' | b' ')) {
            let upper = member.to_ascii_uppercase();
            assert_eq!(nominated.contains(member), nominated.contains(&upper));
            assert!(!nominated.contains(member) || list::is_token(member));
        }
    }
}

pub(crate) fn accept_language(bytes: &[u8]) {
    let words = [
        "de", "EN", "fr-ch", "*", ", ", ",", ";q=", "; Q = ", "0.5", "1", "0", "1.001", "0.", ";",
        "=", "\"", " ",
    ];
    let pairs = Choices::new(bytes).pairs(&["accept-language"], &words);
    let lines = lines(&pairs);
    let of = |lines: &[Line<'_>]| {
        let liked = language::preferred(values(lines, "accept-language"));
        (
            liked,
            language::normalised(values(lines, "accept-language")),
        )
    };
    let (liked, normalised) = of(&lines);
    assert!(
        liked.is_sorted()
            && liked
                .iter()
                .all(|language| !language.iter().any(u8::is_ascii_uppercase))
    );
    let mut turned = lines.clone();
    turned.reverse();
    assert_eq!(of(&turned), (liked, normalised));
}

pub(crate) fn groups(bytes: &[u8]) {
    let names = ["cache-groups", "cache-group-invalidation"];
    let long = format!("\"{}\"", "g".repeat(MAX_GROUP_LENGTH + 1));
    let words = [
        "\"a\"",
        "\"b\\\"\"",
        ", ",
        ",",
        "\"",
        "a",
        ";x",
        ";x=1",
        "(\"a\")",
        &long,
        "\"\"",
        " ",
    ];
    let pairs = Choices::new(bytes).pairs(&names, &words);
    let lines = lines(&pairs);
    for groups in [cache_groups(&lines), Ok(invalidated_groups(&lines))] {
        let Ok(groups) = groups else {
            assert_eq!(groups, Err(Reason::Tags));
            continue;
        };
        assert!(groups.len() <= MAX_GROUPS);
        for (index, group) in groups.iter().enumerate() {
            assert!(group.len() <= MAX_GROUP_LENGTH && group.is_ascii());
            assert!(!groups[..index].contains(group));
        }
    }
}
