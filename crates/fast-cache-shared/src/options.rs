//! How a store is set up.

use fast_cache_core::purge::PathPattern;
use fast_cache_core::time::Timestamp;
use fast_cache_store::Limits;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Makes a pattern from its identity, if it can.
pub type MakePattern = Arc<dyn Fn(&str) -> Option<PathPattern> + Send + Sync>;

/// How a store is set up.
#[derive(Clone)]
pub struct Options {
    /// What the map may hold, as its file counts it. The first process to open a folder decides; the others adopt it.
    pub limits: Limits,
    /// What each process may hold in its own memory beside; with zero bytes, nothing.
    pub near: Limits,
    /// The time of day. It may be called with no lock held only, and never blocks.
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Makes a pattern that only the host can run from its identity, for drops that another process made. Where it
    /// cannot, such a drop covers everything. It is called with no lock held.
    pub host_pattern: MakePattern,
    /// Told once, in a sentence, when the store begins to be in trouble. It is called with no lock held.
    pub warn: Arc<dyn Fn(&str) + Send + Sync>,
    /// How long one process may make an answer for all before the next may try; up to 2 minutes.
    pub lease_limit: Duration,
    /// Whether a thread of this process sweeps, when no other process does.
    pub sweeper: bool,
}

impl Options {
    /// A store that may hold so much, at the time that `now` tells: an eighth of the bytes, and no more than 64 MiB,
    /// near in each process; leases of 15 seconds; a sweeper.
    pub fn new(limits: Limits, now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self {
            limits,
            near: Limits {
                max_bytes: (limits.max_bytes / 8).min(64 << 20),
                ..limits
            },
            now: Arc::new(now),
            host_pattern: Arc::new(|_| None),
            warn: Arc::new(|_| ()),
            lease_limit: Duration::from_secs(15),
            sweeper: true,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Options")
            .field("limits", &self.limits)
            .field("near", &self.near)
            .field("lease_limit", &self.lease_limit)
            .field("sweeper", &self.sweeper)
            .finish_non_exhaustive()
    }
}
