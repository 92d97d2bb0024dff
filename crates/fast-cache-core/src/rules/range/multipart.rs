//! The framing of several ranges in one body
//! ([RFC 9110 §14.6](https://www.rfc-editor.org/rfc/rfc9110#section-14.6)).

use crate::fields::list::trim;
use crate::fields::range::content_range;
use crate::fields::validators::format_generated;
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A body in several parts, less the bytes of the stored body: for each part its head, then the bytes of its range, and
/// at last the [`end`](Self::end).
///
/// ```
/// use fast_cache_core::rules::range::Multipart;
///
/// let body = b"Hello, world";
/// let multipart = Multipart::new(&[0..5, 7..12], 12, Some(b"text/plain"), 42);
/// let mut content = Vec::new();
/// for part in multipart.parts() {
///     content.extend_from_slice(&part.head);
///     content.extend_from_slice(&body[part.range.start as usize..part.range.end as usize]);
/// }
/// content.extend_from_slice(multipart.end());
/// assert_eq!(content.len() as u64, multipart.content_length());
///
/// let boundary = std::str::from_utf8(multipart.boundary()).unwrap();
/// let expected = [
///     "--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-4/12\r\n\r\nHello",
///     "--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 7-11/12\r\n\r\nworld",
///     "--B--\r\n",
/// ];
/// assert_eq!(content, expected.join("\r\n").replace('B', boundary).into_bytes());
/// ```
#[derive(Clone, Debug)]
pub struct Multipart {
    parts: Vec<Part>,
    end: [u8; Self::END_LENGTH],
    content_length: u64,
}

/// One part of a [`Multipart`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What stands before its bytes: the delimiter and its header lines.
    pub head: Vec<u8>,
    /// Which bytes of the stored body follow.
    pub range: Range<u64>,
}

impl Multipart {
    /// Bytes of boundary.
    pub const BOUNDARY_LENGTH: usize = 16;
    /// Bytes of closing delimiter, line ends included.
    pub const END_LENGTH: usize = Self::BOUNDARY_LENGTH + 8;

    /// Frames these ranges, none of them empty, of a body of `length` bytes.
    ///
    /// `content_type` is the stored response's; one that could not stand in a header line is left out. The boundary is
    /// made of `seed`, the ranges and the length, and never looks at the body, so `seed` should be a number that those
    /// who write bodies cannot know: who could guess the boundary could fake parts.
    pub fn new(ranges: &[Range<u64>], length: u64, content_type: Option<&[u8]>, seed: u64) -> Self {
        let content_type = content_type
            .map(trim)
            .filter(|value| !value.is_empty() && value.iter().all(|&byte| is_field_byte(byte)));
        let mut end = *b"\r\n--................--\r\n";
        end[4..][..Self::BOUNDARY_LENGTH].copy_from_slice(&boundary(ranges, length, seed));
        let delimiter = &end[..4 + Self::BOUNDARY_LENGTH];
        let mut parts = Vec::with_capacity(ranges.len());
        let mut content_length = Self::END_LENGTH as u64;
        for range in ranges {
            // The line end before the first delimiter is the one that ends the message's own header.
            let delimiter = &delimiter[if parts.is_empty() { 2 } else { 0 }..];
            let head = head(delimiter, content_type, range, length);
            content_length = content_length
                .saturating_add(head.len() as u64)
                .saturating_add(range.end.saturating_sub(range.start));
            parts.push(Part {
                head,
                range: range.clone(),
            });
        }
        Self {
            parts,
            end,
            content_length,
        }
    }

    /// The parts, in order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The closing delimiter.
    pub fn end(&self) -> &[u8] {
        &self.end
    }

    /// The boundary: a token of lower-case hexadecimal digits.
    pub fn boundary(&self) -> &[u8] {
        &self.end[4..][..Self::BOUNDARY_LENGTH]
    }

    /// The message's `Content-Type`.
    pub fn content_type(&self) -> Vec<u8> {
        [b"multipart/byteranges; boundary=", self.boundary()].concat()
    }

    /// The message's `Content-Length`: all heads, all ranges, and the closing delimiter.
    pub fn content_length(&self) -> u64 {
        self.content_length
    }
}

fn head(delimiter: &[u8], content_type: Option<&[u8]>, range: &Range<u64>, length: u64) -> Vec<u8> {
    let content_range = content_range(range, length);
    let (name, value, line_end): (&[u8], _, &[u8]) = match content_type {
        Some(value) => (b"Content-Type: ", value, b"\r\n"),
        None => Default::default(),
    };
    [
        delimiter,
        b"\r\n",
        name,
        value,
        line_end,
        b"Content-Range: ",
        &content_range,
        b"\r\n\r\n",
    ]
    .concat()
}

/// The hash of the seed, the length and the ranges, in the digits of a generated entity tag less its quotes.
fn boundary(ranges: &[Range<u64>], length: u64, seed: u64) -> [u8; Multipart::BOUNDARY_LENGTH] {
    let mut hash = xxh3_64_with_seed(&length.to_le_bytes(), seed);
    for range in ranges {
        let mut ends = [0; 16];
        ends[..8].copy_from_slice(&range.start.to_le_bytes());
        ends[8..].copy_from_slice(&range.end.to_le_bytes());
        hash = xxh3_64_with_seed(&ends, hash);
    }
    let [_, digits @ .., _] = format_generated(hash);
    digits
}

/// Whether a field value may hold `byte` ([RFC 9110 §5.5](https://www.rfc-editor.org/rfc/rfc9110#section-5.5)).
const fn is_field_byte(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..=0xff)
}
