use super::SearchVariance;
use crate::fields::Line;

fn parse(value: &str) -> SearchVariance {
    let lines: Vec<Line<'_>> = value
        .split('\n')
        .map(|value| Line::new(b"No-Vary-Search", value.as_bytes()))
        .collect();
    SearchVariance::parse(&lines)
}

fn normalised(rule: &str, query: &str) -> String {
    let mut out = Vec::new();
    parse(rule).normalised(query.as_bytes(), &mut out);
    String::from_utf8(out).expect("ASCII out of text")
}

#[test]
fn what_is_malformed_or_says_nothing_is_the_default() {
    assert!(SearchVariance::parse(&[]).is_default());
    for value in [
        "",
        "unknown-key",
        "key-order=\"not a boolean\"",
        "params=\"not a boolean or inner list\"",
        "params=(not-a-string)",
        "params=(\"a\"), except=(\"x\")",
        "params=(), except=()",
        "params=?0, except=(\"x\")",
        "params, except=(not-a-string)",
        "params, except=\"not an inner list\"",
        "params, except=?1",
        "params=?0",
        "params=()",
        "key-order=?0",
        "key-order=?0, params=?0",
        "key-order, params=1",
        "key-order=1, params",
        "key-order, &",
        "Key-Order",
        "params=(\"a)",
        "params=(\"a\")\nparams=?0",
        "key-order\nkey-order=?0",
    ] {
        let found = parse(value);
        assert!(found.is_default(), "{value:?}: {found:?}");
    }
}

#[test]
fn unconventional_spellings_say_the_same() {
    for (value, conventional) in [
        ("params=?1", "params"),
        ("key-order=?1", "key-order"),
        ("key-order;x=1, unknown=2", "key-order"),
        (
            "params, key-order, except=(\"x\")",
            "key-order, params, except=(\"x\")",
        ),
        ("params\nexcept=(\"x\")", "params, except=(\"x\")"),
        ("except=(\"x\")", "params, except=(\"x\")"),
        ("except=()", "params"),
        ("params, except=()", "params"),
        ("params=(\"b\" \"a\" \"b\")", "params=(\"a\" \"b\")"),
        ("params=(\"%61\")", "params=(\"a\")"),
        ("params=(\"a+b\")", "params=(\"a%20b\")"),
        ("params=?0, params=(\"a\")", "params=(\"a\")"),
    ] {
        assert_eq!(parse(value), parse(conventional), "{value:?}");
        assert!(!parse(value).is_default(), "{value:?}");
    }
}

#[test]
fn by_default_queries_are_compared_as_they_stand() {
    for query in ["", "a=b&&&c", "a=b&c=", "%61=%78", "b&a", "\u{e9}"] {
        assert_eq!(normalised("params=?0", query), query);
    }
}

/// The draft's own examples, for any rule that is not the default.
#[test]
fn queries_that_parse_alike_are_equivalent() {
    for rule in ["key-order", "params=(\"x\")", "except=(\"a\")"] {
        for (one, other) in [
            ("a=x", "%61=%78"),
            ("a=\u{e9}", "a=%C3%A9"),
            ("a=%f6", "a=%ef%bf%bd"),
            ("a=x&&&&", "a=x"),
            ("a=", "a"),
            ("a=%20", "a=+"),
            ("a=%20", "a= &"),
        ] {
            assert_eq!(
                normalised(rule, one),
                normalised(rule, other),
                "{rule}: {one} {other}"
            );
        }
    }
    assert_ne!(
        normalised("key-order", "a=%2B"),
        normalised("key-order", "a=+")
    );
    assert_ne!(normalised("key-order", ""), normalised("key-order", "="));
    assert_ne!(
        normalised("key-order", "a=1%26b"),
        normalised("key-order", "a=1&b")
    );
}

#[test]
fn names_may_be_written_in_any_encoding() {
    let rule = "params=(\"%C3%A9+%E6%B0%97\")";
    for query in [
        "\u{e9} \u{6c17}=1",
        "\u{e9}+\u{6c17}=2",
        "%C3%A9%20\u{6c17}=3",
        "%C3%A9+%E6%B0%97=4",
    ] {
        assert_eq!(normalised(rule, query), "", "{query}");
    }
}

#[test]
fn only_what_matters_is_compared() {
    for (rule, query, expected) in [
        ("key-order", "b=2&a=1&b=1&c", "a=1&b=2&b=1&c="),
        ("params", "a=1&b=2", ""),
        ("params=(\"a\" \"c\")", "b=2&a=1&b=1&c", "b=2&b=1"),
        ("params, except=(\"a\")", "b=2&a=2&c&a=1", "a=2&a=1"),
        (
            "key-order, except=(\"a\" \"b\")",
            "b=2&a=2&c&a=1",
            "a=2&a=1&b=2",
        ),
        ("key-order, params=(\"a\")", "c&b=2&a=2&a=1", "b=2&c="),
        ("params=(\"\")", "=1&a=%41b&=", "a=Ab"),
    ] {
        assert_eq!(normalised(rule, query), expected, "{rule}: {query}");
    }
}

#[test]
fn rules_are_kept_as_bytes() {
    for (rule, expected) in [
        ("", "".as_bytes()),
        ("key-order", b"\x01"),
        ("params=(\"b\" \"a\")", b"\x02a&b&"),
        ("key-order, params=(\"%26\")", b"\x03%26&"),
        ("params", b"\x04"),
        ("except=(\"\")", b"\x04&"),
        ("key-order, except=(\"\" \"\u{65}\")", b"\x05&e&"),
    ] {
        let rule = parse(rule);
        let mut written = Vec::new();
        rule.encode(&mut written);
        assert_eq!(written, expected, "{rule:?}");
        assert_eq!(SearchVariance::decode(&written), Some(rule));
    }
}

#[test]
fn bytes_that_are_never_written_are_refused() {
    for bytes in [
        b"\x00".as_slice(),
        b"\x02",
        b"\x03",
        b"\x06a&",
        b"\x08",
        b"\xff",
        b"\x01a&",
        b"\x02a",
        b"\x02b&a&",
        b"\x02a&a&",
        b"\x02%61&",
        b"\x02%ff&",
        b"\x04a&b",
    ] {
        assert_eq!(SearchVariance::decode(bytes), None, "{bytes:?}");
    }
}
