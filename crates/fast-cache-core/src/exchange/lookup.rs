//! From the request to a decision.

use super::forward::Forward;
use crate::fields::Line;
use crate::fields::cache_control::MaxStale;
use crate::key::inputs::Inputs;
use crate::policy::Policy;
use crate::reason::Reason;
use crate::request::Method;
use crate::rules::conditional::not_modified;
use crate::rules::early::{is_due, may_be_due};
use crate::rules::freshness::{Remaining, remaining};
use crate::rules::range::{Selection, select};
use crate::rules::request::{Noted, Permits, is_noted, permits};
use crate::stored::Stored;
use crate::time::Timestamp;
use std::time::Duration;

/// A request that may be answered from the cache.
#[derive(Clone, Copy, Debug)]
pub struct Lookup<'a> {
    policy: &'a Policy,
    permits: Permits,
    client: Client<'a>,
}

/// What to do with the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Answer with what was found.
    Serve(Serve),
    /// Ask the application.
    Forward(Forward),
    /// Answer `504 Gateway Timeout`: the request takes only what is stored
    /// ([RFC 9111 §5.2.1.7](https://www.rfc-editor.org/rfc/rfc9111#section-5.2.1.7)).
    Unsatisfied,
}

/// How to answer with what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serve {
    /// The value of `Age`, in whole seconds.
    pub age: u64,
    /// Whole seconds of freshness left; negative where the answer is stale.
    pub ttl: i64,
    /// Which form the answer takes.
    pub form: Form,
    /// Whether the answer is stale, or counts as stale.
    pub stale: bool,
    /// Ask the application for a new one after this answer, for those who come later
    /// ([RFC 5861 §3](https://www.rfc-editor.org/rfc/rfc5861#section-3)).
    pub refresh: Option<Forward>,
}

impl Serve {
    /// Whether the answer is fresh and is sent as stored, with its body or without: nearly always.
    #[inline]
    pub fn is_plain(&self) -> bool {
        !self.stale && matches!(self.form, Form::Full | Form::WithoutBody)
    }
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
    /// `206 Partial Content` with the bytes from the first number up to the second one, exclusively.
    Part(u64, u64),
    /// `206 Partial Content` with several parts: those that [`select`](crate::rules::range::select) gives.
    Parts,
    /// `416 Range Not Satisfiable`.
    Unsatisfiable,
}

/// Whether a header line of this name can bear on the lookup of a request. A host need read no others, unless the
/// answers vary by more headers or the application is asked.
#[inline]
pub fn matters(inputs: &Inputs, name: &[u8]) -> bool {
    is_noted(name) || inputs.holds_header(name)
}

/// Starts an exchange for a request with this method and these lines, of which `noted` has taken note. Lines that do not
/// [matter](matters) may be left out.
///
/// # Errors
///
/// The reason for which the cache keeps out of it: nothing is looked up and nothing is stored.
pub fn begin<'a, 'p>(
    method: Method<'_>,
    lines: &'a [Line<'a>],
    noted: &Noted<'a>,
    policy: &'a Policy,
    parameter: impl Fn(&str) -> Option<&'p str>,
) -> Result<Lookup<'a>, Reason> {
    let permits = permits(lines, noted, policy)?;
    for (name, canonical) in &policy.canonical {
        if !parameter(name).is_none_or(|text| canonical.holds(text)) {
            return Err(Reason::NoncanonicalPath);
        }
    }
    Ok(Lookup {
        policy,
        permits,
        client: Client::noted(lines, noted, method, policy),
    })
}

