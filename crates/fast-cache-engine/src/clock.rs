//! The clock that hosts hand to the core.

use coarsetime::Instant;
use fast_cache_core::time::Timestamp;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What `held` says of a clock that runs.
const RUNNING: i64 = i64::MIN;

/// Where a host takes its timestamps from.
///
/// Running, it tells the time of day when it was made, and from then on a time that never goes back. That is read from
/// a few milliseconds old memory, which is fine for ages in seconds and ten times cheaper than the exact time. Held, it
/// stands still until it is moved or let go.
#[derive(Debug)]
pub struct Clock {
    /// The time of day at `since`.
    start: Timestamp,
    /// When the clock was made.
    since: Instant,
    /// Where it is held, in microseconds since the Unix epoch, or `RUNNING`.
    held: AtomicI64,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        let day = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            start: Timestamp::default().plus(day),
            since: Instant::now(),
            held: AtomicI64::new(RUNNING),
        }
    }

    /// A clock that stands at `now`.
    pub fn manual(now: Timestamp) -> Self {
        let clock = Self::system();
        clock.hold(Some(now));
        clock
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        match self.held.load(Ordering::Relaxed) {
            RUNNING => self.start.plus(self.since.elapsed().into()),
            micros => Timestamp::from_micros(micros),
        }
    }

    /// Whether it stands still.
    pub fn is_held(&self) -> bool {
        self.held.load(Ordering::Relaxed) != RUNNING
    }

    /// Holds it at a time, or lets it run; where it was held before. Let go, it tells what it would tell if it had
    /// never been held.
    pub fn hold(&self, at: Option<Timestamp>) -> Option<Timestamp> {
        let micros = at.map_or(RUNNING, |at| at.micros().max(RUNNING + 1));
        let before = self.held.swap(micros, Ordering::Relaxed);
        (before != RUNNING).then(|| Timestamp::from_micros(before))
    }

    /// Moves a clock that is held on, or back; one that runs does not move. Whether it moved.
    pub fn advance(&self, by: Duration, back: bool) -> bool {
        let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        let by = if back { -by } else { by };
        let moved = |held: i64| (held != RUNNING).then(|| held.saturating_add(by).max(RUNNING + 1));
        self.held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, moved)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Clock;
    use fast_cache_core::time::Timestamp;
    use std::time::Duration;

    const NOON: Timestamp = Timestamp::from_seconds(1_700_000_000);
    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_manual_clock_stands_still_until_it_is_moved() {
        let clock = Clock::manual(NOON);
        assert!(clock.is_held());
        assert_eq!(clock.now(), NOON);
        assert!(clock.advance(HOUR, false));
        assert_eq!(clock.now(), NOON.plus(HOUR));
        assert!(clock.advance(HOUR, true));
        assert_eq!(clock.now(), NOON);
    }

    #[test]
    fn the_systems_clock_does_not_move_unless_it_is_held() {
        let clock = Clock::system();
        let before = clock.now();
        assert!(!clock.is_held() && !clock.advance(HOUR, false));
        assert_eq!(clock.hold(Some(NOON)), None);
        assert!(clock.is_held() && clock.advance(HOUR, false));
        assert_eq!(clock.hold(None), Some(NOON.plus(HOUR)));
        assert!(!clock.is_held() && clock.now() >= before);
        assert!(clock.now().since(before) < HOUR);
    }

    #[test]
    fn the_ends_of_time_are_times() {
        for end in [i64::MIN, i64::MAX] {
            let clock = Clock::manual(Timestamp::from_micros(end));
            for back in [true, false] {
                assert!(clock.advance(Duration::MAX, back));
                assert!(clock.is_held());
            }
        }
    }
}
