//! Every "no" the cache can say, in one table.
//!
//! A reason travels from the rule that gave it to `Cache-Status` (as `detail`, [RFC 9211
//! §2.8](https://www.rfc-editor.org/rfc/rfc9211#section-2.8)), to statistics, logs and `explain`, and it decides what
//! waiting requests do.

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $token:literal, $shareable:literal;)*) => {
        /// Why an answer was not taken from the cache, or why it was not kept.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// Every reason there is, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The reason as a lower-case token, as it appears in `Cache-Status` and in statistics.
            pub const fn token(self) -> &'static str {
                match self { $(Self::$name => $token,)* }
            }

            /// Whether the next request for the same key may well be answered from the cache all the same. Where it is
            /// `false`, nobody should wait for somebody else's answer.
            pub const fn may_be_shared_later(self) -> bool {
                match self { $(Self::$name => $shareable,)* }
            }
        }
    };
}

reasons! {
    /// Nothing is stored under this key.
    Absent = "absent", true;
    /// Something is stored, but for other values of the headers that `Vary` names.
    VaryMismatch = "vary-mismatch", true;
    /// What is stored has outlived its lifetime.
    Expired = "expired", true;
    /// What is stored was marked stale by a soft drop.
    SoftDropped = "soft-dropped", true;
    /// What is stored must be confirmed by the application each time.
    MustValidate = "must-validate", true;
    /// The request takes only what is stored, and nothing is that it may be answered with.
    OnlyIfCached = "only-if-cached", true;
    /// The request's method is not one that is answered from the cache.
    Method = "method", false;
    /// The request carries `Cache-Control: no-store`.
    RequestNoStore = "request-no-store", true;
    /// The request carries `no-cache`, `max-age=0` or `Pragma: no-cache`.
    RequestNoCache = "request-no-cache", true;
    /// What is stored is older or less fresh than the request allows.
    RequestDirective = "request-directive", true;
    /// The request has a body, which the key does not hold.
    RequestBody = "request-body", true;
    /// The request has a precondition that only the application can judge.
    RequestPrecondition = "request-precondition", true;
    /// The request carries `Authorization`, and nothing allows its answer to be shared.
    Authorization = "authorization", false;
    /// The request carries cookies that the endpoint may read and the key does not hold.
    Cookie = "cookie", false;
    /// A path parameter is not written in its canonical form, so a drop could miss it.
    NoncanonicalPath = "noncanonical-path", true;
    /// The request line or `Host` is not one a key can be made of.
    MalformedRequest = "malformed-request", true;
    /// A controller or key function of the application's author said no.
    Hook = "hook", true;
    /// A controller or key function of the application's author raised.
    HookFailed = "hook-failed", true;
    /// The framework took another route than was predicted.
    RouteMismatch = "route-mismatch", true;
    /// The status is not one that is stored.
    Status = "status", true;
    /// The response demands that its status be understood, and it is not.
    MustUnderstand = "must-understand", true;
    /// The response says nothing of its lifetime, and its status is not one for which a lifetime may be guessed.
    NotExplicit = "not-explicit", false;
    /// The response to `HEAD`, or a confirmation, is not about the stored response but another one.
    Outdated = "outdated", true;
    /// The application failed, and a stale response stands in for its answer.
    StandIn = "stale-if-error", true;
    /// The response carries `no-store`.
    NoStore = "no-store", false;
    /// The response carries `private`.
    Private = "private", false;
    /// The response carries `no-cache`.
    NoCache = "no-cache", false;
    /// The response has no lifetime left when it arrives.
    NotFresh = "not-fresh", false;
    /// The response sets a cookie, or the endpoint has left something in the client's session.
    SetCookie = "set-cookie", false;
    /// The response varies by everything.
    VaryAny = "vary-any", false;
    /// `Vary` names more headers than are kept.
    VaryTooLong = "vary-too-long", false;
    /// The body, or the response as a whole, is larger than the limit.
    TooLarge = "too-large", false;
    /// The body ended early, or its length is not what `Content-Length` said.
    Incomplete = "incomplete", true;
    /// An exception handler answered, which sees the whole request whatever the endpoint declares.
    ExceptionHandler = "exception-handler", true;
    /// The response has trailers, or a message that a stored response cannot repeat.
    Unrepeatable = "unrepeatable", false;
    /// The response is malformed.
    MalformedResponse = "malformed-response", true;
    /// A drop that covers the answer finished while it was being made.
    Dropped = "dropped", true;
    /// The store could not be asked, or could not keep the answer.
    StoreFailed = "store-failed", true;
    /// The tags are too many or too long.
    Tags = "tags", false;
}

impl std::fmt::Display for Reason {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.token())
    }
}

#[cfg(test)]
mod tests {
    use super::Reason;

    #[test]
    fn tokens_are_distinct_and_valid() {
        let mut seen = std::collections::HashSet::new();
        for reason in Reason::ALL {
            assert!(seen.insert(reason.token()), "{reason} stands twice");
            assert!(
                reason
                    .token()
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
            );
        }
    }
}
