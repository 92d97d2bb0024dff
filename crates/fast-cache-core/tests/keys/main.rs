//! Keys: equal exactly where the endpoint cannot tell the requests apart, and nothing secret in them.

mod model;

use fast_cache_core::key::inputs::{CookieInputs, HeaderInputs, Inputs, QueryInputs};
use fast_cache_core::key::{Identity, Secret, custom_key, variant_key};
use model::{Owned, boxed, bytes, identity, inputs, pair, request, secret, visible};
use proptest::prelude::*;
use proptest::sample::select;

/// A word that could be a credential, long enough not to be met by chance.
fn credential() -> impl Strategy<Value = String> {
    "[A-Za-z0-9._-]{8,40}"
}

fn assert_conceals(key: &[u8], credential: &str) -> Result<(), TestCaseError> {
    let found = key
        .windows(credential.len())
        .any(|window| window.eq_ignore_ascii_case(credential.as_bytes()));
    prop_assert!(!found, "{credential:?} stands in {key:?}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn keys_are_equal_exactly_where_nothing_visible_differs((first, second) in pair(), inputs in inputs()) {
        prop_assert_eq!(
            first.key(&inputs) == second.key(&inputs),
            visible(&first, &inputs) == visible(&second, &inputs)
        );
    }

    #[test]
    fn variants_are_equal_exactly_where_what_they_name_is(
        primaries in (bytes(), bytes(), any::<bool>()),
        names in select(vec![&["accept"][..], &["accept", "x-a"][..], &["x-a"][..], &["x-a", "x-b"][..]]),
        other_names in select(vec![&["accept"][..], &["accept", "x-a"][..], &["x-a"][..], &["x-a", "x-b"][..]]),
        (first, second) in pair(),
    ) {
        let (primary, other, same) = primaries;
        let other = if same { primary.clone() } else { other };
        let key = |primary: &[u8], names: &[&str], request: &Owned| {
            let mut buffer = Vec::new();
            variant_key(primary, &boxed(names), &secret(), &request.lines(), &mut buffer);
            buffer
        };
        let told = |primary: &[u8], names: &[&str], request: &Owned| {
            let named = Inputs {
                headers: HeaderInputs { named: boxed(names), ..HeaderInputs::default() },
                ..Inputs::default()
            };
            (primary.to_vec(), names.join(","), visible(request, &named).named)
        };
        prop_assert_eq!(
            key(&primary, names, &first) == key(&other, other_names, &second),
            told(&primary, names, &first) == told(&other, other_names, &second)
        );
    }

    #[test]
    fn routes_with_one_key_function_share_nothing(
        first in ("[a|\0]{0,2}", "[a|\0]{0,2}", "[a|\0]{0,2}", "[a|\0]{0,2}"),
        second in ("[a|\0]{0,2}", "[a|\0]{0,2}", "[a|\0]{0,2}", "[a|\0]{0,2}"),
        texts in ("[ab]{0,2}", "[ab]{0,2}"),
        same in any::<bool>(),
        inputs in inputs(),
        others in inputs(),
    ) {
        let (second, texts) = if same { (first.clone(), (texts.0.clone(), texts.0)) } else { (second, texts) };
        let key = |route: &(String, String, String, String), inputs: &Inputs, text: &str| {
            let identity = Identity::of_route(&route.0, &route.1, &route.2, &route.3, inputs);
            let mut buffer = Vec::new();
            custom_key(&identity, &secret(), text, &mut buffer);
            buffer
        };
        let same_inputs = format!("{inputs:?}") == format!("{others:?}");
        prop_assert_eq!(
            key(&first, &inputs, &texts.0) == key(&second, &others, &texts.1),
            first == second && same_inputs && texts.0 == texts.1
        );
    }

    #[test]
    fn kinds_of_key_never_meet(request in request(), text in "[a\0\x01\x02]{0,8}", inputs in inputs()) {
        let primary = request.key(&inputs);
        let (mut custom, mut variant) = (Vec::new(), Vec::new());
        custom_key(&identity("/a"), &secret(), &text, &mut custom);
        variant_key(&primary, &boxed(&["accept"]), &secret(), &request.lines(), &mut variant);
        // Not even where one's bytes are chosen to look like another's: the first byte tells.
        prop_assert!(primary[0] != custom[0] && primary[0] != variant[0] && custom[0] != variant[0]);
    }

    #[test]
    fn no_credential_stands_in_a_key(
        request in request(),
        credential in credential(),
        raw in any::<bool>(),
        whole_query in any::<bool>(),
        name in select(vec!["key", "%6bey", "k%65y", "k%65%79"]),
    ) {
        let mut request = request;
        request.lines.push(("Authorization", format!("Bearer {credential}").into_bytes()));
        request.lines.push(("X-Api-Key", credential.clone().into_bytes()));
        request.lines.push(("X-Unknown", credential.clone().into_bytes()));
        request.lines.push(("Cookie", format!("theme=dark; session={credential}").into_bytes()));
        request.query = format!("q=1&{name}={credential}").into_bytes();
        let inputs = Inputs {
            query: QueryInputs {
                only: (!whole_query).then(|| boxed(&["key", "q"])),
                secret: boxed(&["key"]),
                ..QueryInputs::default()
            },
            headers: HeaderInputs {
                named: boxed(&["authorization", "cookie", "x-api-key"]),
                others: raw,
                ..HeaderInputs::default()
            },
            cookies: CookieInputs { named: boxed(&["session"]) },
        };
        let key = request.key(&inputs);
        assert_conceals(&key, &credential)?;
        let mut buffer = Vec::new();
        let names = boxed(&["authorization", "cookie", "x-unknown"]);
        variant_key(&key, &names, &secret(), &request.lines(), &mut buffer);
        assert_conceals(&buffer, &credential)?;
        custom_key(&identity("/a"), &secret(), &credential, &mut buffer);
        assert_conceals(&buffer, &credential)?;
    }

    #[test]
    fn whatever_the_bytes_a_key_is_made(
        query in prop::collection::vec(any::<u8>(), 0..64),
        value in prop::collection::vec(any::<u8>(), 0..64),
        path in any::<String>(),
        inputs in inputs(),
    ) {
        let request = Owned {
            scheme: "http",
            host: Some(value.clone()),
            root_path: path.clone(),
            raw_path: Some(query.clone()),
            path,
            query,
            lines: vec![("cookie", value.clone()), ("x-a", value)],
        };
        prop_assert_eq!(request.key(&inputs), request.clone().key(&inputs));
    }
}

