//! The store on real servers: one, a cluster, sentinels, and a network that fails.

mod contract;
mod keeping;
mod leases;
mod losing;
mod sharing;
mod support;
