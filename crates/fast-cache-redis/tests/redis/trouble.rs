//! Redis in trouble: lookups are misses within the timeout, the memory tier is not trusted, and it heals by itself.

use crate::support::proxy::{Fault, Proxy};
use crate::support::{Harness, Server, eventually, node, open};
use fast_cache_core::purge::Purge;
use fast_cache_store::{Inquired, LocalStore};
use std::time::{Duration, Instant};

/// Far more than the timeout of the tests, far less than for ever.
const BOUNDED: Duration = Duration::from_secs(10);

struct Setting {
    server: Server,
    proxy: Proxy,
    troubled: Harness,
    healthy: Harness,
}

fn setting() -> Setting {
    let server = Server::start();
    let proxy = Proxy::start(server.port);
    let namespace = node::namespace();
    let troubled = open(&proxy.url(), &namespace, |_| {});
    let healthy = open(&server.url(), &namespace, |_| {});
    Setting {
        server,
        proxy,
        troubled,
        healthy,
    }
}

/// Puts a node through a trouble: whatever it finds meanwhile is right, and when the trouble is over, all is well.
fn endure(fault: &Fault) {
    let Setting {
        server,
        proxy,
        troubled,
        healthy,
    } = setting();
    healthy.share(1, "/a", &["t"], &troubled);

    let cuts = matches!(fault, Fault::Refuse | Fault::Half);
    proxy.set(fault.clone());
    if cuts {
        proxy.cut();
    }
    healthy.drop_tag("t");
    healthy.put(2, "/a", &["t"]);
    troubled.store.purge(&Purge::tag("u"));
    let began = Instant::now();
    troubled.settle();
    for round in 0..50 {
        let path = format!("/{round}");
        match troubled.inquire(&path, round % 2 == 0) {
            Inquired::Found => panic!("{fault:?}: something nobody stored"),
            Inquired::Absent(_) | Inquired::Unknown => (),
        }
        troubled.put(round, &path, &["u"]);
    }
    assert!(
        began.elapsed() < BOUNDED,
        "{fault:?}: {:?}",
        began.elapsed()
    );
    // What was dropped is not found once it is known that nobody says so.
    eventually("the old answer is gone", || troubled.near("/a") != Some(1));
    assert_ne!(troubled.find("/a"), Some(1));

    proxy.set(Fault::None);
    proxy.cut();
    let healed = Instant::now();
    eventually("it is back", || troubled.store.health().is_trusted);
    assert!(
        healed.elapsed() < BOUNDED,
        "{fault:?}: {:?}",
        healed.elapsed()
    );
    eventually("its drops are delivered", || {
        troubled.store.health().undelivered == 0
    });
    eventually("it finds the new answer", || {
        healthy.put(2, "/a", &["t"]);
        troubled.find("/a") == Some(2)
    });
    troubled.drop_tag("t");
    eventually("it is heard", || healthy.find("/a").is_none());
    drop(server);
}

#[test]
fn refused() {
    endure(&Fault::Refuse);
}

#[test]
fn silent() {
    endure(&Fault::Silence);
}

#[test]
fn slow() {
    endure(&Fault::Delay(Duration::from_millis(700)));
}

#[test]
fn half_written() {
    endure(&Fault::Half);
}

#[test]
fn damaged() {
    endure(&Fault::Corrupt(7));
}

#[test]
fn errors() {
    for said in [
        "-LOADING Redis is loading the dataset in memory\r\n",
        "-MASTERDOWN Link with MASTER is down\r\n",
        "-NOAUTH Authentication required.\r\n",
        "-READONLY You can't write against a read only replica.\r\n",
        "-OOM command not allowed when used memory > 'maxmemory'.\r\n",
        "-MOVED 1 127.0.0.1:1\r\n",
        "-ERR something\r\n",
        "+OK\r\n",
        "*2\r\n:-5\r\n*1\r\n+what\r\n",
        "no protocol at all\r\n",
    ] {
        endure(&Fault::Say(said));
    }
}

