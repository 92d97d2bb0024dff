//! What HTTP allows, one file per subject.
//!
//! | file | subject |
//! |---|---|
//! | [`request`] | what a request permits: method, body, directives, credentials (RFC 9111 §3, §5.2.1) |
//! | [`storing`] | which responses are kept (RFC 9111 §3) |
//! | [`freshness`] | for how long (RFC 9111 §4.2) |
//! | [`varying`] | for whom (RFC 9111 §4.1) |
//! | [`conditional`] | when `304 Not Modified` is the answer (RFC 9110 §13) |
//! | [`invalidation`] | what a write makes invalid (RFC 9111 §4.4, RFC 9875 §3) |
//! | [`kept_fields`] | which header lines are stored and replayed (RFC 9111 §3.1, §3.2) |
//! | [`range`] | which bytes of a stored body are the answer (RFC 9110 §14) |
//! | [`tagging`] | which labels a response gives itself |

pub mod conditional;
pub mod freshness;
pub mod invalidation;
pub mod kept_fields;
pub mod range;
pub mod request;
pub mod storing;
pub mod tagging;
pub mod varying;
