//! Stores, and the clock: for [`Cache::new`](crate::Cache::new) and for tests.
//!
//! ```
//! use fast_cache_tower::Cache;
//! use fast_cache_tower::store::{Clock, Limits, MemoryStore, Timestamp};
//! use std::{sync::Arc, time::Duration};
//!
//! let limits = Limits { max_entries: 1000, max_bytes: 16 << 20 };
//! let clock = Arc::new(Clock::manual(Timestamp::from_seconds(1_700_000_000)));
//! let cache = Cache::builder()
//!     .store(MemoryStore::new(limits))
//!     .clock(Arc::clone(&clock))
//!     .build();
//! assert!(clock.advance(Duration::from_secs(60), false));
//! # drop(cache);
//! ```

pub use crate::kept::Kept;
pub use fast_cache_core::purge::HostPattern;
pub use fast_cache_core::time::Timestamp;
pub use fast_cache_engine::clock::Clock;
pub use fast_cache_store::codec::Portable;
pub use fast_cache_store::{
    Elsewhere, Inquired, Inquiry, Lease, LeaseEnd, Leased, Limits, LocalStore, MemoryStore,
    Settling,
};
