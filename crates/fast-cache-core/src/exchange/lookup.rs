//! From the request to a decision.

use super::fetch::Fetch;
use crate::fields::Line;
use crate::key::inputs::Inputs;
use crate::policy::Policy;
use crate::reason::Reason;
use crate::request::{Method, Request};
use crate::rules::conditional::not_modified;
use crate::rules::freshness::remaining;
use crate::rules::request::{Noted, Permits, is_noted, permits};
use crate::stored::Stored;
use crate::time::Timestamp;
use std::time::Duration;

/// A request that may be answered from the cache.
#[derive(Clone, Copy, Debug)]
pub struct Lookup<'a> {
    policy: &'a Policy,
    lines: &'a [Line<'a>],
    permits: Permits,
    conditional: bool,
    head: bool,
}

/// What to do with the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Answer with what was found.
    Serve(Serve),
    /// Ask the application.
    Forward(Forward),
}

/// How to answer with what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serve {
    /// The value of `Age`, in whole seconds.
    pub age: u64,
    /// Whole seconds of freshness left.
    pub ttl: u64,
    /// Which form the answer takes.
    pub form: Form,
}

/// Which form an answer from the cache takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Status, header lines and body as stored.
    Full,
    /// As stored, without the body: the answer to `HEAD`.
    WithoutBody,
    /// `304 Not Modified`.
    NotModified,
}

/// A request on its way to the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forward {
    /// Why it was not answered from the cache.
    pub reason: Reason,
    only_shared: bool,
    head: bool,
}

/// Whether a header line of this name can bear on the lookup of a request. A host need read no others, unless the
/// answers vary by more headers or the application is asked.
#[inline]
pub fn matters(inputs: &Inputs, name: &[u8]) -> bool {
    is_noted(name) || inputs.holds_header(name)
}

/// Starts an exchange.
///
/// # Errors
///
/// The reason for which the cache keeps out of it: nothing is looked up and nothing is stored.
pub fn begin<'a, 'p>(
    request: &Request<'a>,
    noted: &Noted<'a>,
    policy: &'a Policy,
    parameter: impl Fn(&str) -> Option<&'p str>,
) -> Result<Lookup<'a>, Reason> {
    let permits = permits(request.lines, noted, policy)?;
    for (name, canonical) in &policy.canonical {
        if !parameter(name).is_none_or(|text| canonical.holds(text)) {
            return Err(Reason::NoncanonicalPath);
        }
    }
    Ok(Lookup {
        policy,
        lines: request.lines,
        permits,
        conditional: noted.conditional && policy.etag,
        head: request.method == Method::Head,
    })
}

impl Lookup<'_> {
    /// Whether the store is to be asked at all; if not, go on with [`Lookup::decide`] and nothing found.
    pub fn wants_stored(&self) -> bool {
        !self.permits.skip_lookup
    }

    /// Decides over what was found. `absent` says why nothing was found, where that is known better than
    /// [`Reason::Absent`]; `soft` that a soft drop covers what was found.
    pub fn decide<R>(
        self,
        found: Option<(&Stored<R>, bool)>,
        absent: Reason,
        now: Timestamp,
    ) -> Decision {
        if self.permits.skip_lookup {
            return self.forward(Reason::RequestNoCache);
        }
        let Some((stored, soft)) = found else {
            return self.forward(absent);
        };
        let left = remaining(stored, now);
        let Some(fresh_for) = left.fresh_for else {
            return self.forward(Reason::Expired);
        };
        if soft {
            return self.forward(Reason::SoftDropped);
        }
        if self.permits.only_shared && !stored.traits.shared_with_credentials {
            return self.forward(Reason::Authorization);
        }
        let too_old = self
            .permits
            .max_age
            .is_some_and(|limit| left.age > Duration::from_secs(u64::from(limit)));
        if too_old || fresh_for < Duration::from_secs(u64::from(self.permits.min_fresh)) {
            return self.forward(Reason::RequestDirective);
        }
        let form = if self.conditional && not_modified(self.lines, stored) {
            Form::NotModified
        } else if self.head {
            Form::WithoutBody
        } else {
            Form::Full
        };
        Decision::Serve(Serve {
            age: left.age.as_secs(),
            ttl: fresh_for.as_secs(),
            form,
        })
    }

    /// The policy the request is judged by.
    pub fn policy(&self) -> &Policy {
        self.policy
    }

    fn forward(self, reason: Reason) -> Decision {
        let reason = match reason {
            Reason::Absent | Reason::VaryMismatch if self.permits.only_shared => {
                Reason::Authorization
            }
            other => other,
        };
        Decision::Forward(Forward {
            reason,
            only_shared: self.permits.only_shared,
            head: self.head,
        })
    }
}

impl Forward {
    /// Goes on to the application. `birth` is the store's logical time, taken before the handler runs.
    pub fn fetch(self, birth: u64) -> Fetch {
        Fetch::new(birth, self.reason, self.only_shared, self.head)
    }
}
