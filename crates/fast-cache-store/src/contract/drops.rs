//! Drops and lookups.

use super::{ROOMY, Subject, ends_with, key, response};
use crate::entry::{Content, Variants};
use crate::local::{Limits, LocalStore, Put};
use fast_cache_core::key::{Key, KeyRef};
use fast_cache_core::purge::{Cover, Label, PathPattern, PatternId, Purge};
use fast_cache_core::reason::Reason;

pub(super) fn check<S: LocalStore<u64>>(make: &impl Fn(Limits) -> Subject<S>) {
    keys(&make(ROOMY));
    births(&make(ROOMY));
    covers(make);
    late_patterns(&make(ROOMY));
    many_patterns(&make(ROOMY));
    variants(&make(ROOMY));
    ends(&make(ROOMY));
}

fn keys<S: LocalStore<u64>>(subject: &Subject<S>) {
    let _ = subject.put(1, "/a", &[]);
    subject.expect("/a", Some((1, false)), "it was put");
    subject.expect("/b", None, "it was never put");
    let digest = key("/a").borrow().digest;
    assert!(
        subject
            .store
            .get(KeyRef {
                digest,
                bytes: b"another"
            })
            .is_none(),
        "the whole key is compared"
    );
    assert!(
        !subject.store.remove(KeyRef {
            digest,
            bytes: b"another"
        }),
        "the whole key is compared"
    );

    let forged = Key::new(digest, Box::from(&b"another"[..]));
    let content = Content::Response(response(2));
    let _ = subject.store.put(Put {
        key: forged.clone(),
        birth: 1,
        path: "/z",
        labels: &[],
        content,
        weight: 0,
    });
    assert!(
        subject
            .store
            .get(forged.borrow())
            .is_none_or(|found| found.entry.key() == b"another"),
        "two keys with one digest never answer for each other"
    );
    let _ = subject.put(3, "/a", &[]);
    subject.store.remove(key("/a").borrow());
    subject.expect("/a", None, "it was removed");
}

fn births<S: LocalStore<u64>>(subject: &Subject<S>) {
    let older = subject.store.birth();
    subject.purge(&Purge::tag("elsewhere"));
    let newer = subject.store.birth();
    assert!(newer > older, "a drop advances the clock");
    let put_newer = subject.put_born(newer, 2, "/a", &[]);
    let _ = subject.put_born(older, 1, "/a", &[]);
    if put_newer.is_ok() && subject.memory == super::Memory::Keeps {
        subject.expect(
            "/a",
            Some((2, false)),
            "an older answer never takes the place of a newer one",
        );
    }
    let _ = subject.put_born(newer, 3, "/b", &[]);
    subject.expect("/b", Some((3, false)), "it was born after the drop");
}

type MakePurge<S> = fn(&Subject<S>) -> Purge;

/// Each kind of drop: what it covers goes, or becomes stale, and what it does not cover stays; whether it was stored
/// before, or was still being made.
fn covers<S: LocalStore<u64>>(make: &impl Fn(Limits) -> Subject<S>) {
    let drops: [(&str, MakePurge<S>, bool); 9] = [
        (
            "prefix",
            |_| Purge::path(PathPattern::prefix("/users/7")),
            true,
        ),
        ("glob", |_| Purge::path(PathPattern::glob("/users/*")), true),
        ("host", |_| Purge::path(ends_with("/7")), true),
        (
            "registered glob",
            |subject| Purge::registered(subject.store.register(PathPattern::glob("/users/*"))),
            true,
        ),
        (
            "registered host",
            |subject| Purge::registered(subject.store.register(ends_with("/7"))),
            true,
        ),
        ("tag", |_| Purge::tag("user:7"), true),
        ("subtree", |_| Purge::subtree("/users/7"), true),
        ("everything", |_| Purge::everything(), false),
        (
            "an id that was never given",
            |_| Purge::registered(PatternId::new(9_999)),
            false,
        ),
    ];
    for (name, purge, spares) in drops {
        for (soft, known) in [(false, false), (true, false), (false, true), (true, true)] {
            let subject = make(ROOMY);
            let known_before = known.then(|| purge(&subject));
            let mut labels = vec![Label::tag("user:7")];
            assert_eq!(Label::subtrees("/users/7", &mut labels), Ok(()));
            let early = subject.store.birth();
            let _ = subject.put(1, "/users/7", &labels);
            let _ = subject.put(2, "/users-archive/1", &[Label::tag("user:70")]);
            subject.expect("/users/7", Some((1, false)), "it was put");

            let mut drop = known_before.unwrap_or_else(|| purge(&subject));
            drop.soft = soft;
            subject.purge(&drop);
            let kept = (spares || soft).then_some((2, !spares));
            for _ in 0..2 {
                subject.expect("/users/7", soft.then_some((1, true)), name);
                subject.expect("/users-archive/1", kept, name);
            }

            let late = subject.put_born(early, 3, "/users/7", &labels);
            if soft {
                subject.expect("/users/7", late.is_ok().then_some((3, true)), name);
            } else {
                let refused = matches!(late, Err(Reason::Dropped));
                assert!(
                    refused || subject.memory == super::Memory::Forgets,
                    "{name} gave {late:?} for a late fill"
                );
                subject.expect("/users/7", None, name);
            }
            let _ = subject.put(4, "/users/7", &labels);
            subject.expect("/users/7", Some((4, false)), "it was born after the drop");
        }
    }
    let subject = make(ROOMY);
    let _ = subject.put(1, "/a", &[]);
    subject.purge(&Purge::default());
    subject.expect("/a", Some((1, false)), "a drop of nothing drops nothing");
}

