use super::{MAX_SECONDS, MaxStale, RequestDirectives, ResponseDirectives};
use crate::fields::Line;

fn response(value: &str) -> ResponseDirectives {
    ResponseDirectives::from_values(value.split('\n').map(str::as_bytes))
}

fn request(value: &str) -> RequestDirectives {
    RequestDirectives::from_values(value.split('\n').map(str::as_bytes), [])
}

#[test]
fn seconds_are_read_conservatively() {
    for (value, expected) in [
        ("", None),
        ("public", None),
        ("xmax-age=5", None),
        ("x=\"max-age=5\"", None),
        ("x=\", max-age=5, \"", None),
        ("x=\"\\\", max-age=5\"", None),
        ("max-age=5", Some(5)),
        ("MAX-Age=5", Some(5)),
        (" ,\tmax-age\t=\t5 ,", Some(5)),
        ("max-age=\"5\"", Some(5)),
        ("max-age=\"\\5\"", Some(5)),
        ("max-age=0005", Some(5)),
        ("max-age=0", Some(0)),
        ("max-age", Some(0)),
        ("max-age=", Some(0)),
        ("max-age=\"\"", Some(0)),
        ("max-age=-5", Some(0)),
        ("max-age=+5", Some(0)),
        ("max-age=5.0", Some(0)),
        ("max-age=5s", Some(0)),
        ("max-age='5'", Some(0)),
        ("max-age=5 6", Some(0)),
        ("max-age=\"5", Some(0)),
        ("max-age=2147483647", Some(MAX_SECONDS)),
        ("max-age=2147483648", Some(MAX_SECONDS)),
        ("max-age=99999999999999999999999", Some(MAX_SECONDS)),
        ("max-age=4294967301", Some(MAX_SECONDS)),
        ("max-age=9, max-age=5", Some(5)),
        ("max-age=5\nmax-age=9", Some(5)),
        ("max-age=5, max-age=x", Some(0)),
    ] {
        assert_eq!(response(value).max_age, expected, "max-age in {value:?}");
        assert_eq!(
            request(value).max_age,
            expected,
            "max-age of a request in {value:?}"
        );
        for name in ["s-maxage", "stale-while-revalidate", "stale-if-error"] {
            let directives = response(&value.to_ascii_lowercase().replace("max-age", name));
            let found = match name {
                "s-maxage" => directives.s_maxage,
                "stale-if-error" => directives.stale_if_error,
                _ => directives.stale_while_revalidate,
            };
            assert_eq!(found, expected, "{name} as max-age in {value:?}");
        }
    }
}

#[test]
fn flags_of_responses() {
    let value = "No-Store, PUBLIC\nmust-revalidate,proxy-revalidate , must-understand\timmutable, no-transform";
    let found = response(&value.replace('\t', ","));
    assert!(found.no_store && found.public && found.must_revalidate && found.proxy_revalidate);
    assert!(found.must_understand && found.immutable && found.no_transform);
    assert!(!found.no_cache && !found.private && found.max_age.is_none());
    assert_eq!(
        response("x, y=z, \"no-store\", x=\"public, private\", nostore, =no-cache"),
        response("")
    );
    assert_eq!(response("public=x, immutable=1"), response(""));
}

#[test]
fn what_forbids_reuse_counts_in_damaged_members_too() {
    for value in [
        "no-store; max-age=9",
        "public no-store",
        "x=\"a, no-store",
        "a b;\tno-store=1",
        "x y\nno-store",
    ] {
        let found = response(value);
        assert!(found.no_store && !found.public, "{value:?}: {found:?}");
        assert!(request(value).no_store, "{value:?}");
    }
    assert!(response("max-age=60; private").private);
    assert!(!response("x=\"a; private\"; y").private);
    assert!(!response("no-store; s-maxage=9; must-revalidate").must_revalidate);
    assert_eq!(response("no-store; s-maxage=9").s_maxage, None);
}

#[test]
fn private_and_no_cache_with_field_names() {
    let table: &[(&str, bool, &[&str])] = &[
        ("", false, &[]),
        ("private", true, &[]),
        (
            "PRIVATE = \"Set-Cookie, x-A\"",
            true,
            &["set-cookie", "x-a"],
        ),
        ("private=x-a", true, &["x-a"]),
        ("private=\"b\", private=\"a, b\"", true, &["a", "b"]),
        ("private=\"a\", private", true, &[]),
        ("private, private=\"a\"", true, &[]),
        ("private=\"a\", private=\"\"", true, &[]),
        ("private=\"\"", true, &[]),
        ("private=", true, &[]),
        ("private=\"a b\"", true, &[]),
        ("private=\"a, \u{e4}\"", true, &[]),
        ("private=\"a", true, &[]),
        ("x=\"private\"", false, &[]),
    ];
    for (value, present, names) in table {
        let found = response(value);
        let fields: Vec<&str> = found.private_fields.iter().map(AsRef::as_ref).collect();
        assert_eq!(
            (found.private, fields.as_slice()),
            (*present, *names),
            "{value:?}"
        );
        let found = response(&value.to_ascii_lowercase().replace("private", "no-cache"));
        let fields: Vec<&str> = found.no_cache_fields.iter().map(AsRef::as_ref).collect();
        assert_eq!(
            (found.no_cache, fields.as_slice()),
            (*present, *names),
            "no-cache as {value:?}"
        );
    }
}

#[test]
fn directives_of_requests() {
    let found = request("No-Cache, only-if-cached\n no-transform , MIN-FRESH = \"7\", max-stale");
    let expected = RequestDirectives {
        no_cache: true,
        only_if_cached: true,
        no_transform: true,
        min_fresh: Some(7),
        max_stale: Some(MaxStale::Any),
        ..RequestDirectives::default()
    };
    assert_eq!(found, expected);
    for (value, stale) in [
        ("max-stale=9", 9),
        ("max-stale, max-stale=9", 9),
        ("max-stale=9, max-stale", 9),
        ("max-stale=", 0),
        ("max-stale=x, max-stale=9", 0),
    ] {
        assert_eq!(
            request(value).max_stale,
            Some(MaxStale::Seconds(stale)),
            "{value:?}"
        );
    }
    for (value, fresh) in [
        ("min-fresh=9, min-fresh=5", 9),
        ("min-fresh=x", MAX_SECONDS),
        ("min-fresh", MAX_SECONDS),
    ] {
        assert_eq!(request(value).min_fresh, Some(fresh), "{value:?}");
    }
}

#[test]
fn pragma_counts_only_without_cache_control() {
    for (cache_control, pragma, expected) in [
        (None, None, false),
        (None, Some("no-cache"), true),
        (None, Some("x, No-Cache=1"), true),
        (None, Some("x=\"no-cache\", no-cachex"), false),
        (Some(""), Some("no-cache"), false),
        (Some("max-age=5"), Some("no-cache"), false),
        (Some("no-cache"), None, true),
    ] {
        let mut lines = vec![Line::new(b"accept", b"no-cache")];
        lines.extend(pragma.map(|value| Line::new(b"PRAGMA", value.as_bytes())));
        lines.extend(cache_control.map(|value| Line::new(b"Cache-Control", value.as_bytes())));
        let parsed = RequestDirectives::parse(&lines);
        assert_eq!(parsed.no_cache, expected, "{cache_control:?} {pragma:?}");
        assert_eq!(
            RequestDirectives::from_values(
                cache_control.map(str::as_bytes),
                pragma.map(str::as_bytes)
            ),
            parsed
        );
    }
}
