//! Leases: one node makes an answer, the others wait for it.

use crate::support::{Harness, Server, key, node, open, runtime};
use fast_cache_store::{Elsewhere, Inquired, Inquiry, Lease, LeaseEnd};
use std::time::Duration;

fn pair(server: &Server) -> [Harness; 2] {
    let namespace = node::namespace();
    [0, 1].map(|_| open(&server.url(), &namespace, |_| {}))
}

fn lead(node: &Harness, path: &str) -> Lease {
    match node.inquire(path, true) {
        Inquired::Absent(Some(lease)) => lease,
        other => panic!("{other:?} instead of a lease"),
    }
}

fn follow(node: &Harness, path: &str) -> Inquiry {
    node.store.inquire(key(path), true)
}

#[test]
fn the_others_wait_for_what_the_leader_stores() {
    let server = Server::start();
    let [first, second] = pair(&server);
    for number in 0..50 {
        let path = format!("/{number}");
        let lease = lead(&first, &path);
        let waiting = runtime().spawn(follow(&second, &path));
        first.put(number, &path, &[]);
        lease.end(LeaseEnd::Stored);
        let inquired = runtime().block_on(waiting).expect("no panic");
        assert!(matches!(inquired, Inquired::Found), "{inquired:?}");
        assert_eq!(second.near(&path), Some(number));
    }
}

#[test]
fn who_leads_next_when_the_leader_fails() {
    let server = Server::start();
    let [first, second] = pair(&server);
    let lease = lead(&first, "/a");
    let waiting = runtime().spawn(follow(&second, "/a"));
    drop(lease);
    let inquired = runtime().block_on(waiting).expect("no panic");
    assert!(
        matches!(inquired, Inquired::Absent(Some(_))),
        "{inquired:?}"
    );
}

#[test]
fn nobody_waits_for_what_is_not_for_others() {
    let server = Server::start();
    let [first, second] = pair(&server);
    lead(&first, "/a").end(LeaseEnd::Unshared);
    let inquired = runtime().block_on(async {
        tokio::time::timeout(Duration::from_secs(20), follow(&second, "/a")).await
    });
    assert!(
        matches!(inquired, Ok(Inquired::Absent(None))),
        "{inquired:?}"
    );
}

#[test]
fn a_leader_that_died_is_waited_for_no_longer_than_the_lease() {
    let server = Server::start();
    let namespace = node::namespace();
    let [first, second] = [0, 1].map(|_| {
        open(&server.url(), &namespace, |options| {
            options.lease = Duration::from_millis(50);
        })
    });
    std::mem::forget(lead(&first, "/a"));
    let inquired = second.inquire("/a", true);
    assert!(
        matches!(inquired, Inquired::Absent(Some(_))),
        "{inquired:?}"
    );
}

#[test]
fn who_no_longer_waits_leaves_no_lease_behind() {
    let server = Server::start();
    let [first, second] = pair(&server);
    let lease = lead(&first, "/a");
    drop(follow(&second, "/a"));
    drop(lease);
    // Whether the second had begun to look or not: the third gets the lease.
    for _ in 0..20 {
        drop(follow(&second, "/a"));
    }
    drop(lead(&first, "/a"));
}

#[test]
fn a_dropped_entry_gives_a_lease_too() {
    let server = Server::start();
    let [first, second] = pair(&server);
    first.share(1, "/a", &["t"], &second);
    second.drop_tag("t");
    let lease = lead(&second, "/a");
    second.put(2, "/a", &["t"]);
    lease.end(LeaseEnd::Stored);
    crate::support::eventually("it is replaced", || first.find("/a") == Some(2));
}
