//! The store: what a lookup, an answer and a drop do, over near tier and map.

use crate::SECRET;
use crate::core::Core;
use crate::directory;
use crate::entries;
use crate::error::OpenError;
use crate::inquiry::Inquiring;
use crate::lmdb::Result as Lmdb;
use crate::lookups::Lookups;
use crate::options::Options;
use crate::secret;
use fast_cache_core::key::{Key, KeyRef};
use fast_cache_core::purge::{Cover, Label, PathPattern, PatternId, Purge};
use fast_cache_core::reason::Reason;
use fast_cache_core::time::Timestamp;
use fast_cache_store::codec::{self, Portable};
use fast_cache_store::{
    Counters, Cursor, Elsewhere, Found, Inquiry, LocalStore, Page, Put, Settling, Walk,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;

/// A store that all processes of one machine share, by a folder.
pub struct SharedStore<R> {
    folder: PathBuf,
    secret: [u8; SECRET],
    /// From a box: this process's side, or that of a parent from before a fork.
    current: AtomicPtr<Arc<Core<R>>>,
}

impl<R: Portable> SharedStore<R> {
    /// A store in a folder, which is made for its owner alone where it is not there. The map is opened when it is first
    /// used, in each process anew.
    ///
    /// # Errors
    ///
    /// [`OpenError::Refused`] where the folder belongs to another user, may be written to by others, or lies on a network
    /// file system. Everything else that may go wrong is a miss, and shows in [`Self::trouble`].
    pub fn open(folder: &Path, options: Options) -> Result<Self, OpenError> {
        let options = Arc::new(options);
        let (folder, trouble) = match directory::prepare(folder) {
            Ok(folder) => (folder, None),
            Err(OpenError::Failed(words)) => (folder.to_owned(), Some(words)),
            Err(refused) => return Err(refused),
        };
        let core = Core::new(&folder, options);
        if let Some(words) = trouble {
            core.in_trouble(&words);
        }
        let secret = secret::read_or_make(&folder).or_else(|error| {
            core.in_trouble(&format!("{}: {error}", folder.join("secret").display()));
            // This process's keys are then nobody else's.
            secret::random()
        });
        let secret = secret.map_err(|error| OpenError::Failed(error.to_string()))?;
        Ok(Self {
            folder,
            secret,
            current: AtomicPtr::new(Box::into_raw(Box::new(Arc::new(core)))),
        })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What keys and credentials are to be hashed with, the same in all processes that share the folder.
    pub fn secret(&self) -> &[u8; SECRET] {
        &self.secret
    }

    /// What keeps the store from working, in a sentence.
    pub fn trouble(&self) -> Option<String> {
        self.core().trouble.lock().clone()
    }

    /// What lookups came to, over all processes, since the folder was made.
    pub fn lookups(&self) -> Lookups {
        self.core()
            .caught_up()
            .map(|words| words.lookups())
            .unwrap_or_default()
    }

    /// For how long a sweep of any process has worked while writers had to wait, at the longest, since the folder was
    /// made. Time in which it had no processor is not in it.
    pub fn longest_hold(&self) -> Duration {
        self.core()
            .caught_up()
            .map(|words| words.longest_hold())
            .unwrap_or_default()
    }

    #[inline]
    pub(crate) fn core(&self) -> &Arc<Core<R>> {
        // SAFETY: it comes from a box, which is freed with `self` at the earliest; see `take_over` and `drop`.
        let core = unsafe { &*self.current.load(Ordering::Acquire) };
        if core.is_of_this_process() {
            return core;
        }
        self.take_over()
    }

    /// Begins anew in the child of a fork. What the parent had is leaked: its files, and whatever is locked.
    #[cold]
    fn take_over(&self) -> &Arc<Core<R>> {
        let old = self.current.load(Ordering::Acquire);
        // SAFETY: as in `core`; nobody frees what was replaced.
        let core = unsafe { &*old };
        if core.is_of_this_process() {
            return core;
        }
        let new = Box::into_raw(Box::new(Arc::new(core.after_fork())));
        match self
            .current
            .compare_exchange(old, new, Ordering::AcqRel, Ordering::Acquire)
        {
            // SAFETY: as in `core`.
            Ok(_) => unsafe { &*new },
            Err(other) => {
                // SAFETY: nobody else has seen `new`; `other` is as in `core`.
                unsafe {
                    drop(Box::from_raw(new));
                    &*other
                }
            }
        }
    }
}

impl<R> Drop for SharedStore<R> {
    fn drop(&mut self) {
        // SAFETY: it comes from a box, and nobody borrows `self`. What it holds of a parent is not closed: see `MapUse`.
        drop(unsafe { Box::from_raw(*self.current.get_mut()) });
    }
}

impl<R> std::fmt::Debug for SharedStore<R> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SharedStore")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl<R: Portable> LocalStore<R> for SharedStore<R> {
    fn birth(&self) -> u64 {
        let core = self.core();
        core.caught_up();
        core.near.birth()
    }

    #[inline]
    fn get(&self, key: KeyRef<'_>) -> Option<Found<R>> {
        self.core().get(key)
    }

    fn put(&self, put: Put<'_, R>) -> Result<(), Reason> {
        let core = self.core();
        core.start_sweeper();
        core.put(put)
    }

    fn remove(&self, key: KeyRef<'_>) -> bool {
        self.core().remove(key)
    }

    fn register(&self, pattern: PathPattern) -> PatternId {
        self.core().register(&pattern)
    }

    fn purge(&self, purge: &Purge) -> Option<Walk> {
        self.core()
            .drop_covers(&purge.covers, purge.soft, false)
            .then(Walk::new)
    }

    fn standing(&self, birth: u64, path: &str, labels: &[Label]) -> Option<bool> {
        let core = self.core();
        core.caught_up();
        core.near.standing(birth, path, labels)
    }

    fn resolve(&self, walk: &mut Walk, max_steps: usize) -> bool {
        self.core().near.resolve(walk, max_steps)
    }

    fn sweep(&self, max_steps: usize, now: Timestamp) -> usize {
        let core = self.core();
        core.near.sweep(max_steps, now);
        core.sweep(max_steps, now, true)
    }

    fn page(&self, cursor: Cursor, max_entries: usize) -> Page<R> {
        let core = self.core();
        let mut page = Page {
            entries: Vec::new(),
            next: None,
        };
        let Some(map) = core.caught_up().and_then(|_| core.map()) else {
            return page;
        };
        let mut read = || -> Lmdb<_> {
            let txn = map.read()?;
            entries::page(
                &map,
                &txn,
                cursor.slot,
                max_entries.max(1),
                |digest, _, frame| {
                    if let Some(frame) = codec::decode(frame).filter(codec::Frame::is_response) {
                        let labels = frame.labels();
                        let judged = frame
                            .to_put(digest, &labels)
                            .and_then(|put| core.near.judge(put).ok());
                        page.entries
                            .extend(judged.map(|judged| judged.found().entry));
                    }
                },
            )
        };
        let next = core.or_trouble(read()).flatten();
        page.next = next.map(|slot| Cursor { shard: 0, slot });
        page
    }

    fn clear(&self) {
        let core = self.core();
        core.drop_covers(&[Cover::Everything], false, true);
        core.near.forget();
    }

    /// Releases what this process holds, and finds and stores nothing from now on. The entries stay, for the others and
    /// for whoever opens the folder next.
    fn close(&self) {
        self.core().close();
    }

    fn len(&self) -> usize {
        let core = self.core();
        let Some(map) = core.caught_up().and_then(|_| core.map()) else {
            return 0;
        };
        let mut live = 0;
        let mut count = || -> Lmdb<()> {
            let mut from = Some(0);
            while let Some(at) = from {
                let txn = map.read()?;
                from = entries::page(&map, &txn, at, 256, |_, head, frame| {
                    live += usize::from(codec::decode(frame).is_some_and(|frame| {
                        frame.is_response()
                            && !core
                                .near
                                .covers(head.birth, frame.path, &frame.labels(), true)
                    }));
                })?;
            }
            Ok(())
        };
        core.or_trouble(count());
        live
    }

    fn bytes(&self) -> usize {
        let core = self.core();
        let Some(map) = core.caught_up().and_then(|_| core.map()) else {
            return 0;
        };
        let read = || -> Lmdb<u64> {
            let txn = map.read()?;
            Ok(map.meta(&txn)?.bytes)
        };
        let bytes = core.or_trouble(read()).unwrap_or_default();
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    fn counters(&self) -> Counters {
        self.core()
            .caught_up()
            .map(|words| words.counters())
            .unwrap_or_default()
    }

    fn elsewhere(&self) -> Option<&dyn Elsewhere> {
        Some(self)
    }
}

impl<R: Portable> Elsewhere for SharedStore<R> {
    fn inquire(&self, key: Key, lead: bool) -> Inquiry {
        Box::pin(Inquiring::new(Arc::clone(self.core()), key, lead))
    }

    fn settled(&self) -> Option<Settling> {
        // A drop returns when it holds for all.
        None
    }
}
