//! What a thread keeps from one request to the next.

use super::recent::Recent;
use super::values::Hits;
use std::cell::RefCell;

thread_local! {
    static MEMO: RefCell<Memo> = const { RefCell::new(Memo::new()) };
}

/// What a thread keeps.
pub(super) struct Memo {
    /// Where keys are built.
    pub(super) buffer: Vec<u8>,
    pub(super) recent: Recent,
    pub(super) hits: Hits,
}

impl Memo {
    /// Calls `use_it` with that of this thread.
    pub(super) fn with<T>(use_it: impl FnOnce(&mut Self) -> T) -> T {
        MEMO.with(|memo| match memo.try_borrow_mut() {
            Ok(mut memo) => use_it(&mut memo),
            // A store that asks the cache in turn.
            Err(_) => use_it(&mut Self::new()),
        })
    }

    const fn new() -> Self {
        Self {
            buffer: Vec::new(),
            recent: Recent::new(),
            hits: Hits::new(),
        }
    }
}
