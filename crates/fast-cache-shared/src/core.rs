//! One process's side of the store: its near tier, the map once it is open, and what keeps the two together.

use crate::changes;
use crate::drops::{self, Logged};
use crate::entries;
use crate::forks;
use crate::lmdb::{Error, Result, Txn};
use crate::options::Options;
use crate::registry::MapUse;
use crate::watcher::Watcher;
use crate::words::{Lookup, Words};
use fast_cache_core::key::KeyRef;
use fast_cache_core::purge::{Cover, PathPattern, PatternId};
use fast_cache_core::time::Timestamp;
use fast_cache_store::codec::{self, Portable};
use fast_cache_store::{Found, LocalStore, MemoryStore};
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How long nothing is tried after the map could not be opened.
const PATIENCE: Duration = Duration::from_secs(10);

/// Host patterns that are remembered beside the registered ones.
const MOST_HOSTS: usize = 4096;

/// One process's side of the store.
pub(crate) struct Core<R> {
    pub(crate) options: Arc<Options>,
    pub(crate) near: MemoryStore<R>,
    pub(crate) watcher: Arc<Watcher>,
    /// Where the next sweep goes on.
    pub(crate) sweep_at: Mutex<u128>,
    pub(crate) sweeping: AtomicBool,
    pub(crate) trouble: Mutex<Option<String>>,
    folder: PathBuf,
    forks: u32,
    /// The registered patterns, in the order of their ids.
    patterns: Mutex<Vec<PathPattern>>,
    hosts: Mutex<HashMap<Box<str>, PathPattern>>,
    /// Closed, or damaged: nothing is found and nothing is stored.
    off: AtomicBool,
    /// Something was dropped while there was no map: everything goes once there is one.
    owed: AtomicBool,
    slot: RwLock<Slot>,
    /// Those of the first map that was opened; there is no second one.
    words: OnceLock<Arc<Words>>,
    /// The epoch up to which everything was caught up with, plus one; zero before the first time.
    seen: AtomicU64,
    /// The number of the last change that was caught up with. Locked while drops are replayed: when a thread finds a
    /// drop done, it is done.
    seen_changes: Mutex<u64>,
}

enum Slot {
    Unopened,
    Open(Arc<MapUse>),
    Failed(Timestamp),
    Closed,
}

impl<R: Portable> Core<R> {
    pub(crate) fn new(folder: &Path, options: Arc<Options>) -> Self {
        forks::watch();
        Self {
            near: MemoryStore::replica(options.near, options.limits.max_bytes),
            options,
            watcher: Arc::default(),
            sweep_at: Mutex::new(0),
            sweeping: AtomicBool::new(false),
            trouble: Mutex::new(None),
            folder: folder.to_owned(),
            forks: forks::count(),
            patterns: Mutex::default(),
            hosts: Mutex::default(),
            off: AtomicBool::new(false),
            owed: AtomicBool::new(false),
            slot: RwLock::new(Slot::Unopened),
            words: OnceLock::new(),
            seen: AtomicU64::new(0),
            seen_changes: Mutex::new(0),
        }
    }

    /// The same in the child of a fork: nothing that is open or locked is taken over.
    pub(crate) fn after_fork(&self) -> Self {
        let new = Self::new(&self.folder, Arc::clone(&self.options));
        new.off
            .store(self.off.load(Ordering::Relaxed), Ordering::Relaxed);
        new.owed
            .store(self.owed.load(Ordering::Relaxed), Ordering::Relaxed);
        // Another thread of the parent may have been registering: ids it gave then drop everything.
        if let Some(patterns) = self.patterns.try_lock() {
            for pattern in patterns.iter() {
                new.register(pattern);
            }
        }
        new
    }

    /// Whether this was made in this process, and not in its parent.
    #[inline]
    pub(crate) fn is_of_this_process(&self) -> bool {
        self.forks == forks::count()
    }

    pub(crate) fn is_off(&self) -> bool {
        self.off.load(Ordering::SeqCst)
    }

    pub(crate) fn register(&self, pattern: &PathPattern) -> PatternId {
        let mut patterns = self.patterns.lock();
        let id = self.near.register(pattern.clone());
        if id.get() as usize == patterns.len() {
            patterns.push(pattern.clone());
        }
        drop(patterns);
        self.know(pattern);
        id
    }

