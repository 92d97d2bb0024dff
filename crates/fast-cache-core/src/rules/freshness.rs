//! For how long a response may be reused ([RFC 9111 §4.2](https://www.rfc-editor.org/rfc/rfc9111#section-4.2)).

use super::early::shortened;
use super::status::is_heuristically_cacheable;
use crate::fields::cache_control::ResponseDirectives;
use crate::fields::{Line, date, values};
use crate::policy::{Lifetime, Policy};
use crate::stored::{Stored, Traits};
use crate::time::Timestamp;
use std::time::Duration;

/// A window for stale answers that does not close, as far as caches can count.
pub const FOREVER: Duration = Duration::from_secs(i32::MAX as u64);

/// The longest lifetime that is guessed, in seconds: a day.
const LONGEST_GUESS: u64 = 24 * 60 * 60;

/// The freshness of a response as it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// Its age on arrival, in seconds.
    pub initial_age: u32,
    /// Its lifetime, counted from an age of zero.
    pub lifetime: Duration,
    /// Whether the route, the response or the heuristics gave a lifetime at all, be it zero.
    pub is_stated: bool,
    /// How long past its lifetime it may be served while it is refreshed.
    pub stale_while_revalidate: Duration,
    /// How long past its lifetime it may stand in for a failure.
    pub stale_if_error: Duration,
}

/// A response that arrived, and what governs its freshness.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// The status code.
    pub status: u16,
    /// The header lines.
    pub lines: &'a [Line<'a>],
    /// The lines in which `Age` and `Date` stand: the same, but for a stored response that was confirmed.
    pub age_lines: &'a [Line<'a>],
    /// The directives that count.
    pub directives: &'a ResponseDirectives,
    /// Whether they stand in a field for caches like this one, so that `Expires` does not count
    /// ([RFC 9213 §2.2](https://www.rfc-editor.org/rfc/rfc9213#section-2.2)).
    pub targeted: bool,
    /// When the request went to the application.
    pub requested: Timestamp,
    /// When the response came.
    pub received: Timestamp,
    /// Random bits, for the policy's jitter.
    pub draw: u64,
}

impl Arrival<'_> {
    /// For how long the application was waited for, in milliseconds.
    pub fn took(&self) -> u32 {
        let took = self.received.since(self.requested).as_millis();
        u32::try_from(took).unwrap_or(u32::MAX)
    }
}

/// The freshness that policy and response headers give together.
///
/// A fixed lifetime counts from the arrival, and the route's windows for stale answers come before those that the
/// response states ([RFC 5861](https://www.rfc-editor.org/rfc/rfc5861)); in HTTP mode they come after them. Traits that
/// forbid stale answers take every window away.
pub fn freshness(arrival: &Arrival<'_>, policy: &Policy, traits: Traits) -> Freshness {
    let directives = arrival.directives;
    let never_stale = traits.must_revalidate || traits.always_validate;
    let window = |configured: Duration, stated: Option<u32>| {
        let stated = stated.map(|seconds| Duration::from_secs(u64::from(seconds)));
        if never_stale {
            Duration::ZERO
        } else if policy.is_http() {
            stated.unwrap_or(configured)
        } else if configured.is_zero() {
            stated.unwrap_or_default()
        } else {
            configured
        }
    };
    let (initial_age, stated) = match policy.lifetime {
        Lifetime::Fixed(lifetime) => {
            let age = initial_age(arrival, Duration::ZERO);
            (age, Some(lifetime + Duration::from_secs(u64::from(age))))
        }
        Lifetime::Response => {
            let delay = arrival.received.since(arrival.requested);
            let lifetime = explicit_lifetime(arrival)
                .map(u64::from)
                .or_else(|| guessed_lifetime(arrival, policy));
            (
                initial_age(arrival, delay),
                lifetime.map(Duration::from_secs),
            )
        }
    };
    let stale_if_error = window(policy.stale_if_error, directives.stale_if_error);
    let age = Duration::from_secs(u64::from(initial_age));
    let lifetime = stated.unwrap_or_default();
    Freshness {
        initial_age,
        lifetime: match lifetime.checked_sub(age) {
            Some(left) => age + shortened(left, policy.jitter, arrival.draw),
            None => lifetime,
        },
        is_stated: stated.is_some(),
        stale_while_revalidate: window(
            policy.stale_while_revalidate,
            directives.stale_while_revalidate,
        ),
        stale_if_error: if policy.options.stale_on_error && !never_stale {
            FOREVER
        } else {
            stale_if_error
        },
    }
}

