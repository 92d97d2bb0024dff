//! Words that all processes see at once: a file beside LMDB's, mapped for reading and writing.
//!
//! A lookup loads the epoch. Whoever changed what others may have near adds one to it, after the change is committed.
//! Nothing here has to be true for an answer to be right, save epoch, clock and floors, which only grow.

use crate::lookups::Lookups;
use crate::machine;
use fast_cache_store::{Counters, Limits};
use memmap2::{MmapOptions, MmapRaw};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// The version of the folder's format, LMDB's databases included.
pub(crate) const VERSION: u32 = 1;
const MAGIC: u64 = u64::from_le_bytes(*b"FCSHARED");

/// Words for leases; more keys at once than this share words, and some have none.
pub(crate) const LEASES: usize = 1 << 14;
/// Words that say which keys' answers are not for others.
pub(crate) const MARKS: usize = 1 << 13;

const MAGIC_AT: usize = 0;
const VERSION_AT: usize = 8;
const PLACES_AT: usize = 12;
const BOOT_AT: usize = 16;
const MAX_ENTRIES_AT: usize = 32;
const MAX_BYTES_AT: usize = 40;
const DAMAGED_AT: usize = 48;
const EPOCH_AT: usize = 64;
const CLOCK_AT: usize = 128;
const FLOORS_AT: usize = 136;
const SWEEPER_AT: usize = 152;
const LONGEST_AT: usize = 160;
const COUNTERS_AT: usize = 192;
/// One line of counters for every few processes, so that they do not take it from each other on every hit.
const STRIPES_AT: usize = 256;
const STRIPES: usize = 64;
const STRIPE: usize = 64;
const LEASES_AT: usize = 8192;
const MARKS_AT: usize = LEASES_AT + 8 * LEASES;
const VISITED_AT: usize = MARKS_AT + 8 * MARKS;

/// Something that is counted over all processes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Counter {
    Stores,
    Drops,
    Evictions,
    Swept,
    SweptOver,
}

/// How a lookup ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lookup {
    Near,
    Far,
    Missed,
}

/// Why a file is not used.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// It is not there.
    Absent,
    /// It is from before the machine was started, or somebody found the map damaged.
    Outdated,
    /// It is not ours, or of another version; in words.
    Foreign(String),
    /// The system says no.
    Failed(io::Error),
}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound {
            Self::Absent
        } else {
            Self::Failed(error)
        }
    }
}

/// The mapped words.
#[derive(Debug)]
pub(crate) struct Words {
    map: MmapRaw,
    /// Places in the tables of visited and of evicted entries; a power of two.
    places: usize,
    stripe: usize,
}

impl Words {
    /// Maps the file, if it is one of this version and of this run of the machine.
    pub(crate) fn open(path: &Path) -> Result<Self, Unusable> {
        let file = File::options().read(true).write(true).open(path)?;
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        let foreign = |what: &str| Unusable::Foreign(format!("{} {what}", path.display()));
        if length < VISITED_AT {
            return Err(foreign("is not a file of this store"));
        }
        let words = Self::map(&file, 0)?;
        if words.word(MAGIC_AT).load(Ordering::Relaxed) != MAGIC {
            return Err(foreign("is not a file of this store"));
        }
        let version = words.half(VERSION_AT).load(Ordering::Relaxed);
        if version != VERSION {
            return Err(foreign(&format!(
                "is of format {version}, and this version of the store knows format {VERSION} only"
            )));
        }
        let places = words.half(PLACES_AT).load(Ordering::Relaxed) as usize;
        if !places.is_power_of_two() || length != size(places) {
            return Err(foreign("is damaged"));
        }
        let boot = [BOOT_AT, BOOT_AT + 8].map(|at| words.word(at).load(Ordering::Relaxed));
        if boot != boot_words() || words.word(DAMAGED_AT).load(Ordering::Relaxed) != 0 {
            return Err(Unusable::Outdated);
        }
        Ok(Self { places, ..words })
    }

