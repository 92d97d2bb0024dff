//! One store for all processes of a machine, with nothing to install: an LMDB map in a folder.
//!
//! [`SharedStore`] is a [`LocalStore`](fast_cache_store::LocalStore). Its truth is the map; in front of it, each process
//! has a [`MemoryStore`](fast_cache_store::MemoryStore) of its own. Beside the map lies a file of mapped words that all
//! processes see at once.
//!
//! ```
//! use fast_cache_core::time::Timestamp;
//! use fast_cache_shared::{Options, SharedStore};
//! use fast_cache_store::{Limits, LocalStore};
//!
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path();
//! let limits = Limits { max_entries: 100_000, max_bytes: 256 << 20 };
//! let store = SharedStore::<u64>::open(folder, Options::new(limits, || Timestamp::from_seconds(0)))?;
//! assert!(store.is_empty());
//! assert_eq!(store.trouble(), None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Why a finished drop holds in every process
//!
//! A drop is one transaction, which gives it the next *generation* and writes it to a log; when it is committed, the
//! *epoch*, a mapped word, is advanced, and then the drop returns. A lookup begins with a load of the epoch. If it moved
//! since this process last caught up, the log's newer records are replayed on the near tier, under a lock, before the
//! lookup goes on. So when a lookup starts after a drop returned, the near tier has been through that drop, and judges
//! by it whatever is found, near or in the map, as the memory store does (see `generations` in `fast-cache-store`):
//! births are the clock of the near tier, which is that of the whole as far as this process has seen it. Being behind
//! makes a birth too early, which costs a miss and is never wrong.
//!
//! The log is bounded. What falls out of it raises a *floor*, a drop of everything older; so does a drop that could not
//! be written, in a word that needs no room.
//!
//! An entry that is replaced while it is fresh, or removed, is no drop: its digest goes to a ring of *changes* under the
//! same epoch, and who catches up forgets it near. What came near is forgotten again where the epoch moved meanwhile.
//!
//! # Invariants
//!
//! - No foreign code (a host's pattern, the making or the end of a representation, a waker) runs while a transaction
//!   writes or a lock is held. What is read from the map is made while a transaction reads, which keeps nobody waiting.
//! - Whoever is killed, at whatever point, leaves a map that is whole: LMDB commits by one word, the lock for writing is
//!   given up by the system, a lease is one word that names its owner. What lies in words is true whichever of them are
//!   old, save epoch, clock and floors, which only grow.
//! - A child of a fork uses nothing that its parent opened or locked, and closes nothing of it either.
//! - Whatever goes wrong is a miss, or a [`Reason`](fast_cache_core::reason::Reason), and shows in
//!   [`SharedStore::trouble`]. Only a folder that must not be used is an error.
//!
//! # Files
//!
//! | file | what |
//! |---|---|
//! | `data.mdb`, `lock.mdb` | LMDB's |
//! | `words` | format, limits, epoch, counters, leases, what was visited; its first bytes say which version |
//! | `secret` | 48 bytes, for its owner alone |
//! | `opening`, `users` | locked by who opens the folder, and by who uses it |
#![warn(missing_docs)]

mod error;
mod lookups;
mod options;
#[cfg(not(unix))]
mod unsupported;

#[cfg(unix)]
mod changes;
#[cfg(unix)]
mod core;
#[cfg(unix)]
mod directory;
#[cfg(unix)]
mod drops;
#[cfg(unix)]
mod entries;
#[cfg(unix)]
mod eviction;
#[cfg(unix)]
mod filesystem;
#[cfg(unix)]
mod forks;
#[cfg(unix)]
mod inquiry;
#[cfg(unix)]
mod leases;
#[cfg(unix)]
mod lmdb;
#[cfg(unix)]
mod machine;
#[cfg(unix)]
mod map;
#[cfg(unix)]
mod registry;
#[cfg(unix)]
mod secret;
#[cfg(unix)]
mod store;
#[cfg(unix)]
mod sweeper;
#[cfg(unix)]
mod sweeping;
#[cfg(all(test, unix))]
mod tests;
#[cfg(unix)]
mod watcher;
#[cfg(unix)]
mod words;
#[cfg(unix)]
mod writing;

pub use error::OpenError;
pub use lookups::Lookups;
pub use options::{MakePattern, Options};
#[cfg(unix)]
pub use store::SharedStore;
#[cfg(not(unix))]
pub use unsupported::SharedStore;

/// Bytes of a secret.
pub const SECRET: usize = 48;
