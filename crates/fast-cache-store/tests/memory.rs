//! What an entry costs, counted at the allocator, and what a drop costs, counted in entries looked at.

use fast_cache_core::key::Key;
use fast_cache_core::purge::{Label, PathPattern, Purge};
use fast_cache_core::stored::{Stored, StoredTag, Traits};
use fast_cache_core::time::Timestamp;
use fast_cache_store::{Content, Limits, LocalStore, MemoryStore, Put};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

/// Counts the bytes that this thread holds.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: usize, sign: isize) {
    // The allocator's own header, and its rounding.
    let bytes = (bytes + 8).next_multiple_of(16).max(32);
    let _ = HELD.try_with(|held| held.set(held.get() + sign * isize::try_from(bytes).unwrap_or(0)));
}

// SAFETY: every call goes to the system's allocator unchanged; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller's promise is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: the caller's promise is handed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes held; only differences mean anything, as a thread may free what another allocated.
fn held() -> isize {
    HELD.get()
}

fn since(before: isize) -> usize {
    usize::try_from(held() - before).expect("more was freed than allocated")
}

fn put(store: &MemoryStore<Vec<u8>>, number: u64, body: usize) {
    let path = format!("/users/{number:08}");
    let mut key = format!("namespace https example.org GET /users/{{id}} {path} ");
    key.extend(std::iter::repeat_n('x', 80 - key.len().min(80)));
    let digest = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let labels = ["/", "/users", &path, "tag"].map(Label::subtree);
    let response = Stored {
        received: Timestamp::default(),
        initial_age: 0,
        took: 0,
        lifetime: Duration::from_secs(60),
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        status: 200,
        traits: Traits::default(),
        etag: StoredTag::Generated(number),
        last_modified: None,
        body_length: 0,
        representation: vec![0; body],
    };
    let content = Content::Response(response);
    let key = Key::new(digest, key.into_bytes().into());
    let put = Put {
        key,
        birth: store.birth(),
        path: &path,
        labels: &labels,
        content,
        weight: body + 16,
    };
    assert_eq!(store.put(put), Ok(()));
}

#[test]
fn an_entry_costs_no_more_than_it_says() {
    for (entries, body) in [(1_000_u32, 1_000_usize), (5_000, 0), (30_000, 100)] {
        let before = held();
        let store = MemoryStore::new(Limits {
            max_entries: entries as usize,
            max_bytes: 1 << 30,
        });
        (0..u64::from(entries) * 2).for_each(|number| put(&store, number, body));
        let entries = entries as usize;
        assert_eq!(store.resident(), entries);
        let cost = since(before);
        let each = cost / entries - (body + 8).next_multiple_of(16).min(body * 32);
        assert!(
            each <= 410,
            "an entry of {body} bytes costs {each} more, with the allocator's own"
        );
        assert!(
            cost <= store.bytes(),
            "{entries} entries of {body} bytes cost {cost} and say {}",
            store.bytes()
        );
        assert!(
            store.bytes() < cost + cost / 5,
            "{entries} entries cost {cost} and say {}",
            store.bytes()
        );
        drop(store);
        assert_eq!(held(), before, "everything is given back");
    }
}

#[test]
fn a_full_store_stays_within_its_bytes() {
    let before = held();
    let max_bytes = 4 << 20;
    let store = MemoryStore::new(Limits {
        max_entries: 1_000_000,
        max_bytes,
    });
    for number in 0..20_000 {
        put(
            &store,
            number,
            usize::try_from(number % 50).expect("small") * 40,
        );
        if number % 1_000 == 0 {
            store.purge(&Purge::tag(&number.to_string()));
            store.purge(&Purge::tag(&number.to_string()).softly());
        }
        assert!(store.bytes() <= max_bytes);
    }
    let cost = since(before);
    assert!(
        cost <= max_bytes + max_bytes / 20,
        "{cost} bytes are held where {max_bytes} may be"
    );
    assert!(
        cost >= max_bytes * 3 / 4,
        "{cost} bytes are held where {max_bytes} may be"
    );
}

#[test]
fn a_drop_costs_the_same_however_much_is_stored() {
    let costs = [100_u64, 1_000_000].map(|entries| {
        let store = MemoryStore::new(Limits {
            max_entries: 1_000_000,
            max_bytes: 4 << 30,
        });
        let pattern = store.register(PathPattern::glob("/users/*"));
        (0..entries).for_each(|number| put(&store, number, 0));
        assert_eq!(store.resident() as u64, entries);
        store.purge(&Purge::tag("the label tables are made once"));
        let drops = [
            Purge::registered(pattern),
            Purge::path(PathPattern::prefix("/users/0")),
            Purge::tag("tag"),
            Purge::subtree("/users"),
            Purge::everything(),
        ];
        let before = (store.counters().swept_over, held());
        for drop in &drops {
            assert!(store.purge(drop).is_none());
        }
        assert!(
            held() < before.1 + 4_096,
            "a drop allocates next to nothing"
        );
        assert_eq!(store.len(), 0);
        store.counters().swept_over - before.0
    });
    assert_eq!(costs, [0, 0], "a drop looks at no entry");
}

#[test]
fn puts_and_drops_give_back_what_was_dropped() {
    let store = MemoryStore::new(Limits {
        max_entries: 100_000,
        max_bytes: 1 << 30,
    });
    (0..10_000).for_each(|number| put(&store, number, 0));
    store.purge(&Purge::path(PathPattern::prefix("/users/")));
    (10_000..14_000).for_each(|number| put(&store, number, 0));
    assert!(
        store.resident() < 5_000,
        "{} entries are held where 4,000 live",
        store.resident()
    );
    assert_eq!(store.len(), 4_000);
}
