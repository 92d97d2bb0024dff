//! Drops against fills, on real threads.

use super::{key, response};
use crate::entry::Content;
use crate::local::{LocalStore, Put};
use fast_cache_core::purge::{Label, PathPattern, Purge};
use std::sync::atomic::{AtomicU64, Ordering};

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
    let mut labels = vec![Label::tag("race")];
    assert!(Label::subtrees("/race/1", &mut labels).is_ok());

    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while dropped.load(Ordering::SeqCst) < writes {
                    let birth = store.birth();
                    let content = Content::Response(response(database.load(Ordering::SeqCst)));
                    let path = "/race/1";
                    let _ = store.put(Put {
                        key: key(path),
                        birth,
                        path,
                        labels: &labels,
                        content,
                        weight: 0,
                    });
                }
            });
        }
        scope.spawn(|| {
            loop {
                let at_least = dropped.load(Ordering::SeqCst);
                if let Some(found) = store.get(key("/race/1").borrow()) {
                    let number = found
                        .entry
                        .response()
                        .map_or(u64::MAX, |stored| stored.representation);
                    assert!(
                        number >= at_least,
                        "found {number} after the drop that followed write {at_least}"
                    );
                }
                if at_least >= writes {
                    break;
                }
            }
        });
        for (number, drop) in (1..=writes).zip(drops.iter().cycle()) {
            database.store(number, Ordering::SeqCst);
            store.purge(drop);
            dropped.store(number, Ordering::SeqCst);
        }
    });
}
