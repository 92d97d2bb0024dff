//! Refreshes in the background: one at a time for a key, and not too many.

use fast_cache_core::key::Secret;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The keys that are being refreshed.
#[derive(Clone, Debug)]
pub struct Refreshes {
    most: usize,
    digests: Arc<Mutex<HashSet<u128>>>,
}

/// A refresh; while it lasts, no other one of the same key begins.
#[derive(Debug)]
pub struct Refreshing {
    digest: u128,
    digests: Arc<Mutex<HashSet<u128>>>,
}

impl Refreshes {
    /// Up to `most` refreshes at once.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            digests: Arc::default(),
        }
    }

    /// Begins, unless the key is being refreshed already or too many are.
    pub fn begin(&self, secret: &Secret, key: &[u8]) -> Option<Refreshing> {
        let digest = secret.digest(key);
        let mut digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        if digests.len() >= self.most || !digests.insert(digest) {
            return None;
        }
        let digests = Arc::clone(&self.digests);
        Some(Refreshing { digest, digests })
    }

    /// Forgets all refreshes: in the child of a fork, they are the parent's.
    pub fn begin_anew(&self) {
        let mut digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        digests.clear();
    }
}

impl Drop for Refreshing {
    fn drop(&mut self) {
        let mut digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        digests.remove(&self.digest);
    }
}

#[cfg(test)]
mod tests {
    use super::Refreshes;
    use fast_cache_core::key::Secret;

    #[test]
    fn one_at_a_time_and_not_too_many() {
        let secret = Secret::from_bytes(&[7; 48]);
        let refreshes = Refreshes::new(2);
        let first = refreshes.begin(&secret, b"a");
        assert!(first.is_some() && refreshes.begin(&secret, b"a").is_none());
        let second = refreshes.begin(&secret, b"b");
        assert!(second.is_some() && refreshes.begin(&secret, b"c").is_none());
        drop(first);
        assert!(refreshes.begin(&secret, b"a").is_some());
    }
}
