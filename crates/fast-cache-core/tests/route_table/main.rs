//! The route table against the rule it stands for: the first declaration that fits wins.

mod naive;
mod random;

use fast_cache_core::route::{Memo, PatternError, TableBuilder};
use naive::{Answer, Item, Oracle, answer, build};

fn check(items: &[Item], requests: &[(&str, &str)]) {
    let (table, oracle) = (build(items), Oracle::new(items));
    let memo = Memo::default();
    for (method, path) in requests {
        let (found, expected) = (answer(&table, method, path), oracle.answer(method, path));
        for _ in 0..2 {
            let remembered = table.resolve_remembering(&memo, method, path);
            assert_eq!(remembered, table.resolve(method, path), "{method} {path}");
        }
        assert_eq!(found, expected, "{method} {path:?} in {items:#?}");
    }
}

fn get(template: &str) -> Item {
    Item::Route(template.into(), vec!["GET"])
}

fn resolve(templates: &[&str], path: &str) -> Answer {
    answer(
        &build(
            &templates
                .iter()
                .map(|template| get(template))
                .collect::<Vec<_>>(),
        ),
        "GET",
        path,
    )
}

fn route(number: u32, captures: &[(&str, &str)]) -> Answer {
    Answer::Route(
        number,
        captures
            .iter()
            .map(|&(name, value)| (name.into(), value.into()))
            .collect(),
    )
}

#[test]
fn the_first_declaration_wins_not_the_most_specific() {
    assert_eq!(
        resolve(&["/users/me", "/users/{id}"], "/users/me"),
        route(0, &[])
    );
    assert_eq!(
        resolve(&["/users/{id}", "/users/me"], "/users/me"),
        route(0, &[("id", "me")])
    );
    assert_eq!(
        resolve(&["/{p:path}", "/users/me"], "/users/me"),
        route(0, &[("p", "users/me")])
    );
    assert_eq!(
        resolve(&["/{a}/b", "/a/{b}"], "/a/b"),
        route(0, &[("a", "a")])
    );
    assert_eq!(
        resolve(&["/a/{b}/c", "/{a}/{b}/d"], "/a/x/d"),
        route(1, &[("a", "a"), ("b", "x")])
    );
    assert_eq!(resolve(&["/x", "/x"], "/x"), route(0, &[]));
}

#[test]
fn convertors_decide_which_route_fits() {
    let templates = [
        "/{n:int}",
        "/{f:float}",
        "/{u:uuid}",
        "/v{n:int}.json",
        "/{s}.json",
        "/{s}",
    ];
    assert_eq!(resolve(&templates, "/007"), route(0, &[("n", "007")]));
    assert_eq!(resolve(&templates, "/1.50"), route(1, &[("f", "1.50")]));
    let uuid = "0123abcd01234567-89AB-0123456789ef";
    assert_eq!(
        resolve(&templates, &format!("/{uuid}")),
        route(2, &[("u", uuid)])
    );
    assert_eq!(resolve(&templates, "/v12.json"), route(3, &[("n", "12")]));
    assert_eq!(resolve(&templates, "/vx.json"), route(4, &[("s", "vx")]));
    assert_eq!(resolve(&templates, "/.json"), route(5, &[("s", ".json")]));
    assert_eq!(resolve(&templates, "/-1"), route(5, &[("s", "-1")]));
    assert_eq!(resolve(&templates, "/"), Answer::None);
}

#[test]
fn captures_are_greedy_from_the_left() {
    let ab = |a, b| route(0, &[("a", a), ("b", b)]);
    assert_eq!(resolve(&["/{a}-{b}"], "/x-y-z"), ab("x-y", "z"));
    assert_eq!(resolve(&["/{a}{b:int}"], "/x123"), ab("x12", "3"));
    assert_eq!(resolve(&["/{a:path}/{b}"], "/x/y/z"), ab("x/y", "z"));
    assert_eq!(resolve(&["/{a:path}/{b:path}"], "/x/y/z"), ab("x/y", "z"));
    assert_eq!(resolve(&["/q/{a:float}.{b}"], "/q/1.2.3"), ab("1.2", "3"));
    assert_eq!(resolve(&["/q/{a:float}.{b}"], "/q/1.2"), ab("1", "2"));
    assert_eq!(resolve(&["/é{a}ü/{b:path}/é"], "/éxü//é/é"), ab("x", "/é"));
    assert_eq!(resolve(&["/a{p:path}"], "/a/b"), route(0, &[("p", "/b")]));
    assert_eq!(resolve(&["/a{p:path}"], "/a"), route(0, &[("p", "")]));
    assert_eq!(
        resolve(&["/{p:path}/edit/all"], "//edit/all"),
        route(0, &[("p", "")])
    );
    assert_eq!(resolve(&["/{p:path}/edit"], "/edit"), Answer::None);
}

