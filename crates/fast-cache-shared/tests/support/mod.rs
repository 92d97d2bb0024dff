//! What the tests of the shared store have in common.
#![allow(dead_code, reason = "each test uses a part")]

pub(crate) mod board;
pub(crate) mod waiting;

use fast_cache_core::key::Key;
use fast_cache_core::purge::Label;
use fast_cache_core::reason::Reason;
use fast_cache_core::stored::{Stored, StoredTag, Traits};
use fast_cache_core::time::Timestamp;
use fast_cache_shared::{Options, SharedStore};
use fast_cache_store::{Content, Limits, LocalStore, Put};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) const LIMITS: Limits = Limits {
    max_entries: 10_000,
    max_bytes: 64 << 20,
};

/// A store with the folder that it lies in, which goes with it.
#[derive(Debug)]
pub(crate) struct Temporary {
    pub(crate) store: SharedStore<u64>,
    pub(crate) folder: tempfile::TempDir,
}

impl std::ops::Deref for Temporary {
    type Target = SharedStore<u64>;

    fn deref(&self) -> &SharedStore<u64> {
        &self.store
    }
}

/// Options with a clock that stands at the beginning of time, and no sweeper.
pub(crate) fn options(limits: Limits) -> Options {
    Options {
        sweeper: false,
        ..Options::new(limits, Timestamp::default)
    }
}

/// An empty store in a folder of its own.
pub(crate) fn temporary(options: Options) -> Temporary {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SharedStore::open(folder.path(), options).expect("a folder of one's own");
    Temporary { store, folder }
}

/// A second store in the same folder, with a near tier of its own, as another process would have it.
pub(crate) fn beside(folder: &Path) -> SharedStore<u64> {
    SharedStore::open(folder, options(LIMITS)).expect("a folder of one's own")
}

pub(crate) fn digest(path: &str) -> u128 {
    let seed = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128;
    let hash = path.bytes().fold(seed, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    });
    // The hash above leaves the upper half of short texts alike.
    hash ^ hash
        .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
        .rotate_left(64)
}

pub(crate) fn key(path: &str) -> Key {
    Key::new(digest(path), format!("key of {path}").into_bytes().into())
}

/// A response that stays fresh for a minute from `received` on.
pub(crate) fn response<R>(representation: R, received: Timestamp) -> Stored<R> {
    Stored {
        received,
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
        representation,
    }
}

pub(crate) fn put(
    store: &SharedStore<u64>,
    path: &str,
    number: u64,
    labels: &[Label],
) -> Result<(), Reason> {
    put_at(store, path, number, labels, Timestamp::default())
}

pub(crate) fn put_at(
    store: &SharedStore<u64>,
    path: &str,
    number: u64,
    labels: &[Label],
    received: Timestamp,
) -> Result<(), Reason> {
    store.put(Put {
        key: key(path),
        birth: store.birth(),
        path,
        labels,
        content: Content::Response(response(number, received)),
        weight: 0,
    })
}

/// The number that is stored for a path.
pub(crate) fn get(store: &SharedStore<u64>, path: &str) -> Option<u64> {
    let found = store.get(key(path).borrow())?;
    Some(found.entry.response()?.representation)
}

/// The file in a store's folder.
pub(crate) fn file(folder: &tempfile::TempDir, name: &str) -> PathBuf {
    folder.path().join(name)
}
