//! Who makes an answer for all: one at a time, and nobody waits for the dead.

mod support;

use fast_cache_core::purge::Purge;
use fast_cache_core::time::Timestamp;
use fast_cache_shared::{Options, SharedStore};
use fast_cache_store::{Elsewhere, Inquired, Lease, LeaseEnd, LocalStore};
use std::task::Poll;
use std::time::Duration;
use support::board::{self, Board, until};
use support::waiting::{now, wait};
use support::{LIMITS, beside, key, options, put, put_at, temporary};

const SOON: Duration = Duration::from_secs(10);

/// The lease of a path, that nobody else has.
fn lead(store: &SharedStore<u64>, path: &str) -> Lease {
    match wait(store.inquire(key(path), true), SOON).0 {
        Inquired::Absent(Some(lease)) => lease,
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_does_not_lead_waits_for_nobody() {
    let store = temporary(options(LIMITS));
    let other = beside(store.folder.path());
    let _lease = lead(&store, "/a");
    let inquired = wait(other.inquire(key("/a"), false), SOON).0;
    assert!(matches!(inquired, Inquired::Absent(None)), "{inquired:?}");
}

#[test]
fn one_leads_and_the_others_get_its_answer() {
    let store = temporary(options(LIMITS));
    let other = beside(store.folder.path());
    let lease = lead(&store, "/a");
    let mut waiting = other.inquire(key("/a"), true);
    assert!(now(&mut waiting).is_pending());
    // Another key is nobody's.
    drop(lead(&other, "/b"));
    put(&store, "/a", 1, &[]).expect("room");
    lease.end(LeaseEnd::Stored);
    let (inquired, _) = wait(waiting, SOON);
    assert!(matches!(inquired, Inquired::Found), "{inquired:?}");
    assert_eq!(support::get(&other, "/a"), Some(1));
    // What is there and fresh needs no lease.
    let inquired = wait(other.inquire(key("/a"), true), SOON).0;
    assert!(matches!(inquired, Inquired::Found), "{inquired:?}");
}

#[test]
fn what_is_stale_is_led_and_what_replaces_it_is_found() {
    let store = temporary(Options {
        now: std::sync::Arc::new(|| Timestamp::from_seconds(61)),
        ..options(LIMITS)
    });
    put(&store, "/a", 1, &[]).expect("room");
    let lease = lead(&store, "/a");
    let mut waiting = store.inquire(key("/a"), true);
    assert!(now(&mut waiting).is_pending());
    // Made anew, and stale at once all the same: it is another one.
    put_at(&store, "/a", 2, &[], Timestamp::from_seconds(1)).expect("room");
    lease.end(LeaseEnd::Stored);
    let (inquired, _) = wait(waiting, SOON);
    assert!(matches!(inquired, Inquired::Found), "{inquired:?}");
}

#[test]
fn after_a_failure_one_leads_once_more_and_then_all_go_on() {
    let store = temporary(options(LIMITS));
    let other = beside(store.folder.path());
    let first = lead(&store, "/a");
    let mut waiting = other.inquire(key("/a"), true);
    assert!(now(&mut waiting).is_pending());
    let mut last = other.inquire(key("/a"), true);
    assert!(now(&mut last).is_pending());
    drop(first);
    let Inquired::Absent(Some(second)) = wait(waiting, SOON).0 else {
        panic!("one leads once more")
    };
    assert!(now(&mut last).is_pending(), "it waits for the second one");
    let started = std::time::Instant::now();
    // Until the watcher has seen that it is another one's, and a poll has told the waiting one.
    until("a second wait", SOON, || {
        let _ = now(&mut last);
        started.elapsed() > Duration::from_millis(50)
    });
    second.end(LeaseEnd::Failed);
    // While somebody else leads a third time, nobody waits.
    let _third = lead(&store, "/a");
    let (inquired, _) = wait(last, SOON);
    assert!(matches!(inquired, Inquired::Absent(None)), "{inquired:?}");
}

#[test]
fn nobody_waits_where_answers_are_not_for_others() {
    let store = temporary(options(LIMITS));
    let other = beside(store.folder.path());
    let lease = lead(&store, "/a");
    let mut waiting = other.inquire(key("/a"), true);
    assert!(now(&mut waiting).is_pending());
    lease.end(LeaseEnd::Unshared);
    for _ in 0..2 {
        let (inquired, _) = wait(waiting, SOON);
        assert!(matches!(inquired, Inquired::Absent(None)), "{inquired:?}");
        waiting = other.inquire(key("/a"), true);
    }
}

#[test]
fn a_lease_ends_by_itself() {
    let store = temporary(Options {
        lease_limit: Duration::from_millis(50),
        ..options(LIMITS)
    });
    let hung = lead(&store, "/a");
    let (inquired, waited) = wait(store.inquire(key("/a"), true), SOON);
    assert!(
        matches!(inquired, Inquired::Absent(Some(_))),
        "{inquired:?}"
    );
    assert!(waited < SOON);
    // Its end is not the end of the next one's.
    let next = lead(&store, "/b");
    drop(hung);
    let mut waiting = store.inquire(key("/b"), true);
    assert!(now(&mut waiting).is_pending());
    drop(next);
}

#[test]
fn a_drop_does_not_hold_up_who_leads() {
    let store = temporary(options(LIMITS));
    let lease = lead(&store, "/a");
    store.clear();
    put(&store, "/a", 1, &[]).expect("room");
    let _ = store.purge(&Purge::everything());
    lease.end(LeaseEnd::Stored);
    drop(lead(&store, "/a"));
    let closed = temporary(options(LIMITS));
    closed.close();
    let mut inquiry = closed.inquire(key("/a"), true);
    assert!(matches!(now(&mut inquiry), Poll::Ready(Inquired::Unknown)));
    assert!(store.settled().is_none() && !store.asks_always());
}

#[test]
#[ignore = "the process of `the_lease_of_a_killed_process_is_free_at_once`"]
fn a_leader_that_is_killed() {
    let Some((folder, _)) = board::part() else {
        return;
    };
    let store = SharedStore::open(&folder.join("store"), options(LIMITS)).expect("a folder");
    let _lease = lead(&store, "/a");
    Board::open(&folder).write(0, 1);
    loop {
        std::thread::park();
    }
}

#[test]
fn the_lease_of_a_killed_process_is_free_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let board = Board::open(folder.path());
    let store = SharedStore::<u64>::open(&folder.path().join("store"), options(LIMITS));
    let store = store.expect("a folder");
    for reaped in [true, false] {
        board.write(0, 0);
        let mut leader = board::start("a_leader_that_is_killed", folder.path(), 0);
        until("a leader", SOON, || board.read(0) == 1);
        let mut waiting = store.inquire(key("/a"), true);
        assert!(now(&mut waiting).is_pending());
        leader.kill().expect("it runs");
        if reaped {
            leader.wait().expect("it was started");
        }
        let (inquired, waited) = wait(waiting, SOON);
        assert!(
            matches!(inquired, Inquired::Absent(Some(_))),
            "{inquired:?}"
        );
        assert!(waited < Duration::from_secs(5), "{waited:?}");
        leader.wait().expect("it was started");
    }
}
