//! Futures in tests.
#![allow(dead_code, reason = "each test uses a part")]

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

struct Unpark(Thread, AtomicU64);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.unpark();
    }
}

/// What a future comes to now.
pub(crate) fn now<T>(future: &mut Pin<Box<dyn Future<Output = T> + Send>>) -> Poll<T> {
    future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
}

/// What a future comes to, polled when it wakes and never otherwise; and how long it took.
pub(crate) fn wait<T>(
    mut future: Pin<Box<dyn Future<Output = T> + Send>>,
    limit: Duration,
) -> (T, Duration) {
    let began = Instant::now();
    let unpark = Arc::new(Unpark(std::thread::current(), AtomicU64::new(1)));
    let waker = Waker::from(Arc::clone(&unpark));
    let mut polled = 0;
    loop {
        let woken = unpark.1.load(Ordering::SeqCst);
        if woken != polled {
            polled = woken;
            if let Poll::Ready(ready) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return (ready, began.elapsed());
            }
        }
        assert!(began.elapsed() < limit, "nothing came in {limit:?}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
