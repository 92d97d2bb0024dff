//! What a store, a storage or a hook has found.

use crate::lines::{HeaderLines, as_bytes};
use crate::metadata;
use crate::representation::{Representation, kept_lines};
use crate::store::HostStore;
use fast_cache_core::key::Key;
use fast_cache_core::rules::storing::announced_length;
use fast_cache_core::stored::{Stored, StoredTag, Traits};
use fast_cache_core::time::Timestamp;
use fast_cache_store::{Entry, LocalStore};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::Arc;
use std::time::Duration;

/// A stored response, and whether a drop has marked it stale.
pub(super) enum FoundResponse {
    Entry(Arc<Entry<Representation>>, bool),
    Restored(Box<Stored<Representation>>, bool),
}

impl FoundResponse {
    pub(super) fn stored(&self) -> Option<(&Stored<Representation>, bool)> {
        match self {
            Self::Entry(entry, soft) => Some((entry.response()?, *soft)),
            Self::Restored(stored, soft) => Some((stored, *soft)),
        }
    }

    /// What a custom storage returned for `key`; `None` where it is foreign, damaged, or covered by a drop.
    pub(super) fn restored(
        store: &HostStore,
        key: &Key,
        status: u16,
        headers: &Bound<'_, PyAny>,
        body: &Bound<'_, PyAny>,
        kept: &Bound<'_, PyDict>,
    ) -> Option<Self> {
        let (representation, body_length) = represent(headers, body)?;
        let read = metadata::read(kept)?;
        if read.key != key.borrow().bytes
            || read.body_length != body_length
            || read.status != status
        {
            return None;
        }
        let birth = if read.epoch == metadata::epoch() {
            read.birth
        } else {
            0
        };
        let soft = store.store.standing(birth, &read.path, &read.labels)?;
        Some(Self::Restored(Box::new(read.stored(representation)), soft))
    }

    /// What a hook of the author's returned, on the author's word: it is fresh at `now`.
    pub(super) fn trusted(
        now: Timestamp,
        status: u16,
        headers: &Bound<'_, PyAny>,
        body: &Bound<'_, PyAny>,
    ) -> Option<Self> {
        let (representation, body_length) = represent(headers, body)?;
        let stored = Stored {
            received: now,
            initial_age: 0,
            took: 0,
            lifetime: Duration::MAX,
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            status,
            traits: Traits {
                shared_with_credentials: true,
                must_revalidate: false,
                always_validate: false,
            },
            etag: StoredTag::None,
            last_modified: None,
            body_length,
            representation,
        };
        Some(Self::Restored(Box::new(stored), false))
    }
}

/// Lines and body as Python gave them, with the body's length; `None` where the lines announce another one, with which a
/// server would end the body too soon or wait for more.
fn represent(headers: &Bound<'_, PyAny>, body: &Bound<'_, PyAny>) -> Option<(Representation, u64)> {
    let (headers, body) = (HeaderLines::from_any(headers)?, as_bytes(body)?);
    let (given, length) = (headers.lines(), body.as_bytes().len() as u64);
    if announced_length(&given)
        .ok()?
        .is_some_and(|announced| announced != length)
    {
        return None;
    }
    let (lines, _) = kept_lines(body.py(), headers.pairs(), &given, None).ok()?;
    let representation = Representation::new(lines.unbind(), body.unbind(), None, 0);
    Some((representation, length))
}