impl<'a> Lookup<'a> {
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
            return self.forward::<R>(Reason::RequestNoCache, None, now);
        }
        let Some((stored, soft)) = found else {
            return self.forward::<R>(absent, None, now);
        };
        if self.permits.only_shared && !stored.traits.shared_with_credentials {
            return self.forward::<R>(Reason::Authorization, None, now);
        }
        let left = remaining(stored, now);
        if let Some(fresh_for) = left.fresh_for
            && !soft
            && !stored.traits.always_validate
        {
            let too_old = self
                .permits
                .max_age
                .is_some_and(|limit| left.age > Duration::from_secs(u64::from(limit)));
            if too_old || fresh_for < Duration::from_secs(u64::from(self.permits.min_fresh)) {
                return self.forward(Reason::RequestDirective, Some(stored), now);
            }
            return Decision::Serve(Serve {
                age: left.age.as_secs(),
                ttl: i64::try_from(fresh_for.as_secs()).unwrap_or(i64::MAX),
                form: self.client.form(stored),
                stale: false,
                refresh: None,
            });
        }
        self.decide_stale(stored, soft, &left, now)
    }

    /// Whether [`refresh_early`](Self::refresh_early) may find that `stored` is to be refreshed, whatever is drawn. Never,
    /// where the policy does not ask for it.
    #[inline]
    pub fn may_refresh_early<R>(&self, stored: &Stored<R>, now: Timestamp) -> bool {
        self.policy.early_refresh.is_some_and(|beta| {
            self.is_early(stored, now, |took, left| may_be_due(took, left, beta))
        })
    }

    /// The refresh that an answer calls for which is fresh still, where the policy asks for that and chance has it so:
    /// the application is asked for a new one after this answer. `draw` gives random bits.
    #[inline]
    pub fn refresh_early<R>(
        &self,
        stored: &Stored<R>,
        now: Timestamp,
        draw: impl FnOnce() -> u64,
    ) -> Option<Forward> {
        let beta = self.policy.early_refresh?;
        self.is_early(stored, now, |took, left| is_due(took, left, beta, draw()))
            .then(|| Forward {
                unconditional: true,
                ..self.forwarded(Reason::Expired, Some(stored), now)
            })
    }

    #[cold]
    fn is_early<R>(
        &self,
        stored: &Stored<R>,
        now: Timestamp,
        is_due: impl FnOnce(Duration, Duration) -> bool,
    ) -> bool {
        let took = Duration::from_millis(u64::from(stored.took));
        let left = remaining(stored, now).fresh_for;
        !self.client.head && left.is_some_and(|left| is_due(took, left))
    }

    /// The policy the request is judged by.
    pub fn policy(&self) -> &Policy {
        self.policy
    }

    /// What the client asked for, to answer it once more later.
    pub fn client(&self) -> Client<'a> {
        self.client
    }

    #[cold]
    fn decide_stale<R>(
        self,
        stored: &Stored<R>,
        soft: bool,
        left: &Remaining,
        now: Timestamp,
    ) -> Decision {
        let reason = if soft {
            Reason::SoftDropped
        } else if left.fresh_for.is_none() {
            Reason::Expired
        } else {
            Reason::MustValidate
        };
        if stored.traits.must_revalidate || stored.traits.always_validate {
            return self.forward(reason, Some(stored), now);
        }
        let too_old = self
            .permits
            .max_age
            .is_some_and(|limit| left.age > Duration::from_secs(u64::from(limit)));
        if self.permits.min_fresh > 0 || (too_old && self.permits.max_stale.is_none()) {
            return self.forward(reason, Some(stored), now);
        }
        // What a drop made stale is not what the client had in mind.
        let welcome = !soft
            && match self.permits.max_stale {
                Some(MaxStale::Any) => true,
                Some(MaxStale::Seconds(seconds)) => {
                    left.stale_for <= Duration::from_secs(u64::from(seconds))
                }
                None => false,
            };
        let window = stored.stale_while_revalidate;
        let refreshed = !window.is_zero() && left.stale_for <= window;
        if !(welcome || refreshed) {
            return self.forward(reason, Some(stored), now);
        }
        let refresh = refreshed.then(|| Forward {
            unconditional: true,
            ..self.forwarded(reason, Some(stored), now)
        });
        Decision::Serve(self.client.serve_stale(stored, left, refresh))
    }

    fn forward<R>(self, reason: Reason, found: Option<&Stored<R>>, now: Timestamp) -> Decision {
        if self.permits.only_if_cached {
            return Decision::Unsatisfied;
        }
        Decision::Forward(self.forwarded(reason, found, now))
    }

    fn forwarded<R>(&self, reason: Reason, found: Option<&Stored<R>>, now: Timestamp) -> Forward {
        let reason = match reason {
            Reason::Absent | Reason::VaryMismatch if self.permits.only_shared => {
                Reason::Authorization
            }
            other => other,
        };
        let validates = !self.client.head && found.is_some_and(Stored::can_be_validated);
        Forward {
            reason,
            validates,
            unconditional: validates,
            only_shared: self.permits.only_shared,
            head: self.client.head,
            ranged: self.client.range,
            has_stored: found.is_some(),
            requested: now,
        }
    }
}

/// What a client asked for, beside the resource itself: the form of the answer.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    lines: &'a [Line<'a>],
    conditional: bool,
    range: bool,
    head: bool,
}

impl<'a> Client<'a> {
    /// What the request with these lines, all of them, asks for.
    pub fn of(lines: &'a [Line<'a>], method: Method<'_>, policy: &Policy) -> Self {
        let noted = Noted::from_lines(lines);
        Self::noted(lines, &noted, method, policy)
    }

    fn noted(
        lines: &'a [Line<'a>],
        noted: &Noted<'_>,
        method: Method<'_>,
        policy: &Policy,
    ) -> Self {
        Self {
            lines,
            conditional: noted.conditional && policy.etag,
            range: noted.range,
            head: method == Method::Head,
        }
    }

    /// The form in which a stored response answers the client. Conditions come before ranges
    /// ([RFC 9110 §13.2.2](https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2)).
    pub fn form<R>(&self, stored: &Stored<R>) -> Form {
        if self.conditional && not_modified(self.lines, stored) {
            Form::NotModified
        } else if self.head {
            Form::WithoutBody
        } else if self.range {
            match select(self.lines, stored) {
                Selection::Whole => Form::Full,
                Selection::One(range) => Form::Part(range.start, range.end),
                Selection::Many(_) => Form::Parts,
                Selection::Unsatisfiable => Form::Unsatisfiable,
            }
        } else {
            Form::Full
        }
    }

    /// Answers with a stored response as it is now, fresh or not.
    pub fn serve<R>(&self, stored: &Stored<R>, now: Timestamp) -> Serve {
        let left = remaining(stored, now);
        match left.fresh_for {
            Some(fresh_for) => Serve {
                age: left.age.as_secs(),
                ttl: i64::try_from(fresh_for.as_secs()).unwrap_or(i64::MAX),
                form: self.form(stored),
                stale: false,
                refresh: None,
            },
            None => self.serve_stale(stored, &left, None),
        }
    }

    fn serve_stale<R>(
        &self,
        stored: &Stored<R>,
        left: &Remaining,
        refresh: Option<Forward>,
    ) -> Serve {
        Serve {
            age: left.age.as_secs(),
            ttl: -i64::try_from(left.stale_for.as_secs()).unwrap_or(i64::MAX),
            form: self.form(stored),
            stale: true,
            refresh,
        }
    }
}
