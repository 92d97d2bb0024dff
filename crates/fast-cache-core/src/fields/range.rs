//! `Range` and `Content-Range` ([RFC 9110 §14](https://www.rfc-editor.org/rfc/rfc9110#section-14)).
//!
//! Ranges of bytes are half-open throughout, as Rust writes them; on the wire, both ends are included.

use super::Line;
use super::list::trim;
use smallvec::SmallVec;
use std::cmp::Ordering;
use std::ops::Range;

/// What a request's `Range` field asks for, in unit `bytes`: one range or more, in order.
///
/// Nothing is copied, whatever the number of ranges.
#[derive(Clone, Copy, Debug)]
pub struct ByteRanges<'a> {
    set: &'a [u8],
    count: usize,
}

/// One range as the client wrote it, not yet held against the length of a body
/// ([RFC 9110 §14.1.2](https://www.rfc-editor.org/rfc/rfc9110#section-14.1.2)). Numbers beyond 64 bits are `u64::MAX`,
/// past the end of any body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeSpec {
    /// `first-last`, or `first-` up to the end. `last` is included and not before `first`.
    Int {
        /// Where it begins, counted from zero.
        first: u64,
        /// Its last byte, if it names one.
        last: Option<u64>,
    },
    /// `-length`: that many bytes at the end.
    Suffix(u64),
}

/// A value of `Content-Range`; the longest fits without allocation.
pub type ContentRange = SmallVec<[u8; 68]>;

impl<'a> ByteRanges<'a> {
    /// Reads the `Range` line of a request.
    ///
    /// `None` where the field is to be ignored: there is none or more than one, another unit, a malformed member, a
    /// range that ends before it begins, or no range at all. Empty list members and white space around members are
    /// borne.
    ///
    /// ```
    /// use fast_cache_core::fields::{Line, range::{ByteRanges, RangeSpec}};
    ///
    /// let lines = [Line::new(b"range", b"bytes=0-499, -500")];
    /// let ranges = ByteRanges::parse(&lines).unwrap();
    /// let expected = [RangeSpec::Int { first: 0, last: Some(499) }, RangeSpec::Suffix(500)];
    /// assert!(ranges.iter().eq(expected));
    /// assert!(ByteRanges::parse(&[Line::new(b"range", b"pages=1-2")]).is_none());
    /// ```
    pub fn parse(lines: &[Line<'a>]) -> Option<Self> {
        let mut found = lines.iter().filter(|line| line.is("range"));
        let value = found.next()?.value;
        if found.next().is_some() {
            return None;
        }
        let value = trim(value);
        let equals = value.iter().position(|&byte| byte == b'=')?;
        let (unit, set) = (&value[..equals], &value[equals + 1..]);
        if !unit.eq_ignore_ascii_case(b"bytes") {
            return None;
        }
        let mut count = 0;
        for member in members(set) {
            RangeSpec::parse(member)?;
            count += 1;
        }
        (count > 0).then_some(Self { set, count })
    }

    /// The ranges, in the client's order.
    pub fn iter(&self) -> impl Iterator<Item = RangeSpec> + 'a {
        members(self.set).filter_map(RangeSpec::parse)
    }

    /// How many there are; at least one.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.count
    }
}

impl RangeSpec {
    /// Which bytes of a body of `length` bytes it covers; `None` where it cannot be satisfied.
    ///
    /// The range is empty only for a suffix of an empty body: satisfied, but with nothing to send.
    ///
    /// ```
    /// use fast_cache_core::fields::range::RangeSpec;
    ///
    /// assert_eq!(RangeSpec::Int { first: 5, last: None }.within(8), Some(5..8));
    /// assert_eq!(RangeSpec::Int { first: 8, last: None }.within(8), None);
    /// assert_eq!(RangeSpec::Suffix(20).within(8), Some(0..8));
    /// ```
    pub fn within(self, length: u64) -> Option<Range<u64>> {
        match self {
            Self::Int { first, .. } if first >= length => None,
            Self::Int { first, last } => {
                let end = last.map_or(length, |last| last.saturating_add(1).min(length));
                Some(first..end)
            }
            Self::Suffix(0) => None,
            Self::Suffix(suffix) => Some(length.saturating_sub(suffix)..length),
        }
    }

