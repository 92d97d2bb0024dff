//! The clock that hosts hand to the core.

use coarsetime::Instant;
use fast_cache_core::time::Timestamp;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where a host takes its timestamps from.
#[derive(Debug)]
pub enum Clock {
    /// The time of day when the clock was made, and from then on a clock that never goes back. It is read from a few
    /// milliseconds old memory, which is fine for ages in seconds and ten times cheaper than the exact time.
    System {
        /// The time of day at `since`.
        start: Timestamp,
        /// When the clock was made.
        since: Instant,
    },
    /// A clock that stands still until it is moved.
    Manual(AtomicI64),
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        let day = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self::System {
            start: Timestamp::default().plus(day),
            since: Instant::now(),
        }
    }

    /// A clock that stands at `now`.
    pub const fn manual(now: Timestamp) -> Self {
        Self::Manual(AtomicI64::new(now.micros()))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System { start, since } => start.plus(since.elapsed().into()),
            Self::Manual(micros) => Timestamp::from_micros(micros.load(Ordering::Relaxed)),
        }
    }

    /// A number that changes every few milliseconds; a manual clock has none.
    pub fn tick(&self) -> Option<i64> {
        matches!(self, Self::System { .. }).then(|| self.now().micros())
    }

    /// Moves a manual clock on, or back; a system clock does not move. Whether it moved.
    pub fn advance(&self, by: Duration, back: bool) -> bool {
        let Self::Manual(micros) = self else {
            return false;
        };
        let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        micros.fetch_add(if back { -by } else { by }, Ordering::Relaxed);
        true
    }
}
