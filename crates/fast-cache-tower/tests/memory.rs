//! What a long stream costs, counted at the allocator.

use bytes::Bytes;
use fast_cache_tower::{Cache, Policy};
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::Full;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tower::{Layer, ServiceExt, service_fn};

/// Counts the bytes that this thread holds, and their peak.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: usize, sign: isize) {
    let _ = HELD.try_with(|held| {
        held.set(held.get() + sign * isize::try_from(bytes).unwrap_or(0));
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
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

/// So many frames of 1 MiB each, all of the same memory.
struct Stream(usize, Bytes);

impl Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(left) = self.0.checked_sub(1) else {
            return Poll::Ready(None);
        };
        self.0 = left;
        Poll::Ready(Some(Ok(Frame::data(self.1.clone()))))
    }
}

#[test]
fn safety_36_a_stream_of_10_gigabytes_takes_constant_memory() {
    let cache = Cache::memory(16 << 20);
    let frame = Bytes::from(vec![7; 1 << 20]);
    let service = service_fn(move |_: Request<Full<Bytes>>| {
        let stream = Stream(10 << 10, frame.clone());
        async { Ok::<_, Infallible>(Response::new(stream)) }
    });
    let layer = cache.store(Policy::max_age(Duration::from_secs(60)));
    let service = layer.layer(service);
    let mut context = Context::from_waker(Waker::noop());
    let mut future = pin!(service.oneshot(Request::new(Full::default())));
    let Poll::Ready(Ok(response)) = future.as_mut().poll(&mut context) else {
        panic!("the head waits for nothing");
    };
    let mut body = pin!(response.into_body());
    let before = HELD.get();
    PEAK.set(before);
    let (mut frames, mut bytes) = (0, 0);
    while let Poll::Ready(Some(Ok(frame))) = body.as_mut().poll_frame(&mut context) {
        frames += 1;
        bytes += frame.data_ref().map_or(0, Bytes::len);
    }
    assert_eq!((frames, bytes), (10 << 10, 10 << 30));
    // Up to the limit of 1 MiB is recorded, in a buffer that doubles.
    let most = isize::try_from(4 << 20).expect("a number");
    assert!(PEAK.get() - before < most, "{} bytes", PEAK.get() - before);
    assert_eq!(cache.stats().entries, 0);
}

/// Ten thousand requests that wait for one: what each of them costs beside a request that waits in the service itself.
#[cfg(feature = "tokio")]
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_follower_costs_less_than_a_kilobyte() {
    fn each<S>(service: &S) -> isize
    where
        S: tower::Service<Request<Full<Bytes>>> + Clone,
    {
        const FOLLOWERS: usize = 10_000;
        let mut context = Context::from_waker(Waker::noop());
        let mut ask = || {
            let mut asking = Box::pin(service.clone().oneshot(Request::new(Full::default())));
            assert!(asking.as_mut().poll(&mut context).is_pending());
            asking
        };
        let leader = ask();
        let before = HELD.get();
        let followers: Vec<_> = (0..FOLLOWERS).map(|_| ask()).collect();
        let held = HELD.get() - before;
        drop((leader, followers));
        held / isize::try_from(FOLLOWERS).expect("a number")
    }
    let cache = Cache::memory(16 << 20);
    let service = service_fn(|_: Request<Full<Bytes>>| {
        std::future::pending::<Result<Response<Stream>, Infallible>>()
    });
    let layer = cache.store(Policy::max_age(Duration::from_secs(60)));
    let (bare, cached) = (each(&service), each(&layer.layer(service)));
    assert!(
        cached - bare < 1024,
        "a follower costs {cached}, {bare} without"
    );
    assert!(
        cached - bare > 100,
        "nobody waits: {cached}, {bare} without"
    );
}