/// Patterns that entries were stored before; a host pattern hides what it was not tried on until it has been.
fn late_patterns<S: LocalStore<u64>>(subject: &Subject<S>) {
    let _ = subject.put(1, "/a/7", &[]);
    let _ = subject.put(2, "/a/8", &[]);
    let id = subject.store.register(ends_with("/7"));
    assert_eq!(
        id,
        subject.store.register(ends_with("/7")),
        "one text has one id"
    );
    subject.expect("/a/7", Some((1, false)), "nothing was dropped yet");

    let walk = subject.store.purge(&Purge::registered(id));
    subject.expect("/a/7", None, "a drop is complete before any walk");
    if let Some(mut walk) = walk {
        while !subject.store.resolve(&mut walk, 1) {}
    }
    subject.expect("/a/7", None, "a walk does not bring back what was dropped");
    subject.expect("/a/8", Some((2, false)), "a walk brings back what was not");
}

/// More made-up drops than are remembered one by one.
fn many_patterns<S: LocalStore<u64>>(subject: &Subject<S>) {
    let early = subject.store.birth();
    let _ = subject.put(1, "/a/0", &[]);
    for number in 0..3_000 {
        subject.purge(&Purge::path(PathPattern::prefix(&format!("/a/{number}"))));
    }
    subject.expect("/a/0", None, "no drop is forgotten");
    let _ = subject.put_born(early, 2, "/a/0", &[]);
    subject.expect("/a/0", None, "no drop is forgotten");
    let _ = subject.put(3, "/a/0", &[]);
    subject.expect("/a/0", Some((3, false)), "it was born after the drops");
}

fn variants<S: LocalStore<u64>>(subject: &Subject<S>) {
    let names = ["accept".into(), "accept-language".into()];
    let content = Content::Variants(Variants {
        names: Box::new(names),
    });
    let birth = subject.store.birth();
    let _ = subject.store.put(Put {
        key: key("/v"),
        birth,
        path: "/v",
        labels: &[],
        content,
        weight: 0,
    });
    subject.purge(&Purge::of(Cover::Everything));
    let found = subject.store.get(key("/v").borrow());
    assert!(
        found
            .as_ref()
            .is_none_or(|found| found.entry.response().is_none()),
        "it holds no response"
    );
    assert!(
        found.is_some() || subject.memory == super::Memory::Forgets,
        "a drop leaves the names of what varies"
    );
}

fn ends<S: LocalStore<u64>>(subject: &Subject<S>) {
    let early = subject.store.birth();
    let _ = subject.put(1, "/a", &[]);
    subject.store.clear();
    subject.expect("/a", None, "it was cleared");
    assert!(subject.store.is_empty());
    let _ = subject.put_born(early, 2, "/a", &[]);
    subject.expect("/a", None, "clearing covers what is still being made");
    let _ = subject.put(3, "/a", &[]);
    subject.expect("/a", Some((3, false)), "a cleared store goes on");
    subject.store.close();
    subject.expect("/a", None, "it was closed");
    let _ = subject.put(4, "/a", &[]);
    assert_eq!(subject.get("/a"), None, "a closed store stores nothing");
}
