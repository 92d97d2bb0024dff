//! Folders that must not be used, and everything that may be wrong with those that may.

mod support;

use fast_cache_core::purge::{Label, Purge};
use fast_cache_core::reason::Reason;
use fast_cache_shared::{OpenError, Options, SharedStore};
use fast_cache_store::LocalStore;
use std::fs::{self, Permissions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use support::{LIMITS, file, get, options, put, temporary};

fn open(folder: &Path) -> SharedStore<u64> {
    SharedStore::open(folder, options(LIMITS)).expect("a folder of one's own")
}

/// The store answers with misses, and says why.
fn only_misses(store: &SharedStore<u64>, why: &str) {
    assert_eq!(get(store, "/a"), None);
    assert_eq!(put(store, "/a", 1, &[]), Err(Reason::StoreFailed));
    store.clear();
    assert!(!store.remove(support::key("/a").borrow()));
    assert_eq!((store.len(), store.bytes()), (0, 0));
    let trouble = store.trouble().expect("trouble");
    assert!(trouble.contains(why), "{trouble}");
}

#[test]
fn a_new_folder_is_its_owners_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let below = folder.path().join("a/b");
    let store = open(&below);
    put(&store, "/a", 1, &[]).expect("room");
    for path in [&below, &folder.path().join("a")] {
        assert_eq!(
            fs::metadata(path).expect("it is there").mode() & 0o777,
            0o700
        );
    }
    for name in [
        "data.mdb", "lock.mdb", "words", "secret", "opening", "users",
    ] {
        let mode = fs::metadata(below.join(name)).expect(name).mode();
        assert_eq!(mode & 0o077, 0, "{name} is its owner's alone");
    }
}

#[test]
fn a_folder_that_others_may_write_to_is_refused() {
    for mode in [0o770, 0o707, 0o1777] {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), Permissions::from_mode(mode)).expect("it is ours");
        let Err(OpenError::Refused(words)) =
            SharedStore::<u64>::open(folder.path(), options(LIMITS))
        else {
            panic!("{mode:o} is refused")
        };
        assert!(words.contains("written to by others"), "{words}");
        assert!(
            !file(&folder, "secret").exists(),
            "nothing was written there"
        );
    }
}

#[test]
fn a_folder_of_another_user_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    if std::os::unix::fs::chown(folder.path(), Some(4321), None).is_err() {
        // Only the system's owner can make such a folder; one that is there does as well.
        let system = SharedStore::<u64>::open(Path::new("/usr"), options(LIMITS));
        assert!(matches!(system, Err(OpenError::Refused(_))));
        return;
    }
    let opened = SharedStore::<u64>::open(folder.path(), options(LIMITS));
    let Err(OpenError::Refused(words)) = opened else {
        panic!("it is refused")
    };
    assert!(words.contains("another user"), "{words}");
}

#[test]
fn what_is_no_folder_is_a_miss_with_a_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(file(&folder, "a"), "").expect("room");
    let warnings = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&warnings);
    let options = Options {
        warn: Arc::new(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        }),
        ..options(LIMITS)
    };
    let store = SharedStore::open(&file(&folder, "a/b"), options).expect("no refusal");
    only_misses(&store, "a/b");
    only_misses(&store, "a/b");
    assert_eq!(warnings.load(Ordering::Relaxed), 1, "one warning");
}

#[test]
fn a_file_system_for_reading_only_is_a_miss_with_a_reason() {
    // Nobody may make a folder there, whoever it is.
    let Some(store) = ["/proc/fast-cache", "/sys/fast-cache"]
        .iter()
        .find(|path| !Path::new(path).exists() && fs::create_dir(path).is_err())
        .map(|path| open(Path::new(path)))
    else {
        return;
    };
    only_misses(&store, "fast-cache");
}

#[test]
fn a_newer_format_is_left_alone() {
    let store = temporary(options(LIMITS));
    put(&store, "/a", 1, &[]).expect("room");
    store.close();
    let words = file(&store.folder, "words");
    let mut newer = fs::File::options()
        .write(true)
        .open(&words)
        .expect("it is there");
    newer.seek(SeekFrom::Start(8)).expect("it is longer");
    newer.write_all(&2_u32.to_le_bytes()).expect("room");
    let before = fs::metadata(file(&store.folder, "data.mdb")).expect("it is there");
    only_misses(&open(store.folder.path()), "format 2");
    let after = fs::metadata(file(&store.folder, "data.mdb")).expect("it is still there");
    assert_eq!(
        (before.ino(), before.mtime_nsec()),
        (after.ino(), after.mtime_nsec())
    );
}

#[test]
fn a_foreign_file_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(file(&folder, "words"), vec![7; 1 << 20]).expect("room");
    only_misses(&open(folder.path()), "not a file of this store");
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(file(&folder, "data.mdb"), b"somebody's").expect("room");
    only_misses(&open(folder.path()), "not this store's");
    assert_eq!(
        fs::metadata(file(&folder, "data.mdb"))
            .expect("it is there")
            .len(),
        10
    );
}

#[test]
fn what_is_left_of_another_run_of_the_machine_is_not_trusted() {
    let store = temporary(options(LIMITS));
    put(&store, "/a", 1, &[]).expect("room");
    let secret = *store.secret();
    store.close();
    let mut words = fs::File::options()
        .write(true)
        .open(file(&store.folder, "words"))
        .expect("it is there");
    words.seek(SeekFrom::Start(16)).expect("it is longer");
    words.write_all(&[9; 16]).expect("room");
    let after = open(store.folder.path());
    assert_eq!(get(&after, "/a"), None);
    put(&after, "/a", 2, &[]).expect("room");
    assert_eq!(get(&after, "/a"), Some(2));
    assert_eq!(after.trouble(), None);
    assert_eq!(*after.secret(), secret, "the secret stays");
}

