//! Entries and drops as bytes, for stores that keep them outside this process.
//!
//! | file | what |
//! |---|---|
//! | [`frame`](self::encode) | an entry: versioned, checksummed, read in place |
//! | [`cover`](self::encode_cover) | what a drop covers |
//! | `bytes` | numbers and byte strings in a row |
//!
//! Whatever is read may be damaged, foreign, or of another version: that is `None`, and never a panic. The format is
//! the same in every process, on every machine and in every language.

mod bytes;
mod cover;
mod frame;
#[cfg(test)]
mod tests;

pub use cover::{MAX_COVER, decode_cover, encode_cover};
pub use frame::{Frame, VERSION, decode, encode};

use fast_cache_core::fields::Line;

/// What a host keeps of a response, as it can leave the process and come back.
///
/// Both directions run on the host's own threads: within a call of the store, or a poll of an
/// [`Inquiry`](crate::Inquiry). A store never calls them from a thread of its own, which might have to wait for a lock
/// of the host's language.
pub trait Portable: Sized + Send + Sync + 'static {
    /// Hands its header lines, in order, and its body to `read`.
    fn read<T>(&self, read: impl FnOnce(&[Line<'_>], &[u8]) -> T) -> T;

    /// Makes it from header lines and body, and says how many bytes it takes beyond its own size
    /// ([`Put::weight`](crate::Put)); `None` where the host cannot hold such lines.
    fn make(lines: &[Line<'_>], body: &[u8]) -> Option<(Self, usize)>;
}
