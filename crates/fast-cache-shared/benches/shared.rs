//! What the shared store costs beside the memory store. `cargo bench -p fast-cache-shared`; a name runs one part.
#![allow(clippy::disallowed_macros, reason = "it is there to tell")]

use fast_cache_core::fields::Line;
use fast_cache_core::key::Key;
use fast_cache_core::purge::{Label, Purge};
use fast_cache_core::stored::{Stored, StoredTag, Traits};
use fast_cache_core::time::Timestamp;
use fast_cache_shared::{Options, SharedStore};
use fast_cache_store::codec::Portable;
use fast_cache_store::{Content, Limits, LocalStore, MemoryStore, Put};
use std::collections::{HashSet, VecDeque};
use std::hint::black_box;
use std::time::{Duration, Instant};

type Text = Box<[u8]>;

/// A response as a host in Rust keeps it.
#[derive(Clone, Debug)]
struct Plain {
    lines: Vec<(Text, Text)>,
    body: Text,
}

impl Portable for Plain {
    fn read<T>(&self, read: impl FnOnce(&[Line<'_>], &[u8]) -> T) -> T {
        let lines = self
            .lines
            .iter()
            .map(|(name, value)| Line::new(name, value));
        read(&lines.collect::<Vec<_>>(), &self.body)
    }

    fn make(lines: &[Line<'_>], body: &[u8]) -> Option<(Self, usize)> {
        let weight = body.len() + 100 * lines.len();
        let lines = lines
            .iter()
            .map(|line| (line.name.into(), line.value.into()));
        let made = Self {
            lines: lines.collect(),
            body: body.into(),
        };
        Some((made, weight))
    }
}

fn main() {
    let wanted = std::env::args()
        .nth(1)
        .filter(|name| !name.starts_with('-'));
    let parts: [(&str, fn()); 5] = [
        ("hits", hits),
        ("puts", puts),
        ("drops", drops),
        ("sweeps", sweeps),
        ("ratio", ratio),
    ];
    for (name, part) in parts {
        if wanted.as_deref().is_none_or(|wanted| wanted == name) {
            part();
        }
    }
}

fn hits() {
    const ENTRIES: u64 = 1_000;
    let limits = limits(1 << 30);
    let memory = MemoryStore::new(limits);
    let near = Folder::new(options(limits));
    let far = Folder::new(Options {
        near: Limits {
            max_entries: 1,
            max_bytes: 0,
        },
        ..options(limits)
    });
    for number in 0..ENTRIES {
        fill(&memory, number, 1024, &[]);
        fill(&near.store, number, 1024, &[]);
        fill(&far.store, number, 1024, &[]);
    }
    let keys: Vec<_> = (0..ENTRIES).map(key).collect();
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..200 {
        times[0].push(look(&memory, &keys));
        times[1].push(look(&near.store, &keys));
        times[2].push(look(&far.store, &keys));
    }
    // The best of the rounds: company on the machine only adds.
    let [memory, near, far] = times.map(|times| times.into_iter().min().unwrap_or_default());
    say("a hit of 1 KB in the memory store", memory);
    say("  in the near tier of the shared store", near);
    say("  in the map", far);
    say("  near, dearer by", near.saturating_sub(memory));
    say("  map, dearer by", far.saturating_sub(memory));
}

fn look(store: &impl LocalStore<Plain>, keys: &[Key]) -> Duration {
    let began = Instant::now();
    for key in keys {
        let found = store.get(key.borrow());
        // What every decision reads first.
        let response = found.as_ref().and_then(|found| found.entry.response());
        assert!(black_box(response.map(|stored| (stored.made(), stored.lifetime))).is_some());
    }
    began.elapsed() / u32::try_from(keys.len()).unwrap_or(1)
}

fn puts() {
    for (name, bytes) in [
        ("a put of 1 KB, with room", 4 << 30),
        ("a put of 1 KB in a full store", 64 << 20_usize),
    ] {
        let folder = Folder::new(options(limits(bytes)));
        (0..50_000).for_each(|number| fill(&folder.store, number, 1024, &[]));
        let times = (50_000..60_000).map(|number| timed(|| fill(&folder.store, number, 1024, &[])));
        let times: Vec<_> = times.collect();
        let sum: Duration = times.iter().sum();
        println!("{name}: {:.2?} on average", sum / 10_000);
        say(name, median(times));
    }
}

fn drops() {
    for entries in [1_000, 1_000_000] {
        let folder = Folder::new(options(limits(10 << 30)));
        let began = Instant::now();
        for number in 0..entries {
            fill(
                &folder.store,
                number,
                100,
                &[Label::tag(&(number % 1_000).to_string())],
            );
        }
        println!("{entries} entries stored in {:.1?}", began.elapsed());
        let drop = |number: u64| Purge::tag(&number.to_string());
        let times = (0..1_000).map(|number| timed(|| folder.store.purge(&drop(number))));
        say(
            &format!("a drop with {entries} entries"),
            median(times.collect()),
        );
    }
}

fn sweeps() {
    let folder = Folder::new(options(limits(10 << 30)));
    (0..200_000).for_each(|number| fill(&folder.store, number, 1024, &[]));
    folder.store.purge(&Purge::everything());
    let began = Instant::now();
    let mut swept = 0;
    while folder.store.bytes() > 0 {
        swept += folder.store.sweep(1_000, Timestamp::default());
    }
    println!("{swept} dropped entries swept in {:.1?}", began.elapsed());
    say(
        "the longest hold of the lock for writing",
        folder.store.longest_hold(),
    );
}

/// Hits over a long-tailed series of requests, beside the same number of entries in the order they came.
fn ratio() {
    const KEYS: u64 = 100_000;
    const REQUESTS: u64 = 600_000;
    for (name, exponent) in [("0.8", 0.8), ("1.0", 1.0)] {
        let folder = Folder::new(options(limits(16 << 20)));
        let mut draws = Draws::new(KEYS, exponent);
        let (mut hits, mut first_hits) = (0_u64, 0_u64);
        let (mut queue, mut queued) = (VecDeque::new(), HashSet::new());
        let mut held = 0;
        for request in 0..REQUESTS {
            let number = draws.next();
            let counted = request >= REQUESTS / 3;
            if folder.store.get(key(number).borrow()).is_some() {
                hits += u64::from(counted);
            } else {
                fill(&folder.store, number, 1024, &[]);
            }
            if request % 1_000 == 0 {
                held = folder.store.bytes() * 1_000 / cost(&folder);
            }
            if queued.contains(&number) {
                first_hits += u64::from(counted);
            } else {
                queue.push_back(number);
                queued.insert(number);
                while queue.len() > held / 1_000 {
                    queue.pop_front().map(|old| queued.remove(&old));
                }
            }
        }
        let share = |hits: u64| 100 * hits / (REQUESTS - REQUESTS / 3);
        println!(
            "zipf {name}, {} of {KEYS} entries fit: {} % hits, {} % first in, first out",
            held / 1_000,
            share(hits),
            share(first_hits),
        );
    }
}

/// What one entry costs.
fn cost(folder: &Folder) -> usize {
    folder.store.bytes() / folder.store.len().max(1)
}

/// Draws of keys, the more often the lower.
struct Draws {
    sums: Vec<f64>,
    state: u64,
}

impl Draws {
    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
    fn new(keys: u64, exponent: f64) -> Self {
        let mut sum = 0.0;
        let sums = (1..=keys).map(|rank| {
            sum += (rank as f64).powf(-exponent);
            sum
        });
        Self {
            sums: sums.collect(),
            state: 1,
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "a fraction")]
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let all = self.sums.last().copied().unwrap_or_default();
        let draw = (mixed >> 11) as f64 / (1_u64 << 53) as f64 * all;
        self.sums.partition_point(|sum| *sum < draw) as u64
    }
}

struct Folder {
    store: SharedStore<Plain>,
    _folder: tempfile::TempDir,
}

impl Folder {
    fn new(options: Options) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SharedStore::open(folder.path(), options).expect("a folder of one's own");
        Self {
            store,
            _folder: folder,
        }
    }
}

fn limits(max_bytes: usize) -> Limits {
    Limits {
        max_entries: 4_000_000,
        max_bytes,
    }
}

fn options(limits: Limits) -> Options {
    let began = Instant::now();
    let now = move || Timestamp::default().plus(began.elapsed());
    Options {
        sweeper: false,
        ..Options::new(limits, now)
    }
}

fn key(number: u64) -> Key {
    let digest = u128::from(number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let digest = digest
        ^ digest
            .rotate_left(61)
            .wrapping_mul(0xbf58_476d_1ce4_e5b9_94d0_49bb_1331_11eb);
    let bytes = format!("namespace https example.org GET /users/{{id}} /users/{number:08}");
    Key::new(digest, bytes.into_bytes().into())
}

fn fill(store: &impl LocalStore<Plain>, number: u64, body: usize, labels: &[Label]) {
    let plain = Plain {
        lines: vec![
            (b"content-type"[..].into(), b"application/json"[..].into()),
            (b"content-length"[..].into(), b"1024"[..].into()),
            (b"etag"[..].into(), b"\"0123456789abcdef\""[..].into()),
        ],
        body: vec![b'x'; body].into(),
    };
    let stored = Stored {
        received: Timestamp::default(),
        initial_age: 0,
        took: 0,
        lifetime: Duration::from_secs(100_000),
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        status: 200,
        traits: Traits::default(),
        etag: StoredTag::None,
        last_modified: None,
        body_length: body as u64,
        representation: plain,
    };
    let put = Put {
        key: key(number),
        birth: store.birth(),
        path: &format!("/users/{number:08}"),
        labels,
        content: Content::Response(stored),
        weight: body + 300,
    };
    store.put(put).expect("room");
}

fn timed<T>(run: impl FnOnce() -> T) -> Duration {
    let began = Instant::now();
    black_box(run());
    began.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn say(what: &str, time: Duration) {
    println!("{what}: {time:.2?}");
}
