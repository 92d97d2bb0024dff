//! Which bytes of a stored body are the answer
//! ([RFC 9110 §14.2](https://www.rfc-editor.org/rfc/rfc9110#section-14.2)).
//!
//! A range is answered from a stored `200` whose body is whole; [`select`] says how. `Range` means something for `GET`
//! only, and after every other precondition: where `304` is the answer, no range is. Both are the caller's to heed.
//!
//! | [`Selection`] | status | framing | stored lines that stand |
//! |---|---|---|---|
//! | `Whole` | `200` | as stored | all |
//! | `One` | `206` | [`content_range`](crate::fields::range::content_range) | [`stands_in_partial`] |
//! | `Many` | `206` | [`Multipart`] | [`stands_in_multipart`] |
//! | `Unsatisfiable` | `416`, no body | [`unsatisfied`](crate::fields::range::unsatisfied) | [`stands_in_unsatisfied`] |

mod multipart;

pub use multipart::{Multipart, Part};

use crate::fields::range::ByteRanges;
use crate::fields::validators::{EntityTag, format_generated};
use crate::fields::{Line, date, values};
use crate::stored::{Stored, StoredTag};
use crate::time::Timestamp;
use smallvec::SmallVec;
use std::ops::Range;
use std::time::Duration;

/// The most ranges one request may ask for; a request for more gets the whole body.
pub const MAX_RANGES: usize = 16;

/// How long before its response was made a representation must have been modified last for its date to be a strong
/// validator. One second would do if the two clocks were known to be one; this allows for two.
pub const LAST_MODIFIED_MARGIN: Duration = Duration::from_secs(60);

/// Which bytes of a stored body answer a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All of them, as a `200`: nothing else was asked for, or not in a way that is heeded.
    Whole,
    /// These, as a `206`.
    One(Range<u64>),
    /// These parts, two or more, as a `206` in several parts. They neither overlap nor touch, and stand in the client's
    /// order.
    Many(SmallVec<[Range<u64>; 4]>),
    /// None: a `416`.
    Unsatisfiable,
}

