//! Redis killed and restarted under load: nothing wrong is found, nobody waits for long, and no drop is lost.
//!
//! `FAST_CACHE_ROUNDS=50` makes it long, and prints what lookups took.

use crate::support::{Harness, Server, eventually, node, number_from, open};
use fast_cache_store::{Inquired, LocalStore};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const PATHS: u64 = 64;

/// Versions of a path's answer; the path is in the number, so that a wrong answer shows.
const VERSIONS: u64 = 1 << 32;

#[derive(Default)]
struct Times {
    since: Option<Instant>,
    first_second: Vec<Duration>,
    later: Vec<Duration>,
}

fn serve(node: &Harness, versions: &[AtomicU64], over: &AtomicBool, times: &Mutex<Times>) {
    for turn in (0..PATHS).cycle() {
        if over.load(Ordering::SeqCst) {
            return;
        }
        let path = format!("/{turn}");
        let began = Instant::now();
        let found = node.find(&path);
        let took = began.elapsed();
        {
            let mut times = times.lock().expect("no panic");
            match times.since.map(|since| began.duration_since(since)) {
                Some(age) if age < Duration::from_secs(1) => times.first_second.push(took),
                Some(_) => times.later.push(took),
                None => (),
            }
        }
        if let Some(number) = found {
            assert_eq!(number / VERSIONS, turn, "an answer of another path");
        } else {
            let birth = node.store.birth();
            let version = versions[turn as usize].load(Ordering::SeqCst);
            node.put_born(birth, turn * VERSIONS + version, &path, &[&path]);
        }
    }
}

#[test]
fn nothing_is_lost_when_redis_is_killed() {
    let rounds = number_from("FAST_CACHE_ROUNDS", 2);
    let down_for = Duration::from_millis(number_from("FAST_CACHE_DOWN", 200));
    let mut server = Server::start();
    let namespace = node::namespace();
    let nodes = [0, 1].map(|_| {
        open(&server.url(), &namespace, |options| {
            if rounds > 2 {
                options.timeout = Duration::from_millis(50);
            }
        })
    });
    let versions: Vec<_> = (0..PATHS).map(|_| AtomicU64::new(0)).collect();
    let (over, times) = (AtomicBool::new(false), Mutex::new(Times::default()));
    let mut healed = Vec::new();
    std::thread::scope(|scope| {
        for node in &nodes {
            let (versions, over, times) = (&versions, &over, &times);
            scope.spawn(move || serve(node, versions, over, times));
        }
        for round in 0..rounds {
            let write = |index: u64| {
                let version = &versions[index as usize];
                version.fetch_add(1, Ordering::SeqCst);
                nodes[(index % 2) as usize].drop_tag(&format!("/{index}"));
            };
            (0..PATHS / 2).for_each(write);
            server.kill();
            times.lock().expect("no panic").since = Some(Instant::now());
            let killed = Instant::now();
            (0..PATHS).for_each(write);
            while killed.elapsed() < down_for {
                write(round % PATHS);
                std::thread::yield_now();
            }
            server.run();
            times.lock().expect("no panic").since = None;
            let restarted = Instant::now();
            eventually("both are back", || {
                nodes.iter().all(|node| {
                    let health = node.store.health();
                    health.is_trusted && health.undelivered == 0
                })
            });
            healed.push(restarted.elapsed());
            // Whatever was written when Redis was away is known to both.
            for index in 0..PATHS {
                let version = versions[index as usize].load(Ordering::SeqCst);
                for node in &nodes {
                    let path = format!("/{index}");
                    let _ = node.inquire(&path, false);
                    let found = node.near(&path);
                    assert!(
                        found.is_none_or(|number| number == index * VERSIONS + version),
                        "round {round}: {found:?} of {path}, which is at {version}"
                    );
                }
            }
        }
        over.store(true, Ordering::SeqCst);
    });
    let mut times = times.into_inner().expect("no panic");
    for (what, times) in [
        ("in the first second", &mut times.first_second),
        ("later", &mut times.later),
        ("healed after", &mut healed),
    ] {
        times.sort();
        if let Some(longest) = times.last() {
            let at = |share: usize| times[times.len() * share / 1000];
            println!(
                "{what}: {} p50 {:?} p99 {:?} longest {longest:?}",
                times.len(),
                at(500),
                at(990)
            );
        }
    }
    assert!(matches!(
        nodes[0].inquire("/none", false),
        Inquired::Absent(_)
    ));
}
