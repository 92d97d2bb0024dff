//! The keys of recent requests: one like them need not have its key made anew.
//!
//! A table for each thread, never grown. A key is kept only where no header line joins it but `Host`, and the query as it
//! stands, so that nothing is kept that a key would conceal or leave out. Its parts are compared in full; the hash only
//! says where to look. The memo decides nothing: whatever may be done with the key is asked at each request.

use fast_cache_core::key::{Identity, Key, KeyRef};
use foldhash::fast::FixedState;
use std::hash::BuildHasher;

/// Places in the table.
const PLACES: usize = 128;

/// The longest host and target that are kept, in bytes.
const MAX_LENGTH: usize = 1024;

/// So many other requests in a row take a place from one that was seen again.
const STAYING: u8 = 3;

/// All that a key is made of, where no header line joins it but `Host`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    /// Of the cache, whose secret goes into the digest.
    pub(super) cache: u64,
    pub(super) identity: &'a Identity,
    pub(super) is_https: bool,
    pub(super) host: Option<&'a [u8]>,
    /// Path and query, as they stood on the wire.
    pub(super) target: &'a str,
}

/// The keys of recent requests.
#[derive(Debug, Default)]
pub(super) struct Recent(Vec<Option<Place>>);

#[derive(Debug)]
struct Place {
    cache: u64,
    identity: Identity,
    is_https: bool,
    host: Option<Box<[u8]>>,
    target: Box<str>,
    key: Key,
    staying: u8,
}

impl Recent {
    /// None yet.
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// The key, if it is known.
    pub(super) fn key(&mut self, parts: &Parts<'_>) -> Option<KeyRef<'_>> {
        let place = self.0.get_mut(place_of(parts))?.as_mut()?;
        if place.parts() != *parts {
            return None;
        }
        place.staying = STAYING;
        Some(place.key.borrow())
    }

    /// Remembers a key, unless another one stays in its place.
    pub(super) fn remember(&mut self, parts: &Parts<'_>, digest: u128, key: &[u8]) {
        let length = parts.target.len() + parts.host.map_or(0, <[u8]>::len);
        if length > MAX_LENGTH {
            return;
        }
        if self.0.is_empty() {
            self.0.resize_with(PLACES, || None);
        }
        let Some(place) = self.0.get_mut(place_of(parts)) else {
            return;
        };
        if let Some(known) = place
            && known.staying > 0
        {
            known.staying -= 1;
            return;
        }
        *place = Some(Place {
            cache: parts.cache,
            identity: *parts.identity,
            is_https: parts.is_https,
            host: parts.host.map(Box::from),
            target: parts.target.into(),
            key: Key::new(digest, key.into()),
            staying: 0,
        });
    }
}

impl Place {
    fn parts(&self) -> Parts<'_> {
        Parts {
            cache: self.cache,
            identity: &self.identity,
            is_https: self.is_https,
            host: self.host.as_deref(),
            target: &self.target,
        }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "any bits will do")]
fn place_of(parts: &Parts<'_>) -> usize {
    FixedState::default().hash_one(parts.target) as usize % PLACES
}

#[cfg(test)]
mod tests {
    use super::{Parts, Recent, STAYING};
    use fast_cache_core::key::inputs::Inputs;
    use fast_cache_core::key::{Identity, Key};

    fn key(number: u8) -> Key {
        Key::new(u128::from(number), [number].into())
    }

    #[test]
    fn a_request_that_differs_in_anything_has_no_known_key() {
        let identity = |method: &str| Identity::of_route("", method, "", "/", &Inputs::default());
        let (get, query) = (identity("GET"), identity("QUERY"));
        let known = Parts {
            cache: 1,
            identity: &get,
            is_https: false,
            host: Some(b"a.test"),
            target: "/x?a=1",
        };
        let others = [
            Parts { cache: 2, ..known },
            Parts {
                identity: &query,
                ..known
            },
            Parts {
                is_https: true,
                ..known
            },
            Parts {
                host: Some(b"A.test"),
                ..known
            },
            Parts {
                host: None,
                ..known
            },
            Parts {
                target: "/x?a=2",
                ..known
            },
            Parts {
                target: "/x",
                ..known
            },
        ];
        let mut recent = Recent::new();
        recent.remember(&known, 1, &[1]);
        assert_eq!(recent.key(&known), Some(key(1).borrow()));
        for other in &others {
            assert_eq!(recent.key(other), None, "{other:?}");
        }
    }

    #[test]
    fn what_was_seen_again_stays_for_a_while() {
        let identity = Identity::of_endpoint("", "", "/");
        let parts = |cache| Parts {
            cache,
            identity: &identity,
            is_https: false,
            host: None,
            target: "/",
        };
        let mut recent = Recent::new();
        recent.remember(&parts(1), 1, &[1]);
        recent.remember(&parts(2), 2, &[2]);
        assert_eq!(recent.key(&parts(1)), None);
        assert_eq!(recent.key(&parts(2)), Some(key(2).borrow()));
        for _ in 0..STAYING {
            recent.remember(&parts(1), 1, &[1]);
            assert!(recent.key(&parts(1)).is_none());
        }
        recent.remember(&parts(1), 1, &[1]);
        assert_eq!(recent.key(&parts(1)), Some(key(1).borrow()));
    }

    #[test]
    fn long_ones_are_not_kept() {
        let identity = Identity::of_endpoint("", "", "/");
        let target = "/".repeat(2000);
        let parts = Parts {
            cache: 1,
            identity: &identity,
            is_https: false,
            host: None,
            target: &target,
        };
        let mut recent = Recent::new();
        recent.remember(&parts, 1, &[1]);
        assert_eq!(recent.key(&parts), None);
    }
}
