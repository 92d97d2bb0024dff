//! A stored response: what must be known of it to decide whether it may be used again.

use crate::time::Timestamp;
use std::time::Duration;

/// A response in the store. `R` is the host's own representation of its header lines and body; no rule looks into it.
#[derive(Clone, Debug)]
pub struct Stored<R> {
    /// When the response was received.
    pub received: Timestamp,
    /// Its age when it was received, in whole seconds (RFC 9111 §4.2.3).
    pub initial_age: u32,
    /// For how long the application was waited for, in milliseconds.
    pub took: u32,
    /// How long after `received` less `initial_age` it stays fresh.
    pub lifetime: Duration,
    /// How long past its lifetime it may be served while it is refreshed.
    pub stale_while_revalidate: Duration,
    /// How long past its lifetime it may stand in for a failure.
    pub stale_if_error: Duration,
    /// The status code.
    pub status: u16,
    /// What the response allows.
    pub traits: Traits,
    /// The entity tag, if it has one.
    pub etag: StoredTag,
    /// `Last-Modified`, if it is a valid date.
    pub last_modified: Option<Timestamp>,
    /// Bytes of body.
    pub body_length: u64,
    /// Header lines and body, as the host keeps them.
    pub representation: R,
}

/// What a stored response allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent answers of the response's own directives"
)]
pub struct Traits {
    /// It may answer requests that carry `Authorization` (RFC 9111 §3.5).
    pub shared_with_credentials: bool,
    /// It must not be served stale (RFC 9111 §5.2.2.2, §5.2.2.8, §5.2.2.10).
    pub must_revalidate: bool,
    /// It must not be served before the application has confirmed it, however fresh it is (RFC 9111 §5.2.2.4).
    pub always_validate: bool,
}

impl<R> Stored<R> {
    /// When the response was made, as far as its age tells.
    pub fn made(&self) -> Timestamp {
        let age = i64::from(self.initial_age).saturating_mul(1_000_000);
        Timestamp::from_micros(self.received.micros().saturating_sub(age))
    }

    /// Whether the application can be asked to confirm it: it is a `200` with a validator that the application gave
    /// (RFC 9111 §4.3.1).
    pub fn can_be_validated(&self) -> bool {
        self.status == 200
            && (matches!(self.etag, StoredTag::Given(_)) || self.last_modified.is_some())
    }
}

/// The entity tag of a stored response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StoredTag {
    /// It has none.
    #[default]
    None,
    /// Made from the body because the application gave none; a strong tag.
    Generated(u64),
    /// As the application gave it, quotes and weakness mark included.
    Given(Box<[u8]>),
}
