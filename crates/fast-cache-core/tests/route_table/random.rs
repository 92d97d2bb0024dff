//! Random tables and paths.

use crate::naive::{Item, Oracle, answer, build};
use fast_cache_core::route::{Resolution, TableBuilder};
use proptest::prelude::*;
use regex::Regex;

const METHODS: [&str; 4] = ["GET", "HEAD", "POST", "X-OTHER"];

fn template() -> impl Strategy<Value = String> {
    let literal = prop::sample::select(vec![
        "a", "b", "é", "-", ".", "1", "12", "", ".json", "{", "}", "(", ":x", "%2F",
    ]);
    let kind = prop::sample::select(vec![
        "", ":str", ":int", ":float", ":path", ":uuid", "", ":int",
    ]);
    let piece = prop_oneof![
        3 => literal.prop_map(str::to_owned),
        3 => kind.prop_map(|kind| format!("{{#{kind}}}")),
    ];
    let segment = prop_oneof![6 => prop::collection::vec(piece.clone(), 1..2), 2 => prop::collection::vec(piece, 2..5)];
    prop::collection::vec(segment, 0..5).prop_map(|segments| {
        let mut text = String::new();
        for segment in &segments {
            text.push('/');
            text.push_str(&segment.concat());
        }
        // Give every parameter a name of its own.
        let mut parts = text.split('#');
        let mut named = parts.next().unwrap_or_default().to_owned();
        for (number, part) in parts.enumerate() {
            named.extend(["p", &number.to_string(), part]);
        }
        named
    })
}

fn item() -> impl Strategy<Value = Item> {
    let methods = prop::sample::subsequence(METHODS[..3].to_vec(), 0..=2);
    prop_oneof![
        8 => (template(), methods).prop_map(|(template, methods)| Item::Route(template, methods)),
        1 => template().prop_map(Item::Opaque),
        1 => prop::sample::select(vec!["/a", "/a/", "/é", "/1/a", "/-"]).prop_map(|prefix| Item::Ask(prefix.into())),
    ]
}

/// A path that fits `template`, or did until it was mangled.
fn derive(template: &str, values: &[String], mangles: &[(u8, prop::sample::Index)]) -> String {
    let parameter = Regex::new(r"\{[a-zA-Z_][a-zA-Z0-9_]*(?::[a-z]+)?\}").unwrap();
    let mut values = values.iter().cycle();
    let mut path = parameter
        .replace_all(template, |_: &regex::Captures<'_>| {
            values.next().unwrap().clone()
        })
        .into_owned();
    for (kind, place) in mangles {
        let boundaries: Vec<usize> = path
            .char_indices()
            .map(|(index, _)| index)
            .chain([path.len()])
            .collect();
        let at = boundaries[place.index(boundaries.len())];
        match kind {
            0 => path.insert(at, '/'),
            1 => path.insert_str(at, "//"),
            2 => path.insert(at, 'é'),
            3 => path.insert_str(at, "%2F"),
            4 => path.push('/'),
            5 => path.insert(at, '1'),
            6 => path.truncate(at),
            7 if at < path.len() => drop(path.remove(at)),
            8 => path.insert(at, '.'),
            9 => path.insert(at, '\n'),
            _ => {}
        }
    }
    path
}

fn request() -> impl Strategy<
    Value = (
        &'static str,
        prop::sample::Index,
        Vec<String>,
        Vec<(u8, prop::sample::Index)>,
    ),
> {
    let value = prop_oneof![
        Just("0123abcd-0123-4567-89AB0123456789ef".to_owned()),
        "[a1é.-]{1,4}",
        "[0-9]{1,3}",
        "[0-9]{1,2}[.][0-9]",
        "[ab1/.]{0,5}",
    ];
    let mangles = prop_oneof![
        Just(Vec::new()),
        prop::collection::vec((0..10_u8, any::<prop::sample::Index>()), 1..3),
    ];
    (
        prop::sample::select(METHODS.to_vec()),
        any::<prop::sample::Index>(),
        prop::collection::vec(value, 1..5),
        mangles,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_table_answers_as_the_naive_router(
        items in prop::collection::vec(item(), 1..24),
        requests in prop::collection::vec(request(), 1..24),
    ) {
        let (table, oracle) = (build(&items), Oracle::new(&items));
        for (method, index, values, mangles) in &requests {
            let template = match index.get(&items) {
                Item::Route(template, _) => template.clone(),
                Item::Opaque(prefix) => format!("{prefix}/{{rest:path}}"),
                Item::Ask(prefix) => format!("{prefix}{{rest}}"),
            };
            let path = derive(&template, values, mangles);
            prop_assert_eq!(answer(&table, method, &path), oracle.answer(method, &path), "{} {:?}", method, path);
        }
    }

    #[test]
    fn no_path_and_no_template_panics(templates in prop::collection::vec("\\PC{0,20}", 0..5), path in any::<String>()) {
        let mut builder = TableBuilder::new();
        for (number, template) in (0..).zip(&templates) {
            if builder.route(&format!("/{template}"), None, number).is_err() {
                builder.ask(template);
            }
        }
        let table = builder.build();
        let exact = templates.first().map(|template| format!("/{template}"));
        for path in exact.iter().chain([&path, &format!("/{path}")]) {
            if let Resolution::Route(matched) = table.resolve("GET", path) {
                prop_assert!(matched.captures.values().iter().all(|value| path.contains(value)));
            }
        }
    }
}
