//! What a route's author asked for, as plain data.

mod canonical;
pub mod declared;
mod digits;
mod spellings;

pub use canonical::Canonical;
pub use spellings::canonical_spellings;
use std::time::Duration;

/// How long a response may be reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// As long as the route says, whatever `max-age`, `s-maxage` and `Expires` in the response say.
    Fixed(Duration),
    /// As long as the response's own headers say (HTTP mode, [RFC 9111
    /// §4.2.1](https://www.rfc-editor.org/rfc/rfc9111#section-4.2.1)).
    Response,
}

/// What a credential on the request means for a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// The answer is the same whatever it is: the endpoint cannot see it, or the author said so.
    Ignored,
    /// It is part of the key, so everybody has an entry of their own.
    InKey,
    /// The endpoint may read it and the key does not hold it: not shared unless the response says that it may be.
    NotShared,
}

/// The statuses that are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statuses([u64; 8]);

impl Statuses {
    /// No status at all.
    pub const NONE: Self = Self([0; 8]);

    /// Every final status, from 200 to 599 ([RFC 9110 §15](https://www.rfc-editor.org/rfc/rfc9110#section-15)).
    pub const FINAL: Self = {
        let (mut statuses, mut status) = (Self::NONE, 200);
        while status < 600 {
            statuses = statuses.with(status);
            status += 1;
        }
        statuses
    };

    /// Adds a status from 100 to 599; others are ignored.
    #[must_use]
    pub const fn with(mut self, status: u16) -> Self {
        if status >= 100 && status < 600 {
            let bit = (status - 100) as usize;
            self.0[bit / 64] |= 1 << (bit % 64);
        }
        self
    }

    /// Whether the status is stored.
    pub const fn contains(&self, status: u16) -> bool {
        if status < 100 || status >= 600 {
            return false;
        }
        let bit = (status - 100) as usize;
        self.0[bit / 64] & (1 << (bit % 64)) != 0
    }
}

impl Default for Statuses {
    fn default() -> Self {
        Self::NONE.with(200).with(301).with(308)
    }
}

/// The caching policy of one route.
#[derive(Clone, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent switches of the public contract"
)]
pub struct Policy {
    /// How long a response may be reused.
    pub lifetime: Lifetime,
    /// How long past its lifetime it may be served while it is refreshed.
    pub stale_while_revalidate: Duration,
    /// How long past its lifetime it may stand in for a failure.
    pub stale_if_error: Duration,
    /// The weight with which a response is refreshed by chance before it expires
    /// ([`early`](crate::rules::early)); `None` where it is not.
    pub early_refresh: Option<f64>,
    /// The fraction of its lifetime by which a response may expire sooner, by chance. Below 1.
    pub jitter: f64,
    /// How long a request waits for another one's answer at most; `None` where none waits.
    pub follower_timeout: Option<Duration>,
    /// The author's word that the answer is the same for everybody.
    pub public: bool,
    /// Make entity tags and answer conditional requests.
    pub etag: bool,
    /// Listen to the request's `Cache-Control` and `Pragma`.
    pub client_directives: bool,
    /// What `Authorization` on the request means.
    pub authorization: Credential,
    /// What cookies on the request mean.
    pub cookies: Credential,
    /// The endpoint reads a request body, which no key holds.
    pub reads_body: bool,
    /// The statuses that are stored.
    pub statuses: Statuses,
    /// The largest body that is stored, in bytes.
    pub max_body_size: u64,
    /// Path parameters that must be written canonically, by name.
    pub canonical: Box<[(Box<str>, Canonical)]>,
    /// What goes beyond the conservative reading of the standard.
    pub options: HttpOptions,
}

/// What a cache may do beyond the conservative reading of the standard. Nothing, by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent switches of the public contract"
)]
pub struct HttpOptions {
    /// Guess a lifetime where a response states none
    /// ([RFC 9111 §4.2.2](https://www.rfc-editor.org/rfc/rfc9111#section-4.2.2)).
    pub heuristics: bool,
    /// Let `CDN-Cache-Control` take the place of `Cache-Control` ([RFC 9213](https://www.rfc-editor.org/rfc/rfc9213)).
    pub cdn_cache_control: bool,
    /// Answer with a stale response, however old, where the application fails and the response does not forbid it
    /// ([RFC 9111 §4.2.4](https://www.rfc-editor.org/rfc/rfc9111#section-4.2.4)).
    pub stale_on_error: bool,
    /// Take values of `Accept-Language` that ask for the same languages for one
    /// ([RFC 9111 §4.1](https://www.rfc-editor.org/rfc/rfc9111#section-4.1)).
    pub normalize_language: bool,
}

impl Policy {
    /// Whether the response's own headers decide (HTTP mode).
    pub fn is_http(&self) -> bool {
        self.lifetime == Lifetime::Response
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            lifetime: Lifetime::Fixed(Duration::from_secs(300)),
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            early_refresh: None,
            jitter: 0.0,
            follower_timeout: None,
            public: false,
            etag: true,
            client_directives: true,
            authorization: Credential::NotShared,
            cookies: Credential::Ignored,
            reads_body: false,
            statuses: Statuses::default(),
            max_body_size: 1 << 20,
            canonical: Box::new([]),
            options: HttpOptions::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Statuses;

    #[test]
    fn statuses_hold_what_was_added() {
        let statuses = Statuses::default();
        for status in 0..1000 {
            assert_eq!(
                statuses.contains(status),
                matches!(status, 200 | 301 | 308),
                "{status}"
            );
        }
        assert!(Statuses::NONE.with(100).with(599).contains(599));
        assert!(!Statuses::NONE.with(600).contains(600));
        for status in 0..1000 {
            let is_final = (200..600).contains(&status);
            assert_eq!(Statuses::FINAL.contains(status), is_final, "{status}");
        }
    }
}
