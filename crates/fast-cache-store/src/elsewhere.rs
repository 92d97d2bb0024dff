//! Stores that are not in this process alone: asking the others, and leading for them.

use fast_cache_core::key::Key;
use std::fmt;
use std::pin::Pin;

/// The part of a store that other processes or machines share.
///
/// [`LocalStore::get`](crate::LocalStore::get) answers at once with what this process has at hand. Where that is
/// nothing, a host that has the time *inquires*: whether the others have the answer, or are making it.
pub trait Elsewhere: Send + Sync {
    /// Whether no lookup may be answered before an inquiry: what was dropped elsewhere is known only then.
    fn asks_always(&self) -> bool {
        false
    }

    /// Asks for a key. What the others have is in the store when the future says [`Inquired::Found`].
    ///
    /// With `lead`, it asks for the lease of the key as well: while somebody else holds it, the future waits for what
    /// they store. How long it may wait is for the caller to say, by dropping it. The future never fails, and is
    /// ready soon, leases apart: a store in trouble says [`Inquired::Unknown`].
    fn inquire(&self, key: Key, lead: bool) -> Inquiry;

    /// Ready when the drops that were made through this store so far hold for the others as well, or when nobody
    /// should wait for that any longer. `None` where they do as soon as the drop returns.
    fn settled(&self) -> Option<Settling>;
}

/// The way to what an inquiry comes to.
pub type Inquiry = Pin<Box<dyn Future<Output = Inquired> + Send>>;

/// The way to drops that hold everywhere.
pub type Settling = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What an inquiry came to.
#[derive(Debug)]
pub enum Inquired {
    /// The store has it now.
    Found,
    /// Nobody has it. With a lease, the others wait for this one's answer.
    Absent(Option<Lease>),
    /// Nobody can tell: the store is in trouble.
    Unknown,
}

/// The right to make an answer for everybody, wherever they are. Dropping it ends it as [`LeaseEnd::Failed`].
pub struct Lease(Option<Box<dyn Leased>>);

/// How the holder of a lease came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseEnd {
    /// The answer is stored.
    Stored,
    /// The answer is no one else's, and so will be the next ones: for a while nobody need wait for a lease of this key.
    Unshared,
    /// There is no answer: the next one may try.
    Failed,
}

/// What a store does at the end of a lease.
pub trait Leased: Send + Sync {
    /// Ends the lease. Must not block for long.
    fn end(self: Box<Self>, how: LeaseEnd);
}

impl Lease {
    /// A lease that `leased` ends.
    pub fn new(leased: impl Leased + 'static) -> Self {
        Self(Some(Box::new(leased)))
    }

    /// Ends it.
    pub fn end(mut self, how: LeaseEnd) {
        if let Some(leased) = self.0.take() {
            leased.end(how);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(leased) = self.0.take() {
            leased.end(LeaseEnd::Failed);
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Lease(…)")
    }
}
