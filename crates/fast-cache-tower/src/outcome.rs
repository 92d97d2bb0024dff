//! What the cache did with a request, in the extensions of its response.

use fast_cache_core::exchange::Outcome;
use fast_cache_core::reason::Reason;

/// What the cache did with a request. It stands in the
/// [extensions](http::Response::extensions) of every response for which `X-Cache-Status` is set.
///
/// ```
/// use fast_cache_tower::{CacheOutcome, Outcome};
///
/// fn is_hit<B>(response: &http::Response<B>) -> bool {
///     let said = response.extensions().get::<CacheOutcome>();
///     said.is_some_and(|said| said.outcome() == Outcome::Hit)
/// }
/// assert!(!is_hit(&http::Response::new(())));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheOutcome {
    pub(crate) outcome: Outcome,
    pub(crate) reason: Option<Reason>,
    pub(crate) age: Option<u64>,
}

impl CacheOutcome {
    /// How the exchange came out.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Why it was no hit, or why the answer was not stored.
    pub fn reason(&self) -> Option<Reason> {
        self.reason
    }

    /// The age of an answer from the cache, in whole seconds.
    pub fn age(&self) -> Option<u64> {
        self.age
    }

    /// Whether the application was asked.
    pub fn was_forwarded(&self) -> bool {
        !matches!(self.outcome, Outcome::Hit | Outcome::Stale)
            || self.reason == Some(Reason::StandIn)
    }
}
