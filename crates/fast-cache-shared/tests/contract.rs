//! The shared store, put through the contract of all stores.

mod support;

use fast_cache_core::key::KeyRef;
use fast_cache_core::purge::{Label, PathPattern, PatternId, Purge};
use fast_cache_core::reason::Reason;
use fast_cache_core::time::Timestamp;
use fast_cache_shared::{Options, SharedStore};
use fast_cache_store::fault::Forgetful;
use fast_cache_store::{
    Counters, Cursor, Elsewhere, Found, Limits, LocalStore, Page, Put, Walk, contract,
};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use support::{Temporary, options, temporary};

/// Two stores in one folder, as two processes have them: every call goes to the one or the other in turn, save that
/// numbers of patterns mean something to the one that gave them only.
struct Pair {
    first: Temporary,
    second: SharedStore<u64>,
    turn: AtomicUsize,
}

impl Pair {
    fn new(limits: Limits) -> Self {
        let first = temporary(options(limits));
        let second = SharedStore::open(first.folder.path(), options(limits)).expect("the same");
        Self {
            first,
            second,
            turn: AtomicUsize::new(0),
        }
    }

    fn next(&self) -> &SharedStore<u64> {
        if self.turn.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            &self.first.store
        } else {
            &self.second
        }
    }
}

macro_rules! pass_on {
    ($type:ty, $($to:tt)+) => {
        impl LocalStore<u64> for $type {
            fn birth(&self) -> u64 {
                self.$($to)+.birth()
            }
            fn get(&self, key: KeyRef<'_>) -> Option<Found<u64>> {
                self.$($to)+.get(key)
            }
            fn put(&self, put: Put<'_, u64>) -> Result<(), Reason> {
                self.$($to)+.put(put)
            }
            fn remove(&self, key: KeyRef<'_>) -> bool {
                self.$($to)+.remove(key)
            }
            fn register(&self, pattern: PathPattern) -> PatternId {
                self.register_all(pattern)
            }
            fn purge(&self, purge: &Purge) -> Option<Walk> {
                self.$($to)+.purge(purge)
            }
            fn standing(&self, birth: u64, path: &str, labels: &[Label]) -> Option<bool> {
                self.$($to)+.standing(birth, path, labels)
            }
            fn resolve(&self, walk: &mut Walk, max_steps: usize) -> bool {
                self.$($to)+.resolve(walk, max_steps)
            }
            fn sweep(&self, max_steps: usize, now: Timestamp) -> usize {
                self.$($to)+.sweep(max_steps, now)
            }
            fn page(&self, cursor: Cursor, max_entries: usize) -> Page<u64> {
                self.$($to)+.page(cursor, max_entries)
            }
            fn clear(&self) {
                self.$($to)+.clear();
            }
            fn close(&self) {
                self.close_all();
            }
            fn len(&self) -> usize {
                self.$($to)+.len()
            }
            fn bytes(&self) -> usize {
                self.$($to)+.bytes()
            }
            fn counters(&self) -> Counters {
                self.$($to)+.counters()
            }
            fn elsewhere(&self) -> Option<&dyn Elsewhere> {
                self.$($to)+.elsewhere()
            }
        }
    };
}

impl Temporary {
    fn register_all(&self, pattern: PathPattern) -> PatternId {
        self.store.register(pattern)
    }

    fn close_all(&self) {
        self.store.close();
    }
}

impl Pair {
    fn register_all(&self, pattern: PathPattern) -> PatternId {
        let id = self.first.register(pattern.clone());
        assert_eq!(id, self.second.register(pattern));
        id
    }

    fn close_all(&self) {
        self.first.close();
        self.second.close();
    }
}

pass_on!(Temporary, store);
pass_on!(Pair, next());

#[test]
fn the_shared_store_passes() {
    contract::check_local_store(|limits| temporary(options(limits)));
}

#[test]
fn it_passes_with_nothing_near() {
    contract::check_local_store(|limits| {
        temporary(Options {
            near: Limits {
                max_entries: 1,
                max_bytes: 0,
            },
            ..options(limits)
        })
    });
}

#[test]
fn two_processes_pass_as_one_store() {
    // A pattern that only the host can run, made up in one process, drops everything in another that does not know it.
    contract::check_forgetful_store(Pair::new);
}

#[test]
fn a_forgetful_one_passes_as_one() {
    let seed = AtomicU64::new(1);
    contract::check_forgetful_store(|limits| {
        let seed = seed.fetch_add(1, Ordering::Relaxed);
        Forgetful::new(temporary(options(limits)), seed, 5)
    });
}

#[test]
fn drops_win_over_fills_for_long() {
    let store = temporary(options(support::LIMITS));
    contract::drops_win_over_fills(&store, 2_000);
    assert_eq!(store.store.counters().drops, 2_000);
}
