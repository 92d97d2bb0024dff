//! One request and its answer, as phases that consume themselves.
//!
//! ```text
//! begin(method, lines, policy)    -> Ok(Lookup) | Err(reason)
//! Lookup::decide(found, now)      -> Serve | Forward | Unsatisfied
//! Forward::fetch(birth)           -> Fetch
//! Fetch::on_response(head, now)   -> Record { recording, … } | Freshen | Update | StandIn | Pass(reason) | Fail(failed)
//! Failed::share(head)             -> Ok(Record { recording, … }) | Err(reason)
//! Recording::push(length)         -> Ok | Err(reason)
//! Recording::finish(body)         -> Ok(Stored) | Err(reason)
//! Freshening::finish(stored)      -> Freshened { stored, … }
//! ```
//!
//! Calling out of order does not compile. Time is an argument. Every "no" carries a [`Reason`]. Dropping any phase
//! stores nothing.

mod compose;
mod fetch;
mod forward;
mod freshen;
mod lookup;

pub use compose::{BodyOf, Layout, LineOf, Piece, compose};
pub use fetch::{Failed, Fetch, Head, Judged, Record, Recording};
pub use forward::Forward;
pub use freshen::{Freshened, Freshening};
pub use lookup::{Client, Decision, Form, Lookup, Serve, begin, matters};

use crate::reason::Reason;

/// How an exchange came out, as `X-Cache-Status` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Answered from the cache.
    Hit,
    /// Answered by the application; the answer may have been stored.
    Miss,
    /// Answered from the cache past its lifetime.
    Stale,
    /// Answered from the cache after the application confirmed it.
    Revalidated,
    /// The cache kept out of it.
    Bypass,
}

impl Outcome {
    /// The word in `X-Cache-Status`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hit => "HIT",
            Self::Miss => "MISS",
            Self::Stale => "STALE",
            Self::Revalidated => "REVALIDATED",
            Self::Bypass => "BYPASS",
        }
    }

    /// What the outcome and its reason come to once the application's answer was judged: `kept`, or why not. A response
    /// that says that it may be shared makes a credential no reason to keep out of it; one that does not, does.
    #[must_use]
    pub const fn settled(self, reason: Reason, kept: Result<(), Reason>) -> (Self, Reason) {
        match (kept, reason) {
            (Ok(()), Reason::Authorization) => (Self::Miss, Reason::Absent),
            (Err(Reason::Authorization), _) => (Self::Bypass, reason),
            _ => (self, reason),
        }
    }

    /// The outcome of a request that was looked up in vain, for `reason`.
    pub const fn of_forward(reason: Reason) -> Self {
        match reason {
            Reason::Authorization => Self::Bypass,
            _ => Self::Miss,
        }
    }
}
