//! Children of a fork: whatever their parent had open or locked, they find and store as others do.

mod support;

use fast_cache_core::purge::{Label, PathPattern, Purge};
use fast_cache_shared::SharedStore;
use fast_cache_store::LocalStore;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use support::board::{self, Board, Process, until};
use support::{LIMITS, get, options, put};

const CHILDREN: u64 = 20;

#[test]
#[ignore = "the process of `children_of_a_fork_share_the_store`"]
fn a_parent_that_forks() {
    let Some((folder, _)) = board::part() else {
        return;
    };
    let store = SharedStore::open(&folder.join("store"), options(LIMITS)).expect("a folder");
    let board = Board::open(&folder);
    let known = store.register(PathPattern::glob("/known/*"));
    let busy = AtomicBool::new(true);
    std::thread::scope(|scope| {
        // Locks are held, here and there, when the process forks.
        for thread in 0..2 {
            let (store, busy) = (&store, &busy);
            scope.spawn(move || {
                let mut number = 0;
                while busy.load(Ordering::Relaxed) {
                    let path = format!("/busy/{thread}/{}", number % 50);
                    let _ = put(store, &path, number, &[]);
                    get(store, &path);
                    if number % 10 == 0 {
                        let _ = store.purge(&Purge::path(PathPattern::prefix(&path)));
                        store.register(PathPattern::prefix("/busy"));
                    }
                    number += 1;
                }
            });
        }
        for child in 0..CHILDREN {
            put(&store, "/known/1", child, &[]).expect("room");
            put(&store, "/dropped", child, &[Label::tag("t")]).expect("room");
            // SAFETY: the child goes on in this function alone, and ends within it.
            let pid = unsafe { libc::fork() };
            if pid == 0 {
                // SAFETY: the process ends itself if it hangs.
                unsafe { libc::alarm(30) };
                let right = get(&store, "/known/1") == Some(child)
                    && put(&store, &format!("/child/{child}"), child, &[]).is_ok()
                    && {
                        let _ = store.purge(&Purge::tag("t"));
                        let _ = store.purge(&Purge::registered(known));
                        get(&store, "/dropped").is_none() && get(&store, "/known/1").is_none()
                    }
                    && get(&store, &format!("/child/{child}")) == Some(child);
                board.write(u64_to_place(child), 1 + u64::from(right));
                // SAFETY: it ends the child without running what is the parent's to run.
                unsafe { libc::_exit(0) };
            }
            assert!(pid > 0);
            let mut status = 0;
            // SAFETY: the child is ours, and the system writes to `status`.
            let ended = unsafe { libc::waitpid(pid, &raw mut status, 0) };
            assert_eq!((ended, status), (pid, 0), "child {child}");
            // What it dropped is dropped here, and what it stored is here.
            assert_eq!(get(&store, "/known/1"), None);
            assert_eq!(get(&store, "/dropped"), None);
            assert_eq!(get(&store, &format!("/child/{child}")), Some(child));
        }
        busy.store(false, Ordering::Relaxed);
    });
    assert_eq!(store.trouble(), None);
    board.write(0, 1);
}

fn u64_to_place(child: u64) -> usize {
    usize::try_from(child + 1).expect("small")
}

fn finish(mut parent: Process) {
    let mut ended = None;
    until("the parent's end", Duration::from_secs(120), || {
        ended = parent.try_wait().expect("it was started");
        ended.is_some()
    });
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
}

#[test]
fn children_of_a_fork_share_the_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let board = Board::open(folder.path());
    finish(board::start("a_parent_that_forks", folder.path(), 0));
    assert_eq!(board.read(0), 1, "the parent came to its end");
    for child in 0..CHILDREN {
        assert_eq!(
            board.read(u64_to_place(child)),
            2,
            "child {child} found everything right"
        );
    }
}
