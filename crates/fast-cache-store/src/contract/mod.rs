//! What every store must do, as a suite that any store and any wrapper can be put through.
//!
//! The checks panic with a sentence where a store breaks a promise of [`LocalStore`]. They need no clock and no
//! randomness; [`drops_win_over_fills`] uses threads.
//!
//! ```
//! use fast_cache_store::{MemoryStore, contract};
//!
//! contract::check_local_store(MemoryStore::new);
//! ```

mod bounds;
mod drops;
mod race;

pub use race::drops_win_over_fills;

use crate::codec::Portable;
use crate::entry::Content;
use crate::local::{Limits, LocalStore, Put};
use fast_cache_core::fields::Line;
use fast_cache_core::key::Key;
use fast_cache_core::purge::{HostPattern, Label, PathPattern, Purge};
use fast_cache_core::reason::Reason;
use fast_cache_core::stored::{Stored, StoredTag, Traits};
use fast_cache_core::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// Whether a store keeps what it was given while there is room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// It does.
    Keeps,
    /// It may forget anything at any time.
    Forgets,
}

/// Checks a store that keeps what it was given while there is room. `make` makes an empty one.
///
/// # Panics
///
/// Where the store breaks a promise.
pub fn check_local_store<S: LocalStore<u64>>(make: impl Fn(Limits) -> S) {
    check(make, Memory::Keeps);
}

/// Checks a store that may forget anything at any time.
///
/// # Panics
///
/// Where the store breaks a promise.
pub fn check_forgetful_store<S: LocalStore<u64>>(make: impl Fn(Limits) -> S) {
    check(make, Memory::Forgets);
}

fn check<S: LocalStore<u64>>(make: impl Fn(Limits) -> S, memory: Memory) {
    let rounds = if memory == Memory::Forgets { 25 } else { 1 };
    for _ in 0..rounds {
        let subject = |limits| Subject {
            store: make(limits),
            memory,
        };
        drops::check(&subject);
        bounds::check(&subject);
    }
    drops_win_over_fills(&make(ROOMY), 2_000);
}

pub(crate) const ROOMY: Limits = Limits {
    max_entries: 10_000,
    max_bytes: 64 << 20,
};

/// The numbers that the suite stores, so that they can leave the process.
impl Portable for u64 {
    fn read<T>(&self, read: impl FnOnce(&[Line<'_>], &[u8]) -> T) -> T {
        read(&[], &self.to_le_bytes())
    }

    fn make(_: &[Line<'_>], body: &[u8]) -> Option<(Self, usize)> {
        Some((Self::from_le_bytes(body.try_into().ok()?), 0))
    }
}

/// A store under test.
struct Subject<S> {
    store: S,
    memory: Memory,
}

impl<S: LocalStore<u64>> Subject<S> {
    fn put(&self, number: u64, path: &str, labels: &[Label]) -> Result<(), Reason> {
        self.put_born(self.store.birth(), number, path, labels)
    }

    fn put_born(
        &self,
        birth: u64,
        number: u64,
        path: &str,
        labels: &[Label],
    ) -> Result<(), Reason> {
        let content = Content::Response(response(number));
        self.store.put(Put {
            key: key(path),
            birth,
            path,
            labels,
            content,
            weight: 0,
        })
    }

    /// The number stored for a path, and whether it is soft-dropped.
    fn get(&self, path: &str) -> Option<(u64, bool)> {
        let found = self.store.get(key(path).borrow())?;
        assert_eq!(
            found.entry.key(),
            key(path).borrow().bytes,
            "an entry for another key"
        );
        Some((found.entry.response()?.representation, found.soft))
    }

    fn expect(&self, path: &str, expected: Option<(u64, bool)>, why: &str) {
        let found = self.get(path);
        let forgotten = found.is_none() && self.memory == Memory::Forgets;
        assert!(
            found == expected || forgotten,
            "{path} gave {found:?}, not {expected:?}: {why}"
        );
    }

    fn purge(&self, purge: &Purge) {
        if let Some(mut walk) = self.store.purge(purge) {
            while !self.store.resolve(&mut walk, 3) {}
        }
    }
}

/// The key of a path, as the suite makes it.
pub(crate) fn key(path: &str) -> Key {
    let digest = path.bytes().fold(
        0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128,
        |hash, byte| {
            (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
        },
    );
    Key::new(digest, format!("key of {path}").into_bytes().into())
}

/// A response that stays fresh for a minute from the beginning of time.
pub(crate) fn response(number: u64) -> Stored<u64> {
    Stored {
        received: Timestamp::default(),
        initial_age: 0,
        took: 0,
        lifetime: Duration::from_secs(60),
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        status: 200,
        traits: Traits::default(),
        etag: StoredTag::None,
        last_modified: None,
        body_length: 0,
        representation: number,
    }
}

/// A host pattern for tests: paths that end with a text.
#[derive(Debug)]
pub(crate) struct EndsWith(pub(crate) String);

impl HostPattern for EndsWith {
    fn matches(&self, path: &str) -> bool {
        path.ends_with(&self.0)
    }

    fn identity(&self) -> &str {
        &self.0
    }
}

pub(crate) fn ends_with(text: &str) -> PathPattern {
    PathPattern::host(Arc::new(EndsWith(text.to_owned())))
}
