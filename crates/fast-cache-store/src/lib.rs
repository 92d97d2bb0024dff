//! Where fast-cache-middleware keeps responses.
//!
//! [`LocalStore`] is what a store promises: synchronous, unable to fail, free to forget anything at any time, and never
//! to return an entry for another key or one that a finished drop covers. [`MemoryStore`] is the store of one process;
//! [`contract`] is the suite that every store must pass, and [`fault`] a store that forgets on purpose. [`Elsewhere`] is
//! what a store has beside that where other processes share it, and [`codec`] how entries travel.
#![forbid(unsafe_code)]

pub mod codec;
pub mod contract;
mod elsewhere;
mod entry;
pub mod fault;
mod generations;
mod local;
mod memory;

pub use elsewhere::{Elsewhere, Inquired, Inquiry, Lease, LeaseEnd, Leased, Settling};
pub use entry::{Content, Entry, MAX_LABELS, Searches, Variants};
pub use local::{Counters, Cursor, Found, Limits, LocalStore, Page, Put, Walk};
pub use memory::{Judged, MemoryStore};
