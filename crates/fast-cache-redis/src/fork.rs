//! Forks: a child has the memory of its parent and none of its threads.
//!
//! What a thread of ours holds locked at that moment would stay locked in the child for ever. So our threads, and
//! hosts' threads while they change what is shared with ours, pass a gate that a fork closes: it waits until nobody is
//! inside. In the child, the count of forks is another, by which it notices that it has no thread, and that its memory
//! tier is nobody's care.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

static CLOSED: AtomicUsize = AtomicUsize::new(0);
static INSIDE: AtomicUsize = AtomicUsize::new(0);
static FORKS: AtomicU32 = AtomicU32::new(0);
static WATCHED: Once = Once::new();

/// How many forks lie between this process and the first.
#[inline]
pub(crate) fn forks() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// Begins to watch for forks.
pub(crate) fn watch() {
    WATCHED.call_once(|| {
        #[cfg(unix)]
        // SAFETY: the three functions touch nothing but atomics, and never panic. Without memory for the registration,
        // forks go unnoticed, which is all that can go wrong.
        unsafe {
            libc::pthread_atfork(Some(close), Some(open), Some(begin))
        };
    });
}

thread_local! {
    /// How often this thread has passed and not left.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// The way through the gate.
pub(crate) struct Passage(PhantomData<*const ()>);

/// Passes the gate, once no fork is under way.
pub(crate) fn pass() -> Passage {
    let passage = Passage(PhantomData);
    let depth = DEPTH.get();
    DEPTH.set(depth + 1);
    if depth > 0 {
        return passage;
    }
    loop {
        INSIDE.fetch_add(1, Ordering::SeqCst);
        if CLOSED.load(Ordering::SeqCst) == 0 {
            return passage;
        }
        INSIDE.fetch_sub(1, Ordering::SeqCst);
        while CLOSED.load(Ordering::SeqCst) != 0 {
            std::thread::yield_now();
        }
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        let depth = DEPTH.get() - 1;
        DEPTH.set(depth);
        if depth == 0 {
            INSIDE.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

#[cfg(unix)]
extern "C" fn close() {
    CLOSED.fetch_add(1, Ordering::SeqCst);
    while INSIDE.load(Ordering::SeqCst) != 0 {
        std::hint::spin_loop();
    }
}

#[cfg(unix)]
extern "C" fn open() {
    CLOSED.fetch_sub(1, Ordering::SeqCst);
}

#[cfg(unix)]
extern "C" fn begin() {
    FORKS.fetch_add(1, Ordering::SeqCst);
    // Another thread may have been on its way in, and is not here.
    INSIDE.store(0, Ordering::SeqCst);
    CLOSED.store(0, Ordering::SeqCst);
}
