//! The contract of stores, on a real server.

use crate::support::{Server, node, open};
use fast_cache_store::{Limits, contract};

#[test]
fn the_redis_store_passes() {
    let server = Server::start();
    contract::check_local_store(|limits: Limits| {
        open(&server.url(), &node::namespace(), |options| {
            options.limits = limits;
        })
        .store
    });
}

#[test]
fn the_redis_store_passes_without_a_server_as_one_that_forgets() {
    contract::check_forgetful_store(|limits: Limits| {
        let node = node::lazy("redis://127.0.0.1:1", &node::namespace(), |options| {
            options.limits = limits;
        });
        node.store
    });
}
