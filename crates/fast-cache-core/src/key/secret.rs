//! The secret of a store: keys carry keyed hashes of credentials, never the credentials.

use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;

/// A store's secret. Stores that share entries must share it.
#[derive(Clone)]
pub struct Secret {
    digest: (u64, u64),
    conceal: [u8; 32],
}

impl Secret {
    /// The secret made of 48 random bytes, which the host provides.
    pub fn from_bytes(bytes: &[u8; 48]) -> Self {
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(word)
        };
        let mut conceal = [0; 32];
        conceal.copy_from_slice(&bytes[16..]);
        Self {
            digest: (word(0), word(8)),
            conceal,
        }
    }

    /// 128 keyed bits that find an entry. Crafting collisions needs the secret, and a collision is only a miss.
    pub fn digest(&self, bytes: &[u8]) -> u128 {
        let mut hasher = SipHasher13::new_with_keys(self.digest.0, self.digest.1);
        hasher.write(bytes);
        hasher.finish128().as_u128()
    }

    /// 128 bits that stand for a value without telling it.
    pub fn conceal(&self, parts: &[u8]) -> [u8; 16] {
        let hash = blake3::keyed_hash(&self.conceal, parts);
        let mut out = [0; 16];
        out.copy_from_slice(&hash.as_bytes()[..16]);
        out
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secret(…)")
    }
}
