//! Nodes that share a namespace: entries, drops, and the order of both.

use crate::support::{Harness, Server, eventually, node, open};
use fast_cache_core::purge::{HostPattern, PathPattern, Purge};
use fast_cache_redis::Coherence;
use fast_cache_store::{Inquired, LocalStore};
use std::sync::Arc;

fn pair(server: &Server, coherence: Coherence) -> [Harness; 2] {
    let namespace = node::namespace();
    [0, 1].map(|_| {
        open(&server.url(), &namespace, |options| {
            options.coherence = coherence;
        })
    })
}

/// Until an answer is in Redis.
fn written(node: &Harness, path: &str, number: u64) {
    eventually("it is written", || node.find(path) == Some(number));
}

#[test]
fn what_one_node_stored_another_finds() {
    let server = Server::start();
    let [first, second] = pair(&server, Coherence::Push);
    assert!(matches!(
        second.inquire("/a", false),
        Inquired::Absent(None)
    ));
    first.share(1, "/a", &["t"], &second);
    assert_eq!(second.near("/a"), Some(1), "it is near from then on");
    assert_eq!(second.near("/b"), None);
}

#[test]
fn a_drop_is_pushed_to_other_nodes() {
    let server = Server::start();
    let [first, second] = pair(&server, Coherence::Push);
    for (number, purge) in [
        Purge::tag("t"),
        Purge::path(PathPattern::prefix("/a")),
        Purge::path(PathPattern::glob("/a*")),
        Purge::subtree("/a"),
        Purge::everything(),
    ]
    .iter()
    .enumerate()
    {
        let number = number as u64;
        let path = "/a";
        let mut labels = Vec::new();
        fast_cache_core::purge::Label::subtrees(path, &mut labels).expect("not deep");
        labels.push(fast_cache_core::purge::Label::tag("t"));
        first.put_labelled(first.store.birth(), number, path, &labels);
        written(&second, path, number);
        first.store.purge(purge);
        assert_eq!(first.near(path), None, "a drop acts here at once");
        first.settle();
        assert_eq!(first.store.health().undelivered, 0);
        eventually("it is dropped", || second.near(path).is_none());
        assert_eq!(second.find(path), None, "what Redis has is dropped as well");
        assert_eq!(first.find(path), None);
    }
}

#[test]
fn a_soft_drop_leaves_it_to_be_served_stale() {
    let server = Server::start();
    let [first, second] = pair(&server, Coherence::Strict);
    first.share(1, "/a", &["t"], &second);
    let mut purge = Purge::tag("t");
    purge.soft = true;
    second.store.purge(&purge);
    second.settle();
    assert!(matches!(first.inquire("/a", false), Inquired::Found));
    let found = first.store.get(crate::support::key("/a").borrow());
    assert!(found.expect("it is there").soft);
}

#[test]
fn with_strict_coherence_the_next_lookup_knows() {
    let server = Server::start();
    let [first, second] = pair(&server, Coherence::Strict);
    for number in 0..200 {
        first.share(number, "/a", &["t"], &second);
        first.store.purge(&Purge::tag("t"));
        first.settle();
        assert_eq!(second.find("/a"), None);
    }
}

#[test]
fn an_answer_begun_before_a_drop_elsewhere_is_never_found_after_it() {
    let server = Server::start();
    let [first, second] = pair(&server, Coherence::Strict);
    let early = first.store.birth();
    second.store.purge(&Purge::tag("t"));
    second.settle();
    first.put_born(early, 1, "/a", &["t"]);
    assert_eq!(first.find("/a"), None);
    assert_eq!(second.find("/a"), None);
    // Its birth is the clock of its own node, which knows of the drop now.
    first.share(2, "/a", &["t"], &second);
}

#[test]
fn an_answer_is_written_with_the_place_of_the_drops_before_it() {
    let server = Server::start();
    let [first, second] = pair(&server, Coherence::Push);
    for number in 0..200 {
        first.store.purge(&Purge::tag("t"));
        // The namespace's place of the drop cannot be known yet.
        first.put(number, "/a", &["t"]);
        assert_eq!(first.near("/a"), Some(number));
        eventually("it is written", || second.find("/a") == Some(number));
        assert_eq!(
            first.near("/a"),
            Some(number),
            "its own drop is not done twice"
        );
    }
}

#[test]
fn drops_of_two_nodes_at_once_are_all_done_on_both() {
    let server = Server::start();
    let [first, second] = pair(&server, Coherence::Strict);
    for round in 0..50_u64 {
        for path in ["/a", "/b"] {
            first.share(round, path, &[path], &second);
        }
        first.store.purge(&Purge::tag("/a"));
        second.store.purge(&Purge::tag("/b"));
        first.settle();
        second.settle();
        for node in [&first, &second] {
            assert_eq!(node.find("/a"), None);
            assert_eq!(node.find("/b"), None);
        }
    }
}

#[test]
fn clearing_touches_the_namespace_alone_and_closing_leaves_it_to_others() {
    let server = Server::start();
    let [first, second] = pair(&server, Coherence::Strict);
    let [stranger, other] = pair(&server, Coherence::Strict);
    first.put(1, "/a", &[]);
    stranger.put(2, "/a", &[]);
    written(&second, "/a", 1);
    written(&other, "/a", 2);
    let _: () = server.ask(&["SET", "foreign", "1"]);
    first.store.clear();
    first.settle();
    assert_eq!(second.find("/a"), None);
    assert_eq!(other.find("/a"), Some(2));
    second.share(3, "/a", &[], &first);
    first.store.close();
    assert_eq!(first.find("/a"), None);
    assert!(matches!(first.inquire("/a", true), Inquired::Unknown));
    assert_eq!(second.find("/a"), Some(3));
    assert_eq!(server.ask::<u64>(&["GET", "foreign"]), 1);
}

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
fn a_pattern_that_only_the_host_can_run_is_known_by_its_text() {
    let server = Server::start();
    let [first, second] = pair(&server, Coherence::Strict);
    let known = PathPattern::host(Arc::new(EndsWith("/7")));
    for node in [&first, &second] {
        node.store.register(known.clone());
    }
    let stored = || {
        for (number, path) in [(7, "/a/7"), (8, "/a/8")] {
            first.share(number, path, &[], &second);
        }
    };
    stored();
    first.store.purge(&Purge::path(known));
    first.settle();
    assert_eq!((second.find("/a/7"), second.find("/a/8")), (None, Some(8)));

    stored();
    first
        .store
        .purge(&Purge::path(PathPattern::host(Arc::new(EndsWith("/9")))));
    first.settle();
    assert_eq!(
        second.find("/a/8"),
        None,
        "what is not known covers everything"
    );
}
