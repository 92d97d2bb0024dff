//! A store that forgets, for tests of whatever stands on a store.

use crate::elsewhere::Elsewhere;
use crate::local::{Counters, Cursor, Found, LocalStore, Page, Put, Walk};
use fast_cache_core::key::KeyRef;
use fast_cache_core::purge::{Label, PathPattern, PatternId, Purge};
use fast_cache_core::reason::Reason;
use fast_cache_core::time::Timestamp;
use std::sync::atomic::{AtomicU64, Ordering};

/// A store that, now and then, does not find what is there, removes it, loses what is put, or refuses it.
///
/// The same seed and the same calls in the same order give the same faults. It passes the
/// [`contract`](crate::contract) as a store that may forget.
#[derive(Debug)]
pub struct Forgetful<S> {
    inner: S,
    state: AtomicU64,
    one_in: u64,
}

impl<S> Forgetful<S> {
    /// A store over `inner` at which about one call in `one_in` (at least 1) goes wrong.
    pub fn new(inner: S, seed: u64, one_in: u64) -> Self {
        Self {
            inner,
            state: AtomicU64::new(seed),
            one_in: one_in.max(1),
        }
    }

    /// The store underneath.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// A draw: `Some` with a few random bits where the call is to go wrong.
    fn fault(&self) -> Option<u64> {
        let mut mixed = self
            .state
            .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        mixed.is_multiple_of(self.one_in).then_some(mixed >> 32)
    }
}

impl<R, S: LocalStore<R>> LocalStore<R> for Forgetful<S> {
    fn birth(&self) -> u64 {
        self.inner.birth()
    }

    fn get(&self, key: KeyRef<'_>) -> Option<Found<R>> {
        match self.fault() {
            None => self.inner.get(key),
            Some(draw) => {
                if draw % 2 == 0 {
                    self.inner.remove(key);
                }
                None
            }
        }
    }

    fn put(&self, put: Put<'_, R>) -> Result<(), Reason> {
        match self.fault() {
            None => self.inner.put(put),
            Some(draw) => {
                self.inner.remove(put.key.borrow());
                if draw % 2 == 0 {
                    Err(Reason::StoreFailed)
                } else {
                    Ok(())
                }
            }
        }
    }

    fn remove(&self, key: KeyRef<'_>) -> bool {
        self.inner.remove(key)
    }

    fn register(&self, pattern: PathPattern) -> PatternId {
        self.inner.register(pattern)
    }

    fn purge(&self, purge: &Purge) -> Option<Walk> {
        self.inner.purge(purge)
    }

    fn standing(&self, birth: u64, path: &str, labels: &[Label]) -> Option<bool> {
        self.inner.standing(birth, path, labels)
    }

    fn resolve(&self, walk: &mut Walk, max_steps: usize) -> bool {
        self.inner.resolve(walk, max_steps)
    }

    fn sweep(&self, max_steps: usize, now: Timestamp) -> usize {
        self.inner.sweep(max_steps, now)
    }

    fn page(&self, cursor: Cursor, max_entries: usize) -> Page<R> {
        self.inner.page(cursor, max_entries)
    }

    fn clear(&self) {
        self.inner.clear();
    }

    fn close(&self) {
        self.inner.close();
    }

    fn len(&self) -> usize {
        self.inner.len()
    }

    fn bytes(&self) -> usize {
        self.inner.bytes()
    }

    fn counters(&self) -> Counters {
        self.inner.counters()
    }

    fn elsewhere(&self) -> Option<&dyn Elsewhere> {
        self.inner.elsewhere()
    }
}
