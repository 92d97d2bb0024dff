//! One map per folder in one process: LMDB must not open a file twice in a process, as closing one would give up the
//! locks of the other.

use crate::forks;
use crate::map::Map;
use fast_cache_store::Limits;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

/// The map of a folder, open as long as somebody has one of these.
pub(crate) struct MapUse {
    map: ManuallyDrop<Arc<Map>>,
    folder: Folder,
    forks: u32,
}

type Folder = (PathBuf, u64, u64);

struct Registry {
    forks: u32,
    open: Mutex<HashMap<Folder, (Arc<Map>, usize)>>,
}

/// The registry of this process. A child of a fork makes its own: another thread of the parent may have held the lock.
static REGISTRY: AtomicPtr<Registry> = AtomicPtr::new(std::ptr::null_mut());

impl MapUse {
    /// Opens the map in a folder, or shares the one that is open; what is wrong, in words.
    pub(crate) fn open(folder: &Path, limits: Limits) -> Result<Self, String> {
        let metadata =
            std::fs::metadata(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let folder = (folder.to_owned(), metadata.dev(), metadata.ino());
        let mut open = registry().open.lock();
        let map = if let Some((map, uses)) = open.get_mut(&folder) {
            *uses += 1;
            Arc::clone(map)
        } else {
            let map = Arc::new(Map::open(&folder.0, limits)?);
            open.insert(folder.clone(), (Arc::clone(&map), 1));
            map
        };
        Ok(Self {
            map: ManuallyDrop::new(map),
            folder,
            forks: forks::count(),
        })
    }
}

impl Deref for MapUse {
    type Target = Map;

    fn deref(&self) -> &Map {
        &self.map
    }
}

impl Drop for MapUse {
    fn drop(&mut self) {
        if self.forks != forks::count() {
            // The parent's: its files stay open here, or its locks would go.
            return;
        }
        // Closed under the lock, so that nobody opens the files again before.
        let mut open = registry().open.lock();
        // SAFETY: it is dropped once, here, and not used after.
        unsafe { ManuallyDrop::drop(&mut self.map) };
        if let Some((_, uses)) = open.get_mut(&self.folder) {
            *uses -= 1;
            if *uses == 0 {
                open.remove(&self.folder);
            }
        }
    }
}

fn registry() -> &'static Registry {
    loop {
        let current = REGISTRY.load(Ordering::Acquire);
        // SAFETY: it is null, or was leaked from a box and is never freed.
        if let Some(registry) = unsafe { current.as_ref() }
            && registry.forks == forks::count()
        {
            return registry;
        }
        let new = Box::into_raw(Box::new(Registry {
            forks: forks::count(),
            open: Mutex::default(),
        }));
        if REGISTRY
            .compare_exchange(current, new, Ordering::AcqRel, Ordering::Acquire)
            .is_err()
        {
            // SAFETY: it was made above, and nobody else has seen it.
            drop(unsafe { Box::from_raw(new) });
        }
    }
}