    /// Remembers a pattern that only the host can run, for when its drop comes back by the log.
    pub(crate) fn know(&self, pattern: &PathPattern) {
        if let PathPattern::Host(host) = pattern {
            let mut hosts = self.hosts.lock();
            if hosts.len() < MOST_HOSTS {
                hosts.insert(host.identity().into(), pattern.clone());
            }
        }
    }

    pub(crate) fn close(&self) {
        self.off.store(true, Ordering::SeqCst);
        self.near.close();
        *self.slot.write() = Slot::Closed;
    }

    /// The map, which is opened if it was not yet.
    pub(crate) fn map(&self) -> Option<Arc<MapUse>> {
        match &*self.slot.read() {
            Slot::Open(map) => return Some(Arc::clone(map)),
            Slot::Closed => return None,
            Slot::Failed(_) | Slot::Unopened => (),
        }
        let now = (self.options.now)();
        let mut slot = self.slot.write();
        match &*slot {
            Slot::Open(map) => return Some(Arc::clone(map)),
            Slot::Closed => return None,
            // A clock that went back does not keep it shut.
            Slot::Failed(at) if now >= *at && now.since(*at) < PATIENCE => return None,
            Slot::Failed(_) | Slot::Unopened => (),
        }
        match MapUse::open(&self.folder, self.options.limits) {
            Ok(map) => {
                let map = Arc::new(map);
                let _ = self.words.set(Arc::clone(&map.words));
                // Before anybody else may use it.
                let owed = self.owed.swap(false, Ordering::SeqCst);
                let dropped = owed.then(|| self.drop_in(&map, &[None], false, false));
                *slot = Slot::Open(Arc::clone(&map));
                drop(slot);
                self.recovered();
                if let Some(Err(error)) = dropped {
                    self.failed(error);
                }
                if map.limits != self.options.limits {
                    (self.options.warn)(&format!(
                        "{} was made with other limits, and is in use: they stay",
                        self.folder.display()
                    ));
                }
                Some(map)
            }
            Err(words) => {
                *slot = Slot::Failed(now);
                drop(slot);
                self.in_trouble(&words);
                None
            }
        }
    }

    /// The map for a drop. Where there is none, the drop is owed to the one that there will be.
    pub(crate) fn map_to_drop_in(&self) -> Option<Arc<MapUse>> {
        if let Some(map) = self.map() {
            return Some(map);
        }
        self.owed.store(true, Ordering::SeqCst);
        // It may have been opened since.
        match &*self.slot.read() {
            Slot::Open(map) => Some(Arc::clone(map)),
            _ => None,
        }
    }

    /// Notes trouble, and warns of it unless there was some already.
    pub(crate) fn in_trouble(&self, words: &str) {
        let before = self.trouble.lock().replace(words.to_owned());
        if before.is_none() {
            (self.options.warn)(words);
        }
    }

    pub(crate) fn recovered(&self) {
        let mut trouble = self.trouble.lock();
        if trouble.is_some() && !self.is_off() {
            *trouble = None;
        }
    }

    /// Notes what LMDB says. A map that is damaged is not used again in this process.
    pub(crate) fn failed(&self, error: Error) {
        if error.is_damage() {
            self.off.store(true, Ordering::SeqCst);
            if let Some(words) = self.words.get() {
                words.condemn();
            }
            // When nobody uses it any more, whoever opens it next makes it anew.
            *self.slot.write() = Slot::Closed;
        }
        self.in_trouble(&format!("{}: {error}", self.folder.display()));
    }