    /// Makes the file anew and maps it. Nobody may use the old one.
    pub(crate) fn create(path: &Path, limits: Limits) -> io::Result<Self> {
        let places = (limits.max_bytes / 512)
            .min(limits.max_entries)
            .clamp(1 << 12, 1 << 24)
            .next_power_of_two();
        let new = path.with_extension("new");
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        // Every page has its block on the disk: a mapped page without one is a signal where the disk is full.
        let zeros = vec![0; 1 << 16];
        let mut left = size(places);
        while left > 0 {
            let now = left.min(zeros.len());
            file.write_all(&zeros[..now])?;
            left -= now;
        }
        let words = Self::map(&file, places)?;
        words.word(MAGIC_AT).store(MAGIC, Ordering::Relaxed);
        words.half(VERSION_AT).store(VERSION, Ordering::Relaxed);
        let places_word = u32::try_from(places).unwrap_or(u32::MAX);
        words.half(PLACES_AT).store(places_word, Ordering::Relaxed);
        for (at, word) in [BOOT_AT, BOOT_AT + 8].into_iter().zip(boot_words()) {
            words.word(at).store(word, Ordering::Relaxed);
        }
        words.word(EPOCH_AT).store(1, Ordering::Relaxed);
        words.set_limits(limits);
        std::fs::rename(new, path)?;
        Ok(words)
    }

    fn map(file: &File, places: usize) -> io::Result<Self> {
        Ok(Self {
            map: MmapOptions::new().map_raw(file)?,
            places,
            stripe: STRIPES_AT + STRIPE * (std::process::id() as usize % STRIPES),
        })
    }

    pub(crate) fn limits(&self) -> Limits {
        let read = |at| usize::try_from(self.word(at).load(Ordering::Relaxed));
        Limits {
            max_entries: read(MAX_ENTRIES_AT).unwrap_or(usize::MAX),
            max_bytes: read(MAX_BYTES_AT).unwrap_or(usize::MAX),
        }
    }

    pub(crate) fn set_limits(&self, limits: Limits) {
        let write = |at, value: usize| self.word(at).store(value as u64, Ordering::Relaxed);
        write(MAX_ENTRIES_AT, limits.max_entries);
        write(MAX_BYTES_AT, limits.max_bytes);
    }

    /// The map is damaged: whoever opens it next while nobody uses it makes it anew.
    pub(crate) fn condemn(&self) {
        self.word(DAMAGED_AT).store(1, Ordering::Relaxed);
    }

    /// How often something was changed that others may have near.
    #[inline]
    pub(crate) fn epoch(&self) -> u64 {
        self.word(EPOCH_AT).load(Ordering::SeqCst)
    }

    /// Tells the others of a change that is committed.
    pub(crate) fn advance_epoch(&self) {
        self.word(EPOCH_AT).fetch_add(1, Ordering::SeqCst);
    }

    /// The newest logical time of a drop that could not be written to the map.
    pub(crate) fn clock(&self) -> u64 {
        self.word(CLOCK_AT).load(Ordering::SeqCst)
    }

    /// The newest drops of everything that could not be written to the map: hard, then soft.
    pub(crate) fn floors(&self) -> [u64; 2] {
        [0, 8].map(|kind| self.word(FLOORS_AT + kind).load(Ordering::SeqCst))
    }

    /// Drops everything at a logical time, without the map.
    pub(crate) fn raise_floor(&self, generation: u64, soft: bool) {
        let floor = FLOORS_AT + 8 * usize::from(soft);
        self.word(floor).fetch_max(generation, Ordering::SeqCst);
        self.word(CLOCK_AT).fetch_max(generation, Ordering::SeqCst);
    }

    pub(crate) fn count(&self, counter: Counter, more: u64) {
        self.word(COUNTERS_AT + 8 * counter as usize)
            .fetch_add(more, Ordering::Relaxed);
    }

    /// Notes for how long a sweep worked while it held the lock for writing.
    pub(crate) fn held(&self, held: Duration) {
        let nanos = u64::try_from(held.as_nanos()).unwrap_or(u64::MAX);
        self.word(LONGEST_AT).fetch_max(nanos, Ordering::Relaxed);
    }

