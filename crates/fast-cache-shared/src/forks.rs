//! How often this process is the child of a fork: what was opened before is not the child's to use.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

static FORKS: AtomicU32 = AtomicU32::new(0);
static REGISTERED: Once = Once::new();

/// How many forks lie between this process and the one that called [`watch`].
#[inline]
pub(crate) fn count() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// Counts forks from now on.
pub(crate) fn watch() {
    REGISTERED.call_once(|| {
        // SAFETY: the function lives as long as the program, and does nothing but add to an atomic. Without memory for
        // one more handler this fails, and forks are not seen; so would be everything else.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
}

extern "C" fn in_child() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}
