//! The store on real servers: one, a cluster, sentinels, and a network that fails.

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
