//! Tables by digest.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A table by the digest of keys. That is a keyed hash already, which nobody can steer without the store's secret.
pub(super) type Digests<V> = HashMap<u128, V, BuildHasherDefault<DigestHasher>>;

/// Takes a digest as it is.
#[derive(Debug, Default)]
pub(super) struct DigestHasher(u64);

impl Hasher for DigestHasher {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "any bits of a digest will do"
    )]
    fn write_u128(&mut self, digest: u128) {
        self.0 = digest as u64;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
