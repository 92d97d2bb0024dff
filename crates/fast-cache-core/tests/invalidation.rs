//! Properties of targets and of what writes make invalid, for any bytes.

use fast_cache_core::fields::Line;
use fast_cache_core::fields::no_vary_search::SearchVariance;
use fast_cache_core::fields::uri::{
    Reference, remove_dot_segments, spell_decoded_path, spell_origin, spell_path, spell_query,
};
use fast_cache_core::request::{Method, Request};
use fast_cache_core::rules::invalidation::{Target, carried, invalidated, is_unsafe};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// Bytes of which URIs are made, so that random ones are often nearly well formed.
fn uri() -> impl Strategy<Value = Vec<u8>> {
    let piece = select(vec![
        "/",
        "/",
        "..",
        ".",
        "./",
        "//",
        "a",
        "b:",
        "?",
        "#",
        "%",
        "%2e",
        "%2F",
        "%7e",
        "@",
        ":80",
        "[",
        "]",
        "http:",
        "example.com",
        " ",
        "\u{e9}",
        "\\",
    ]);
    let pieces = vec(piece.prop_map(str::as_bytes), 0..9).prop_map(|pieces| pieces.concat());
    prop_oneof![4 => pieces, 1 => vec(any::<u8>(), 0..20)]
}

fn has_dot_segments(path: &[u8]) -> bool {
    let mut segments = path.split(|byte| *byte == b'/');
    segments.any(|segment| matches!(segment, b"." | b".."))
}

const NAMES: [&str; 5] = [
    "location",
    "Content-Location",
    "cache-group-invalidation",
    "Cache-Groups",
    "x",
];

proptest! {
    #[test]
    fn references_resolve_to_paths_without_dots(base in uri(), reference in uri()) {
        let base = Reference::parse(&base);
        let resolved = Reference::parse(&reference).resolve(&base);
        prop_assert!(!has_dot_segments(&resolved.path) || resolved.path == base.path);
        let cleaned = remove_dot_segments(&base.path);
        prop_assert!(!has_dot_segments(&cleaned));
        prop_assert_eq!(remove_dot_segments(&cleaned), cleaned);
        prop_assert!(resolved.scheme.is_some() || base.scheme.is_none());
    }

    #[test]
    fn what_is_spelled_stays_so(path in uri()) {
        for spelled in [spell_path(&path), spell_decoded_path(&path)] {
            prop_assert!(spelled.iter().all(u8::is_ascii_graphic) && !spelled.is_empty());
            prop_assert!(!spelled.iter().any(|byte| b"?#[]\\".contains(byte)));
            prop_assert!(!has_dot_segments(&spelled));
            prop_assert_eq!(spell_path(&spelled), spelled);
        }
        let query = spell_query(&path);
        prop_assert!(query.iter().all(u8::is_ascii_graphic));
        prop_assert_eq!(spell_query(&query), query);
        let (scheme, authority) = spell_origin(b"HTTP", &path);
        prop_assert_eq!(spell_origin(&scheme, &authority), (scheme, authority));
    }

    #[test]
    fn a_write_drops_what_is_stored_for_its_target(
        path in "[/a-c.%? \u{e9}]{0,9}",
        raw_path in option::of(uri()),
        query in uri(),
        host in option::of(uri()),
        method in "[A-Z]{0,5}",
        status in any::<u16>(),
        fields in vec((select(NAMES.to_vec()), uri()), 0..5),
        varies in any::<bool>(),
    ) {
        let lines: Vec<Line<'_>> = fields
            .iter()
            .map(|(name, value)| Line::new(name.as_bytes(), value))
            .collect();
        let request = Request {
            method: Method::Get,
            scheme: b"http",
            path: &path,
            raw_path: raw_path.as_deref(),
            root_path: "",
            query: &query,
            lines: &[],
        };
        let target = Target::of(&request, host.as_deref());
        let rule = [Line::new(b"no-vary-search", b"params")];
        let variance = SearchVariance::parse(&rule[usize::from(!varies)..]);
        let kept = carried(&target, &variance, &lines).expect("few and short groups");
        let method = Method::from_name(&method);
        let dropped = invalidated(&target, method, status, &lines);
        let drops = is_unsafe(method) && (200..400).contains(&status);
        prop_assert_eq!(!dropped.is_empty(), drops);
        prop_assert_eq!(kept.iter().any(|label| dropped.contains(label)), drops);
    }

    #[test]
    fn a_named_uri_is_the_target_of_a_request_for_it(
        path in "/[a-c./%~ ]{0,9}",
        query in "[a-c=&%~/?]{0,6}",
    ) {
        let of = |path: &str, query: &str| {
            let request = Request {
                method: Method::Get,
                scheme: b"https",
                path,
                raw_path: Some(path.as_bytes()),
                root_path: "",
                query: query.as_bytes(),
                lines: &[],
            };
            Target::of(&request, Some(b"Example.com"))
        };
        let label = of(&path, &query).label();
        let location = format!("https://EXAMPLE.com:443{path}?{query}#x");
        let lines = [Line::new(b"Location", location.as_bytes())];
        let dropped = invalidated(&of("/elsewhere", ""), Method::Other("PUT"), 201, &lines);
        prop_assert!(dropped.contains(&label));
    }
}