/// Selects the bytes that answer a `GET` with these header lines.
///
/// The whole body is the answer where the stored response is no `200`, where there is no `Range` or it is malformed or
/// in another unit, and where `If-Range` ([RFC 9110 §13.1.5](https://www.rfc-editor.org/rfc/rfc9110#section-13.1.5))
/// does not hold. It is also the answer to what only an attack or a broken client asks for
/// ([RFC 9110 §14.2](https://www.rfc-editor.org/rfc/rfc9110#section-14.2),
/// [§17.15](https://www.rfc-editor.org/rfc/rfc9110#section-17.15)): more than [`MAX_RANGES`] ranges, or ranges that add
/// up to more than the body, which they can only do by overlapping. Other ranges that overlap or touch become one, in
/// the place of the first. An empty body has no bytes to name, so a suffix of it, though satisfied, gets a `200`.
///
/// ```
/// use fast_cache_core::fields::Line;
/// use fast_cache_core::rules::range::{Selection, select};
/// # use fast_cache_core::{stored::{Stored, StoredTag, Traits}, time::Timestamp};
/// # use std::time::Duration;
/// # let stored = Stored {
/// #     received: Timestamp::default(),
/// #     initial_age: 0,
/// #     took: 0,
/// #     lifetime: Duration::from_secs(60),
/// #     stale_while_revalidate: Duration::ZERO,
/// #     stale_if_error: Duration::ZERO,
/// #     status: 200,
/// #     traits: Traits::default(),
/// #     etag: StoredTag::None,
/// #     last_modified: None,
/// #     body_length: 10_000,
/// #     representation: (),
/// # };
///
/// // `stored` has 10,000 bytes of body.
/// let asked = |value| select(&[Line::new(b"range", value)], &stored);
/// assert_eq!(asked(b"bytes=0-499"), Selection::One(0..500));
/// assert_eq!(asked(b"bytes=0-0,-1"), Selection::Many([0..1, 9999..10_000].into_iter().collect()));
/// assert_eq!(asked(b"bytes=10000-"), Selection::Unsatisfiable);
/// assert_eq!(asked(b"lines=1-2"), Selection::Whole);
/// ```
pub fn select<R>(lines: &[Line<'_>], stored: &Stored<R>) -> Selection {
    if stored.status != 200 {
        return Selection::Whole;
    }
    match ByteRanges::parse(lines) {
        Some(asked) if if_range_holds(lines, stored) => choose(asked, stored.body_length),
        _ => Selection::Whole,
    }
}

/// Whether a header line of the stored response stands in its `206` with one range: everything but the length, the
/// range, and digests of the content, which is another ([RFC 9110 §15.3.7](https://www.rfc-editor.org/rfc/rfc9110#section-15.3.7),
/// [RFC 9530 §2](https://www.rfc-editor.org/rfc/rfc9530#section-2)).
pub fn stands_in_partial(name: &[u8]) -> bool {
    !is_one_of(
        name,
        &[
            "content-length",
            "content-range",
            "content-digest",
            "content-md5",
        ],
    )
}

/// Whether a header line of the stored response stands in its `206` in several parts: `Content-Type` does not either,
/// for each part has it ([RFC 9110 §15.3.7.2](https://www.rfc-editor.org/rfc/rfc9110#section-15.3.7.2)).
pub fn stands_in_multipart(name: &[u8]) -> bool {
    stands_in_partial(name) && !is_one_of(name, &["content-type"])
}

/// Whether a header line of the stored response stands in the `416` that says that none of the ranges can be satisfied:
/// nothing that describes the stored body, and nothing that lets a cache keep the `416` as the answer to others.
pub fn stands_in_unsatisfied(name: &[u8]) -> bool {
    let describes = starts_with(name, "content-") && !starts_with(name, "content-security-policy");
    let keeps = name.len() >= 13 && name[name.len() - 13..].eq_ignore_ascii_case(b"cache-control");
    !(describes
        || keeps
        || is_one_of(
            name,
            &[
                "etag",
                "expires",
                "last-modified",
                "repr-digest",
                "surrogate-control",
            ],
        ))
}

/// Whether `If-Range`, if there is one, names the stored representation: an entity tag by strong comparison, or the
/// exact `Last-Modified` where that is a strong validator.
fn if_range_holds<R>(lines: &[Line<'_>], stored: &Stored<R>) -> bool {
    let mut conditions = values(lines, "if-range");
    let Some(condition) = conditions.next() else {
        return true;
    };
    if conditions.next().is_some() {
        return false;
    }
    if let Some(given) = EntityTag::parse(condition) {
        let matches =
            |tag: &[u8]| EntityTag::parse(tag).is_some_and(|stored| given.strong_eq(stored));
        return match &stored.etag {
            StoredTag::None => false,
            StoredTag::Given(tag) => matches(tag),
            StoredTag::Generated(hash) => matches(&format_generated(*hash)),
        };
    }
    let given = date::parse(condition, stored.received);
    strong_last_modified(stored)
        .is_some_and(|stored| given.is_some_and(|given| given.seconds() == stored.seconds()))
}

/// `Last-Modified`, where it is a strong validator
/// ([RFC 9110 §8.8.2.2](https://www.rfc-editor.org/rfc/rfc9110#section-8.8.2.2)): the response was made so long after
/// it that no second change in the same second can have been missed.
fn strong_last_modified<R>(stored: &Stored<R>) -> Option<Timestamp> {
    let last_modified = stored.last_modified?;
    let age = Duration::from_secs(u64::from(stored.initial_age));
    let settled = last_modified.plus(LAST_MODIFIED_MARGIN).plus(age);
    (settled <= stored.received).then_some(last_modified)
}

fn choose(asked: ByteRanges<'_>, length: u64) -> Selection {
    if asked.len() > MAX_RANGES {
        return Selection::Whole;
    }
    let mut chosen: SmallVec<[Range<u64>; 4]> = SmallVec::new();
    let mut total = 0_u128;
    for range in asked.iter().filter_map(|spec| spec.within(length)) {
        total += u128::from(range.end - range.start);
        add(&mut chosen, range);
    }
    match &chosen[..] {
        [] => Selection::Unsatisfiable,
        _ if total > u128::from(length) || length == 0 => Selection::Whole,
        [range] => Selection::One(range.clone()),
        _ => Selection::Many(chosen),
    }
}

/// Adds a range, together with those that it overlaps or touches. As those that are there do not touch each other, what
/// becomes one with the new range touches no others.
fn add(chosen: &mut SmallVec<[Range<u64>; 4]>, range: Range<u64>) {
    let mut place = None;
    let mut whole = range.clone();
    let mut at = 0;
    chosen.retain(|other| {
        let touches = other.start <= range.end && range.start <= other.end;
        if touches {
            place.get_or_insert(at);
            whole = whole.start.min(other.start)..whole.end.max(other.end);
        }
        at += 1;
        !touches
    });
    chosen.insert(place.unwrap_or(chosen.len()), whole);
}

fn is_one_of(name: &[u8], names: &[&str]) -> bool {
    names
        .iter()
        .any(|other| name.eq_ignore_ascii_case(other.as_bytes()))
}

fn starts_with(name: &[u8], start: &str) -> bool {
    name.get(..start.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes()))
}

#[cfg(test)]
mod tests;
