//! Bounds, counting, walking and sweeping.

use super::{Memory, ROOMY, Subject, key, response};
use crate::entry::{Content, MAX_LABELS};
use crate::local::{Cursor, Limits, LocalStore, Put};
use fast_cache_core::purge::{Label, PathPattern, Purge};
use fast_cache_core::reason::Reason;
use fast_cache_core::time::Timestamp;
use std::collections::HashSet;

pub(super) fn check<S: LocalStore<u64>>(make: &impl Fn(Limits) -> Subject<S>) {
    by_entries(&make(Limits {
        max_entries: 50,
        ..ROOMY
    }));
    by_bytes(&make(Limits {
        max_bytes: 64 << 10,
        ..ROOMY
    }));
    refusals(&make(Limits {
        max_bytes: 64 << 10,
        ..ROOMY
    }));
    pages(&make(ROOMY));
    sweeps(&make(ROOMY));
}

fn by_entries<S: LocalStore<u64>>(subject: &Subject<S>) {
    for number in 0..50 {
        let _ = subject.put(number, &format!("/{number}"), &[]);
    }
    if subject.memory == Memory::Keeps {
        assert_eq!(
            subject.store.len(),
            50,
            "a store holds as many entries as it may"
        );
        let _ = subject.put(0, "/0", &[]);
        assert_eq!(
            subject.store.len(),
            50,
            "an entry that is replaced needs no room of another"
        );
    }
    for number in 50..200 {
        let _ = subject.put(number, &format!("/{number}"), &[]);
        assert!(
            subject.store.len() <= 50,
            "a store holds no more entries than it may"
        );
    }
    subject.expect("/199", Some((199, false)), "the newest entry is let in");
}

fn by_bytes<S: LocalStore<u64>>(subject: &Subject<S>) {
    for number in 0..500 {
        let content = Content::Response(response(number));
        let path = format!("/{number}");
        let weight = usize::try_from(number % 7).unwrap_or(0) * 1_000;
        let birth = subject.store.birth();
        let put = Put {
            key: key(&path),
            birth,
            path: &path,
            labels: &[Label::tag("t")],
            content,
            weight,
        };
        let _ = subject.store.put(put);
        if number % 100 == 0 {
            subject.purge(&Purge::tag("other"));
        }
        assert!(
            subject.store.bytes() <= 64 << 10,
            "a store holds no more bytes than it may"
        );
    }
    if subject.memory == Memory::Keeps {
        assert!(
            subject.store.bytes() > 50 << 10,
            "a store uses the bytes it may hold"
        );
    }
    subject.store.clear();
    assert!(
        subject.store.bytes() < 8 << 10,
        "a cleared store gives its memory back"
    );
}

fn refusals<S: LocalStore<u64>>(subject: &Subject<S>) {
    let put = |weight, labels: &[Label]| {
        let content = Content::Response(response(1));
        let birth = subject.store.birth();
        subject.store.put(Put {
            key: key("/a"),
            birth,
            path: "/a",
            labels,
            content,
            weight,
        })
    };
    let forgets = subject.memory == Memory::Forgets;
    let refused = |outcome: Result<(), Reason>, reason| outcome == Err(reason) || forgets;
    assert!(
        refused(put(64 << 10, &[]), Reason::TooLarge),
        "an entry larger than the store is refused"
    );
    assert!(
        refused(put(usize::MAX, &[]), Reason::TooLarge),
        "an entry larger than the store is refused"
    );
    assert!(
        refused(put(0, &vec![Label::tag("t"); MAX_LABELS + 1]), Reason::Tags),
        "too many labels are refused"
    );
    assert_eq!(subject.get("/a"), None, "what was refused is not there");
    assert!(
        put(60 << 10, &[]).is_ok() || forgets,
        "an entry that fits the store is let in, whatever its shard"
    );
}

fn pages<S: LocalStore<u64>>(subject: &Subject<S>) {
    for number in 0..100 {
        let _ = subject.put(number, &format!("/{number}"), &[]);
    }
    subject.purge(&Purge::path(PathPattern::glob("/*7")));
    let mut cursor = Some(Cursor::default());
    let mut seen = HashSet::new();
    while let Some(from) = cursor {
        let page = subject.store.page(from, 7);
        assert!(
            page.entries.len() <= 7,
            "a page is as short as was asked for"
        );
        for entry in page.entries {
            assert!(
                !entry.path().ends_with('7'),
                "a page holds no dropped entry"
            );
            assert!(
                seen.insert(entry.path().to_owned()),
                "an entry is on one page"
            );
        }
        cursor = page.next;
    }
    assert_eq!(
        seen.len(),
        subject.store.len(),
        "every live entry is on a page"
    );
    assert!(
        seen.len() == 90 || subject.memory == Memory::Forgets,
        "every live entry is on a page"
    );
}

fn sweeps<S: LocalStore<u64>>(subject: &Subject<S>) {
    for number in 0..100 {
        let _ = subject.put(
            number,
            &format!("/{number}"),
            &[Label::tag(&number.to_string())],
        );
    }
    let full = subject.store.bytes();
    subject.store.sweep(1_000, Timestamp::from_seconds(60));
    assert_eq!(
        subject.store.bytes(),
        full,
        "what may still be used is not swept"
    );
    subject.purge(&Purge::path(PathPattern::glob("/*")));
    subject.store.sweep(1_000, Timestamp::from_seconds(60));
    assert_eq!(subject.store.bytes(), 0, "what was dropped is swept");

    let _ = subject.put(1, "/a", &[]);
    assert!(subject.store.bytes() > 0 || subject.memory == Memory::Forgets);
    subject.store.sweep(1_000, Timestamp::from_seconds(61));
    assert_eq!(subject.store.bytes(), 0, "what has expired is swept");
    assert_eq!(subject.store.len(), 0, "what was swept is not counted");
}
