//! An entry as it stands in Redis: a head of our own, and the frame that entries have everywhere, compressed or not.
//!
//! `checksum of the rest (8) · form (1) · incarnation (8) · birth (8) · frame`, or for the compressed form
//! `… · length of the frame (4) · frame`. Birth and incarnation are the namespace's; the frame's own birth is not read.

use fast_cache_store::codec::{Frame, decode};
use std::borrow::Cow;
use xxhash_rust::xxh3::xxh3_64;

const PLAIN: u8 = 1;
const ZSTD: u8 = 2;

const HEAD: usize = 25;

/// The checksum: it tells two values of one key apart.
pub(crate) const FINGERPRINT: usize = 8;

/// No frame may claim to be longer than this.
const MAX_FRAME: usize = 256 << 20;

/// The quickest that is worth it.
const LEVEL: i32 = 1;

/// A time of the namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Birth {
    pub(crate) incarnation: u64,
    pub(crate) generation: u64,
}

/// The value for a frame, compressed if it is as long as `compress_from` and that makes it shorter.
pub(crate) fn write(frame: &[u8], birth: Birth, compress_from: Option<usize>) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD + frame.len());
    out.extend_from_slice(&[0; FINGERPRINT]);
    out.push(PLAIN);
    out.extend_from_slice(&birth.incarnation.to_le_bytes());
    out.extend_from_slice(&birth.generation.to_le_bytes());
    let compressed = compress_from
        .filter(|least| frame.len() >= *least)
        .and_then(|_| zstd::bulk::compress(frame, LEVEL).ok())
        .filter(|compressed| compressed.len() + 4 < frame.len());
    match (compressed, u32::try_from(frame.len())) {
        (Some(compressed), Ok(length)) => {
            out[FINGERPRINT] = ZSTD;
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(&compressed);
        }
        _ => out.extend_from_slice(frame),
    }
    let checksum = xxh3_64(&out[FINGERPRINT..]);
    out[..FINGERPRINT].copy_from_slice(&checksum.to_le_bytes());
    out
}

/// The birth and the frame in a value; `None` where it is damaged, foreign, or of another version.
pub(crate) fn read(value: &[u8]) -> Option<(Birth, Cow<'_, [u8]>)> {
    let (head, rest) = value.split_first_chunk::<HEAD>()?;
    let word = |at: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&head[at..at + 8]);
        u64::from_le_bytes(word)
    };
    if word(0) != xxh3_64(&value[FINGERPRINT..]) {
        return None;
    }
    let birth = Birth {
        incarnation: word(FINGERPRINT + 1),
        generation: word(FINGERPRINT + 9),
    };
    let frame = match head[FINGERPRINT] {
        PLAIN => Cow::Borrowed(rest),
        ZSTD => {
            let (length, compressed) = rest.split_first_chunk()?;
            let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
            if length > MAX_FRAME {
                return None;
            }
            let frame = zstd::bulk::decompress(compressed, length).ok()?;
            Cow::Owned(frame)
        }
        _ => return None,
    };
    Some((birth, frame))
}

/// The entry in a frame, if it is the entry of this key.
pub(crate) fn entry<'a>(frame: &'a [u8], key: &[u8]) -> Option<Frame<'a>> {
    decode(frame).filter(|entry| entry.key == key)
}

#[cfg(test)]
mod tests {
    use super::{Birth, FINGERPRINT, read, write};
    use proptest::prelude::*;
    use xxhash_rust::xxh3::xxh3_64;

    const BIRTH: Birth = Birth {
        incarnation: 9,
        generation: 7,
    };

    #[test]
    fn every_flipped_bit_is_seen() {
        for compress_from in [None, Some(0)] {
            let whole = write(&[5; 100], BIRTH, compress_from);
            for bit in 0..whole.len() * 8 {
                let mut bytes = whole.clone();
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert!(read(&bytes).is_none(), "bit {bit}");
            }
            for length in 0..whole.len() {
                assert!(read(&whole[..length]).is_none(), "{length} bytes");
            }
        }
    }

    proptest! {
        #[test]
        fn a_frame_comes_back(frame in any::<Vec<u8>>(), times in 0..40_usize, from in any::<Option<u8>>()) {
            let frame = frame.repeat(times);
            let value = write(&frame, BIRTH, from.map(usize::from));
            let (birth, read) = read(&value).expect("whole");
            prop_assert_eq!(birth, BIRTH);
            prop_assert_eq!(&read[..], &frame[..]);
        }

        #[test]
        fn nothing_read_panics(bytes in any::<Vec<u8>>(), form in 0..3_u8) {
            let _ = read(&bytes);
            // Behind a right checksum, too.
            let mut forged = write(&bytes, BIRTH, None);
            forged[FINGERPRINT] = form;
            let checksum = xxh3_64(&forged[FINGERPRINT..]);
            forged[..FINGERPRINT].copy_from_slice(&checksum.to_le_bytes());
            let _ = read(&forged);
        }
    }
}
