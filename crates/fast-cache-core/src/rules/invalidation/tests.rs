use super::{Target, carried, invalidated, is_unsafe};
use crate::fields::Line;
use crate::fields::no_vary_search::SearchVariance;
use crate::purge::Label;
use crate::reason::Reason;
use crate::request::{Method, Request};

fn request<'a>(path: &'a str, raw_path: Option<&'a [u8]>, query: &'a [u8]) -> Request<'a> {
    Request {
        method: Method::Get,
        scheme: b"http",
        path,
        raw_path,
        root_path: "",
        query,
        lines: &[],
    }
}

fn target(path: &str) -> Target {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let request = request(path, Some(path.as_bytes()), query.as_bytes());
    Target::of(&request, Some(b"example.com"))
}

fn drops(lines: &[(&str, &str)]) -> Vec<Label> {
    let lines: Vec<Line<'_>> = lines
        .iter()
        .map(|(name, value)| Line::new(name.as_bytes(), value.as_bytes()))
        .collect();
    invalidated(&target("/a/b?q=1"), Method::Other("POST"), 200, &lines).to_vec()
}

#[test]
fn methods_not_known_to_be_safe_are_unsafe() {
    for name in ["GET", "HEAD", "OPTIONS", "TRACE", "QUERY"] {
        assert!(!is_unsafe(Method::from_name(name)), "{name}");
    }
    for name in [
        "POST", "PUT", "DELETE", "PATCH", "CONNECT", "M-SEARCH", "get", "",
    ] {
        assert!(is_unsafe(Method::from_name(name)), "{name}");
    }
}

#[test]
fn equivalent_requests_have_one_target() {
    let known = target("/a b?x");
    for (path, raw_path, query, host) in [
        ("/a b", Some("/a%20b"), "x", "example.com"),
        ("/a b", Some("/%61%20b"), "x", "EXAMPLE.com:80"),
        ("/a b", Some("/a b?x"), "x", "example.com"),
        ("/a b", Some(""), "x", "example.com"),
        ("/a b", None, "%78", "example.com:"),
        ("/c/../a b", None, "x", "example.com"),
        ("", Some("http://example.com/a%20b"), "x", "other.example"),
    ] {
        let request = request(path, raw_path.map(str::as_bytes), query.as_bytes());
        let found = Target::of(&request, Some(host.as_bytes()));
        assert_eq!(found, known, "{path:?} {raw_path:?} {host:?}");
        assert_eq!(found.label(), known.label());
    }
}

#[test]
fn different_requests_have_different_targets() {
    let known = target("/a/b?x");
    for (path, raw_path, query, host) in [
        ("/a/b", Some("/a%2Fb"), "x", "example.com"),
        ("/a/b", Some("/a/b/"), "x", "example.com"),
        ("/a/b", Some("/a//b"), "x", "example.com"),
        ("/a/b", Some("/A/b"), "x", "example.com"),
        ("/a/b", None, "y", "example.com"),
        ("/a/b", None, "x", "example.com:8080"),
        ("/a/b", None, "x", "example.org"),
    ] {
        let request = request(path, raw_path.map(str::as_bytes), query.as_bytes());
        let found = Target::of(&request, Some(host.as_bytes()));
        assert_ne!(
            found.label(),
            known.label(),
            "{path:?} {raw_path:?} {host:?}"
        );
    }
    let https = Request {
        scheme: b"https",
        ..request("/a/b", None, b"x")
    };
    assert_ne!(
        Target::of(&https, Some(b"example.com")).label(),
        known.label()
    );
    assert_ne!(Target::of(&https, None).label(), known.label());
}

#[test]
fn safe_methods_and_errors_invalidate_nothing() {
    let lines = [
        Line::new(b"location", b"/x"),
        Line::new(b"cache-group-invalidation", b"\"g\""),
    ];
    let count = |method, status| {
        invalidated(&target("/a"), Method::from_name(method), status, &lines).len()
    };
    for method in ["GET", "HEAD", "OPTIONS", "TRACE", "QUERY"] {
        assert_eq!(count(method, 200), 0, "{method}");
    }
    for method in ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH"] {
        for status in [0, 100, 199, 400, 404, 500, 599, 600, u16::MAX] {
            assert_eq!(count(method, status), 0, "{method} {status}");
        }
        for status in [200, 201, 204, 206, 299, 301, 303, 304, 399] {
            assert_eq!(count(method, status), 5, "{method} {status}");
        }
    }
}

