//! What stands in Redis, and what is made of what stands there.

use crate::support::{Server, eventually, key, node, open};
use fast_cache_core::purge::Purge;
use fast_cache_store::{Inquired, LocalStore};

#[test]
fn everything_has_a_time_to_live_and_a_name_of_the_namespace() {
    let server = Server::start();
    let namespace = node::namespace();
    let node = open(&server.url(), &namespace, |_| {});
    let Inquired::Absent(Some(lease)) = node.inquire("/b", true) else {
        panic!("no lease");
    };
    node.put(1, "/a", &["t"]);
    node.store.purge(&Purge::tag("u"));
    node.settle();
    eventually("four keys", || server.ask::<u64>(&["DBSIZE"]) == 4);
    for name in server.ask::<Vec<String>>(&["KEYS", "*"]) {
        assert!(name.starts_with(&format!("{namespace}:{{")), "{name}");
        let lives: i64 = server.ask(&["PTTL", &name]);
        assert!(lives > 0, "{name}");
    }
    drop(lease);
    eventually("the lease is gone", || server.ask::<u64>(&["DBSIZE"]) == 3);
}

#[test]
fn a_drop_is_one_round_trip_whatever_is_stored() {
    let server = Server::start();
    let _: () = server.ask(&["DEBUG", "POPULATE", "100000", "other", "100"]);
    let node = open(&server.url(), &node::namespace(), |_| {});
    for number in 0..1000 {
        node.put(number, &format!("/{number}"), &["t"]);
    }
    eventually("all are written", || {
        server.ask::<u64>(&["DBSIZE"]) == 101_001
    });
    node.store.purge(&Purge::tag("u"));
    node.settle();
    let _: () = server.ask(&["CONFIG", "RESETSTAT"]);
    node.store.purge(&Purge::tag("t"));
    node.settle();
    assert_eq!(server.calls("hincrby"), 1);
    assert_eq!(server.calls("xadd"), 1);
    for name in ["scan", "keys", "del", "unlink", "sscan", "smembers", "set"] {
        assert_eq!(server.calls(name), 0, "{name}");
    }
    assert_eq!(node.find("/1"), None);
}

#[test]
fn a_lookup_is_one_round_trip() {
    let server = Server::start();
    let namespace = node::namespace();
    let [first, second] = [0, 1].map(|_| open(&server.url(), &namespace, |_| {}));
    first.put(1, "/a", &[]);
    eventually("it is written", || server.ask::<u64>(&["DBSIZE"]) == 2);
    let _: () = server.ask(&["CONFIG", "RESETSTAT"]);
    assert!(matches!(second.inquire("/a", true), Inquired::Found));
    assert_eq!(server.calls("get"), 1);
    let Inquired::Absent(Some(_lease)) = second.inquire("/b", true) else {
        panic!("no lease");
    };
    assert_eq!(server.calls("get"), 3, "the entry, and who leads");
}

#[test]
fn foreign_and_damaged_values_are_misses() {
    let server = Server::start();
    let namespace = node::namespace();
    let node = open(&server.url(), &namespace, |_| {});
    node.put(1, "/a", &[]);
    let name = format!("{namespace}:{{{:032x}}}:e", key("/a").borrow().digest);
    eventually("it is written", || {
        server.ask::<u64>(&["EXISTS", &name]) == 1
    });
    let whole: Vec<u8> = server.ask(&["GET", &name]);
    let reader = open(&server.url(), &namespace, |_| {});
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        let damaged: Vec<_> = damaged
            .iter()
            .map(|byte| format!("\\x{byte:02x}"))
            .collect();
        let script = format!(
            "redis.call('SET', KEYS[1], '{}', 'PX', 60000)",
            damaged.join("")
        );
        let _: () = server.ask(&["EVAL", &script, "1", &name]);
        assert!(
            matches!(reader.inquire("/a", at % 2 == 0), Inquired::Absent(_)),
            "byte {at}"
        );
    }
    for command in [
        ["SET", &name, ""],
        ["SET", &name, "something else"],
        ["LPUSH", &name, "a list"],
    ] {
        let _: () = server.ask(&["DEL", &name]);
        let _: () = server.ask(&command);
        assert!(
            matches!(reader.inquire("/a", false), Inquired::Absent(_)),
            "{command:?}"
        );
        assert!(
            matches!(reader.inquire("/a", true), Inquired::Absent(_)),
            "{command:?}"
        );
    }
    node.put(2, "/a", &[]);
    eventually("it is replaced", || reader.find("/a") == Some(2));
}

#[test]
fn an_entry_of_another_key_is_never_found() {
    let server = Server::start();
    let namespace = node::namespace();
    let node = open(&server.url(), &namespace, |_| {});
    node.put(1, "/a", &[]);
    let [own, other] =
        ["/a", "/b"].map(|path| format!("{namespace}:{{{:032x}}}:e", key(path).borrow().digest));
    eventually("it is written", || {
        server.ask::<u64>(&["EXISTS", &own]) == 1
    });
    let _: () = server.ask(&["COPY", &own, &other]);
    assert_eq!(node.find("/b"), None);
    assert!(matches!(
        node.inquire("/b", true),
        Inquired::Absent(Some(_))
    ));
}

#[test]
fn large_entries_are_compressed() {
    let server = Server::start();
    let namespace = node::namespace();
    let long = format!("/{}", "a".repeat(10_000));
    let sizes = [None, Some(1_000)].map(|compress_from| {
        let node = open(&server.url(), &namespace, |options| {
            options.compress_from = compress_from;
        });
        node.put(1, &long, &[]);
        let name = format!("{namespace}:{{{:032x}}}:e", key(&long).borrow().digest);
        let before: u64 = 0;
        eventually("it is written", || {
            server.ask::<u64>(&["STRLEN", &name]) > before
        });
        eventually("the other reads it", || {
            open(&server.url(), &namespace, |_| {}).find(&long) == Some(1)
        });
        let size = server.ask::<u64>(&["STRLEN", &name]);
        let _: () = server.ask(&["DEL", &name]);
        size
    });
    assert!(sizes[0] > 10_000 && sizes[1] < 1_000, "{sizes:?}");
}
