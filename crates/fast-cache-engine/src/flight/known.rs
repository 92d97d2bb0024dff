//! Keys of which something is known for a while.

use super::digests::Digests;
use fast_cache_core::time::Timestamp;

/// The most keys that are remembered. What is forgotten costs its next requests one wait for a leader, or
/// one more call.
const MAX_KNOWN: usize = 4096;

/// A bounded memory of digests, each until a moment.
#[derive(Debug, Default)]
pub(super) struct Known(Digests<Timestamp>);

impl Known {
    /// Remembers a digest until then.
    pub(super) fn note(&mut self, digest: u128, until: Timestamp) {
        if self.0.len() >= MAX_KNOWN && !self.0.contains_key(&digest) {
            self.0.clear();
        }
        self.0.insert(digest, until);
    }

    /// Whether a digest is remembered; one whose time is over is forgotten.
    pub(super) fn holds(&mut self, digest: u128, now: Timestamp) -> bool {
        match self.0.get(&digest) {
            Some(until) if now < *until => true,
            Some(_) => {
                self.0.remove(&digest);
                false
            }
            None => false,
        }
    }

    /// Forgets a digest.
    pub(super) fn forget(&mut self, digest: u128) {
        // Nearly always there is none.
        if !self.0.is_empty() {
            self.0.remove(&digest);
        }
    }

    /// Forgets all of them.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
