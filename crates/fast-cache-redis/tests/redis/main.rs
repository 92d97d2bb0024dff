//! The store on real servers: one, a cluster, sentinels, and a network that fails.
#![allow(
    clippy::cast_possible_truncation,
    clippy::disallowed_macros,
    reason = "small numbers, and long runs print what they measured"
)]

mod contract;
mod encrypted;
mod keeping;
mod leases;
mod losing;
mod order;
mod restarts;
mod several;
mod sharing;
mod support;
mod trouble;