/// Where the encoding of one part is made to look like that of another.
#[test]
fn crafted_requests_stay_apart() {
    let inputs = Inputs {
        headers: HeaderInputs {
            named: boxed(&["accept", "origin", "x-a"]),
            others: true,
            ..HeaderInputs::default()
        },
        cookies: CookieInputs {
            named: boxed(&["a", "b"]),
        },
        ..Inputs::default()
    };
    let filtered = Inputs {
        query: QueryInputs {
            only: Some(boxed(&["a"])),
            ..QueryInputs::default()
        },
        ..Inputs::default()
    };
    let plain = Owned::plain;
    let host = |host: &str, root_path: &str| Owned {
        host: Some(host.into()),
        root_path: root_path.into(),
        ..plain()
    };
    let paths = |root_path: &str, path: &str| Owned {
        root_path: root_path.into(),
        path: path.into(),
        ..plain()
    };
    let query = |query: &str, lines: &[(&'static str, &str)]| Owned {
        query: query.into(),
        lines: lines
            .iter()
            .map(|(name, value)| (*name, value.as_bytes().to_vec()))
            .collect(),
        ..plain()
    };
    let lines = |lines: &[(&'static str, &str)]| query("", lines);
    for (first, second) in [
        (host("a", "/\0"), host("a\x02/", "")),
        (paths("/a", "/b"), paths("", "/a/b")),
        (query("q", &[("accept", "w\0")]), query("q\x01\x02w", &[])),
        (lines(&[("accept", "x")]), lines(&[("origin", "x")])),
        (
            lines(&[("x-a", "a"), ("x-a", "bc")]),
            lines(&[("x-a", "ab"), ("x-a", "c")]),
        ),
        (
            lines(&[("x-b", ""), ("x-b", "")]),
            lines(&[("x-b", "\x03x-b")]),
        ),
        (lines(&[("x-b", "c")]), lines(&[("x-bc", "")])),
        (lines(&[("cookie", "a=x")]), lines(&[("cookie", "b=x")])),
        (
            lines(&[("cookie", "a=x;a=yz")]),
            lines(&[("cookie", "a=xy;a=z")]),
        ),
    ] {
        assert_ne!(
            first.key(&inputs),
            second.key(&inputs),
            "{first:?} {second:?}"
        );
    }
    for (first, second) in [("a=1&a=2", "a=1\x01a=2"), ("a=&a=", "a=\x01a=")] {
        let (first, second) = (query(first, &[]), query(second, &[]));
        assert_ne!(
            first.key(&filtered),
            second.key(&filtered),
            "{first:?} {second:?}"
        );
    }
}

#[test]
fn another_secret_makes_another_key() {
    let request = Owned {
        lines: vec![("authorization", b"Bearer a".to_vec())],
        ..Owned::plain()
    };
    let mut buffer = Vec::new();
    let names = boxed(&["authorization"]);
    let mut key = |secret: &Secret| {
        variant_key(b"primary", &names, secret, &request.lines(), &mut buffer).to_owned()
    };
    assert_ne!(key(&secret()), key(&Secret::from_bytes(&[1; 48])));
}
