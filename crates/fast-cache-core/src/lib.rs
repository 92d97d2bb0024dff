//! The caching decisions of fast-cache-middleware, and nothing else.
//!
//! Every decision is made here, once, for all hosts: which route a request takes ([`route`]), what the route's author
//! asked for ([`policy`]), under which key an answer is kept ([`key`]), what HTTP allows ([`rules`], over the header
//! syntax in [`fields`]), and what a drop covers ([`purge`]). The [`exchange`] ties them together as phases that
//! consume themselves, so that calling them out of order does not compile.
//!
//! There is no clock, no I/O, no runtime and no `unsafe` in this crate. Time is an argument ([`time::Timestamp`]), the
//! body is the host's own type, and whatever bytes come over the wire, nothing here panics.
#![forbid(unsafe_code)]

pub mod exchange;
pub mod fields;
pub mod key;
pub mod policy;
pub mod purge;
pub mod reason;
pub mod request;
pub mod route;
pub mod rules;
pub mod stored;
pub mod time;
