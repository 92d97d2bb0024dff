//! What can only be brought about from within.

use crate::{Options, SharedStore};
use fast_cache_core::key::Key;
use fast_cache_core::purge::{Label, Purge};
use fast_cache_core::reason::Reason;
use fast_cache_core::stored::{Stored, StoredTag, Traits};
use fast_cache_core::time::Timestamp;
use fast_cache_store::{Content, Limits, LocalStore, Put};
use std::time::Duration;

fn put(store: &SharedStore<u64>, path: &str, labels: &[Label]) -> Result<(), Reason> {
    let stored = Stored {
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
        representation: 1,
    };
    store.put(Put {
        key: key(path),
        birth: store.birth(),
        path,
        labels,
        content: Content::Response(stored),
        weight: 0,
    })
}

fn key(path: &str) -> Key {
    let bytes = path.as_bytes();
    let digest = xxhash_rust::xxh3::xxh3_128(bytes);
    Key::new(digest, bytes.into())
}

#[test]
fn a_full_map_costs_misses_and_a_drop_holds_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let limits = Limits {
        max_entries: 1_000,
        max_bytes: 4 << 20,
    };
    let open = || {
        let options = Options {
            sweeper: false,
            ..Options::new(limits, Timestamp::default)
        };
        SharedStore::<u64>::open(folder.path(), options).expect("a folder")
    };
    let (store, other) = (open(), open());
    put(&store, "/a", &[Label::tag("t")]).expect("room");
    let found = |store: &SharedStore<u64>| store.get(key("/a").borrow()).is_some();
    assert!(found(&store) && found(&other));

    // Who reads keeps every page that was there from being used again.
    let map = store.core().map().expect("it is open");
    let reading = map.read().expect("a place among the readers");
    let long = "x".repeat(400_000);
    let refused = (0..500).find_map(|number| put(&store, &format!("/{number}/{long}"), &[]).err());
    assert_eq!(refused, Some(Reason::StoreFailed));
    let trouble = store.trouble().expect("trouble");
    assert!(trouble.contains("MDB_MAP_FULL"), "{trouble}");

    let birth = store.birth();
    let _ = store.purge(&Purge::tag("t"));
    assert!(store.birth() > birth);
    assert!(
        !found(&store) && !found(&other),
        "a drop holds without room"
    );

    drop(reading);
    put(&store, "/a", &[]).expect("room again");
    assert!(found(&store) && found(&other));
    assert_eq!(store.trouble(), None);
    let _ = store.purge(&Purge::everything());
    assert!(!found(&store) && !found(&other));
}
