//! A process that forks: parent and child go on, each with a thread and a connection of its own.

#[allow(dead_code, unused_imports, reason = "a part of it is used here")]
#[path = "redis/support/mod.rs"]
mod support;

use fast_cache_store::LocalStore;
use std::sync::atomic::{AtomicBool, Ordering};
use support::{Harness, Server, eventually, node, open};

/// How many threads of stores this process has.
#[allow(clippy::disallowed_methods, reason = "the system says it in files")]
fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux");
    let names = tasks
        .flatten()
        .map(|task| std::fs::read(task.path().join("comm")).unwrap_or_default());
    names
        .filter(|name| name.starts_with(b"fast-cache-redi"))
        .count()
}

/// Runs `child` in a forked process; whether it did not panic.
fn forked(child: impl FnOnce() + std::panic::UnwindSafe) -> bool {
    // SAFETY: the child uses nothing that another thread of the parent may have locked: the allocator unlocks itself,
    // and so does the store.
    match unsafe { libc::fork() } {
        0 => {
            let failed = std::panic::catch_unwind(child).is_err();
            // SAFETY: it ends the process, and runs nothing that belongs to the parent.
            unsafe { libc::_exit(i32::from(failed)) }
        }
        child => {
            let mut status = -1;
            // SAFETY: the status is written to a number of ours.
            let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
            waited == child && status == 0
        }
    }
}

fn in_the_child(node: &Harness, round: u64) {
    assert_eq!(threads(), 0);
    assert!(!node.store.health().is_trusted, "nobody keeps it true here");
    assert_eq!(node.near("/a"), None);
    let path = format!("/{round}");
    node.share(round, &path, &["t"], node);
    assert_eq!(threads(), 1);
    node.trusted();
    eventually("it finds what the parent stored", || {
        node.find("/a") == Some(1)
    });
    node.drop_tag("child");
    eventually("it is delivered", || node.store.health().undelivered == 0);
    node.store.close();
    assert_eq!(threads(), 0, "closing ends the thread");
}

/// Says that it is over, whatever ends it.
struct Over<'a>(&'a AtomicBool);
impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn parent_and_child_go_on() {
    let server = Server::start();
    let namespace = node::namespace();
    let node = open(&server.url(), &namespace, |_| {});
    let other = open(&server.url(), &namespace, |_| {});
    node.share(1, "/a", &["a"], &other);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // The threads of both stores are busy while the process forks.
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                other.drop_tag("busy");
            }
        });
        let _over = Over(&over);
        for round in 0..20 {
            node.share(round, "/b", &["child"], &other);
            let node = std::panic::AssertUnwindSafe(&node);
            assert!(
                forked(|| in_the_child(&node, round)),
                "the child failed in round {round}"
            );
            eventually("the child's drop is done here", || {
                node.near("/b").is_none()
            });
            assert_eq!(node.find("/a"), Some(1));
        }
    });
    node.store.close();
    other.store.close();
    assert_eq!(threads(), 0, "closing ends the threads");
}
