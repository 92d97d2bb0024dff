//! Path templates as the framework compiles them.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

/// Whether `pattern` is what the framework makes of the template `path`, where all convertors are `convertor`, the one
/// for a segment of text. `False` also for rarer templates: then look closer.
#[pyfunction]
pub(crate) fn is_usual_pattern(
    path: &Bound<'_, PyAny>,
    pattern: &Bound<'_, PyAny>,
    convertors: &Bound<'_, PyAny>,
    convertor: &Bound<'_, PyType>,
) -> bool {
    let (Ok(path), Ok(pattern), Ok(convertors)) = (
        path.extract(),
        pattern.extract(),
        convertors.cast::<PyDict>(),
    ) else {
        return false;
    };
    let mut named = convertors.iter();
    let is_next = |name: &str| {
        let next = named.next();
        next.is_some_and(|(known, one)| {
            known.extract().is_ok_and(|known: &str| known == name) && one.get_type().is(convertor)
        })
    };
    spells(path, pattern, is_next) && named.next().is_none()
}

/// The same for templates whose parameters, in order, are those of which `is_next` says so.
fn spells(path: &str, pattern: &str, mut is_next: impl FnMut(&str) -> bool) -> bool {
    let Some(mut pattern) = pattern
        .strip_prefix('^')
        .and_then(|pattern| pattern.strip_suffix('$'))
    else {
        return false;
    };
    let mut path = path;
    while let Some(first) = path.bytes().next() {
        let (written, escaped) = match first {
            b'{' => {
                let Some((name, after)) = path[1..].split_once('}') else {
                    return false;
                };
                let after_pattern = pattern
                    .strip_prefix("(?P<")
                    .and_then(|pattern| pattern.strip_prefix(name))
                    .and_then(|pattern| pattern.strip_prefix(">[^/]+)"));
                let Some(after_pattern) = after_pattern.filter(|_| is_name(name) && is_next(name))
                else {
                    return false;
                };
                (path, pattern) = (after, after_pattern);
                continue;
            }
            b'-' => ("-", "\\-"),
            b'.' => (".", "\\."),
            b'/' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => (&path[..1], &path[..1]),
            _ => return false,
        };
        let Some(rest) = pattern.strip_prefix(escaped) else {
            return false;
        };
        (path, pattern) = (&path[written.len()..], rest);
    }
    pattern.is_empty()
}

fn is_name(name: &str) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| is_letter(&first))
        && bytes.all(|byte| is_letter(&byte) || byte.is_ascii_digit())
}
