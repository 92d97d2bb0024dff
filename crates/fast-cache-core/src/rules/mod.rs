//! What HTTP allows, one file per subject.
//!
//! | file | subject |
//! |---|---|
//! | [`request`] | what a request permits: method, body, directives, credentials (RFC 9111 §3, §5.2.1) |
//! | [`storing`] | which responses are kept (RFC 9111 §3) |
//! | [`status`] | what is known of status codes (RFC 9110 §15) |
//! | [`governing`] | which of a response's directives count (RFC 9111 §5.2.2, RFC 9213) |
//! | [`freshness`] | for how long (RFC 9111 §4.2) |
//! | [`early`] | what is refreshed before it expires, and how responses are kept from expiring together |
//! | [`validation`] | how the application is asked to confirm what is stored (RFC 9111 §4.3.1) |
//! | [`freshening`] | what its confirmation changes (RFC 9111 §3.2, §4.3.4, §4.3.5) |
//! | [`varying`] | for whom (RFC 9111 §4.1) |
//! | [`conditional`] | when `304 Not Modified` is the answer (RFC 9110 §13) |
//! | [`invalidation`] | what a write makes invalid (RFC 9111 §4.4, RFC 9875 §3) |
//! | [`kept_fields`] | which header lines are stored and replayed (RFC 9111 §3.1, §3.2) |
//! | [`range`] | which bytes of a stored body are the answer (RFC 9110 §14) |
//! | [`tagging`] | which labels a response gives itself |

pub mod conditional;
pub mod early;
pub mod freshening;
pub mod freshness;
pub mod governing;
pub mod invalidation;
pub mod kept_fields;
pub mod range;
pub mod request;
pub mod status;
pub mod storing;
pub mod tagging;
pub mod validation;
pub mod varying;