#[test]
fn slashes_count() {
    for (template, fits, fails) in [
        ("/", vec!["/"], vec!["", "//", "/a"]),
        ("", vec![""], vec!["/", "a"]),
        ("/a", vec!["/a"], vec!["/a/", "//a", "/A", "a", "/a%2F"]),
        ("/a/", vec!["/a/"], vec!["/a", "/a//"]),
        (
            "/{x}",
            vec!["/%2F", "/é", "/..", "/;"],
            vec!["/", "/a/", "a"],
        ),
        ("/a//b", vec!["/a//b"], vec!["/a/b", "/a///b"]),
        (
            "/{x}/{p:path}",
            vec!["/a/", "/a//", "/a/b/c"],
            vec!["/a", "//", "//b"],
        ),
    ] {
        for path in fits {
            assert!(
                matches!(resolve(&[template], path), Answer::Route(..)),
                "{template} {path:?}"
            );
        }
        for path in fails {
            assert_eq!(
                resolve(&[template], path),
                Answer::None,
                "{template} {path:?}"
            );
        }
    }
}

#[test]
fn a_route_for_other_methods_is_passed_over() {
    let items = [
        Item::Route("/a/{x}".into(), vec!["POST", "PUT"]),
        Item::Route("/a/b".into(), vec!["GET"]),
        Item::Route("/a/{y}".into(), vec![]),
    ];
    let table = build(&items);
    assert_eq!(answer(&table, "POST", "/a/b"), route(0, &[("x", "b")]));
    assert_eq!(answer(&table, "GET", "/a/b"), route(1, &[]));
    assert_eq!(answer(&table, "GET", "/a/c"), route(2, &[("y", "c")]));
    assert_eq!(answer(&table, "get", "/a/b"), route(2, &[("y", "b")]));
    assert_eq!(answer(&table, "PURGE", "/a/b"), route(2, &[("y", "b")]));
    assert_eq!(answer(&build(&items[..2]), "DELETE", "/a/b"), Answer::None);
}

#[test]
fn a_mount_swallows_what_lies_below_it_from_its_place_on() {
    let items = [
        get("/sub/a"),
        Item::Opaque("/sub/".into()),
        get("/sub/b"),
        get("/sub"),
        Item::Opaque("/{t}/x".into()),
    ];
    check(
        &items,
        &[
            ("GET", "/sub/a"),
            ("POST", "/sub/a"),
            ("GET", "/sub/b"),
            ("GET", "/sub/"),
            ("GET", "/sub"),
            ("GET", "/t/x/"),
        ],
    );
    let table = build(&items);
    assert_eq!(answer(&table, "GET", "/sub/b"), Answer::Opaque);
    assert_eq!(answer(&table, "GET", "/sub"), route(3, &[]));
    assert_eq!(answer(&table, "GET", "/t/x"), Answer::None);
    assert_eq!(
        answer(&build(&[Item::Opaque(String::new())]), "GET", "/"),
        Answer::Opaque
    );
    assert_eq!(
        answer(&build(&[Item::Opaque(String::new())]), "GET", ""),
        Answer::None
    );
}

#[test]
fn an_unknown_matcher_counts_only_before_the_answer() {
    let mut builder = TableBuilder::new();
    builder.route("/a/known", None, 0).unwrap();
    builder.ask("/a/{day:date}/x");
    builder.route("/a/{x}", None, 1).unwrap();
    builder.route("/b", None, 2).unwrap();
    builder.ask("{tenant}.example.org");
    let table = builder.build();
    assert_eq!(answer(&table, "GET", "/a/known"), route(0, &[]));
    assert_eq!(answer(&table, "GET", "/a/other"), Answer::Ask);
    assert_eq!(answer(&table, "GET", "/b"), route(2, &[]));
    assert_eq!(answer(&table, "GET", "/c"), Answer::Ask);
    assert_eq!(answer(&table, "GET", "*"), Answer::Ask);
}