#[test]
fn a_write_invalidates_its_target_and_what_it_names() {
    let own = target("/a/b?q=1");
    let own = [own.label(), own.path_label()];
    assert_eq!(drops(&[]), own);
    assert_eq!(drops(&[("Content-Location", "")]), own);
    for (location, expected) in [
        ("/x", "/x"),
        ("/x?y", "/x?y"),
        ("x", "/a/x"),
        ("./x/../z", "/a/z"),
        ("../../x", "/x"),
        ("//example.com/x", "/x"),
        ("http://example.com/x", "/x"),
        ("HTTP://user@EXAMPLE.com:80/%78#f", "/x"),
        ("http://example.com", "/"),
        (" /x\t", "/x"),
        ("/x y[1]?z[]=\u{e9}", "/x%20y%5B1%5D?z%5B%5D=%C3%A9"),
    ] {
        let expected = target(expected);
        for name in ["Location", "content-location"] {
            let found = drops(&[(name, location)]);
            assert_eq!(found[..2], own);
            assert_eq!(
                found[2..],
                [expected.label(), expected.path_label()],
                "{name}: {location:?}"
            );
        }
    }
    let same_path = target("/a/b?q=2");
    let found = drops(&[("location", "?q=2"), ("content-location", "/a/b?q=2")]);
    assert_eq!(found, [own[0], own[1], same_path.label()]);
}

#[test]
fn other_origins_are_left_alone() {
    for location in [
        "https://example.com/x",
        "http://example.com:8080/x",
        "http://example.org/x",
        "http://sub.example.com/x",
        "//example.org/x",
        "//",
        "mailto:someone@example.com",
        "http:/x",
        "javascript:x",
        "urn:x",
    ] {
        assert_eq!(drops(&[("location", location)]).len(), 2, "{location:?}");
    }
}

#[test]
fn groups_belong_to_an_origin() {
    let lines = [
        Line::new(b"Cache-Group-Invalidation", b"\"eurovision-results\""),
        Line::new(b"cache-group-invalidation", b"\"kylie-minogue\""),
    ];
    let post = Method::Other("POST");
    let found = invalidated(&target("/vote"), post, 200, &lines);
    let member = [Line::new(b"cache-groups", b"\"charts\", \"kylie-minogue\"")];
    let default = SearchVariance::default();
    let labels = carried(&target("/songs"), &default, &member).unwrap();
    assert_eq!(labels.len(), 3);
    assert!(labels.iter().any(|label| found.contains(label)));
    let elsewhere = Target::of(&request("/songs", None, b""), Some(b"example.org"));
    let labels = carried(&elsewhere, &default, &member).unwrap();
    assert!(!labels.iter().any(|label| found.contains(label)));
    let malformed = [Line::new(b"cache-group-invalidation", b"kylie-minogue")];
    assert_eq!(
        invalidated(&target("/vote"), post, 200, &malformed).len(),
        2
    );
}

#[test]
fn entries_carry_what_drops_them() {
    let plain = SearchVariance::default();
    let lines = [Line::new(b"no-vary-search", b"params")];
    let varied = SearchVariance::parse(&lines);
    let post = Method::Other("POST");
    let other = invalidated(&target("/a?q=2"), post, 200, &[]);
    let same = invalidated(&target("/a?q=1"), post, 200, &[]);
    let is_dropped = |labels: &[Label], by: &[Label]| labels.iter().any(|label| by.contains(label));
    let kept = carried(&target("/a?q=1"), &plain, &[]).unwrap();
    assert!(is_dropped(&kept, &same) && !is_dropped(&kept, &other));
    let kept = carried(&target("/a?q=1"), &varied, &[]).unwrap();
    assert!(is_dropped(&kept, &same) && is_dropped(&kept, &other));
    let long = format!("\"{}\"", "x".repeat(257));
    let lines = [Line::new(b"cache-groups", long.as_bytes())];
    assert_eq!(carried(&target("/a"), &plain, &lines), Err(Reason::Tags));
}
