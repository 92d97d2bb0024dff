//! Redis forgets: no node may go on as if it had not.

use crate::support::{Harness, Server, eventually, node, open};
use fast_cache_core::purge::Purge;
use fast_cache_store::LocalStore;

fn pair(server: &Server) -> [Harness; 2] {
    let namespace = node::namespace();
    [0, 1].map(|_| open(&server.url(), &namespace, |_| {}))
}

fn shared(nodes: &[Harness; 2], number: u64) {
    // A node that has just come back may lose what it is given at that moment.
    eventually("both have it", || {
        nodes[0].put(number, "/a", &["t"]);
        nodes.iter().all(|node| node.find("/a") == Some(number))
    });
}

#[test]
fn a_flush_empties_every_node() {
    let server = Server::start();
    let nodes = pair(&server);
    shared(&nodes, 1);
    let _: () = server.ask(&["FLUSHALL"]);
    eventually("both are empty", || {
        nodes.iter().all(|node| node.near("/a").is_none())
    });
    nodes.iter().for_each(Harness::trusted);
    assert_eq!(nodes[1].find("/a"), None);
    shared(&nodes, 2);
    nodes[1].drop_tag("t");
    eventually("it is dropped", || nodes[0].near("/a").is_none());
}

#[test]
fn entries_outlive_no_loss_of_the_log() {
    let server = Server::start();
    let nodes = pair(&server);
    let namespace = &nodes[0].store.options().namespace;
    for part in ["head", "log"] {
        let name = format!("{namespace}:{{{namespace}}}:{part}");
        shared(&nodes, 1);
        nodes[1].drop_tag("other");
        shared(&nodes, 1);
        let _: () = server.ask(&["DEL", &name]);
        // A drop may come before anybody noticed.
        nodes[0].drop_tag("t");
        eventually("it is dropped", || nodes[1].near("/a").is_none());
        nodes.iter().for_each(Harness::trusted);
        assert!(nodes.iter().all(|node| node.find("/a").is_none()));
    }
    shared(&nodes, 2);
}

#[test]
fn a_restart_with_old_data_brings_nothing_dropped_back() {
    let mut server = Server::with(&[
        "--save",
        "",
        "--appendonly",
        "no",
        "--dbfilename",
        "dump.rdb",
    ]);
    let nodes = pair(&server);
    shared(&nodes, 1);
    let _: () = server.ask(&["SAVE"]);
    nodes[1].drop_tag("t");
    eventually("it is dropped", || {
        nodes.iter().all(|node| node.find("/a").is_none())
    });
    server.kill();
    server.run();
    assert!(
        server.ask::<u64>(&["DBSIZE"]) > 0,
        "the old data is there again"
    );
    eventually("they are back", || {
        nodes.iter().all(|node| node.store.health().is_trusted)
    });
    for _ in 0..20 {
        assert!(nodes.iter().all(|node| node.find("/a").is_none()));
    }
    let third = open(&server.url(), &nodes[0].store.options().namespace, |_| {});
    assert_eq!(third.find("/a"), None);
    shared(&nodes, 2);
}

#[test]
fn drops_made_while_redis_is_away_arrive_before_anything_is_served() {
    let mut server = Server::start();
    let nodes = pair(&server);
    shared(&nodes, 1);
    let stopped = server.port;
    server.signal("-STOP");
    nodes[0].store.purge(&Purge::tag("t"));
    assert_eq!(nodes[0].near("/a"), None, "here it acts at once");
    nodes[0].settle();
    eventually("both notice", || {
        nodes.iter().all(|node| !node.store.health().is_trusted)
    });
    assert_eq!(
        nodes[1].find("/a"),
        None,
        "nothing is served from what is not kept true"
    );
    server.signal("-CONT");
    assert_eq!(server.port, stopped);
    nodes.iter().for_each(Harness::trusted);
    eventually("it is delivered", || {
        nodes[0].store.health().undelivered == 0
    });
    eventually("it is dropped", || nodes[1].find("/a").is_none());
    server.kill();
}

#[test]
fn who_was_away_for_longer_than_the_log_reaches_drops_everything() {
    let server = Server::start();
    let nodes = pair(&server);
    shared(&nodes, 1);
    let namespace = nodes[0].store.options().namespace.clone();
    let early = open(&server.url(), &namespace, |_| {});
    nodes[0].drop_tag("t");
    for number in 0..10 {
        nodes[0].drop_tag(&number.to_string());
    }
    let log = format!("{namespace}:{{{namespace}}}:log");
    let _: () = server.ask(&["XTRIM", &log, "MAXLEN", "1"]);
    let late = open(&server.url(), &namespace, |_| {});
    assert_eq!(late.find("/a"), None, "the drop is not in the log any more");
    drop(early);
    nodes[1].put(2, "/a", &["t"]);
    eventually("what is younger is found", || late.find("/a") == Some(2));
}

#[test]
fn a_full_server_still_drops() {
    let server = Server::with(&["--save", "", "--maxmemory-policy", "noeviction"]);
    let nodes = pair(&server);
    shared(&nodes, 1);
    let _: () = server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    nodes[0].store.purge(&Purge::tag("t"));
    assert_eq!(nodes[0].near("/a"), None);
    eventually("the other does not serve it", || {
        nodes[1].find("/a").is_none()
    });
    let _: () = server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    nodes.iter().for_each(Harness::trusted);
    assert!(nodes.iter().all(|node| node.find("/a").is_none()));
    shared(&nodes, 2);
}
