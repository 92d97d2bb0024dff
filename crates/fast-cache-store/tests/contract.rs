//! Every store of this crate, put through the contract.

use fast_cache_store::fault::Forgetful;
use fast_cache_store::{Limits, LocalStore, MemoryStore, contract};
use std::sync::atomic::{AtomicU64, Ordering};

#[test]
fn the_memory_store_passes() {
    contract::check_local_store(MemoryStore::new);
}

#[test]
fn a_forgetful_store_passes_as_one() {
    let seed = AtomicU64::new(1);
    contract::check_forgetful_store(|limits: Limits| {
        Forgetful::new(
            MemoryStore::new(limits),
            seed.fetch_add(1, Ordering::Relaxed),
            5,
        )
    });
}

#[test]
#[should_panic(expected = "it was put")]
fn a_forgetful_store_does_not_pass_as_one_that_keeps() {
    contract::check_local_store(|limits: Limits| Forgetful::new(MemoryStore::new(limits), 7, 2));
}

#[test]
fn drops_win_over_fills_for_long() {
    let store = MemoryStore::new(Limits {
        max_entries: 100_000,
        max_bytes: 64 << 20,
    });
    contract::drops_win_over_fills(&store, 50_000);
    assert_eq!(LocalStore::<u64>::counters(&store).drops, 50_000);
}
