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
    let is_next = |name: &[u8]| {
        let next = named.next();
        next.is_some_and(|(known, one)| {
            known
                .extract()
                .is_ok_and(|known: &str| known.as_bytes() == name)
                && one.get_type_ptr() == convertor.as_type_ptr()
        })
    };
    spells(path, pattern, is_next) && named.next().is_none()
}

/// The same for templates whose parameters, in order, are those of which `is_next` says so.
fn spells(path: &str, pattern: &str, mut is_next: impl FnMut(&[u8]) -> bool) -> bool {
    let anchored = pattern.as_bytes().strip_prefix(b"^");
    let Some(mut pattern) = anchored.and_then(|pattern| pattern.strip_suffix(b"$")) else {
        return false;
    };
    let mut path = path.as_bytes();
    while let [first, after @ ..] = path {
        let (rest_of_path, rest) = match first {
            b'{' => {
                let Some(end) = after.iter().position(|byte| *byte == b'}') else {
                    return false;
                };
                let name = &after[..end];
                let rest = pattern
                    .strip_prefix(b"(?P<")
                    .and_then(|pattern| pattern.strip_prefix(name))
                    .and_then(|pattern| pattern.strip_prefix(b">[^/]+)"));
                if !is_name(name) || !is_next(name) {
                    return false;
                }
                (&after[end + 1..], rest)
            }
            b'-' | b'.' => (after, pattern.strip_prefix(&[b'\\', *first])),
            b'/' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                (after, pattern.strip_prefix(&[*first]))
            }
            _ => return false,
        };
        let Some(rest) = rest else {
            return false;
        };
        (path, pattern) = (rest_of_path, rest);
    }
    pattern.is_empty()
}

fn is_name(name: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    name.first().is_some_and(is_letter)
        && name
            .iter()
            .all(|byte| is_letter(byte) || byte.is_ascii_digit())
}