    fn parse(member: &[u8]) -> Option<Self> {
        let dash = member.iter().position(|&byte| byte == b'-')?;
        let (first, last) = (&member[..dash], &member[dash + 1..]);
        if !first.iter().chain(last).all(u8::is_ascii_digit) {
            return None;
        }
        match (first, last) {
            ([], []) => None,
            ([], length) => Some(Self::Suffix(number(length))),
            (first, []) => Some(Self::Int {
                first: number(first),
                last: None,
            }),
            (first, last) => (compare(first, last) != Ordering::Greater).then(|| Self::Int {
                first: number(first),
                last: Some(number(last)),
            }),
        }
    }
}

/// The `Content-Range` of these bytes of a body of `length` bytes
/// ([RFC 9110 §14.4](https://www.rfc-editor.org/rfc/rfc9110#section-14.4)). No value can name an empty range; it gives
/// what [`unsatisfied`] does.
///
/// ```
/// use fast_cache_core::fields::range::content_range;
///
/// assert_eq!(content_range(&(0..500), 1234).as_slice(), b"bytes 0-499/1234");
/// ```
pub fn content_range(range: &Range<u64>, length: u64) -> ContentRange {
    if range.is_empty() {
        return unsatisfied(length);
    }
    let mut value = ContentRange::new();
    value.extend_from_slice(b"bytes ");
    put_number(&mut value, range.start);
    value.push(b'-');
    put_number(&mut value, range.end - 1);
    value.push(b'/');
    put_number(&mut value, length);
    value
}

/// The `Content-Range` of a `416` about a body of `length` bytes
/// ([RFC 9110 §15.5.17](https://www.rfc-editor.org/rfc/rfc9110#section-15.5.17)).
///
/// ```
/// use fast_cache_core::fields::range::unsatisfied;
///
/// assert_eq!(unsatisfied(47_022).as_slice(), b"bytes */47022");
/// ```
pub fn unsatisfied(length: u64) -> ContentRange {
    let mut value = ContentRange::new();
    value.extend_from_slice(b"bytes */");
    put_number(&mut value, length);
    value
}

/// The list members. Quotes mean nothing here: a member that holds one is malformed.
fn members(set: &[u8]) -> impl Iterator<Item = &[u8]> {
    set.split(|&byte| byte == b',')
        .map(trim)
        .filter(|member| !member.is_empty())
}

/// What `digits` say, or `u64::MAX` where that is more.
fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |number: u64, digit| {
        number
            .saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    })
}