#[test]
fn nobody_waits_once_the_trouble_is_known() {
    let Setting {
        proxy,
        troubled,
        server: _server,
        ..
    } = setting();
    proxy.set(Fault::Refuse);
    proxy.cut();
    eventually("it is known", || !troubled.store.health().is_up);
    let began = Instant::now();
    for round in 0..1_000 {
        let inquired = troubled.inquire(&format!("/{round}"), true);
        assert!(matches!(inquired, Inquired::Unknown));
        troubled.store.purge(&Purge::tag("t"));
        assert!(fast_cache_store::Elsewhere::settled(&troubled.store).is_none());
    }
    assert!(began.elapsed() < BOUNDED);
    assert!(troubled.store.health().trouble.is_some());
}

#[test]
fn more_drops_than_are_kept_become_one_of_everything() {
    let Setting {
        proxy,
        troubled,
        healthy,
        server: _server,
    } = setting();
    healthy.share(1, "/a", &["t"], &troubled);
    proxy.set(Fault::Refuse);
    proxy.cut();
    eventually("it is known", || !troubled.store.health().is_up);
    for number in 0..10_000 {
        troubled.store.purge(&Purge::tag(&number.to_string()));
    }
    assert_eq!(healthy.find("/a"), Some(1));
    proxy.set(Fault::None);
    eventually("they are delivered", || {
        troubled.store.health().undelivered == 0
    });
    eventually("everything was dropped", || healthy.find("/a").is_none());
}

#[test]
fn a_wrong_password_is_trouble_and_is_said_without_it() {
    let server = Server::with(&["--save", "", "--requirepass", "right"]);
    let node = node::lazy(&server.url(), &node::namespace(), |options| {
        options.password = Some("hidden".to_owned());
    });
    node.store.connect();
    eventually("it is known", || node.store.health().trouble.is_some());
    assert!(matches!(node.inquire("/a", true), Inquired::Unknown));
    assert!(!format!("{:?}", node.store).contains("hidden"));
    let node = open(&server.url(), &node::namespace(), |options| {
        options.password = Some("right".to_owned());
        options.database = 3;
    });
    node.put(1, "/a", &[]);
    eventually("it works", || node.find("/a") == Some(1));
}

#[test]
fn a_replica_is_no_place_to_stay() {
    let [first, second] = [(); 2].map(|()| Server::start());
    let _: () = second.ask(&["REPLICAOF", "127.0.0.1", &first.port.to_string()]);
    eventually("it follows", || {
        second
            .ask::<String>(&["INFO", "replication"])
            .contains("master_link_status:up")
    });
    let proxy = Proxy::start(first.port);
    let namespace = node::namespace();
    let nodes = [0, 1].map(|_| open(&proxy.url(), &namespace, |_| {}));
    let shared = |number| {
        eventually("both have it", || {
            nodes[0].put(number, "/a", &["t"]);
            nodes.iter().all(|node| node.find("/a") == Some(number))
        });
    };
    shared(1);
    let _: () = second.ask(&["REPLICAOF", "NO", "ONE"]);
    // The old server goes on for a while, and takes drops that the new one never hears of.
    nodes[0].drop_tag("t");
    proxy.lead_to(second.port);
    eventually("they are back", || {
        nodes.iter().all(|node| node.store.health().is_trusted)
    });
    for _ in 0..20 {
        assert!(
            nodes.iter().all(|node| node.find("/a").is_none()),
            "the new server still had it"
        );
    }
    shared(2);
}

#[test]
fn closing_ends_the_thread_even_in_trouble() {
    let Setting {
        proxy,
        troubled,
        server: _server,
        ..
    } = setting();
    proxy.set(Fault::Silence);
    let began = Instant::now();
    troubled.store.close();
    assert!(began.elapsed() < BOUNDED);
    assert!(matches!(troubled.inquire("/a", true), Inquired::Unknown));
}
