//! What was evicted not long ago: a fingerprint each, so that an entry that comes back is known to be worth keeping.

/// A table in which a newer ghost may displace an older one, which is all the forgetting it needs.
#[derive(Debug)]
pub(super) struct Ghosts {
    fingerprints: Vec<u32>,
}

impl Ghosts {
    pub(super) const fn new() -> Self {
        Self {
            fingerprints: Vec::new(),
        }
    }

    /// Remembers an eviction from a shard of `entries` entries.
    pub(super) fn note(&mut self, digest: [u64; 2], entries: usize) {
        if self.fingerprints.len() < entries {
            self.fingerprints = vec![0; entries.next_power_of_two()];
        }
        if let Some((place, fingerprint)) = self.place(digest) {
            self.fingerprints[place] = fingerprint;
        }
    }

    /// Whether this was evicted not long ago; asked once.
    pub(super) fn take(&mut self, digest: [u64; 2]) -> bool {
        match self.place(digest) {
            Some((place, fingerprint)) if self.fingerprints[place] == fingerprint => {
                self.fingerprints[place] = 0;
                true
            }
            _ => false,
        }
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "any bits of a digest will do"
    )]
    fn place(&self, digest: [u64; 2]) -> Option<(usize, u32)> {
        let mask = self.fingerprints.len().checked_sub(1)?;
        Some((digest[1] as usize & mask, (digest[1] >> 32) as u32 | 1))
    }
}
