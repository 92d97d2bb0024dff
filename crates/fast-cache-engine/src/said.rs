//! What a cache says of an answer in its header lines: `X-Cache-Status`, `Age` and `Cache-Status`.

use fast_cache_core::exchange::{Outcome, Serve};
use fast_cache_core::fields::cache_status::{self, CacheName, Forward, forward_for};
use fast_cache_core::reason::Reason;

/// How an answer from the cache came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// It was found, and is stale where [`Serve`] says so.
    Found,
    /// The application, asked for this reason, confirmed it; whether it was stored anew.
    Confirmed(Reason, Result<(), Reason>),
    /// The application, asked for this reason, failed, with this status if it gave one.
    InsteadOfFailure(Reason, Option<u16>),
    /// It is the failure of another request, which was waited for; this one would have asked the application for this
    /// reason.
    Shared(Reason),
}

impl Came {
    /// The outcome of an answer that came about like this.
    pub const fn outcome(self, serve: &Serve) -> Outcome {
        match self {
            Self::Found if serve.stale => Outcome::Stale,
            Self::Found => Outcome::Hit,
            Self::Confirmed(..) => Outcome::Revalidated,
            Self::InsteadOfFailure(..) => Outcome::Stale,
            Self::Shared(_) => Outcome::Miss,
        }
    }

    /// The reason that goes with the outcome, if one does.
    pub const fn reason(self) -> Option<Reason> {
        match self {
            Self::Found => None,
            Self::Confirmed(why, Ok(())) => Some(why),
            Self::Confirmed(_, Err(reason)) => Some(reason),
            Self::InsteadOfFailure(..) => Some(Reason::StandIn),
            Self::Shared(_) => Some(Reason::Status),
        }
    }

    /// The member of `Cache-Status` for such an answer.
    pub fn cache_status(self, name: &CacheName, serve: &Serve) -> Vec<u8> {
        let mut value = Vec::with_capacity(64);
        match self {
            Self::Found => cache_status::hit(&mut value, name, serve.ttl),
            Self::Confirmed(why, kept) => {
                let why = forward_for(why);
                cache_status::forward(&mut value, name, why, Some(304), kept.is_ok(), kept.err());
            }
            Self::InsteadOfFailure(why, status) => {
                let (why, detail) = (forward_for(why), Some(Reason::StandIn));
                cache_status::forward(&mut value, name, why, status, false, detail);
            }
            Self::Shared(why) => {
                cache_status::collapsed(&mut value, name, forward_for(why), Reason::Status);
            }
        }
        value
    }

    /// The value of `Age`, where the answer has one: where it comes from the cache, or came to the application with an
    /// age already, of so many seconds.
    pub fn age(self, serve: &Serve, initial_age: u32) -> Option<u64> {
        let has_age = initial_age > 0 || !matches!(self, Self::Shared(_));
        has_age.then(|| age(serve))
    }
}

/// The member of `Cache-Status` for an answer of the application's, which was asked because of `why`; `kept` or why not.
pub fn forwarded(name: &CacheName, why: Reason, kept: Result<(), Reason>) -> Vec<u8> {
    let mut value = Vec::with_capacity(64);
    let forward = forward_for(why);
    let own = matches!(forward, Forward::Bypass | Forward::Request).then_some(why);
    let detail = kept.err().or(own);
    cache_status::forward(&mut value, name, forward, None, kept.is_ok(), detail);
    value
}

/// The value of `Age`: a number that is too large is sent as 2^31
/// ([RFC 9111 §1.2.2](https://www.rfc-editor.org/rfc/rfc9111#section-1.2.2)).
pub fn age(serve: &Serve) -> u64 {
    serve.age.min(1 << 31)
}
