//! URI references, queries, and which parts of a query matter.

use super::lines;
use crate::choices::Choices;
use fast_cache_core::fields::no_vary_search::SearchVariance;
use fast_cache_core::fields::{uri, urlencoded};

pub(crate) fn uris(bytes: &[u8]) {
    let words = [
        "/",
        "//",
        "..",
        ".",
        "?",
        "#",
        ":",
        "@",
        "http",
        "https:",
        "a",
        "b.example",
        ":80",
        ":443",
        "%",
        "%2e",
        "%2F",
        "%41",
        "[::1]",
        "é",
        " ",
        "\\",
        "A",
        "{",
        "&",
        "=",
    ];
    let mut choices = Choices::new(bytes);
    let (base, text) = (choices.text(&words, 10), choices.rest(&words));
    let base = uri::Reference::parse(&base);
    let resolved = uri::Reference::parse(&text).resolve(&base);
    assert!(resolved.scheme.is_some() || base.scheme.is_none());
    for path in [uri::spell_path(&text), uri::spell_decoded_path(&text)] {
        assert_eq!(uri::spell_path(&path), path);
        assert!(path.iter().all(u8::is_ascii_graphic));
    }
    let query = uri::spell_query(&text);
    assert_eq!(uri::spell_query(&query), query);
    let (scheme, authority) = uri::spell_origin(b"HTTP", &text);
    assert_eq!(scheme, b"http");
    assert!(authority.len() <= text.len());
    let removed = uri::remove_dot_segments(&text);
    assert_eq!(uri::remove_dot_segments(&removed), removed);
}

pub(crate) fn query_strings(bytes: &[u8]) {
    let mut encoded = Vec::new();
    urlencoded::encode(bytes, &mut encoded);
    assert_eq!(&*urlencoded::decode(&encoded), bytes);
    assert!(encoded.is_ascii());
    let words = ["a", "=", "&", "+", "%", "%6", "%61", "%C3%A9", "%ff", "é"];
    let query = Choices::new(bytes).rest(&words);
    for (name, value) in urlencoded::pairs(&query) {
        assert!(!name.contains(&b'='));
        assert!(urlencoded::decode(name).len() <= name.len());
        urlencoded::decode_text(value);
    }
}

pub(crate) fn no_vary_search(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let query = ["a", "b", "=", "&", "+", "%", "%61", "%C3", "1", "utm", "é"];
    let (one, other) = (choices.text(&query, 12), choices.text(&query, 12));
    let words = [
        "params",
        "key-order",
        "except=",
        "params=",
        "(\"a\")",
        "(\"a\" \"utm\")",
        "(\"%61\")",
        "()",
        "=?0",
        "=?1",
        ", ",
        ",",
        ";x",
        "\"",
        "(\"",
        "a",
    ];
    let pairs = choices.pairs(&["no-vary-search"], &words);
    let variance = SearchVariance::parse(&lines(&pairs));
    let normalised = |query: &[u8]| {
        let mut out = Vec::new();
        variance.normalised(query, &mut out);
        out
    };
    assert_eq!(normalised(&normalised(&one)), normalised(&one));
    if variance.is_default() {
        assert_eq!(normalised(&one) == normalised(&other), one == other);
    }
    let mut encoded = Vec::new();
    variance.encode(&mut encoded);
    assert_eq!(encoded.is_empty(), variance.is_default());
    assert_eq!(SearchVariance::decode(&encoded), Some(variance));
    if let Some(decoded) = SearchVariance::decode(bytes) {
        let mut again = Vec::new();
        decoded.encode(&mut again);
        assert_eq!(again, bytes);
    }
}
