//! The order of events between two nodes: nothing is found that a drop had covered before the lookup began.
//!
//! `FAST_CACHE_REQUESTS=100000` makes it long.

use crate::support::{Harness, Server, node, number_from, open};
use fast_cache_core::purge::{PathPattern, Purge};
use fast_cache_redis::Coherence;
use fast_cache_store::LocalStore;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// One node writes to a database of one number and drops after each write; both look up, and fill what they miss. What
/// is found is handed to `check`, with the newest write that was dropped for when the lookup began.
fn race(coherence: Coherence, check: impl Fn(usize, u64, u64) + Sync) {
    let requests = number_from("FAST_CACHE_REQUESTS", 4_000);
    let server = Server::start();
    let namespace = node::namespace();
    let nodes: [Harness; 2] = [0, 1].map(|_| {
        open(&server.url(), &namespace, |options| {
            options.coherence = coherence;
        })
    });
    let (database, dropped, over) = (AtomicU64::new(1), AtomicU64::new(0), AtomicBool::new(false));
    let answered = AtomicU64::new(0);
    let found = AtomicU64::new(0);
    let drops = [
        Purge::tag("t"),
        Purge::path(PathPattern::glob("/ra*")),
        Purge::everything(),
    ];
    std::thread::scope(|scope| {
        for (index, node) in nodes.iter().enumerate() {
            let (database, dropped, over) = (&database, &dropped, &over);
            let (answered, found, check) = (&answered, &found, &check);
            scope.spawn(move || {
                while !over.load(Ordering::SeqCst) {
                    let at_least = dropped.load(Ordering::SeqCst);
                    if let Some(number) = node.find("/race") {
                        check(index, at_least, number);
                        found.fetch_add(1, Ordering::Relaxed);
                    } else {
                        let birth = node.store.birth();
                        let number = database.load(Ordering::SeqCst);
                        node.put_born(birth, number, "/race", &["t"]);
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut number = 1;
        while answered.load(Ordering::Relaxed) < requests || number < requests / 100 {
            number += 1;
            database.store(number, Ordering::SeqCst);
            let drop = drops.iter().cycle().nth((number % 3) as usize);
            nodes[0].store.purge(drop.expect("there are three"));
            nodes[0].settle();
            if nodes[0].store.health().undelivered == 0 {
                dropped.store(number, Ordering::SeqCst);
            }
            // Let there be something to find.
            let seen = answered.load(Ordering::Relaxed);
            while answered.load(Ordering::Relaxed) < seen + 20 {
                std::thread::yield_now();
            }
        }
        over.store(true, Ordering::SeqCst);
        println!("{coherence:?}: {number} writes, {answered:?} lookups, {found:?} found");
    });
    assert!(
        found.load(Ordering::Relaxed) > requests / 20,
        "something was found"
    );
}

#[test]
fn strictly_nothing_older_than_the_last_drop_is_found() {
    race(Coherence::Strict, |node, at_least, number| {
        assert!(
            number >= at_least,
            "node {node} found {number} after the drop for {at_least}"
        );
    });
}

#[test]
fn with_push_the_writing_node_is_strict_and_the_other_never_goes_back() {
    let newest = AtomicU64::new(0);
    race(Coherence::Push, |node, at_least, number| {
        if node == 0 {
            assert!(
                number >= at_least,
                "found {number} after its own drop for {at_least}"
            );
        } else {
            let before = newest.fetch_max(number, Ordering::SeqCst);
            assert!(number >= before, "found {number} after {before}");
        }
    });
}

#[test]
fn pushes_arrive() {
    let rounds = number_from("FAST_CACHE_REQUESTS", 100).min(5_000);
    let server = Server::start();
    let namespace = node::namespace();
    let nodes = [0, 1].map(|_| open(&server.url(), &namespace, |_| {}));
    let mut delays = Vec::new();
    let mut settled = Vec::new();
    for number in 0..rounds {
        nodes[0].share(number, "/a", &["t"], &nodes[1]);
        let began = Instant::now();
        nodes[0].drop_tag("t");
        settled.push(began.elapsed());
        let returned = Instant::now();
        while nodes[1].near("/a").is_some() {
            assert!(
                returned.elapsed() < Duration::from_secs(20),
                "no push arrived"
            );
            std::hint::spin_loop();
        }
        delays.push(returned.elapsed());
    }
    for (what, times) in [
        ("drop settled", &mut settled),
        ("seen elsewhere after that", &mut delays),
    ] {
        times.sort();
        let at = |share: usize| times[times.len() * share / 1000];
        println!(
            "{what}: p50 {:?} p99 {:?} p99.9 {:?}",
            at(500),
            at(990),
            at(999)
        );
    }
}
