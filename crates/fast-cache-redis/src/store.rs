//! The store as hosts see it.

use crate::inquiry;
use crate::link::{Command, Link, State, Write};
use crate::options::{Coherence, RedisOptions};
use crate::replica::Replica;
use crate::worker;
use fast_cache_core::key::{Key, KeyRef};
use fast_cache_core::purge::{Label, PathPattern, PatternId, Purge};
use fast_cache_core::reason::Reason;
use fast_cache_core::time::Timestamp;
use fast_cache_store::codec::{Portable, encode};
use fast_cache_store::{
    Content, Counters, Cursor, Elsewhere, Found, Inquiry, LocalStore, MemoryStore, Page, Put,
    Settling, Walk,
};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The longest that anything stays in Redis without being written again.
const LONGEST: Duration = Duration::from_secs(3 * 24 * 3600);

/// How much longer than it can be used an entry stays that can be validated.
const VALIDATABLE: Duration = Duration::from_secs(3600);

/// A store in Redis or Valkey, with a memory tier. See the [crate](crate)'s page.
///
/// It connects when it is first used, or by [`connect`](Self::connect); it never fails, and
/// [`health`](Self::health) says how it is.
pub struct RedisStore<R: Portable> {
    replica: Arc<Replica<R>>,
    link: Arc<Link>,
    strict: bool,
    drops: AtomicU64,
}

/// How the connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Whether the memory tier is kept true, so that lookups can be answered from it.
    pub is_trusted: bool,
    /// Whether lookups ask Redis; otherwise each is a miss at once.
    pub is_up: bool,
    /// What is, or was last, the matter. Holds no password and no URL.
    pub trouble: Option<String>,
    /// Drops of this process that Redis was not told of yet.
    pub undelivered: u64,
}

impl<R: Portable> RedisStore<R> {
    /// A store that is not connected yet.
    pub fn new(options: RedisOptions) -> Self {
        Self::observed(options, |_| {})
    }

    /// A store that tells of each response that has to make room in the memory tier: see [`MemoryStore::observed`].
    pub fn observed(options: RedisOptions, on_eviction: fn(&R)) -> Self {
        let near = MemoryStore::observed(options.limits, on_eviction);
        let host_pattern = options.host_pattern.clone();
        let replica = Arc::new(Replica::new(near, worker::random(), host_pattern));
        Self {
            strict: options.coherence == Coherence::Strict,
            link: Arc::new(Link::new(Arc::clone(&replica) as _, options)),
            replica,
            drops: AtomicU64::new(0),
        }
    }

    /// Begins to connect, without waiting for it.
    pub fn connect(&self) {
        self.link.commands();
    }

    /// How it is.
    pub fn health(&self) -> Health {
        let (newest, settled) = self.replica.tickets();
        Health {
            is_trusted: self.replica.is_trusted(),
            is_up: self.link.status.state() == State::Up,
            trouble: self.link.status.trouble(),
            undelivered: newest - settled,
        }
    }

    /// Bytes of entries that are on their way to Redis. When they are many, further ones stay in this process.
    pub fn unwritten(&self) -> usize {
        self.link.status.unwritten()
    }

    /// What it was told.
    pub fn options(&self) -> &RedisOptions {
        &self.link.options
    }

    fn dropped(&self) {
        self.drops.fetch_add(1, Ordering::Relaxed);
        // While Redis is away the drop waits; whoever comes back to it delivers what waits.
        self.link.send(Command::Deliver);
    }
}

impl<R: Portable> LocalStore<R> for RedisStore<R> {
    fn birth(&self) -> u64 {
        self.replica.near.birth()
    }

    #[inline]
    fn get(&self, key: KeyRef<'_>) -> Option<Found<R>> {
        if !self.replica.is_trusted() {
            return None;
        }
        self.replica.near.get(key)
    }

