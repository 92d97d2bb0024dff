//! Which rule a request falls under: by the template that the framework took, or else by its path.

use crate::request::decoded;
use crate::route::as_starlette_writes;
use fast_cache_core::route::{Resolution, Table, TableBuilder};
use foldhash::fast::RandomState;
use http::Method;
use std::collections::HashMap;

/// Templates with their methods, numbered in order.
pub(super) struct Numbers {
    table: Table,
    by_template: HashMap<Box<str>, Vec<usize>, RandomState>,
    rows: Vec<Row>,
    /// Some template covers whatever follows.
    has_open: bool,
}

struct Row {
    methods: Option<Vec<Method>>,
    /// The template covers whatever follows.
    is_open: bool,
}

/// Templates on their way to being numbered.
pub(super) struct NumbersBuilder {
    table: TableBuilder,
    by_template: HashMap<Box<str>, Vec<usize>, RandomState>,
    rows: Vec<Row>,
}

impl NumbersBuilder {
    pub(super) fn new() -> Self {
        Self {
            table: TableBuilder::new(),
            by_template: HashMap::default(),
            rows: Vec::new(),
        }
    }

    /// # Panics
    ///
    /// Where the template cannot be read, or more than 63 different methods are named.
    pub(super) fn add(&mut self, methods: Option<&[Method]>, template: &str) {
        let names: Option<Vec<&str>> =
            methods.map(|methods| methods.iter().map(Method::as_str).collect());
        let number = self.rows.len();
        let target = u32::try_from(number).expect("fewer rules than 2^32");
        let written = as_starlette_writes(template);
        self.table
            .route(&written, names.as_deref(), target)
            .unwrap_or_else(|error| panic!("{template:?}: {error}"));
        self.rows.push(Row {
            methods: methods.map(<[Method]>::to_vec),
            is_open: written.contains(":path}"),
        });
        let same = self.by_template.entry(template.into()).or_default();
        same.push(number);
    }

    pub(super) fn build(self) -> Numbers {
        Numbers {
            table: self.table.build(),
            by_template: self.by_template,
            has_open: self.rows.iter().any(|row| row.is_open),
            rows: self.rows,
        }
    }
}

impl Numbers {
    /// The number of the first template that a request falls under.
    ///
    /// Where the framework has `told` which template it took, only that one will do, or one that covers whatever
    /// follows: a rule for `/users/{id}` has nothing to say of a route `/users/me`.
    #[inline]
    pub(super) fn find<'a>(
        &self,
        method: &Method,
        path: impl Fn() -> &'a str,
        told: Option<&str>,
    ) -> Option<usize> {
        if self.rows.is_empty() {
            return None;
        }
        let Some(template) = told else {
            return self.by_path(method.as_str(), path());
        };
        let mut same = self.by_template.get(template).into_iter().flatten();
        let knows = |number: &&usize| match &self.rows[**number].methods {
            Some(methods) => methods.contains(method),
            None => true,
        };
        let open = || {
            if !self.has_open {
                return None;
            }
            let number = self.by_path(method.as_str(), path());
            number.filter(|number| self.rows[*number].is_open)
        };
        same.find(knows).copied().or_else(open)
    }

    /// Routers differ in whether they decode a path before they look: where that makes another rule of it, it is none.
    fn by_path(&self, method: &str, path: &str) -> Option<usize> {
        let of = |path: &str| match self.table.resolve(method, path) {
            Resolution::Route(matched) => Some(matched.target as usize),
            _ => None,
        };
        let number = of(path);
        let decoded = decoded(path);
        if *decoded == *path {
            return number;
        }
        number.filter(|number| of(&decoded) == Some(*number))
    }
}

#[cfg(test)]
mod tests {
    use super::NumbersBuilder;
    use http::Method;

    #[test]
    fn the_frameworks_word_counts() {
        let mut numbers = NumbersBuilder::new();
        numbers.add(Some(&[Method::GET]), "/users/{id}");
        numbers.add(None, "/files/{*rest}");
        let numbers = numbers.build();
        let get = |path: &str, told: Option<&str>| numbers.find(&Method::GET, || path, told);
        assert_eq!(get("/users/me", None), Some(0));
        assert_eq!(get("/users/me", Some("/users/me")), None);
        assert_eq!(get("/users/me", Some("/users/{id}")), Some(0));
        assert_eq!(get("/files/a/b", Some("/files/a/{name}")), Some(1));
        assert_eq!(numbers.find(&Method::PUT, || "/users/me", None), None);
    }

    #[test]
    fn a_path_that_decoding_moves_to_another_rule_is_under_none() {
        let mut numbers = NumbersBuilder::new();
        numbers.add(None, "/users/me");
        numbers.add(None, "/users/{id}");
        let numbers = numbers.build();
        assert_eq!(numbers.find(&Method::GET, || "/users/%6De", None), None);
        assert_eq!(numbers.find(&Method::GET, || "/users/%61", None), Some(1));
        assert_eq!(numbers.find(&Method::GET, || "/users/a%2Fb", None), None);
    }
}
