//! Judging an answer that is kept elsewhere by this store's drops.

use super::MemoryStore;
use crate::entry::{Content, Entry};
use crate::generations::Verdict;
use crate::local::Put;
use fast_cache_core::key::Key;
use fast_cache_core::purge::Label;
use fast_cache_core::stored::{Stored, StoredTag, Traits};
use fast_cache_core::time::Timestamp;
use std::time::Duration;

impl<R: Send + Sync> MemoryStore<R> {
    pub(super) fn stands(&self, birth: u64, path: &str, labels: &[Label]) -> Option<bool> {
        let (patterns, seen) = self.generations.matching(path);
        let put = Put {
            key: Key::new(0, Box::new([])),
            birth,
            path,
            labels,
            content: Content::Response(bodiless()),
            weight: 0,
        };
        let entry = Entry::new(put, &patterns, seen).ok()?;
        match self.generations.settle(&entry) {
            Verdict::Alive { soft } => Some(soft),
            Verdict::Unresolved | Verdict::Dead => None,
        }
    }
}

fn bodiless() -> Stored<()> {
    Stored {
        received: Timestamp::default(),
        initial_age: 0,
        took: 0,
        lifetime: Duration::ZERO,
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        status: 200,
        traits: Traits::default(),
        etag: StoredTag::None,
        last_modified: None,
        body_length: 0,
        representation: (),
    }
}
