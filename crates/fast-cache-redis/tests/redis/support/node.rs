//! Nodes: stores that share a namespace.

use fast_cache_core::key::Key;
use fast_cache_core::purge::{Label, Purge};
use fast_cache_core::stored::{Stored, StoredTag, Traits};
use fast_cache_core::time::Timestamp;
use fast_cache_redis::{RedisOptions, RedisStore};
use fast_cache_store::{Content, Elsewhere, Inquired, LocalStore, Put};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake};
use std::time::{Duration, Instant};

/// A store and what tests do with it.
pub(crate) struct Harness {
    pub(crate) store: RedisStore<u64>,
}

static NAMESPACES: AtomicU64 = AtomicU64::new(0);

/// A namespace that no other test uses.
pub(crate) fn namespace() -> String {
    format!(
        "test{}-{}",
        std::process::id(),
        NAMESPACES.fetch_add(1, Ordering::Relaxed)
    )
}

/// A node of a namespace, connected.
pub(crate) fn open(url: &str, namespace: &str, change: impl FnOnce(&mut RedisOptions)) -> Harness {
    let node = lazy(url, namespace, change);
    node.store.connect();
    node.trusted();
    node
}

/// A node that is not connected yet.
pub(crate) fn lazy(url: &str, namespace: &str, change: impl FnOnce(&mut RedisOptions)) -> Harness {
    let mut options = RedisOptions::from_url(url).expect("a URL");
    namespace.clone_into(&mut options.namespace);
    // Machines that run many tests at once stall now and then.
    options.timeout = Duration::from_millis(500);
    change(&mut options);
    Harness {
        store: RedisStore::new(options),
    }
}

impl Harness {
    pub(crate) fn trusted(&self) {
        eventually(
            &format!("a trusted tier: {:?}", self.store.health()),
            || self.store.health().is_trusted,
        );
    }

    pub(crate) fn put(&self, number: u64, path: &str, tags: &[&str]) {
        self.put_born(self.store.birth(), number, path, tags);
    }

    pub(crate) fn put_born(&self, birth: u64, number: u64, path: &str, tags: &[&str]) {
        let labels: Vec<_> = tags.iter().map(|tag| Label::tag(tag)).collect();
        self.put_labelled(birth, number, path, &labels);
    }

    pub(crate) fn put_labelled(&self, birth: u64, number: u64, path: &str, labels: &[Label]) {
        let _ = self.store.put(Put {
            key: key(path),
            birth,
            path,
            labels,
            content: Content::Response(response(number)),
            weight: 0,
        });
    }

    /// Stores until another node finds it: a machine that stalls may lose what is on its way.
    pub(crate) fn share(&self, number: u64, path: &str, tags: &[&str], other: &Self) {
        eventually(&format!("{path} is {number} elsewhere"), || {
            self.put(number, path, tags);
            other.find(path) == Some(number)
        });
    }

    /// What the memory tier has.
    pub(crate) fn near(&self, path: &str) -> Option<u64> {
        let found = self.store.get(key(path).borrow())?;
        Some(found.entry.response()?.representation)
    }

    /// What a host finds: the memory tier first, unless it always asks; then an inquiry.
    pub(crate) fn find(&self, path: &str) -> Option<u64> {
        if !self.store.asks_always()
            && let Some(number) = self.near(path)
        {
            return Some(number);
        }
        match self.inquire(path, false) {
            Inquired::Found => self.near(path),
            Inquired::Absent(_) | Inquired::Unknown => None,
        }
    }

    pub(crate) fn inquire(&self, path: &str, lead: bool) -> Inquired {
        wait(self.store.inquire(key(path), lead))
    }

    /// Drops, and waits until the others can know.
    pub(crate) fn drop_tag(&self, tag: &str) {
        self.store.purge(&Purge::tag(tag));
        self.settle();
    }

    pub(crate) fn settle(&self) {
        if let Some(settling) = self.store.settled() {
            wait(settling);
        }
    }
}

/// Waits for a future, on this thread alone.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::park();
    }
}

/// Runs what tests do beside the store.
pub(crate) fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime")
    })
}

/// A number from the environment, for tests that can be made long.
pub(crate) fn number_from(name: &str, otherwise: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(otherwise, |given| given.parse().expect("a number"))
}

/// Waits for something that must become true.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < limit, "still not: {what}");
        std::thread::yield_now();
    }
}

/// The key of a path.
pub(crate) fn key(path: &str) -> Key {
    let digest = path.bytes().fold(
        0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128,
        |hash, byte| {
            (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
        },
    );
    Key::new(digest, format!("key of {path}").into_bytes().into())
}

/// A response that stays fresh for a minute.
pub(crate) fn response(number: u64) -> Stored<u64> {
    Stored {
        received: Timestamp::default(),
        initial_age: 0,
        took: 0,
        lifetime: Duration::from_secs(60),
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        status: 200,
        traits: Traits::default(),
        etag: StoredTag::None,
        last_modified: None,
        body_length: 0,
        representation: number,
    }
}
