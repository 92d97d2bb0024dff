//! A store that several machines share: Redis or Valkey, with a memory tier in front that is kept true.
//!
//! [`RedisStore`] answers lookups from the memory of its process, like any [`LocalStore`](fast_cache_store::LocalStore).
//! What is not there is *inquired* for ([`Elsewhere`](fast_cache_store::Elsewhere)): one round trip brings the entry
//! from Redis, or the lease to make it for all nodes. One thread with one connection does that for every lookup of the
//! process; it begins with the first use, and ends with [`close`](fast_cache_store::LocalStore::close).
//!
//! # Drops
//!
//! A namespace has one clock and one log of drops, on one server, in one slot of a cluster. A drop advances the clock
//! and appends to the log, in one script: one round trip, whatever is stored. Each node applies the log, in order, to
//! its memory tier, and judges by it whatever it reads. An entry carries the namespace's time before its handler ran,
//! so that it is dead for every node whose log has a newer drop that covers it, whenever and by whomever it was stored.
//! Nothing is searched for, and dead entries go when their time to live is over or when somebody finds them.
//!
//! # Invariants
//!
//! - The memory tier answers only while this process has a connection on which Redis pushes changes, answers
//!   heartbeats, and after it has caught up. Anything else is a miss.
//! - A drop acts in this process before [`purge`](fast_cache_store::LocalStore::purge) returns. Until the namespace
//!   knows it, it is kept, and delivered before anything is served from Redis again.
//! - Whatever makes Redis forget (a restart, a failover, `FLUSHALL`, an eviction of the log) begins a new incarnation
//!   of the namespace: entries of another incarnation are nobody's.
//! - Everything written has a time to live. Nothing is read by pattern (no `SCAN`, no `KEYS`), and no command spans two
//!   slots.
//! - What is read may be damaged, foreign, or forged up to its checksum: it is an entry of the key that was asked for,
//!   or a miss.
//! - Trouble costs a lookup at most the timeout, and once it is known, nothing.
//!
//! | folder or file | what |
//! |---|---|
//! | `store`, `inquiry` | the store as hosts see it; futures that hosts poll |
//! | `replica/` | drops and births: two clocks, this node's undelivered drops, the order in which all are applied |
//! | `worker/` | the thread: commands, one session after the other, following the log, leases, writes |
//! | `connect/` | one server, sentinels, a cluster; TLS |
//! | `scripts/` | what happens in Redis at once |
//! | `value`, `keys` | entries and names as they stand in Redis |
//! | `options/` | what a store is told |
//! | `fork` | what a forked child must not inherit |

mod connect;
mod fork;
mod inquiry;
mod keys;
mod link;
mod options;
mod replica;
mod scripts;
mod store;
mod value;
mod worker;

pub use options::{Coherence, HostPatterns, Kind, Node, Now, RedisOptions, Tls, UrlError};
pub use store::{Health, RedisStore};
pub use worker::MAX_SILENCE;
