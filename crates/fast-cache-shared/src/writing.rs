//! What writes: answers, removals and drops.

use crate::core::Core;
use crate::drops;
use crate::entries::{self, Head, Incoming, Outcome};
use crate::eviction;
use crate::lmdb::Result as Lmdb;
use crate::map::Map;
use crate::words::Counter;
use fast_cache_core::key::KeyRef;
use fast_cache_core::purge::Cover;
use fast_cache_core::reason::Reason;
use fast_cache_store::codec::{self, Portable};
use fast_cache_store::{LocalStore, Put};

/// Entries that are evicted where the map has no page left, before it is tried once more.
const EVICTED_WHEN_FULL: usize = 64;

impl<R: Portable> Core<R> {
    /// Stores an answer, in the map and near.
    pub(crate) fn put(&self, mut put: Put<'_, R>) -> Result<(), Reason> {
        let words = self.caught_up().ok_or(Reason::StoreFailed)?;
        let map = self.map().ok_or(Reason::StoreFailed)?;
        let most = map.limits.max_bytes as u64;
        if put.weight as u64 > most {
            return Err(Reason::TooLarge);
        }
        put.birth = put.birth.min(self.near.birth());
        let frame = codec::encode(&put)?;
        let cost = entries::cost(map.page_size(), frame.len(), put.weight);
        if cost > most {
            return Err(Reason::TooLarge);
        }
        let digest = put.key.borrow().digest;
        let head = Head::of(&put, cost);
        let judged = self.near.judge(put)?;
        let found = judged.found();
        let incoming = Incoming {
            digest,
            key: found.entry.key(),
            frame: &frame,
            head,
        };
        let now = (self.options.now)();
        let epoch = words.epoch();
        let store = || {
            entries::store(&map, &incoming, now, |head, frame| {
                !frame.is_response()
                    || !self
                        .near
                        .covers(head.birth, frame.path, &frame.labels(), false)
            })
        };
        let mut outcome = store();
        if matches!(outcome, Err(error) if error.is_map_full()) {
            outcome = make_room(&map).and_then(|()| store());
        }
        match outcome {
            Ok(Outcome::Stored { changed }) => {
                self.recovered();
                let mut expected = epoch;
                if changed {
                    words.advance_epoch();
                    expected += 1;
                }
                self.near.keep_near(&judged);
                if words.epoch() != expected {
                    // Somebody may have replaced it already.
                    self.near.forget_digest(digest);
                }
                Ok(())
            }
            Ok(Outcome::Outranked) => Ok(()),
            Ok(Outcome::NoRoom) => Err(Reason::StoreFailed),
            Err(error) => {
                self.failed(error);
                Err(Reason::StoreFailed)
            }
        }
    }

    /// Removes what is stored under a key; whether there was anything.
    pub(crate) fn remove(&self, key: KeyRef<'_>) -> bool {
        let Some(words) = self.caught_up() else {
            return false;
        };
        let near = self.near.remove(key);
        let removed = self
            .map()
            .and_then(|map| self.or_trouble(entries::remove(&map, key.digest, key.bytes)))
            .unwrap_or(false);
        if removed {
            words.advance_epoch();
            // A lookup may have taken it in since.
            self.near.remove(key);
        }
        near || removed
    }

    /// Drops, and gives the room back if `clear`; whether a walk is needed.
    pub(crate) fn drop_covers(&self, covers: &[Cover], soft: bool, clear: bool) -> bool {
        if covers.is_empty() {
            return false;
        }
        for cover in covers {
            if let Cover::Path(pattern) = cover {
                self.know(pattern);
            }
        }
        let covers: Vec<_> = covers
            .iter()
            .map(|cover| match cover {
                Cover::Everything => None,
                cover => {
                    let bytes = codec::encode_cover(cover, |id| self.near.pattern(id));
                    // What cannot be said is everything.
                    (bytes != codec::encode_cover(&Cover::Everything, |_| None)).then_some(bytes)
                }
            })
            .collect();
        let Some(map) = self.map_to_drop_in() else {
            return false;
        };
        if let Err(error) = self.drop_in(&map, &covers, soft, clear) {
            self.failed(error);
        }
        self.catch_up(true).unwrap_or(false)
    }

    /// Drops in the map, `None` being everything, and tells everybody. Where that fails, everything is dropped.
    pub(crate) fn drop_in(
        &self,
        map: &Map,
        covers: &[Option<Vec<u8>>],
        soft: bool,
        clear: bool,
    ) -> Lmdb<()> {
        let mut written = write_drop(map, covers, soft, clear);
        if matches!(written, Err(error) if error.is_map_full()) {
            written = make_room(map).and_then(|()| write_drop(map, covers, soft, clear));
        }
        if written.is_err() {
            // The drop must hold all the same: everything is dropped, by words that need no room.
            drop_by_words(map, soft, self.near.birth());
        }
        map.words.count(Counter::Drops, 1);
        map.words.advance_epoch();
        written
    }
}

fn write_drop(map: &Map, covers: &[Option<Vec<u8>>], soft: bool, clear: bool) -> Lmdb<()> {
    let mut txn = map.write()?;
    let mut meta = map.meta(&txn)?;
    for cover in covers {
        match cover {
            Some(cover) => drops::append(map, &mut txn, &mut meta, cover, soft)?,
            None => drops::append_everything(map, &mut txn, &mut meta, soft)?,
        }
    }
    if clear {
        txn.empty(map.db.entries)?;
        txn.empty(map.db.queue)?;
        meta.entries = 0;
        meta.bytes = 0;
        meta.trial_bytes = 0;
        meta.orphans = 0;
    }
    map.set_meta(&mut txn, &meta)?;
    txn.commit()
}

/// Drops everything without writing to the map. The lock for writing is taken all the same: generations are given out
/// under it.
fn drop_by_words(map: &Map, soft: bool, known: u64) {
    let txn = map.write();
    let meta = txn.as_ref().ok().and_then(|txn| map.meta(txn).ok());
    let clock = meta.map_or(0, |meta| meta.clock);
    let generation = clock.max(map.words.clock()).max(known) + 1;
    match txn {
        Ok(_) => map.words.raise_floor(generation, soft),
        // Without the lock, far ahead of what somebody may be giving out just now, and hard, as that may be.
        Err(_) => map.words.raise_floor(generation + (1 << 20), false),
    }
}

/// Evicts a few entries, for pages.
fn make_room(map: &Map) -> Lmdb<()> {
    let mut txn = map.write()?;
    let mut meta = map.meta(&txn)?;
    let mut evicted = 0;
    while evicted < EVICTED_WHEN_FULL && eviction::evict(map, &mut txn, &mut meta)? {
        evicted += 1;
    }
    map.set_meta(&mut txn, &meta)?;
    txn.commit()?;
    map.words.count(Counter::Evictions, evicted as u64);
    Ok(())
}