    fn put(&self, put: Put<'_, R>) -> Result<(), Reason> {
        let frame = encode(&put)?;
        let (digest, birth) = (put.key.borrow().digest, put.birth);
        let live_for = live_for(&put.content);
        self.replica.near.put(put)?;
        if !live_for.is_zero() {
            let (after, _) = self.replica.tickets();
            self.link.write(Write {
                digest,
                frame,
                birth,
                live_for,
                after,
            });
        }
        Ok(())
    }

    fn remove(&self, key: KeyRef<'_>) -> bool {
        if self.link.status.state() == State::Up {
            self.link.send(Command::Remove(key.digest));
        }
        self.replica.near.remove(key)
    }

    fn register(&self, pattern: PathPattern) -> PatternId {
        self.replica.know(&pattern);
        self.replica.near.register(pattern)
    }

    fn purge(&self, purge: &Purge) -> Option<Walk> {
        let walk = self.replica.drop_here(purge);
        self.dropped();
        walk
    }

    fn standing(&self, birth: u64, path: &str, labels: &[Label]) -> Option<bool> {
        if !self.replica.is_trusted() {
            return None;
        }
        self.replica.near.standing(birth, path, labels)
    }

    fn resolve(&self, walk: &mut Walk, max_steps: usize) -> bool {
        self.replica.near.resolve(walk, max_steps)
    }

    fn sweep(&self, max_steps: usize, now: Timestamp) -> usize {
        self.replica.near.sweep(max_steps, now)
    }

    /// Entries of the memory tier.
    fn page(&self, cursor: Cursor, max_entries: usize) -> Page<R> {
        self.replica.near.page(cursor, max_entries)
    }

    /// Drops everything in the namespace, on every node. What Redis holds of it goes when its time to live is over.
    fn clear(&self) {
        self.replica.drop_here(&Purge::everything());
        self.replica.near.forget();
        self.dropped();
    }

    /// Lets go of the memory tier and the connection, and leaves the namespace to the others. Drops that are not
    /// delivered yet get one more try, which takes no longer than the timeout and a second.
    fn close(&self) {
        self.replica.near.close();
        self.link.close(true);
    }

    /// Responses in the memory tier.
    fn len(&self) -> usize {
        self.replica.near.len()
    }

    /// Bytes of the memory tier.
    fn bytes(&self) -> usize {
        self.replica.near.bytes()
    }

    /// What happened in the memory tier; drops are those of this process.
    fn counters(&self) -> Counters {
        Counters {
            drops: self.drops.load(Ordering::Relaxed),
            ..self.replica.near.counters()
        }
    }

    fn elsewhere(&self) -> Option<&dyn Elsewhere> {
        Some(self)
    }
}

impl<R: Portable> Elsewhere for RedisStore<R> {
    fn asks_always(&self) -> bool {
        self.strict
    }

    fn inquire(&self, key: Key, lead: bool) -> Inquiry {
        let (replica, link) = (Arc::clone(&self.replica), Arc::clone(&self.link));
        let now = self.link.options.now.clone();
        inquiry::inquire(replica, link, key, lead, self.strict, now)
    }

    fn settled(&self) -> Option<Settling> {
        inquiry::settle(&self.replica, &self.link)
    }
}

impl<R: Portable> Drop for RedisStore<R> {
    fn drop(&mut self) {
        self.link.close(false);
    }
}

impl<R: Portable> fmt::Debug for RedisStore<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RedisStore")
            .field("options", &self.link.options)
            .field("health", &self.health())
            .finish_non_exhaustive()
    }
}

/// How long an entry may be of use.
fn live_for<R>(content: &Content<R>) -> Duration {
    let Content::Response(stored) = content else {
        return LONGEST;
    };
    let window = stored.stale_while_revalidate.max(stored.stale_if_error);
    let mut live_for = stored.lifetime.saturating_add(window);
    if stored.can_be_validated() {
        live_for = live_for.saturating_add(VALIDATABLE);
    }
    live_for.min(LONGEST)
}
