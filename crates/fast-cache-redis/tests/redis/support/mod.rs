//! Servers and nodes for tests: real ones, on free ports of the loopback interface.
#![allow(
    clippy::disallowed_methods,
    reason = "tests start processes, and read where"
)]

pub(crate) mod cluster;
pub(crate) mod node;
pub(crate) mod proxy;
pub(crate) mod server;

pub(crate) use node::{Harness, eventually, key, number_from, open, runtime};
pub(crate) use server::Server;
