//! Chance against crowds: refreshing what is about to expire, and letting what was stored together expire apart.
//!
//! Random numbers are arguments, as the time is: 64 bits of which each value is as likely as any other.

use std::time::Duration;

/// No draw makes `-ln(u)` larger than this: `u` is at least 2^-53.
const FARTHEST: f64 = 36.736_8 + 0.000_1;

/// Whether a response that is fresh for `fresh_for` is refreshed now, where it took `took` to be made.
///
/// Each hit draws for itself, and the nearer the end and the longer the making, the likelier it is; with `beta` above 1
/// sooner, below 1 later. With a hit now and then the response nearly always lives to its end; of a crowd of hits some
/// one refreshes it in time (Vattani, Chierichetti and Lowenstein, *Optimal Probabilistic Cache Stampede Prevention*,
/// PVLDB 8(8), 2015).
pub fn is_due(took: Duration, fresh_for: Duration, beta: f64, draw: u64) -> bool {
    took.as_secs_f64() * beta * -unit(draw).ln() >= fresh_for.as_secs_f64()
}

/// Whether any draw at all makes [`is_due`] true.
pub fn may_be_due(took: Duration, fresh_for: Duration, beta: f64) -> bool {
    took.as_secs_f64() * beta * FARTHEST >= fresh_for.as_secs_f64()
}

/// A time that is shorter by a random part of the fraction `jitter` of it, so that responses which came at one moment do
/// not go at one moment.
pub fn shortened(time: Duration, jitter: f64, draw: u64) -> Duration {
    if jitter <= 0.0 {
        return time;
    }
    // From 0 up to the fraction, exclusively.
    let part = jitter.min(1.0) * (1.0 - unit(draw));
    time.saturating_sub(Duration::try_from_secs_f64(time.as_secs_f64() * part).unwrap_or(time))
}

/// Above 0, up to 1.
#[allow(clippy::cast_precision_loss, reason = "53 bits fit")]
fn unit(draw: u64) -> f64 {
    ((draw >> 11) + 1) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::{FARTHEST, is_due, may_be_due, shortened, unit};
    use std::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);

    /// Draws that are spread evenly.
    fn draws(count: u64) -> impl Iterator<Item = u64> {
        (0..count).map(move |index| index * (u64::MAX / count) + u64::MAX / count / 2)
    }

    fn share(took: Duration, fresh_for: Duration, beta: f64) -> f64 {
        let due = draws(10_000).filter(|draw| is_due(took, fresh_for, beta, *draw));
        f64::from(u32::try_from(due.count()).unwrap()) / 10_000.0
    }

    #[test]
    fn the_likelihood_falls_exponentially_with_the_time_that_is_left() {
        for (left, beta, expected) in [
            (0.5, 1.0, -0.5_f64),
            (1.0, 1.0, -1.0),
            (4.0, 1.0, -4.0),
            (4.0, 4.0, -1.0),
        ] {
            let found = share(SECOND, SECOND.mul_f64(left), beta);
            assert!(
                (found - expected.exp()).abs() < 0.001,
                "{left} {beta}: {found}"
            );
        }
    }

    #[test]
    fn what_took_no_time_or_has_no_weight_is_left_to_expire() {
        for draw in [0, 1, u64::MAX] {
            assert!(!is_due(Duration::ZERO, SECOND, 1.0, draw));
            assert!(!is_due(SECOND, SECOND, 0.0, draw));
        }
        assert!(!may_be_due(Duration::ZERO, SECOND, 1.0));
    }

    #[test]
    fn what_may_not_be_due_is_never_due() {
        assert!(-unit(0).ln() < FARTHEST);
        let near = SECOND.mul_f64(36.7);
        assert!(is_due(SECOND, near, 1.0, 0) && may_be_due(SECOND, near, 1.0));
        let far = SECOND.mul_f64(36.8);
        assert!(!is_due(SECOND, far, 1.0, 0) && !may_be_due(SECOND, far, 1.0));
        assert!(is_due(Duration::MAX, Duration::MAX, f64::MAX, 0));
    }

    #[test]
    fn times_are_shortened_by_the_fraction_at_most() {
        assert_eq!(shortened(SECOND, 0.0, 0), SECOND);
        assert_eq!(shortened(SECOND, 0.2, u64::MAX), SECOND);
        let (mut least, mut sum) = (SECOND, Duration::ZERO);
        for draw in draws(1000) {
            let time = shortened(SECOND, 0.2, draw);
            assert!(time > SECOND.mul_f64(0.8 - 1e-9) && time <= SECOND);
            (least, sum) = (least.min(time), sum + time);
        }
        assert!(least < SECOND.mul_f64(0.801));
        assert!((sum.as_secs_f64() / 1000.0 - 0.9).abs() < 0.001);
        assert!(shortened(Duration::MAX, 0.5, 7) < Duration::MAX);
    }
}