/// Compares numbers of any size.
fn compare(left: &[u8], right: &[u8]) -> Ordering {
    let (left, right) = (without_zeros(left), without_zeros(right));
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

fn without_zeros(mut digits: &[u8]) -> &[u8] {
    while let [b'0', rest @ ..] = digits {
        digits = rest;
    }
    digits
}

fn put_number(value: &mut ContentRange, mut number: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    value.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use super::{ByteRanges, RangeSpec, content_range, unsatisfied};
    use crate::fields::Line;

    fn parse(value: &str) -> Option<Vec<RangeSpec>> {
        let lines = [
            Line::new(b"host", b"bytes=7-7"),
            Line::new(b"Range", value.as_bytes()),
        ];
        let ranges = ByteRanges::parse(&lines)?;
        let specs: Vec<RangeSpec> = ranges.iter().collect();
        assert_eq!(specs.len(), ranges.len(), "{value}");
        Some(specs)
    }

    fn int(first: u64, last: impl Into<Option<u64>>) -> RangeSpec {
        RangeSpec::Int {
            first,
            last: last.into(),
        }
    }

    #[test]
    fn ranges_that_are_understood() {
        use RangeSpec::Suffix;
        let table: &[(&str, &[RangeSpec])] = &[
            // The examples of RFC 9110 §14.1.2 and §14.2.
            ("bytes=0-499", &[int(0, 499)]),
            ("bytes=500-999", &[int(500, 999)]),
            ("bytes=-500", &[Suffix(500)]),
            ("bytes=9500-", &[int(9500, None)]),
            ("bytes=0-0,-1", &[int(0, 0), Suffix(1)]),
            (
                "bytes= 0-999, 4500-5499, -1000",
                &[int(0, 999), int(4500, 5499), Suffix(1000)],
            ),
            ("bytes=500-600,601-999", &[int(500, 600), int(601, 999)]),
            ("bytes=500-700,601-999", &[int(500, 700), int(601, 999)]),
            // What a recipient has to bear.
            ("BYTES=0-1", &[int(0, 1)]),
            (" \tbytes=0-1\t ", &[int(0, 1)]),
            ("bytes=,,0-1 ,\t, 3- ,", &[int(0, 1), int(3, None)]),
            ("bytes=007-0000000000000000000000008", &[int(7, 8)]),
            ("bytes=-0", &[Suffix(0)]),
            // Numbers beyond 64 bits.
            ("bytes=18446744073709551615-", &[int(u64::MAX, None)]),
            ("bytes=18446744073709551616-", &[int(u64::MAX, None)]),
            ("bytes=3-99999999999999999999", &[int(3, u64::MAX)]),
            ("bytes=-99999999999999999999", &[Suffix(u64::MAX)]),
            (
                "bytes=99999999999999999998-99999999999999999999",
                &[int(u64::MAX, u64::MAX)],
            ),
        ];
        for (value, expected) in table {
            assert_eq!(parse(value).as_deref(), Some(*expected), "{value}");
        }
    }

    #[test]
    fn ranges_that_are_ignored() {
        for value in [
            "",
            "bytes",
            "bytes=",
            "bytes= , ,",
            "bytes 0-1",
            "bytes =0-1",
            "bytes:0-1",
            "=0-1",
            "byte=0-1",
            "items=0-1",
            "bytes=0",
            "bytes=-",
            "bytes=--1",
            "bytes=0-1-2",
            "bytes=1-0",
            "bytes=99999999999999999999-99999999999999999998",
            "bytes=100000000000000000000-99999999999999999999",
            "bytes=0 - 1",
            "bytes=0-1 2-3",
            "bytes=0-1;2-3",
            "bytes=+0-1",
            "bytes=0x0-1",
            "bytes=0-1,x",
            "bytes=0-1,5-4",
            "bytes=\"0-1\"",
            "bytes=\"0-1,2-3\"",
            "bytes=0-1\0",
            "bytes=0-\u{661}",
            "bytes=0-1\n",
            "bytes=bytes=0-1",
        ] {
            assert_eq!(parse(value), None, "{value:?}");
        }
    }

    #[test]
    fn one_line_only() {
        assert!(ByteRanges::parse(&[]).is_none());
        let line = Line::new(b"range", b"bytes=0-1");
        assert!(ByteRanges::parse(&[line]).is_some());
        assert!(ByteRanges::parse(&[line, line]).is_none());
        let odd = Line::new(b"RANGE", b"nonsense");
        assert!(ByteRanges::parse(&[line, odd]).is_none());
        assert!(ByteRanges::parse(&[odd, line]).is_none());
    }

    #[test]
    fn held_against_a_body() {
        let table = [
            (int(0, 499), 10_000, Some(0..500)),
            (int(0, 499), 500, Some(0..500)),
            (int(0, 499), 499, Some(0..499)),
            (int(0, None), 1, Some(0..1)),
            (int(9, 9), 10, Some(9..10)),
            (int(10, 10), 10, None),
            (int(10, None), 10, None),
            (int(0, None), 0, None),
            (int(0, 0), 0, None),
            (RangeSpec::Suffix(500), 10_000, Some(9500..10_000)),
            (RangeSpec::Suffix(500), 20, Some(0..20)),
            (RangeSpec::Suffix(0), 20, None),
            (RangeSpec::Suffix(0), 0, None),
            (RangeSpec::Suffix(1), 0, Some(0..0)),
            (int(3, u64::MAX), u64::MAX, Some(3..u64::MAX)),
            (int(u64::MAX, None), u64::MAX, None),
            (RangeSpec::Suffix(u64::MAX), u64::MAX, Some(0..u64::MAX)),
        ];
        for (spec, length, expected) in table {
            assert_eq!(spec.within(length), expected, "{spec:?} of {length}");
        }
    }

    #[test]
    fn content_ranges() {
        // RFC 9110 §14.4.
        for (range, length, expected) in [
            (42..1234, 1234, "bytes 42-1233/1234"),
            (0..500, 1234, "bytes 0-499/1234"),
            (500..1000, 1234, "bytes 500-999/1234"),
            (500..1234, 1234, "bytes 500-1233/1234"),
            (734..1234, 1234, "bytes 734-1233/1234"),
            (0..1, 1, "bytes 0-0/1"),
            (5..5, 9, "bytes */9"),
        ] {
            let value = content_range(&range, length);
            assert_eq!(value.as_slice(), expected.as_bytes());
        }
        assert_eq!(unsatisfied(0).as_slice(), b"bytes */0");
        let longest = content_range(&(u64::MAX - 1..u64::MAX), u64::MAX);
        assert_eq!(
            longest.as_slice(),
            b"bytes 18446744073709551614-18446744073709551614/18446744073709551615"
        );
        assert!(!longest.spilled());
    }
}
