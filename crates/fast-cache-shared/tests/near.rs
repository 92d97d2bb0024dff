//! What one process has near, when another one changes what it is about.

mod support;

use fast_cache_core::purge::{HostPattern, Label, PathPattern, Purge};
use fast_cache_core::time::Timestamp;
use fast_cache_shared::{Options, SharedStore};
use fast_cache_store::{Limits, LocalStore};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use support::board::until;
use support::{LIMITS, beside, get, options, put, put_at, temporary};

#[derive(Debug)]
struct EndsWith(&'static str);

impl HostPattern for EndsWith {
    fn matches(&self, path: &str) -> bool {
        path.ends_with(self.0)
    }

    fn identity(&self) -> &str {
        self.0
    }
}

#[test]
fn what_is_replaced_while_fresh_is_replaced_everywhere() {
    let store = temporary(options(LIMITS));
    let other = beside(store.folder.path());
    put(&store, "/a", 1, &[]).expect("room");
    assert_eq!(get(&other, "/a"), Some(1));
    put(&store, "/a", 2, &[]).expect("room");
    assert_eq!(get(&other, "/a"), Some(2));
    put(&other, "/a", 3, &[]).expect("room");
    assert_eq!(get(&store, "/a"), Some(3));
}

#[test]
fn what_is_removed_is_gone_everywhere() {
    let store = temporary(options(LIMITS));
    let other = beside(store.folder.path());
    put(&store, "/a", 1, &[]).expect("room");
    assert_eq!(get(&other, "/a"), Some(1));
    assert!(store.remove(support::key("/a").borrow()));
    assert_eq!(get(&other, "/a"), None);
    assert!(!other.remove(support::key("/a").borrow()));
}

#[test]
fn who_falls_behind_the_changes_forgets_what_is_near() {
    let store = temporary(options(LIMITS));
    let other = beside(store.folder.path());
    put(&store, "/a", 1, &[]).expect("room");
    assert_eq!(get(&other, "/a"), Some(1));
    put(&store, "/a", 2, &[]).expect("room");
    for number in 0..5_000 {
        put(&store, "/b", number, &[]).expect("room");
    }
    assert_eq!(get(&other, "/a"), Some(2));
}

#[test]
fn what_expired_near_is_looked_for_in_the_map() {
    let now = Arc::new(AtomicI64::new(0));
    let clock = {
        let now = Arc::clone(&now);
        move || Timestamp::from_seconds(now.load(Ordering::Relaxed))
    };
    let store = temporary(Options {
        now: Arc::new(clock),
        ..options(LIMITS)
    });
    let other = beside(store.folder.path());
    put(&store, "/a", 1, &[]).expect("room");
    now.store(70, Ordering::Relaxed);
    assert_eq!(
        get(&store, "/a"),
        Some(1),
        "the caller judges what is stale"
    );
    // It is stale for the one who replaces it, so nobody is told.
    put_at(&store, "/a", 2, &[], Timestamp::from_seconds(65)).expect("room");
    put_at(&other, "/a", 3, &[], Timestamp::from_seconds(66)).expect("room");
    assert_eq!(get(&store, "/a"), Some(3));
    // The clock goes back: nothing is lost, and nothing is wrong.
    now.store(-1_000, Ordering::Relaxed);
    assert_eq!(get(&store, "/a"), Some(3));
    put_at(&store, "/b", 4, &[], Timestamp::from_seconds(-1_000)).expect("room");
    assert_eq!(get(&store, "/b"), Some(4));
}

#[test]
fn a_host_pattern_covers_the_same_where_it_is_known() {
    let store = temporary(options(LIMITS));
    let knows = SharedStore::open(
        store.folder.path(),
        Options {
            host_pattern: Arc::new(|identity| {
                (identity == "/7").then(|| PathPattern::host(Arc::new(EndsWith("/7"))))
            }),
            ..options(LIMITS)
        },
    )
    .expect("a folder");
    let stranger = beside(store.folder.path());
    put(&store, "/a/7", 1, &[]).expect("room");
    put(&store, "/a/8", 2, &[]).expect("room");
    for other in [&knows, &stranger] {
        assert_eq!((get(other, "/a/7"), get(other, "/a/8")), (Some(1), Some(2)));
    }
    let _ = store.purge(&Purge::path(PathPattern::host(Arc::new(EndsWith("/7")))));
    assert_eq!((get(&store, "/a/7"), get(&store, "/a/8")), (None, Some(2)));
    assert_eq!((get(&knows, "/a/7"), get(&knows, "/a/8")), (None, Some(2)));
    // Who cannot tell what it covers takes it for everything.
    assert_eq!(
        (get(&stranger, "/a/7"), get(&stranger, "/a/8")),
        (None, None)
    );
}

#[test]
fn no_drop_is_forgotten_by_who_is_behind_or_comes_late() {
    let store = temporary(options(LIMITS));
    let behind = beside(store.folder.path());
    let label = |number: u64| Label::tag(&number.to_string());
    put(&store, "/a", 1, &[label(0)]).expect("room");
    put(&store, "/b", 1, &[label(70_001)]).expect("room");
    assert_eq!(get(&behind, "/a"), Some(1));
    let early = store.birth();
    // More than the log holds: the first ones fall out of it.
    for number in 0..66_000 {
        let _ = store.purge(&Purge::tag(&number.to_string()));
    }
    let late = beside(store.folder.path());
    for other in [&store.store, &behind, &late] {
        assert_eq!(get(other, "/a"), None);
        assert!(other.birth() > early + 60_000);
    }
    put(&late, "/a", 2, &[label(0)]).expect("room");
    for other in [&store.store, &behind, &late] {
        assert_eq!(get(other, "/a"), Some(2));
    }
}

#[test]
fn a_new_process_finds_what_was_stored_and_what_was_dropped() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = || SharedStore::<u64>::open(folder.path(), options(LIMITS)).expect("a folder");
    let store = open();
    put(&store, "/a", 1, &[]).expect("room");
    put(&store, "/b", 2, &[Label::tag("t")]).expect("room");
    let _ = store.purge(&Purge::tag("t"));
    let birth = store.birth();
    store.close();
    assert_eq!(get(&store, "/a"), None, "it was closed");
    drop(store);
    let store = open();
    assert_eq!(store.birth(), birth);
    assert_eq!((get(&store, "/a"), get(&store, "/b")), (Some(1), None));
    store.clear();
    assert_eq!((store.len(), store.bytes()), (0, 0));
}