#[test]
fn what_python_reads_peculiarly_is_asked() {
    for path in ["/a\n", "\n", "/x/\ny", "/0123456789/\n"] {
        assert_eq!(resolve(&["/a", "/{p:path}"], path), Answer::Ask);
    }
    let digits = "7".repeat(4_301);
    assert_eq!(resolve(&["/{n:int}"], &format!("/{digits}")), Answer::Ask);
    assert_eq!(resolve(&["/{s}"], &format!("/{digits}")), Answer::Ask);
    let spread = "7/".repeat(4_301);
    assert_eq!(
        resolve(&["/{p:path}"], &format!("/{spread}")),
        route(0, &[("p", &spread)])
    );
}

#[test]
fn what_cannot_be_a_route_is_refused_and_changes_nothing() {
    let mut builder = TableBuilder::new();
    let unknown = PatternError::UnknownConvertor {
        parameter: "d".into(),
        convertor: "date".into(),
    };
    assert_eq!(builder.route("/{d:date}", None, 0), Err(unknown));
    assert_eq!(
        builder.route("/{a}/{a}", None, 0),
        Err(PatternError::DuplicateParameter("a".into()))
    );
    assert_eq!(
        builder.route("a", None, 0),
        Err(PatternError::NoLeadingSlash)
    );
    assert_eq!(builder.opaque("{host}"), Err(PatternError::NoLeadingSlash));
    assert_eq!(
        builder.opaque("/{path}"),
        Err(PatternError::DuplicateParameter("path".into()))
    );
    let huge = format!("/{{a}}-{{b}}{}", "é".repeat(1 << 20));
    assert_eq!(builder.route(&huge, None, 0), Err(PatternError::TooLarge));
    let names: Vec<String> = (0..64).map(|number| format!("M{number}")).collect();
    for name in &names[..63] {
        builder.route("/m", Some(&[name]), 1).unwrap();
    }
    assert_eq!(
        builder.route("/m", Some(&[&names[63]]), 0),
        Err(PatternError::TooManyMethods)
    );
    let table = builder.build();
    assert_eq!(answer(&table, "M62", "/m"), route(1, &[]));
    assert_eq!(answer(&table, "M63", "/m"), Answer::None);
    assert_eq!(answer(&table, "GET", "/x/y"), Answer::None);
}

#[test]
fn ten_thousand_routes_answer_like_a_few() {
    let items: Vec<Item> = (0..10_000)
        .map(|number| match number % 5 {
            0 => get(&format!("/api/v{}/things{number}/{{id}}", number % 7)),
            1 => get(&format!("/api/{{tenant}}/area{number}")),
            2 => get(&format!("/items/{{id}}:verb{number}")),
            3 => Item::Route(format!("/area{number}/{{id:int}}/list"), vec!["POST"]),
            _ => Item::Opaque(format!("/mount{number}")),
        })
        .collect();
    let table = build(&items);
    for number in 0..10_000 {
        let (method, path, captures) = match number % 5 {
            0 => (
                "GET",
                format!("/api/v{}/things{number}/x", number % 7),
                vec![("id", "x")],
            ),
            1 => (
                "GET",
                format!("/api/v3/area{number}"),
                vec![("tenant", "v3")],
            ),
            2 => (
                "GET",
                format!("/items/a:b:verb{number}"),
                vec![("id", "a:b")],
            ),
            3 => ("POST", format!("/area{number}/12/list"), vec![("id", "12")]),
            _ => ("PUT", format!("/mount{number}/x"), vec![]),
        };
        let expected = if number % 5 == 4 {
            Answer::Opaque
        } else {
            route(number, &captures)
        };
        assert_eq!(answer(&table, method, &path), expected, "{path}");
        assert_eq!(
            answer(&table, method, &format!("{path}\u{e9}/1/2")) == expected,
            number % 5 == 4,
            "{path}"
        );
    }
}
