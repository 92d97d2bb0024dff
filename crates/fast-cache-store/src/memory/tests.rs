use super::shard::{Fate, Shard};
use crate::contract::{key, response};
use crate::entry::{Content, Entry};
use crate::local::{Limits, LocalStore, Put};
use crate::memory::MemoryStore;
use fast_cache_core::key::Key;
use fast_cache_core::purge::{PathPattern, Purge};
use fast_cache_core::time::Timestamp;
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;

fn entry(path: &str, weight: usize) -> (Key, Arc<Entry<u64>>) {
    let content = Content::Response(response(0));
    let put = Put {
        key: key(path),
        birth: 1,
        path,
        labels: &[],
        content,
        weight,
    };
    (
        key(path),
        Arc::new(Entry::new(put, &[], 0).expect("a small entry")),
    )
}

fn find(shard: &Shard<u64>, path: &str) -> bool {
    shard.get(key(path).borrow()).is_some()
}

/// Puts entries in turn, at most `room` at a time.
fn fill(
    shard: &mut Shard<u64>,
    held: &mut usize,
    room: usize,
    paths: impl Iterator<Item = String>,
) {
    for path in paths {
        while *held >= room {
            assert!(shard.evict().is_some());
            *held -= 1;
        }
        let (key, entry) = entry(&path, 0);
        *held += usize::from(shard.place(key.borrow().digest, entry).is_none());
    }
}

#[test]
fn a_scan_leaves_what_is_asked_for_alone() {
    let (mut shard, mut held) = (Shard::new(), 0);
    let popular: Vec<_> = (0..50).map(|number| format!("/popular/{number}")).collect();
    fill(&mut shard, &mut held, 100, popular.iter().cloned());
    assert!(popular.iter().all(|path| find(&shard, path)));
    fill(
        &mut shard,
        &mut held,
        100,
        (0..100_000).map(|number| format!("/scan/{number}")),
    );
    let kept = popular.iter().filter(|path| find(&shard, path)).count();
    assert_eq!(kept, popular.len());
}

#[test]
fn what_comes_back_soon_is_kept() {
    let (mut shard, mut held) = (Shard::new(), 0);
    fill(
        &mut shard,
        &mut held,
        100,
        (0..100).map(|number| format!("/{number}")),
    );
    fill(
        &mut shard,
        &mut held,
        100,
        (100..120).map(|number| format!("/{number}")),
    );
    assert!(!find(&shard, "/3"));
    fill(&mut shard, &mut held, 100, std::iter::once("/3".to_owned()));
    fill(
        &mut shard,
        &mut held,
        100,
        (200..500).map(|number| format!("/{number}")),
    );
    assert!(find(&shard, "/3"));
}

#[test]
fn an_eviction_takes_one_even_when_all_are_popular() {
    let (mut shard, mut held) = (Shard::new(), 0);
    fill(
        &mut shard,
        &mut held,
        10_000,
        (0..10_000).map(|number| format!("/{number}")),
    );
    (0..10_000).for_each(|number| assert!(find(&shard, &format!("/{number}"))));
    assert!(shard.evict().is_some());
    assert_eq!(
        (0..10_000)
            .filter(|number| !find(&shard, &format!("/{number}")))
            .count(),
        1
    );
}

fn put_at(store: &MemoryStore<u64>, path: &str, seconds: i64) {
    let mut stored = response(0);
    stored.received = Timestamp::from_seconds(seconds);
    let put = Put {
        key: key(path),
        birth: store.birth(),
        path,
        labels: &[],
        content: Content::Response(stored),
        weight: 0,
    };
    assert_eq!(store.put(put), Ok(()));
}

#[test]
fn puts_look_at_old_entries_only_where_one_may_have_to_go() {
    // In more shards than one.
    let store = MemoryStore::new(Limits {
        max_entries: 50_000,
        max_bytes: 1 << 30,
    });
    let looked_at = |count: usize, prefix: &str, seconds: i64| {
        let before = store.counters().swept_over;
        (0..count).for_each(|number| put_at(&store, &format!("/{prefix}/{number}"), seconds));
        store.counters().swept_over - before
    };
    looked_at(1_000, "a", 0);
    assert_eq!(looked_at(1_000, "b", 30), 0);
    // A drop ends the calm until all were looked at.
    store.purge(&Purge::path(PathPattern::prefix("/a/")));
    assert!(looked_at(3_000, "c", 40) >= 2_000);
    assert_eq!((store.resident(), store.len()), (4_000, 4_000));
    assert_eq!(looked_at(100, "d", 40), 0);
    // So does the age of the oldest, and again the next that is the oldest then.
    assert!(looked_at(6_000, "e", 91) >= 4_100);
    assert_eq!(store.resident(), 3_100 + 6_000);
    assert_eq!(looked_at(100, "f", 100), 0);
    assert!(looked_at(9_000, "g", 101) > 3_000);
    assert_eq!(store.resident(), 6_000 + 100 + 9_000);
    store.clear();
    assert!(looked_at(100, "h", 101) < 16);
}

proptest! {
    #[test]
    fn a_shard_is_a_map(steps in prop::collection::vec((0..5, 0..12_usize, 0..50_usize), 0..300)) {
        let mut shard = Shard::new();
        let mut model: HashMap<String, Arc<Entry<u64>>> = HashMap::new();
        for (kind, path, amount) in steps {
            let path = format!("/{path}");
            let digest = key(&path).borrow().digest;
            match kind {
                0 | 1 => {
                    let (_, entry) = entry(&path, amount);
                    let old = shard.place(digest, Arc::clone(&entry));
                    let expected = model.insert(path, entry);
                    prop_assert_eq!(old.map(|old| Arc::as_ptr(&old)), expected.map(|old| Arc::as_ptr(&old)));
                }
                2 => {
                    let old = shard.remove_if(digest, |_| amount > 10);
                    let expected = if amount > 10 { model.remove(&path) } else { None };
                    prop_assert_eq!(old.map(|old| Arc::as_ptr(&old)), expected.map(|old| Arc::as_ptr(&old)));
                }
                3 => match shard.evict() {
                    Some(old) => prop_assert!(model.remove(old.path()).is_some()),
                    None => prop_assert!(model.is_empty()),
                },
                _ => {
                    let mut released = Vec::new();
                    let fate = |entry: &Entry<u64>| {
                        if entry.path() == path { Fate::Goes } else { Fate::Stays }
                    };
                    shard.sweep(amount, 1, fate, &mut released);
                    for entry in released {
                        prop_assert!(model.remove(entry.path()).is_some());
                    }
                }
            }
            let weight: usize = model.values().map(|entry| entry.weight()).sum();
            prop_assert_eq!(shard.weight(), weight);
            let (page, _) = shard.page(0, usize::MAX);
            prop_assert_eq!(page.len(), model.len());
            for (path, entry) in &model {
                let found = shard.get(key(path).borrow()).map(Arc::as_ptr);
                prop_assert_eq!(found, Some(Arc::as_ptr(entry)));
            }
        }
    }
}
