//! Measures the store on a running server: lookups that go to Redis, drops with many entries, and hits in the memory
//! tier beside a memory store. `benches/README.md` has the command and what came out.
#![allow(
    clippy::cast_precision_loss,
    clippy::disallowed_macros,
    clippy::print_stdout,
    reason = "a program prints what it measured"
)]

use fast_cache_core::fields::Line;
use fast_cache_core::key::Key;
use fast_cache_core::purge::{Label, Purge};
use fast_cache_core::stored::{Stored, StoredTag, Traits};
use fast_cache_core::time::Timestamp;
use fast_cache_redis::{RedisOptions, RedisStore};
use fast_cache_store::codec::Portable;
use fast_cache_store::{Content, Elsewhere, Inquired, Limits, LocalStore, MemoryStore, Put};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const CONCURRENT: u64 = 32;
const LOOKUPS: u64 = 200_000;
const KEYS: u64 = 1_000;
const BODY: usize = 1_024;

struct Body(Vec<u8>);

impl Portable for Body {
    fn read<T>(&self, read: impl FnOnce(&[Line<'_>], &[u8]) -> T) -> T {
        read(&[Line::new(b"content-type", b"application/json")], &self.0)
    }

    fn make(_: &[Line<'_>], body: &[u8]) -> Option<(Self, usize)> {
        Some((Self(body.to_vec()), body.len()))
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let url = arguments
        .next()
        .unwrap_or_else(|| "redis://127.0.0.1:6379".to_owned());
    let entries = arguments
        .next()
        .map_or(KEYS, |text| text.parse().expect("a number of entries"));
    let mut options = RedisOptions::from_url(&url).expect("a URL");
    "measure".clone_into(&mut options.namespace);
    // On a machine that is busy with something else, too, each lookup shall be one that Redis answered.
    options.timeout = Duration::from_secs(1);
    let limits = options.limits;
    let store = Arc::new(RedisStore::<Body>::new(options));
    store.connect();
    wait_for(|| store.health().is_trusted);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    fill(&store, entries);
    lookups(&store, &runtime);
    steady(&store);
    drops(&store, &runtime, entries);
    steady(&store);
    hits(&store, limits);
    store.close();
}

/// A machine that is busy with something else may have cost the connection.
fn steady(store: &RedisStore<Body>) {
    let health = store.health();
    if !health.is_trusted {
        println!("not steady: {health:?}");
        wait_for(|| store.health().is_trusted);
    }
}

fn fill(store: &RedisStore<Body>, entries: u64) {
    let began = Instant::now();
    for number in 0..entries {
        put(store, number);
        if number % 1_000 == 999 {
            // What does not fit on the way would be left out.
            std::thread::yield_now();
            while store.unwritten() > 8 << 20 {
                std::thread::yield_now();
            }
        }
    }
    wait_for(|| store.unwritten() == 0);
    println!("{entries} entries written in {:.1?}", began.elapsed());
}

fn lookups(store: &Arc<RedisStore<Body>>, runtime: &tokio::runtime::Runtime) {
    let next = Arc::new(AtomicU64::new(0));
    let found = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let mut times = runtime.block_on(async {
        let tasks: Vec<_> = (0..CONCURRENT)
            .map(|_| {
                let (store, next, found) =
                    (Arc::clone(store), Arc::clone(&next), Arc::clone(&found));
                tokio::spawn(async move {
                    let mut times = Vec::new();
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= LOOKUPS {
                            return times;
                        }
                        let began = Instant::now();
                        let inquired = store.inquire(key(number % KEYS), true).await;
                        times.push(began.elapsed());
                        if matches!(inquired, Inquired::Found) {
                            found.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                })
            })
            .collect();
        let mut times = Vec::new();
        for task in tasks {
            times.extend(task.await.expect("no panic"));
        }
        times
    });
    let took = began.elapsed();
    println!(
        "lookups in Redis, {CONCURRENT} at once: {:.0}/s, {} of {LOOKUPS} found",
        LOOKUPS as f64 / took.as_secs_f64(),
        found.load(Ordering::Relaxed)
    );
    show("latency of one", &mut times);
}

fn drops(store: &Arc<RedisStore<Body>>, runtime: &tokio::runtime::Runtime, entries: u64) {
    let mut times = Vec::new();
    for number in 0..2_000 {
        let began = Instant::now();
        store.purge(&Purge::tag(&format!("other {number}")));
        if let Some(settling) = store.settled() {
            runtime.block_on(settling);
            times.push(began.elapsed());
        }
    }
    show(
        &format!("a drop with {entries} entries, until all nodes can know"),
        &mut times,
    );
}

fn hits(store: &RedisStore<Body>, limits: Limits) {
    let memory = MemoryStore::<Body>::new(limits);
    for number in 0..KEYS {
        put(store, number);
        put(&memory, number);
    }
    let keys: Vec<Key> = (0..KEYS).map(key).collect();
    for round in 0..6 {
        steady(store);
        let [tier, alone] = [time(store, &keys), time(&memory, &keys)];
        if round > 0 {
            println!("a hit: {tier:.1} ns in the tier, {alone:.1} ns in a memory store");
        }
    }
}

fn time(store: &impl LocalStore<Body>, keys: &[Key]) -> f64 {
    let began = Instant::now();
    for _ in 0..500 {
        for key in keys {
            std::hint::black_box(store.get(key.borrow()));
        }
    }
    began.elapsed().as_nanos() as f64 / 500.0 / keys.len() as f64
}

fn show(what: &str, times: &mut [Duration]) {
    times.sort();
    let at = |share: usize| times[times.len() * share / 1000];
    println!(
        "{what}: p50 {:.1?} p99 {:.1?} p99.9 {:.1?}",
        at(500),
        at(990),
        at(999)
    );
}

fn wait_for(is_so: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < limit, "it takes too long");
        std::thread::yield_now();
    }
}

fn put(store: &impl LocalStore<Body>, number: u64) {
    let path = format!("/items/{number}");
    let stored = Stored {
        received: Timestamp::default(),
        initial_age: 0,
        took: 0,
        lifetime: Duration::from_secs(3600),
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        status: 200,
        traits: Traits::default(),
        etag: StoredTag::None,
        last_modified: None,
        body_length: BODY as u64,
        representation: Body(vec![b'x'; BODY]),
    };
    let _ = store.put(Put {
        key: key(number),
        birth: store.birth(),
        path: &path,
        labels: &[Label::tag("items")],
        content: Content::Response(stored),
        weight: BODY,
    });
}

fn key(number: u64) -> Key {
    let digest = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    Key::new(
        digest,
        format!("GET example.com /items/{number}")
            .into_bytes()
            .into(),
    )
}
