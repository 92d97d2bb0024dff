//! From the application's response to what is stored.

use crate::fields::cache_control::ResponseDirectives;
use crate::fields::{Line, date, values};
use crate::key::inputs::Inputs;
use crate::policy::Policy;
use crate::reason::Reason;
use crate::rules::freshness::{Freshness, freshness};
use crate::rules::storing::{announced_length, may_store};
use crate::rules::varying::varying_names;
use crate::stored::{Stored, StoredTag, Traits};
use crate::time::Timestamp;
use smallvec::SmallVec;
use std::time::Duration;

/// A request that the application is answering.
#[derive(Debug)]
pub struct Fetch {
    birth: u64,
    reason: Reason,
    only_shared: bool,
    head: bool,
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

impl Fetch {
    pub(super) fn new(birth: u64, reason: Reason, only_shared: bool, head: bool) -> Self {
        Self {
            birth,
            reason,
            only_shared,
            head,
        }
    }

    /// Why the request was not answered from the cache.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Judges the head of the response.
    ///
    /// # Errors
    ///
    /// The reason for which the response is passed on and not kept.
    pub fn on_response(
        self,
        head: &Head<'_>,
        policy: &Policy,
        inputs: &Inputs,
        now: Timestamp,
    ) -> Result<Record, Reason> {
        if self.head {
            return Err(Reason::Method);
        }
        let directives = ResponseDirectives::parse(head.lines);
        let traits = may_store(
            head.status,
            head.lines,
            &directives,
            policy,
            self.only_shared,
        )?;
        let varying = varying_names(head.lines, inputs)?;
        let freshness = freshness(head.lines, &directives, policy, now);
        let initial_age = Duration::from_secs(u64::from(freshness.initial_age));
        if freshness.lifetime <= initial_age
            && freshness.stale_while_revalidate.is_zero()
            && freshness.stale_if_error.is_zero()
        {
            return Err(Reason::NotFresh);
        }
        let announced = announced_length(head.lines)?;
        if announced.is_some_and(|length| length > policy.max_body_size) {
            return Err(Reason::TooLarge);
        }
        let given = values(head.lines, "etag").next();
        let last_modified = values(head.lines, "last-modified")
            .next()
            .and_then(|value| date::parse(value, now));
        let recording = Recording {
            birth: self.birth,
            received: now,
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

impl Recording {
    /// The store's logical time from before the handler ran.
    pub fn birth(&self) -> u64 {
        self.birth
    }

    /// Whether the response's entity tag is to be made from its body.
    pub fn wants_etag(&self) -> bool {
        self.generate_etag
    }

    /// The body length that the response announces, if it does.
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
