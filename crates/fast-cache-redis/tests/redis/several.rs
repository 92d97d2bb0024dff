//! Several servers: a cluster, and sentinels.

use crate::support::cluster::{Cluster, Watched};
use crate::support::{Harness, eventually, node, open};
use fast_cache_redis::Coherence;
use fast_cache_store::{Inquired, LeaseEnd};

fn pair(url: &str, coherence: Coherence) -> [Harness; 2] {
    let namespace = node::namespace();
    [0, 1].map(|_| open(url, &namespace, |options| options.coherence = coherence))
}

fn back(nodes: &[Harness; 2]) {
    eventually("they are back", || {
        nodes.iter().all(|node| {
            let health = node.store.health();
            health.is_trusted && health.undelivered == 0
        })
    });
}

fn shared(nodes: &[Harness; 2], path: &str, number: u64) {
    nodes[0].share(number, path, &["t"], &nodes[1]);
}

#[test]
fn a_cluster() {
    let mut cluster = Cluster::start();
    let nodes = pair(&cluster.url(), Coherence::Push);
    let paths: Vec<_> = (0..100).map(|number| format!("/{number}")).collect();
    for (number, path) in (0..).zip(&paths) {
        shared(&nodes, path, number);
    }
    for server in &cluster.servers[..3] {
        let keys: u64 = server.ask(&["DBSIZE"]);
        assert!(keys > 10, "entries spread");
    }
    nodes[1].drop_tag("t");
    eventually("the drop is pushed", || nodes[0].near("/1").is_none());
    assert!(
        paths
            .iter()
            .all(|path| nodes.iter().all(|node| node.find(path).is_none()))
    );
    let Inquired::Absent(Some(lease)) = nodes[0].inquire("/lease", true) else {
        panic!("no lease");
    };
    nodes[0].put(1, "/lease", &[]);
    lease.end(LeaseEnd::Stored);
    assert!(matches!(nodes[1].inquire("/lease", true), Inquired::Found));
    for server in &cluster.servers {
        assert!(
            !server
                .ask::<String>(&["INFO", "errorstats"])
                .contains("CROSSSLOT")
        );
    }

    // The node with head and log dies, and with it the connection that pushes.
    let namespace = nodes[0].store.options().namespace.clone();
    shared(&nodes, "/a", 1);
    let head = cluster.master_of(&format!("{namespace}:{{{namespace}}}:head"));
    cluster.servers[head].kill();
    eventually("it is noticed", || {
        nodes.iter().all(|node| node.near("/a").is_none())
    });
    nodes[0].drop_tag("t");
    back(&nodes);
    assert!(
        nodes.iter().all(|node| node.find("/a").is_none()),
        "the drop was not lost"
    );
    shared(&nodes, "/a", 2);
    nodes[1].drop_tag("t");
    eventually("drops are pushed again", || nodes[0].near("/a").is_none());
}

#[test]
fn a_cluster_is_found_by_any_one_of_its_nodes() {
    let cluster = Cluster::start();
    let namespace = node::namespace();
    let every: Vec<_> = cluster
        .servers
        .iter()
        .map(|server| {
            let url = format!("redis+cluster://127.0.0.1:{}", server.port);
            open(&url, &namespace, |_| {})
        })
        .collect();
    every[0].share(1, "/a", &["t"], &every[1]);
    every[5].drop_tag("t");
    for node in &every {
        eventually("the drop is pushed", || node.near("/a").is_none());
    }
}

#[test]
fn strictly_in_a_cluster() {
    let cluster = Cluster::start();
    let nodes = pair(&cluster.url(), Coherence::Strict);
    for number in 0..50 {
        shared(&nodes, "/a", number);
        nodes[0].drop_tag("t");
        assert_eq!(nodes[1].find("/a"), None);
    }
}

#[test]
fn sentinels() {
    let mut watched = Watched::start();
    let nodes = pair(&watched.url(), Coherence::Push);
    shared(&nodes, "/a", 1);
    watched.servers[0].kill();
    nodes[0].drop_tag("t");
    assert_eq!(nodes[0].near("/a"), None);
    back(&nodes);
    let replica = &watched.servers[1];
    assert!(
        replica
            .ask::<String>(&["INFO", "replication"])
            .contains("role:master")
    );
    assert!(
        nodes.iter().all(|node| node.find("/a").is_none()),
        "the drop was not lost"
    );
    shared(&nodes, "/a", 2);
    nodes[1].drop_tag("t");
    eventually("drops are pushed again", || nodes[0].near("/a").is_none());
}
