//! An answer from the cache, laid out for a host to put together.

use super::lookup::Form;
use crate::fields::Line;
use crate::fields::range::{content_range, unsatisfied};
use crate::fields::values;
use crate::rules::conditional::stands_in_not_modified;
use crate::rules::range::{
    Multipart, Selection, select, stands_in_multipart, stands_in_partial, stands_in_unsatisfied,
};
use crate::stored::Stored;
use std::ops::Range;

/// The layout of an answer. `Age` and what the cache says of itself come after its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The status code.
    pub status: u16,
    /// The header lines, in order.
    pub lines: Vec<LineOf>,
    /// The body.
    pub body: BodyOf,
}

/// A header line of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineOf {
    /// The stored response's line with this index.
    Stored(usize),
    /// A line of this name, in lower case, and value.
    Made(&'static str, Vec<u8>),
}

/// The body of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyOf {
    /// None.
    Nothing,
    /// The stored one.
    Whole,
    /// These pieces, in order.
    Pieces(Vec<Piece>),
}

/// A piece of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// These bytes.
    Made(Vec<u8>),
    /// These bytes of the stored body.
    Stored(Range<u64>),
}

/// Lays out a stored response in the given form. `lines` are its lines, `request` those of the request; `seed` is a
/// number that clients cannot know.
pub fn compose<R>(
    form: Form,
    stored: &Stored<R>,
    lines: &[Line<'_>],
    request: &[Line<'_>],
    seed: u64,
) -> Layout {
    let length = stored.body_length;
    match form {
        Form::Full => layout(stored.status, lines, |_| true, [], BodyOf::Whole),
        Form::WithoutBody => layout(stored.status, lines, |_| true, [], BodyOf::Nothing),
        Form::NotModified => layout(304, lines, stands_in_not_modified, [], BodyOf::Nothing),
        Form::Unsatisfiable => {
            let made = [
                ("content-range", unsatisfied(length).to_vec()),
                ("content-length", b"0".to_vec()),
            ];
            layout(416, lines, stands_in_unsatisfied, made, BodyOf::Nothing)
        }
        Form::Part(start, end) => {
            let range = start..end;
            let made = [
                ("content-range", content_range(&range, length).to_vec()),
                ("content-length", number(end.saturating_sub(start))),
            ];
            let body = BodyOf::Pieces(vec![Piece::Stored(range)]);
            layout(206, lines, stands_in_partial, made, body)
        }
        Form::Parts => match select(request, stored) {
            Selection::Many(ranges) => parts(&ranges, length, lines, seed),
            _ => layout(stored.status, lines, |_| true, [], BodyOf::Whole),
        },
    }
}

fn parts(ranges: &[Range<u64>], length: u64, lines: &[Line<'_>], seed: u64) -> Layout {
    let content_type = values(lines, "content-type").next();
    let multipart = Multipart::new(ranges, length, content_type, seed);
    let mut pieces = Vec::with_capacity(2 * ranges.len() + 1);
    for part in multipart.parts() {
        pieces.push(Piece::Made(part.head.clone()));
        pieces.push(Piece::Stored(part.range.clone()));
    }
    pieces.push(Piece::Made(multipart.end().to_vec()));
    let made = [
        ("content-type", multipart.content_type()),
        ("content-length", number(multipart.content_length())),
    ];
    layout(
        206,
        lines,
        stands_in_multipart,
        made,
        BodyOf::Pieces(pieces),
    )
}

fn layout<const N: usize>(
    status: u16,
    lines: &[Line<'_>],
    stands: impl Fn(&[u8]) -> bool,
    made: [(&'static str, Vec<u8>); N],
    body: BodyOf,
) -> Layout {
    let kept = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| stands(line.name))
        .map(|(index, _)| LineOf::Stored(index));
    let made = made
        .into_iter()
        .map(|(name, value)| LineOf::Made(name, value));
    Layout {
        status,
        lines: kept.chain(made).collect(),
        body,
    }
}

fn number(number: u64) -> Vec<u8> {
    number.to_string().into_bytes()
}
