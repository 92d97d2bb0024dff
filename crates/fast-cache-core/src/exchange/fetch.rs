//! From the application's response to what is stored.

use super::forward::Forward;
use super::freshen::Freshening;
use crate::fields::cache_control::ResponseDirectives;
use crate::fields::{Line, date, values};
use crate::key::inputs::Inputs;
use crate::policy::Policy;
use crate::reason::Reason;
use crate::rules::freshness::{Arrival, Freshness, freshness, remaining};
use crate::rules::governing::{Governing, governing};
use crate::rules::status::is_failure;
use crate::rules::storing::{announced_length, is_of_use, may_share, may_store};
use crate::rules::varying::varying_names;
use crate::stored::{Stored, StoredTag, Traits};
use crate::time::Timestamp;
use smallvec::SmallVec;

/// A request that the application is answering.
#[derive(Clone, Copy, Debug)]
pub struct Fetch {
    birth: u64,
    draw: u64,
    forward: Forward,
}

/// The head of the application's response.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The status code.
    pub status: u16,
    /// The header lines, in order.
    pub lines: &'a [Line<'a>],
}

/// A response that is to be recorded.
#[derive(Debug)]
pub struct Record {
    /// The header names that select among its variants, less those in the primary key.
    pub varying: SmallVec<[Box<str>; 4]>,
    /// The recording of its body.
    pub recording: Recording,
}

/// A response whose body is being recorded.
#[derive(Debug)]
pub struct Recording {
    birth: u64,
    received: Timestamp,
    took: u32,
    freshness: Freshness,
    traits: Traits,
    status: u16,
    etag: StoredTag,
    generate_etag: bool,
    last_modified: Option<Timestamp>,
    announced: Option<u64>,
    length: u64,
    limit: u64,
}

/// What becomes of the application's response.
#[derive(Debug)]
pub enum Judged {
    /// It is passed on and its body recorded.
    Record(Record),
    /// It confirms what is stored, which is the answer.
    Freshen(Freshening),
    /// It is passed on, and it tells whether what is stored is still good: the answer to `HEAD`.
    Update(Freshening),
    /// It is a failure, and what is stored stands in for it.
    StandIn,
    /// It is passed on and not kept.
    Pass(Reason),
    /// The same for a failure of the application's.
    Fail(Failed),
}

/// A failure of the application's, which is passed on and not kept. Another request for the same key may fare better, at
/// once; or those who wait take it as their own, for which it is recorded.
#[derive(Clone, Copy, Debug)]
pub struct Failed {
    reason: Reason,
    fetch: Fetch,
    now: Timestamp,
}

impl Failed {
    /// Why it is not kept.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Records the failure for those who wait for it; `head` is the one that was judged.
    ///
    /// # Errors
    ///
    /// The reason for which it is nobody else's: it would not be kept, whatever its status.
    pub fn share(
        self,
        head: &Head<'_>,
        policy: &Policy,
        inputs: &Inputs,
    ) -> Result<Record, Reason> {
        self.fetch.record(head, policy, inputs, self.now, may_share)
    }
}

