//! Flights over a store, under many orders of threads: drops, evictions and cancellations take part. Each step of the store
//! is one turn, as its own locks are not shuttle's.

use super::{Boarding, Landing, News};
use fast_cache_core::key::Key;
use fast_cache_core::purge::{Label, Purge};
use fast_cache_core::stored::{Stored, StoredTag, Traits};
use fast_cache_core::time::Timestamp;
use fast_cache_store::{Content, Limits, LocalStore, MemoryStore, Put};
use shuttle::future::block_on;
use shuttle::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use shuttle::{check_random, thread};
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

/// A failure is a number here.
type Flights = super::Flights<u8>;

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
const TURNS: usize = 1_000;

/// A store, those who wait, and what the application would answer.
struct World {
    store: MemoryStore<u64>,
    flights: Arc<Flights>,
    version: AtomicU64,
    /// What was older has been dropped.
    least: AtomicU64,
    calls: AtomicUsize,
}

/// How a leader ends.
#[derive(Clone, Copy)]
enum End {
    Stores,
    /// Its client leaves after it was answered, and before the answer is whole.
    Leaves,
}

fn key(number: u8) -> Key {
    Key::new(u128::from(number), Box::new([number]))
}

impl World {
    fn new() -> Arc<Self> {
        let limits = Limits {
            max_entries: 1,
            max_bytes: 1 << 20,
        };
        Arc::new(Self {
            store: MemoryStore::new(limits),
            flights: Arc::default(),
            version: AtomicU64::new(1),
            least: AtomicU64::new(1),
            calls: AtomicUsize::new(0),
        })
    }

    fn find(&self) -> Option<u64> {
        thread::yield_now();
        let found = self.store.get(key(1).borrow())?;
        Some(found.entry.response()?.representation)
    }

    fn put(&self, number: u8, birth: u64, version: u64) {
        thread::yield_now();
        let stored = Stored {
            received: NOW,
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
            representation: version,
        };
        // What a drop has covered is refused.
        let _ = self.store.put(Put {
            key: key(number),
            birth,
            path: "/",
            labels: &[Label::tag("item")],
            content: Content::Response(stored),
            weight: 0,
        });
    }

    /// A request to its end: it finds an answer, waits for one, or asks the application.
    fn request(&self, end: End) {
        let least = self.least.load(Ordering::SeqCst);
        let answer = self.find().or_else(|| self.ask(end));
        if let Some(version) = answer {
            assert!(version >= least, "older than a finished drop");
        }
    }

    fn ask(&self, end: End) -> Option<u64> {
        let boarded = self.flights.board(key(1).borrow(), self.store.birth(), NOW);
        let permit = match boarded {
            Boarding::Lead(permit) => Some(permit),
            Boarding::Alone => None,
            Boarding::Follow(ticket) => {
                match block_on(poll_fn(|context| ticket.poll(context.waker()))) {
                    News::Lead(permit) => Some(permit),
                    News::Landed(_) => match self.find() {
                        Some(version) => return Some(version),
                        None => None,
                    },
                }
            }
        };
        let birth = self.store.birth();
        let version = self.version.load(Ordering::SeqCst);
        self.calls.fetch_add(1, Ordering::SeqCst);
        if matches!(end, End::Leaves) && permit.is_some() {
            thread::yield_now();
            return None;
        }
        self.put(1, birth, version);
        if let Some(permit) = permit {
            permit.land(&Landing::Stored, NOW);
        }
        Some(version)
    }

    /// Changes what the application answers, and drops what was before.
    fn change(&self) {
        let version = self.version.fetch_add(1, Ordering::SeqCst) + 1;
        thread::yield_now();
        assert!(self.store.purge(&Purge::tag("item")).is_none());
        self.least.fetch_max(version, Ordering::SeqCst);
    }
}

fn play(others: fn(&World), ends: [End; 3]) {
    check_random(
        move || {
            let world = World::new();
            let mut threads = Vec::new();
            for end in ends {
                let world = Arc::clone(&world);
                threads.push(thread::spawn(move || {
                    world.request(end);
                    world.request(End::Stores);
                }));
            }
            let disturbing = Arc::clone(&world);
            threads.push(thread::spawn(move || others(&disturbing)));
            for thread in threads {
                thread.join().expect("no panic");
            }
            assert_eq!(world.flights.under_way(), 0);
            assert!(world.calls.load(Ordering::SeqCst) <= 6);
            // Whatever is left is not what was dropped.
            let least = world.least.load(Ordering::SeqCst);
            assert!(world.find().is_none_or(|version| version >= least));
        },
        TURNS,
    );
}

#[test]
fn nobody_gets_what_a_finished_drop_covers() {
    play(World::change, [End::Stores; 3]);
    let twice = |world: &World| {
        world.change();
        world.change();
    };
    play(twice, [End::Stores, End::Leaves, End::Stores]);
}

#[test]
fn what_is_evicted_before_its_followers_look_is_asked_for_again() {
    let evict = |world: &World| {
        for number in 2..4 {
            world.put(number, world.store.birth(), 0);
        }
    };
    play(evict, [End::Stores; 3]);
    play(evict, [End::Leaves, End::Leaves, End::Stores]);
}
