//! For how long a response may be reused ([RFC 9111 §4.2](https://www.rfc-editor.org/rfc/rfc9111#section-4.2)).

use crate::fields::cache_control::ResponseDirectives;
use crate::fields::{Line, date, values};
use crate::policy::{Lifetime, Policy};
use crate::stored::Stored;
use crate::time::Timestamp;
use std::time::Duration;

/// The freshness of a response as it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// Its age on arrival, in seconds.
    pub initial_age: u32,
    /// Its lifetime, counted from an age of zero.
    pub lifetime: Duration,
    /// How long past its lifetime it may be served while it is refreshed.
    pub stale_while_revalidate: Duration,
    /// How long past its lifetime it may stand in for a failure.
    pub stale_if_error: Duration,
}

/// The freshness that policy and response headers give together.
///
/// A fixed lifetime counts from the arrival. `must-revalidate` takes every stale window away
/// ([RFC 9111 §5.2.2.2](https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2.2)).
pub fn freshness(
    lines: &[Line<'_>],
    directives: &ResponseDirectives,
    policy: &Policy,
    now: Timestamp,
) -> Freshness {
    let initial_age = initial_age(lines, now);
    let never_stale = directives.must_revalidate || directives.proxy_revalidate;
    let window = |seconds: Duration| if never_stale { Duration::ZERO } else { seconds };
    let lifetime = match policy.lifetime {
        Lifetime::Fixed(lifetime) => lifetime + Duration::from_secs(u64::from(initial_age)),
        Lifetime::Response => {
            Duration::from_secs(u64::from(explicit_lifetime(lines, directives, now)))
        }
    };
    Freshness {
        initial_age,
        lifetime,
        stale_while_revalidate: window(policy.stale_while_revalidate),
        stale_if_error: window(policy.stale_if_error),
    }
}

/// The lifetime a response states for shared caches, in seconds; zero where it states none
/// ([RFC 9111 §4.2.1](https://www.rfc-editor.org/rfc/rfc9111#section-4.2.1)).
fn explicit_lifetime(lines: &[Line<'_>], directives: &ResponseDirectives, now: Timestamp) -> u32 {
    if let Some(seconds) = directives.s_maxage.or(directives.max_age) {
        return seconds;
    }
    let mut expires = values(lines, "expires");
    let (Some(value), None) = (expires.next(), expires.next()) else {
        return 0;
    };
    let Some(expires) = date::parse(value, now) else {
        return 0;
    };
    let date = values(lines, "date")
        .next()
        .and_then(|value| date::parse(value, now))
        .unwrap_or(now);
    u32::try_from(expires.since(date).as_secs()).unwrap_or(i32::MAX as u32)
}

/// The age a response has when it arrives, from `Age` and `Date`
/// ([RFC 9111 §4.2.3](https://www.rfc-editor.org/rfc/rfc9111#section-4.2.3)).
fn initial_age(lines: &[Line<'_>], now: Timestamp) -> u32 {
    let stated = values(lines, "age").next().map_or(0, |value| {
        let value = value.trim_ascii();
        if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return 0;
        }
        value.iter().fold(0u32, |sum, digit| {
            sum.saturating_mul(10)
                .saturating_add(u32::from(digit - b'0'))
        })
    });
    let apparent = values(lines, "date")
        .next()
        .and_then(|value| date::parse(value, now))
        .map_or(0, |date| {
            u32::try_from(now.since(date).as_secs()).unwrap_or(u32::MAX)
        });
    stated.max(apparent).min(i32::MAX as u32)
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
