//! Time as an argument.
//!
//! The core never reads a clock. A host hands in a [`Timestamp`], so every rule can be tested at any moment, and a
//! host can choose a clock that never jumps.

use std::time::Duration;

/// A moment: whole microseconds since the Unix epoch. Moments before 1970 are negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment `micros` microseconds after the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The moment `seconds` seconds after the Unix epoch; saturates at the ends of the range.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since the Unix epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// How long after `earlier` this moment is; zero if it is not after it.
    pub const fn since(self, earlier: Self) -> Duration {
        let micros = self.0.saturating_sub(earlier.0);
        if micros <= 0 {
            Duration::ZERO
        } else {
            Duration::from_micros(micros.unsigned_abs())
        }
    }

    /// The moment `duration` later; saturates at the end of the range.
    #[must_use]
    pub const fn plus(self, duration: Duration) -> Self {
        // In parts, as `as_micros` may be more than 64 bits hold.
        let whole = duration.as_secs().saturating_mul(1_000_000);
        let micros = whole.saturating_add(duration.subsec_micros() as u64);
        let micros = if micros > i64::MAX as u64 {
            i64::MAX
        } else {
            micros.cast_signed()
        };
        Self(self.0.saturating_add(micros))
    }
}
