use super::{Node, Record, Replica};
use crate::value::Birth;
use fast_cache_core::key::Key;
use fast_cache_core::purge::{Cover, Label, Purge};
use fast_cache_core::stored::{Stored, StoredTag, Traits};
use fast_cache_core::time::Timestamp;
use fast_cache_store::codec::encode_cover;
use fast_cache_store::{Content, Limits, MemoryStore, Put};
use std::time::Duration;

const INCARNATION: u64 = 7;

fn replica() -> Replica<u64> {
    let limits = Limits {
        max_entries: 100,
        max_bytes: 1 << 20,
    };
    let replica = Replica::new(MemoryStore::new(limits), 1, None);
    replica.begin(INCARNATION);
    replica
}

fn of_another(generation: u64, tag: &str) -> Record {
    Record {
        generation,
        node: 2,
        number: generation,
        soft: false,
        cover: encode_cover(&Cover::Label(Label::tag(tag)), |_| None),
    }
}

/// Whether an answer with this tag and this birth of the namespace may be used.
fn lives(replica: &Replica<u64>, generation: u64, tag: &str) -> bool {
    let birth = Birth {
        incarnation: INCARNATION,
        generation,
    };
    let local = replica.local_birth(birth).expect("of this incarnation");
    let stored = Stored {
        received: Timestamp::default(),
        initial_age: 0,
        took: 0,
        lifetime: Duration::from_secs(60),
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        status: 200,
        traits: Traits::default(),
        etag: StoredTag::None,
        last_modified: None,
        body_length: 0,
        representation: 1,
    };
    let put = Put {
        key: Key::new(generation.into(), Box::new([1])),
        birth: local,
        path: "/a",
        labels: &[Label::tag(tag)],
        content: Content::Response(stored),
        weight: 0,
    };
    replica.near.take_in(put).is_ok()
}

#[test]
fn what_is_taken_in_while_a_drop_waits_is_older_than_the_drop() {
    let replica = replica();
    replica.drop_here(&Purge::tag("t"));
    replica.apply(vec![of_another(1, "other")], 1, true);
    assert!(
        !lives(&replica, 1, "t"),
        "its place may be after this birth"
    );
    assert!(lives(&replica, 1, "u"));
    assert!(replica.delivered(1, 2), "its place is after the other's");
    assert!(!lives(&replica, 1, "t"), "and so it is");
    assert!(lives(&replica, 2, "t"));
}

#[test]
fn a_place_that_leaves_others_before_it_is_read_first() {
    let replica = replica();
    replica.drop_here(&Purge::tag("t"));
    assert!(!replica.delivered(1, 2), "another came before");
    let own = &replica.undelivered(1)[0];
    let own = Record {
        node: 1,
        number: own.number,
        cover: own.cover.to_vec(),
        ..of_another(2, "t")
    };
    replica.apply(vec![of_another(1, "other"), own], 2, true);
    assert_eq!(replica.tickets(), (1, 1));
    assert!(!lives(&replica, 0, "other") && lives(&replica, 1, "other"));
    assert!(!lives(&replica, 1, "t") && lives(&replica, 2, "t"));
}

#[test]
fn a_gap_and_a_log_that_is_gone_drop_everything() {
    let replica = replica();
    replica.apply(vec![of_another(5, "t")], 5, true);
    assert!(!lives(&replica, 3, "u") && lives(&replica, 4, "u"));
    assert!(!lives(&replica, 4, "t") && lives(&replica, 5, "t"));
    replica.apply(Vec::new(), 9, true);
    assert!(!lives(&replica, 8, "u") && lives(&replica, 9, "u"));
}

#[test]
fn another_incarnation_is_nobodys() {
    let replica = replica();
    replica.drop_here(&Purge::tag("t"));
    assert!(replica.delivered(1, 1));
    replica.begin(INCARNATION + 1);
    let old = Birth {
        incarnation: INCARNATION,
        generation: 1,
    };
    assert_eq!(replica.local_birth(old), None);
    assert_eq!(replica.undelivered(9).len(), 1, "it is told again");
}
