//! What the application's confirmation changes in a stored response
//! ([RFC 9111 §3.2](https://www.rfc-editor.org/rfc/rfc9111#section-3.2),
//! [§4.3.4](https://www.rfc-editor.org/rfc/rfc9111#section-4.3.4)).

use super::kept_fields::KeptFields;
use crate::fields::Line;

/// Where a line of a freshened response comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The stored response's line with this index.
    Stored(usize),
    /// The confirmation's line with this index.
    Update(usize),
}

/// The lines of a stored response once `update`, a confirmation, has changed them.
///
/// Fields that the confirmation has take the place of the stored ones, all their lines where the first stored one
/// stood; fields that are new come last. Nothing else moves. Fields that describe the stored body stay as they were
/// stored, as do those that are never stored. A stored `Date` that the confirmation does not renew is left out: the
/// response is younger than it says.
pub fn freshened(stored: &[Line<'_>], update: &[Line<'_>]) -> Vec<Source> {
    let kept = KeptFields::of(update);
    let updates = |line: &&Line<'_>| kept.keeps(line.name) && !describes_body(line.name);
    let same = |left: &Line<'_>, right: &Line<'_>| left.name.eq_ignore_ascii_case(right.name);
    let is_renewed = |line: &Line<'_>| update.iter().filter(updates).any(|other| same(other, line));
    let mut sources = Vec::with_capacity(stored.len() + update.len());
    for (index, line) in stored.iter().enumerate() {
        if is_renewed(line) {
            let is_first = !stored[..index].iter().any(|other| same(other, line));
            if is_first {
                let lines = update
                    .iter()
                    .enumerate()
                    .filter(|(_, other)| same(other, line));
                sources.extend(lines.map(|(index, _)| Source::Update(index)));
            }
        } else if !line.is("date") {
            sources.push(Source::Stored(index));
        }
    }
    for (index, line) in update.iter().enumerate().filter(|(_, line)| updates(line)) {
        let is_new = !stored.iter().any(|other| same(other, line));
        if is_new {
            sources.push(Source::Update(index));
        }
    }
    sources
}

/// Whether a field describes the stored body, so that a confirmation, which has none, does not change it.
fn describes_body(name: &[u8]) -> bool {
    [
        "content-encoding",
        "content-length",
        "content-md5",
        "content-range",
        "etag",
    ]
    .iter()
    .any(|known| Line::new(name, b"").is(known))
}

#[cfg(test)]
mod tests {
    use super::{Source, freshened};
    use crate::fields::Line;

    fn check(stored: &[(&str, &str)], update: &[(&str, &str)], expected: &[(&str, &str)]) {
        let lines = |pairs: &[(&'static str, &'static str)]| -> Vec<Line<'static>> {
            pairs
                .iter()
                .map(|(name, value)| Line::new(name.as_bytes(), value.as_bytes()))
                .collect()
        };
        // The literals of these tests are all static.
        let own = |pairs: &[(&str, &str)]| -> Vec<(&'static str, &'static str)> {
            pairs
                .iter()
                .map(|(name, value)| {
                    let name: &'static str = String::leak((*name).to_owned());
                    let value: &'static str = String::leak((*value).to_owned());
                    (name, value)
                })
                .collect()
        };
        let (stored, update) = (lines(&own(stored)), lines(&own(update)));
        let merged: Vec<Line<'_>> = freshened(&stored, &update)
            .into_iter()
            .map(|source| match source {
                Source::Stored(index) => stored[index],
                Source::Update(index) => update[index],
            })
            .collect();
        assert_eq!(merged, lines(&own(expected)));
    }

    #[test]
    fn updated_fields_keep_their_place_and_new_ones_come_last() {
        check(
            &[("A", "1"), ("b", "1"), ("a", "2"), ("c", "3")],
            &[("d", "9"), ("a", "7"), ("A", "8"), ("e", "0")],
            &[
                ("a", "7"),
                ("A", "8"),
                ("b", "1"),
                ("c", "3"),
                ("d", "9"),
                ("e", "0"),
            ],
        );
    }

    #[test]
    fn what_describes_the_body_stays() {
        check(
            &[
                ("etag", "\"a\""),
                ("content-length", "3"),
                ("content-type", "x/y"),
            ],
            &[
                ("ETag", "\"b\""),
                ("Content-Length", "0"),
                ("content-encoding", "gzip"),
                ("Content-Type", "x/z"),
            ],
            &[
                ("etag", "\"a\""),
                ("content-length", "3"),
                ("Content-Type", "x/z"),
            ],
        );
    }

    #[test]
    fn what_is_never_stored_is_not_taken_over() {
        check(
            &[("a", "1")],
            &[
                ("Connection", "b"),
                ("b", "2"),
                ("age", "5"),
                ("keep-alive", "x"),
                ("a", "3"),
            ],
            &[("a", "3")],
        );
    }

    #[test]
    fn an_old_date_is_not_kept() {
        check(&[("date", "old"), ("a", "1")], &[], &[("a", "1")]);
        check(
            &[("date", "old"), ("a", "1")],
            &[("Date", "new")],
            &[("Date", "new"), ("a", "1")],
        );
    }
}