/// The lifetime a response states for shared caches, in seconds; `None` where it states none
/// ([RFC 9111 §4.2.1](https://www.rfc-editor.org/rfc/rfc9111#section-4.2.1)). An `Expires` that is no date, or stands
/// more than once, has expired.
fn explicit_lifetime(arrival: &Arrival<'_>) -> Option<u32> {
    let directives = arrival.directives;
    if let Some(seconds) = directives.s_maxage.or(directives.max_age) {
        return Some(seconds);
    }
    if arrival.targeted {
        return None;
    }
    let mut expires = values(arrival.lines, "expires");
    let value = expires.next()?;
    let now = arrival.received;
    let (Some(expires), None) = (date::parse(value, now), expires.next()) else {
        return Some(0);
    };
    let lifetime = expires.since(stated_date(arrival).unwrap_or(now));
    Some(u32::try_from(lifetime.as_secs()).unwrap_or(i32::MAX as u32))
}

/// A tenth of the time for which the response had not been modified, a day at most, where the options allow a guess and
/// the response is one for which it may be made
/// ([RFC 9111 §4.2.2](https://www.rfc-editor.org/rfc/rfc9111#section-4.2.2)).
fn guessed_lifetime(arrival: &Arrival<'_>, policy: &Policy) -> Option<u64> {
    let guessable = is_heuristically_cacheable(arrival.status) || arrival.directives.public;
    if !policy.options.heuristics || !guessable {
        return None;
    }
    let modified = values(arrival.lines, "last-modified").next()?;
    let modified = date::parse(modified, arrival.received)?;
    let unmodified = stated_date(arrival)
        .unwrap_or(arrival.received)
        .since(modified);
    Some((unmodified.as_secs() / 10).min(LONGEST_GUESS))
}

fn stated_date(arrival: &Arrival<'_>) -> Option<Timestamp> {
    date::parse(values(arrival.age_lines, "date").next()?, arrival.received)
}

/// The age a response has when it arrives, from `Age`, `Date` and the time it took
/// ([RFC 9111 §4.2.3](https://www.rfc-editor.org/rfc/rfc9111#section-4.2.3)). Of several ages the first counts; what is
/// no number does not ([§5.1](https://www.rfc-editor.org/rfc/rfc9111#section-5.1)).
fn initial_age(arrival: &Arrival<'_>, delay: Duration) -> u32 {
    let stated = values(arrival.age_lines, "age").next().map_or(0, |value| {
        let first = value.split(|byte| *byte == b',').next();
        let first = first.unwrap_or_default().trim_ascii();
        if first.is_empty() || !first.iter().all(u8::is_ascii_digit) {
            return 0;
        }
        first.iter().fold(0u32, |sum, digit| {
            sum.saturating_mul(10)
                .saturating_add(u32::from(digit - b'0'))
        })
    });
    let seconds = |duration: Duration| u32::try_from(duration.as_secs()).unwrap_or(u32::MAX);
    let apparent = stated_date(arrival).map_or(0, |date| seconds(arrival.received.since(date)));
    stated
        .saturating_add(seconds(delay))
        .max(apparent)
        .min(i32::MAX as u32)
}

/// How long a stored response may still be reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remaining {
    /// Its age now.
    pub age: Duration,
    /// How much longer it is fresh, if it is.
    pub fresh_for: Option<Duration>,
    /// How long it has been stale; zero if it is fresh.
    pub stale_for: Duration,
}

/// The age and freshness of a stored response at `now`.
///
/// A clock that went back by more than a second makes a response stale rather than long-lived.
pub fn remaining<R>(stored: &Stored<R>, now: Timestamp) -> Remaining {
    let resident = now.since(stored.received);
    let age = resident + Duration::from_secs(u64::from(stored.initial_age));
    let went_back = stored.received.since(now) > Duration::from_secs(1);
    if age < stored.lifetime && !went_back {
        Remaining {
            age,
            fresh_for: Some(stored.lifetime.saturating_sub(age)),
            stale_for: Duration::ZERO,
        }
    } else {
        let stale_for = if went_back {
            Duration::MAX
        } else {
            age.saturating_sub(stored.lifetime)
        };
        Remaining {
            age,
            fresh_for: None,
            stale_for,
        }
    }
}
