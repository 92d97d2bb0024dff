//! Drops against fills, on real threads.

use super::{key, response};
use crate::entry::Content;
use crate::local::{LocalStore, Put};
use fast_cache_core::purge::{Label, PathPattern, Purge};
use std::sync::atomic::{AtomicU64, Ordering};

/// Entries that are filled and looked up.
const ENTRIES: usize = 16;

/// How often a reader looks at one entry before it goes on to the next.
const LOOKS: usize = 32;

/// How many lookups the writer makes between two drops, at most.
const PACE: u64 = 64;

/// Checks that a lookup after a drop never finds what the drop covers.
///
/// One thread writes to a database of one number and drops after each write, by every kind of drop in turn; others
/// fill the cache from the database, as a handler would, and look up. What a lookup finds must be at least as new as
/// the last write whose drop had returned when the lookup began.
///
/// # Panics
///
/// Where a lookup finds an older answer.
pub fn drops_win_over_fills<S: LocalStore<u64>>(store: &S, writes: u64) {
    let database = AtomicU64::new(0);
    let dropped = AtomicU64::new(0);
    let registered = store.register(PathPattern::glob("/race/*"));
    let drops = [
        Purge::tag("race"),
        Purge::registered(registered),
        Purge::path(PathPattern::prefix("/race")),
        Purge::subtree("/race"),
        Purge::everything(),
    ];
    let paths: Vec<_> = (0..ENTRIES)
        .map(|number| format!("/race/{number}"))
        .collect();
    let mut labels = vec![Label::tag("race")];
    assert!(Label::subtrees("/race/1", &mut labels).is_ok());

    std::thread::scope(|scope| {
        scope.spawn(|| {
            for path in paths.iter().cycle() {
                if dropped.load(Ordering::SeqCst) >= writes {
                    break;
                }
                let birth = store.birth();
                let content = Content::Response(response(database.load(Ordering::SeqCst)));
                let put = Put {
                    key: key(path),
                    birth,
                    path,
                    labels: &labels,
                    content,
                    weight: 0,
                };
                let _ = store.put(put);
            }
        });
        for _ in 0..2 {
            scope.spawn(|| {
                // Many looks at one entry, so that some fall before, into and after one drop.
                for lookup in paths.iter().map(|path| key(path)).cycle() {
                    for _ in 0..LOOKS {
                        let at_least = dropped.load(Ordering::SeqCst);
                        let found = store.get(lookup.borrow());
                        let response = found.as_ref().and_then(|found| found.entry.response());
                        if let Some(number) = response.map(|stored| stored.representation) {
                            assert!(
                                number >= at_least,
                                "found {number} after the drop that followed write {at_least}"
                            );
                        }
                    }
                    if dropped.load(Ordering::SeqCst) >= writes {
                        break;
                    }
                }
            });
        }
        for (number, drop) in (1..=writes).zip(drops.iter().cycle()) {
            database.store(number, Ordering::SeqCst);
            store.purge(drop);
            dropped.store(number, Ordering::SeqCst);
            // Let there be something to drop again, without waiting for a store that forgets.
            for _ in 0..number % PACE {
                std::hint::black_box(store.get(key(&paths[0]).borrow()));
            }
        }
    });
}