    pub(crate) fn longest_hold(&self) -> Duration {
        Duration::from_nanos(self.word(LONGEST_AT).load(Ordering::Relaxed))
    }

    pub(crate) fn counters(&self) -> Counters {
        let read = |counter: Counter| {
            self.word(COUNTERS_AT + 8 * counter as usize)
                .load(Ordering::Relaxed)
        };
        Counters {
            stores: read(Counter::Stores),
            drops: read(Counter::Drops),
            evictions: read(Counter::Evictions),
            swept: read(Counter::Swept),
            swept_over: read(Counter::SweptOver),
        }
    }

    #[inline]
    pub(crate) fn looked_up(&self, lookup: Lookup) {
        self.word(self.stripe + 8 * lookup as usize)
            .fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn lookups(&self) -> Lookups {
        let sum = |lookup: Lookup| {
            let at = STRIPES_AT + 8 * lookup as usize;
            let stripes = (0..STRIPES).map(|stripe| self.word(at + STRIPE * stripe));
            stripes.map(|word| word.load(Ordering::Relaxed)).sum()
        };
        Lookups {
            near: sum(Lookup::Near),
            far: sum(Lookup::Far),
            missed: sum(Lookup::Missed),
        }
    }

    /// Who sweeps, and until when.
    pub(crate) fn sweeper(&self) -> &AtomicU64 {
        self.word(SWEEPER_AT)
    }

    pub(crate) fn lease(&self, place: usize) -> &AtomicU64 {
        self.word(LEASES_AT + 8 * (place % LEASES))
    }

    pub(crate) fn unshared(&self, place: usize) -> &AtomicU64 {
        self.word(MARKS_AT + 8 * (place % MARKS))
    }

    /// Whether the entry was found since it was last asked; entries share places.
    #[inline]
    pub(crate) fn visited(&self, digest: u128) -> &AtomicU8 {
        self.byte(VISITED_AT + place(digest, self.places))
    }

    /// The fingerprint of an entry that had to go before it was found.
    pub(crate) fn ghost(&self, digest: u128) -> &AtomicU32 {
        self.half(VISITED_AT + self.places + 4 * place(digest, self.places))
    }

    fn byte(&self, at: usize) -> &AtomicU8 {
        debug_assert!(at < self.map.len());
        // SAFETY: see `word`; a byte is always aligned.
        unsafe { AtomicU8::from_ptr(self.map.as_mut_ptr().add(at)) }
    }

    fn half(&self, at: usize) -> &AtomicU32 {
        debug_assert!(at.is_multiple_of(4) && at + 4 <= self.map.len());
        // SAFETY: see `word`.
        unsafe { AtomicU32::from_ptr(self.map.as_mut_ptr().add(at).cast()) }
    }

    #[inline]
    fn word(&self, at: usize) -> &AtomicU64 {
        debug_assert!(at.is_multiple_of(8) && at + 8 <= self.map.len());
        // SAFETY: every offset is a constant or a place below the number of places, which was compared with the
        // length; pages are aligned, offsets are multiples of the size. The map lives as long as `self`, and is only
        // ever used through atomics, here and in other processes.
        unsafe { AtomicU64::from_ptr(self.map.as_mut_ptr().add(at).cast()) }
    }
}

/// Bits of a digest that no other table uses.
pub(crate) fn fingerprint(digest: u128) -> u32 {
    // Zero is an empty place.
    u32::try_from((digest >> 64) & 0xffff_ffff).map_or(1, |bits| bits.max(1))
}

fn place(digest: u128, places: usize) -> usize {
    #[allow(clippy::cast_possible_truncation, reason = "any bits will do")]
    let bits = (digest >> 24) as usize;
    bits & (places - 1)
}

fn size(places: usize) -> usize {
    VISITED_AT + 5 * places
}

fn boot_words() -> [u64; 2] {
    let id = machine::boot_id();
    let (words, _) = id.as_chunks::<8>();
    [u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1])]
}