#[test]
fn a_damaged_map_is_made_anew() {
    for damage in [Damage::Garbage, Damage::Short, Damage::Empty] {
        let store = temporary(options(LIMITS));
        for number in 0..2_000 {
            put(&store, &format!("/{number}"), number, &[]).expect("room");
        }
        store.close();
        let path = file(&store.folder, "data.mdb");
        let length = fs::metadata(&path).expect("it is there").len();
        let mut data = fs::File::options()
            .write(true)
            .open(&path)
            .expect("it is there");
        match damage {
            Damage::Garbage => data.write_all(&[0xa5; 8192]).expect("room"),
            Damage::Short => data.set_len(length.min(3 * 4096)).expect("room"),
            Damage::Empty => data.set_len(0).expect("room"),
        }
        drop(data);
        let after = open(store.folder.path());
        for number in 0..2_000 {
            let found = get(&after, &format!("/{number}"));
            assert!(
                found.is_none_or(|found| found == number),
                "{damage:?} gave another answer"
            );
        }
        // Either it goes on with a new map, or it says what is wrong; the next to open it alone goes on.
        let stored = put(&after, "/a", 1, &[]);
        assert!(
            stored.is_ok() || after.trouble().is_some(),
            "{damage:?}: {stored:?}"
        );
        after.close();
        let last = open(store.folder.path());
        put(&last, "/a", 1, &[]).expect("a new map");
        assert_eq!(get(&last, "/a"), Some(1), "{damage:?}");
    }
}

#[derive(Clone, Copy, Debug)]
enum Damage {
    Garbage,
    Short,
    Empty,
}

#[test]
fn a_damaged_entry_is_a_miss() {
    let store = temporary(options(LIMITS));
    put(&store, "/a", 1, &[]).expect("room");
    store.close();
    // The key stands in the frame, so in the file.
    let path = file(&store.folder, "data.mdb");
    let whole = {
        use std::io::Read;
        let mut bytes = Vec::new();
        let mut data = fs::File::open(&path).expect("it is there");
        data.read_to_end(&mut bytes).expect("it can be read");
        bytes
    };
    let mut data = fs::File::options()
        .write(true)
        .open(&path)
        .expect("it is there");
    let places = whole
        .windows(9)
        .enumerate()
        .filter(|(_, text)| *text == b"key of /a");
    let places: Vec<_> = places.map(|(at, _)| at).collect();
    assert!(!places.is_empty());
    for at in places {
        data.seek(SeekFrom::Start(at as u64 + 9 + 20))
            .expect("within");
        data.write_all(&[0x5a]).expect("room");
    }
    drop(data);
    let after = open(store.folder.path());
    assert_eq!(get(&after, "/a"), None);
    put(&after, "/a", 2, &[]).expect("room");
    assert_eq!(get(&after, "/a"), Some(2));
}

/// `FAST_CACHE_SMALL_DISK=/a/folder/on/a/disk/of/16/megabytes`, as no test can make one.
#[test]
fn a_full_disk_is_a_miss_with_a_reason() {
    let Some(disk) = support::board::setting("FAST_CACHE_SMALL_DISK") else {
        return;
    };
    let folder = tempfile::tempdir_in(disk).expect("room");
    let store = open(folder.path());
    let other = open(folder.path());
    put(&store, "/a", 1, &[Label::tag("t")]).expect("room");
    assert_eq!(get(&other, "/a"), Some(1));
    let long = "x".repeat(100_000);
    let refused =
        (0..1_000).find_map(|number| put(&store, &format!("/{number}/{long}"), 1, &[]).err());
    assert_eq!(refused, Some(Reason::StoreFailed));
    let trouble = store.trouble().expect("trouble");
    // LMDB calls a page that was written in part an error of the device.
    assert!(
        trouble.contains("No space left") || trouble.contains("Input/output error"),
        "{trouble}"
    );
    for _ in 0..10 {
        let _ = store.purge(&Purge::tag("t"));
    }
    assert_eq!(
        (get(&store, "/a"), get(&other, "/a")),
        (None, None),
        "a drop holds without room"
    );
    // There is no room for another folder, either.
    let second = tempfile::tempdir_in(folder.path()).expect("a name");
    only_misses(&open(second.path()), "");
}

#[test]
fn the_file_stays_near_its_bound() {
    let limits = fast_cache_store::Limits {
        max_entries: 1 << 20,
        max_bytes: 8 << 20,
    };
    let store = temporary(options(limits));
    // Of all lengths, below and above what fits into a page.
    let mut draws = support::board::Draws(3);
    for number in 0..4_000_u64 {
        let tail = "x".repeat(usize::try_from(draws.below(12_000)).expect("small"));
        put(&store, &format!("/{number}/{tail}"), number, &[]).expect("room");
        assert!(store.bytes() <= limits.max_bytes);
    }
    assert!(store.bytes() > limits.max_bytes * 9 / 10);
    let held = fs::metadata(file(&store.folder, "data.mdb"))
        .expect("it is there")
        .len();
    assert!(
        held < (limits.max_bytes + limits.max_bytes / 4 + (4 << 20)) as u64,
        "{held} bytes of file for {} accounted",
        store.bytes()
    );
}
