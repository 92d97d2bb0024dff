//! A router as simple as can be: one anchored regular expression per declaration, tried in order.

use fast_cache_core::route::{Resolution, Table, TableBuilder};
use regex::Regex;

/// One declaration.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Route(String, Vec<&'static str>),
    Opaque(String),
    Ask(String),
}

/// An answer in a form that both sides can give.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    Route(u32, Vec<(String, String)>),
    Opaque,
    Ask,
    None,
}

pub(crate) fn answer(table: &Table, method: &str, path: &str) -> Answer {
    match table.resolve(method, path) {
        Resolution::Route(matched) => {
            let captures = matched.captures.iter();
            let captures =
                captures.map(|(parameter, value)| (parameter.name.to_string(), value.to_owned()));
            Answer::Route(matched.target, captures.collect())
        }
        Resolution::Opaque => Answer::Opaque,
        Resolution::Ask => Answer::Ask,
        Resolution::None => Answer::None,
    }
}

/// The naive router. Routes are numbered by their place in the list.
pub(crate) struct Oracle {
    rules: Vec<(Regex, Item)>,
}

impl Oracle {
    pub(crate) fn new(items: &[Item]) -> Self {
        let rules = items.iter().map(|item| {
            let expression = match item {
                Item::Route(template, _) => expression(template),
                Item::Opaque(prefix) => {
                    expression(&format!("{}/{{path:path}}", prefix.trim_end_matches('/')))
                }
                Item::Ask(prefix) => format!("^{}", regex::escape(prefix)),
            };
            (Regex::new(&expression).unwrap(), item.clone())
        });
        Self {
            rules: rules.collect(),
        }
    }

    pub(crate) fn answer(&self, method: &str, path: &str) -> Answer {
        if path.contains('\n') {
            return Answer::Ask;
        }
        for (number, (rule, item)) in (0..).zip(&self.rules) {
            let Some(found) = rule.captures(path) else {
                continue;
            };
            match item {
                Item::Opaque(_) => return Answer::Opaque,
                Item::Ask(_) => return Answer::Ask,
                Item::Route(_, methods) if methods.is_empty() || methods.contains(&method) => {
                    let names = rule.capture_names().skip(1).flatten();
                    let captures = names.map(|name| (name.to_owned(), found[name].to_owned()));
                    return Answer::Route(number, captures.collect());
                }
                Item::Route(..) => {}
            }
        }
        Answer::None
    }
}

/// What Starlette's `compile_path` makes of a template, without its groups that nobody reads.
fn expression(template: &str) -> String {
    let parameter =
        Regex::new(r"\{([a-zA-Z_][a-zA-Z0-9_]*)(?::([a-zA-Z_][a-zA-Z0-9_]*))?\}").unwrap();
    let mut expression = String::from("^");
    let mut done = 0;
    for found in parameter.captures_iter(template) {
        let whole = found.get(0).unwrap();
        let class = match found.get(2).map_or("str", |convertor| convertor.as_str()) {
            "str" => "[^/]+",
            "path" => ".*",
            "int" => "[0-9]+",
            "float" => r"[0-9]+(?:\.[0-9]+)?",
            "uuid" => {
                "[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}"
            }
            other => panic!("{other} is no convertor"),
        };
        expression.push_str(&regex::escape(&template[done..whole.start()]));
        expression.extend(["(?P<", &found[1], ">", class, ")"]);
        done = whole.end();
    }
    expression.push_str(&regex::escape(&template[done..]));
    expression.push('$');
    expression
}

pub(crate) fn build(items: &[Item]) -> Table {
    let mut builder = TableBuilder::new();
    for (number, item) in (0..).zip(items) {
        let added = match item {
            Item::Route(template, methods) => builder.route(template, Some(methods), number),
            Item::Opaque(prefix) => builder.opaque(prefix),
            Item::Ask(prefix) => {
                builder.ask(prefix);
                Ok(())
            }
        };
        added.unwrap_or_else(|error| panic!("{item:?}: {error}"));
    }
    builder.build()
}