/// A rule by which a response is recorded: [`may_store`] or [`may_share`].
type Rule = fn(u16, &[Line<'_>], &ResponseDirectives, &Policy, bool) -> Result<Traits, Reason>;

impl Fetch {
    pub(super) fn new(birth: u64, draw: u64, forward: Forward) -> Self {
        Self {
            birth,
            draw,
            forward,
        }
    }

    /// The store's logical time from before the handler runs.
    pub fn birth(&self) -> u64 {
        self.birth
    }

    /// Why the request was not answered from the cache.
    pub fn reason(&self) -> Reason {
        self.forward.reason
    }

    /// Whether the application is asked to confirm what was found. A `304` is then the answer to a question that the
    /// client did not ask, and never for its eyes.
    pub fn validates(&self) -> bool {
        self.forward.validates
    }

    /// Judges the head of the response. `found` is what was found before the application was asked; `is_current` tells
    /// whether it is still to be found, and is asked only where that matters.
    pub fn on_response<R>(
        self,
        head: &Head<'_>,
        policy: &Policy,
        inputs: &Inputs,
        found: Option<&Stored<R>>,
        is_current: impl FnOnce() -> bool,
        now: Timestamp,
    ) -> Judged {
        if let Some(stored) = found.filter(|_| self.forward.has_stored) {
            if head.status == 304 && self.forward.validates {
                return Judged::Freshen(Freshening::new(self.birth, self.draw, self.forward, now));
            }
            if is_failure(head.status) && self.may_stand_in(stored, now) && is_current() {
                return Judged::StandIn;
            }
            if self.forward.head && head.status == 200 {
                return Judged::Update(Freshening::new(self.birth, self.draw, self.forward, now));
            }
        }
        match self.record(head, policy, inputs, now, may_store) {
            Ok(record) => Judged::Record(record),
            Err(reason) if is_failure(head.status) => Judged::Fail(Failed {
                reason,
                fetch: self,
                now,
            }),
            Err(reason) => Judged::Pass(reason),
        }
    }

    /// Whether what was found may answer instead of the application, which has failed
    /// ([RFC 5861 §4](https://www.rfc-editor.org/rfc/rfc5861#section-4)); a stored failure never does. That it is still
    /// to be found is for the host to see to.
    pub fn may_stand_in<R>(&self, found: &Stored<R>, now: Timestamp) -> bool {
        self.forward.has_stored
            && !is_failure(found.status)
            && !found.traits.must_revalidate
            && !found.traits.always_validate
            && !found.stale_if_error.is_zero()
            && remaining(found, now).stale_for <= found.stale_if_error
    }

    fn record(
        self,
        head: &Head<'_>,
        policy: &Policy,
        inputs: &Inputs,
        now: Timestamp,
        may: Rule,
    ) -> Result<Record, Reason> {
        let Forward {
            only_shared,
            ranged,
            requested,
            ..
        } = self.forward;
        if self.forward.head {
            return Err(Reason::Method);
        }
        // Only a whole representation is an answer to others who did not ask for the same range.
        if ranged && head.status != 200 {
            return Err(Reason::Status);
        }
        let Governing {
            directives,
            targeted,
        } = governing(head.status, head.lines, policy);
        let traits = may(head.status, head.lines, &directives, policy, only_shared)?;
        let varying = varying_names(head.lines, inputs)?;
        let arrival = Arrival {
            status: head.status,
            lines: head.lines,
            age_lines: head.lines,
            directives: &directives,
            targeted,
            requested,
            received: now,
            draw: self.draw,
        };
        let freshness = freshness(&arrival, policy, traits);
        let given = values(head.lines, "etag").next();
        let last_modified = last_modified(head.lines, now);
        let has_validator = given.is_some() || last_modified.is_some();
        is_of_use(
            head.status,
            &freshness,
            &directives,
            traits,
            has_validator,
            policy,
        )?;
        // RFC 9110 §15.3.5: no content follows a 204, and none announces its length.
        let announced = announced_length(head.lines)?.or((head.status == 204).then_some(0));
        if announced.is_some_and(|length| length > policy.max_body_size) {
            return Err(Reason::TooLarge);
        }
        let recording = Recording {
            birth: self.birth,
            received: now,
            took: arrival.took(),
            freshness,
            traits,
            status: head.status,
            etag: given.map_or(StoredTag::None, |tag| {
                StoredTag::Given(tag.trim_ascii().into())
            }),
            generate_etag: policy.etag && given.is_none() && head.status == 200,
            last_modified,
            announced,
            length: 0,
            limit: policy.max_body_size,
        };
        Ok(Record { varying, recording })
    }
}

pub(super) fn last_modified(lines: &[Line<'_>], now: Timestamp) -> Option<Timestamp> {
    values(lines, "last-modified")
        .next()
        .and_then(|value| date::parse(value, now))
}

impl Recording {
    /// The store's logical time from before the handler ran.
    pub fn birth(&self) -> u64 {
        self.birth
    }

    /// Whether the response's entity tag is to be made from its body.
    pub fn wants_etag(&self) -> bool {
        self.generate_etag
    }

    /// The body length that the response announces, if it does, as a `204` does by its status.
    pub fn announced_length(&self) -> Option<u64> {
        self.announced
    }

    /// Takes note of a piece of the body.
    ///
    /// # Errors
    ///
    /// [`Reason::TooLarge`] once the body passes the limit, [`Reason::Incomplete`] once it passes the length that was
    /// announced: drop the recording.
    pub fn push(&mut self, length: usize) -> Result<(), Reason> {
        self.length = self.length.saturating_add(length as u64);
        if self.length > self.limit {
            return Err(Reason::TooLarge);
        }
        if self
            .announced
            .is_some_and(|announced| self.length > announced)
        {
            return Err(Reason::Incomplete);
        }
        Ok(())
    }

    /// The entity tag made from a whole body.
    pub fn make_etag(body: &[u8]) -> u64 {
        xxhash_rust::xxh3::xxh3_64(body)
    }

    /// Ends the recording of a whole response. `generated` is the entity tag made from the body, where one is wanted.
    ///
    /// # Errors
    ///
    /// [`Reason::Incomplete`] where the body is not as long as the response announced.
    pub fn finish<R>(self, generated: Option<u64>, representation: R) -> Result<Stored<R>, Reason> {
        if self
            .announced
            .is_some_and(|announced| announced != self.length)
        {
            return Err(Reason::Incomplete);
        }
        let etag = match generated {
            Some(hash) if self.generate_etag => StoredTag::Generated(hash),
            _ => self.etag,
        };
        Ok(Stored {
            received: self.received,
            initial_age: self.freshness.initial_age,
            took: self.took,
            lifetime: self.freshness.lifetime,
            stale_while_revalidate: self.freshness.stale_while_revalidate,
            stale_if_error: self.freshness.stale_if_error,
            status: self.status,
            traits: self.traits,
            etag,
            last_modified: self.last_modified,
            body_length: self.length,
            representation,
        })
    }
}