    /// The result, if it is one.
    pub(crate) fn or_trouble<T>(&self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.failed(error)).ok()
    }

    /// The words, with everything in the near tier that the others did so far. `None` where that cannot be had, and
    /// nothing may be found.
    #[inline]
    pub(crate) fn caught_up(&self) -> Option<&Arc<Words>> {
        if let Some(words) = self.words.get()
            && self.seen.load(Ordering::Acquire) == words.epoch() + 1
            && !self.is_off()
        {
            return Some(words);
        }
        self.catch_up(true)?;
        self.words.get()
    }

    /// Does in the near tier what the others did; whether a walk is needed. Without `run_host`, nothing is done where
    /// that takes a pattern that only the host can make.
    #[cold]
    pub(crate) fn catch_up(&self, run_host: bool) -> Option<bool> {
        if self.is_off() {
            return None;
        }
        let map = self.map()?;
        // The epoch first: what is read then is as new, or newer.
        let epoch = map.words.epoch();
        let seen_changes = *self.seen_changes.lock();
        let read = || -> Result<_> {
            let txn = map.read()?;
            let meta = map.meta(&txn)?;
            let drops = drops::since(&map, &txn, &meta, self.near.birth())?;
            let changes = changes::since(&map, &txn, &meta, seen_changes)?;
            Ok((meta, drops, changes))
        };
        let (meta, drops, changes) = self.or_trouble(read())?;
        let drops = drops.into_iter().map(|drop| self.decode(drop, run_host));
        let drops = drops.collect::<Option<Vec<_>>>()?;
        match changes {
            Some(digests) => digests.into_iter().for_each(|digest| {
                self.near.forget_digest(digest);
            }),
            None => self.near.forget(),
        }
        let mut walk = false;
        let mut seen_changes = self.seen_changes.lock();
        for (cover, soft, generation) in &drops {
            walk |= self.near.replay(cover, *soft, *generation).is_some();
        }
        *seen_changes = meta.changes.max(*seen_changes);
        self.seen.fetch_max(epoch + 1, Ordering::AcqRel);
        Some(walk)
    }

    fn decode(&self, drop: Logged, run_host: bool) -> Option<(Cover, bool, u64)> {
        let mut may = true;
        let cover = drop.cover.map_or(Cover::Everything, |bytes| {
            codec::decode_cover(&bytes, |identity| {
                let known = self.hosts.lock().get(identity).cloned();
                may = known.is_some() || run_host;
                known.or_else(|| may.then(|| (self.options.host_pattern)(identity)).flatten())
            })
        });
        may.then_some((cover, drop.soft, drop.generation))
    }

    /// What is stored under a key.
    pub(crate) fn get(&self, key: KeyRef<'_>) -> Option<Found<R>> {
        let words = self.caught_up()?;
        let (found, lookup) = self.look(words, key);
        words.looked_up(lookup);
        if found.is_some() {
            let visited = words.visited(key.digest);
            if visited.load(Ordering::Relaxed) == 0 {
                visited.store(1, Ordering::Relaxed);
            }
        }
        found
    }

    /// The same, without a trace.
    pub(crate) fn look(&self, words: &Words, key: KeyRef<'_>) -> (Option<Found<R>>, Lookup) {
        let near = self.near.get(key);
        if near.as_ref().is_some_and(|found| self.is_fresh(found)) {
            return (near, Lookup::Near);
        }
        // Another process may have made it anew.
        match self.far(words, key, near.as_ref()) {
            Some(found) => (Some(found), Lookup::Far),
            None if near.is_some() => (near, Lookup::Near),
            None => (None, Lookup::Missed),
        }
    }

    /// Whether what was found needs no look at what others may have stored since.
    fn is_fresh(&self, found: &Found<R>) -> bool {
        match found.entry.response() {
            Some(stored) => {
                !found.soft && (self.options.now)() < stored.made().plus(stored.lifetime)
            }
            None => true,
        }
    }

    /// Whether what was found can answer, as far as a store can tell.
    pub(crate) fn answers(&self, found: &Found<R>) -> bool {
        self.is_fresh(found)
            && found
                .entry
                .response()
                .is_none_or(|stored| !stored.traits.always_validate)
    }

    /// What the map has under a key, where that is not what is near.
    fn far(&self, words: &Words, key: KeyRef<'_>, near: Option<&Found<R>>) -> Option<Found<R>> {
        let epoch = self.seen.load(Ordering::Acquire);
        let map = self.map()?;
        let txn = self.or_trouble(map.read())?;
        let found = self.read_in(&map, &txn, key, near)?;
        drop(txn);
        if words.epoch() + 1 != epoch {
            // Somebody may have replaced it, in a change that was caught up with before this was near.
            self.near.forget_digest(key.digest);
        }
        Some(found)
    }

    fn read_in(
        &self,
        map: &MapUse,
        txn: &Txn<'_>,
        key: KeyRef<'_>,
        near: Option<&Found<R>>,
    ) -> Option<Found<R>> {
        let (head, frame) = self.or_trouble(entries::find(map, txn, key.digest))??;
        let is_near = near
            .and_then(|near| Some((near.entry.birth(), near.entry.response()?)))
            .is_some_and(|(birth, stored)| {
                birth == head.birth
                    && stored.made().plus(stored.lifetime).micros() == head.fresh_until
            });
        if is_near {
            return None;
        }
        let frame = codec::decode(frame).filter(|frame| frame.key == key.bytes)?;
        let labels = frame.labels();
        self.near.take_in(frame.to_put(key.digest, &labels)?).ok()
    }
}