#[test]
fn the_sweeper_gives_room_back_by_itself() {
    let store = temporary(Options {
        sweeper: true,
        ..options(LIMITS)
    });
    for number in 0..500 {
        put(&store, &format!("/{number}"), number, &[]).expect("room");
    }
    assert!(store.bytes() > 0);
    let _ = store.purge(&Purge::path(PathPattern::glob("/*")));
    until("room", Duration::from_secs(20), || store.bytes() == 0);
    assert_eq!(LocalStore::<u64>::counters(&store.store).swept, 500);
}

#[test]
fn lookups_are_counted_over_all_processes() {
    let store = temporary(options(LIMITS));
    let other = beside(store.folder.path());
    put(&store, "/a", 1, &[]).expect("room");
    for _ in 0..3 {
        get(&store, "/a");
        get(&other, "/a");
        get(&other, "/b");
    }
    let lookups = store.lookups();
    assert_eq!((lookups.near, lookups.far, lookups.missed), (5, 1, 3));
    assert!((lookups.hit_ratio() - 6.0 / 9.0).abs() < 1e-9);
}

#[test]
fn what_is_asked_for_stays() {
    let limits = Limits {
        max_entries: 1_000,
        ..LIMITS
    };
    let store = temporary(options(limits));
    let popular: Vec<_> = (0..100)
        .map(|number| format!("/popular/{number}"))
        .collect();
    for path in &popular {
        put(&store, path, 1, &[]).expect("room");
    }
    for number in 0..5_000 {
        if number % 200 == 0 {
            for path in &popular {
                get(&store, path);
            }
        }
        put(&store, &format!("/once/{number}"), 1, &[]).expect("room");
    }
    let stayed = popular.iter().filter(|path| get(&store, path).is_some());
    assert!(
        stayed.count() > 95,
        "a scan does not push out what is asked for"
    );
}
