//! `Vary`: which request headers chose the response
//! ([RFC 9110 §12.5.5](https://www.rfc-editor.org/rfc/rfc9110#section-12.5.5)).

use super::list;
use super::{Line, values};
use smallvec::SmallVec;

/// What all `Vary` lines of a response say together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Vary {
    /// No request header.
    #[default]
    None,
    /// Everything: `*`, or a member that is not a header name.
    Any,
    /// These request headers: in lower case, sorted, each once, at least one.
    Names(SmallVec<[Box<str>; 4]>),
}

impl Vary {
    /// Reads every `Vary` line. What cannot be understood counts as [`Vary::Any`].
    ///
    /// ```
    /// use fast_cache_core::fields::{Line, vary::Vary};
    ///
    /// let lines = [Line::new(b"Vary", b"Origin, ACCEPT"), Line::new(b"vary", b"origin")];
    /// assert!(Vary::parse(&lines).names().iter().eq(["accept", "origin"].map(Box::from).iter()));
    /// ```
    pub fn parse(lines: &[Line<'_>]) -> Self {
        let mut names = SmallVec::<[Box<str>; 4]>::new();
        for member in list::members(values(lines, "vary")) {
            match std::str::from_utf8(member) {
                Ok(name) if name != "*" && list::is_token(member) => {
                    names.push(name.to_ascii_lowercase().into_boxed_str());
                }
                _ => return Self::Any,
            }
        }
        if names.is_empty() {
            return Self::None;
        }
        names.sort_unstable();
        names.dedup();
        Self::Names(names)
    }

    /// The names; empty for [`Vary::None`] and [`Vary::Any`].
    pub fn names(&self) -> &[Box<str>] {
        match self {
            Self::Names(names) => names,
            Self::None | Self::Any => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Vary;
    use crate::fields::Line;

    fn parse(values: &[&[u8]]) -> Vary {
        let mut lines = vec![Line::new(b"content-type", b"*")];
        lines.extend(values.iter().map(|value| Line::new(b"VaRy", value)));
        Vary::parse(&lines)
    }

    #[test]
    fn names_are_folded_sorted_and_distinct() {
        let table: &[(&[&[u8]], &[&str])] = &[
            (&[b"Accept"], &["accept"]),
            (&[b"b, A", b"\tC ,, a"], &["a", "b", "c"]),
            (&[b"", b"x", b","], &["x"]),
            (&[b"*a"], &["*a"]),
        ];
        for (values, expected) in table {
            let vary = parse(values);
            assert!(
                vary.names()
                    .iter()
                    .map(AsRef::as_ref)
                    .eq(expected.iter().copied()),
                "{values:?}: {vary:?}"
            );
        }
    }

    #[test]
    fn nothing_named_is_none() {
        for values in [[].as_slice(), &[b"".as_slice()], &[b" , ", b"\t"]] {
            assert_eq!(parse(values), Vary::None, "{values:?}");
        }
    }

    #[test]
    fn a_star_or_anything_malformed_is_everything() {
        let table: &[&[&[u8]]] = &[
            &[b"*"],
            &[b"accept, *"],
            &[b"accept", b" * ", b"origin"],
            &[b"\"accept\""],
            &[b"accept origin"],
            &[b"accept; origin"],
            &[b"accept, \xe4"],
            &[b"origin, \"accept"],
            &[b"a\0"],
        ];
        for values in table {
            assert_eq!(parse(values), Vary::Any, "{values:?}");
            assert!(parse(values).names().is_empty());
        }
    }
}
