//! Asking the other processes: whether they have an answer, or are making it.

use crate::core::Core;
use crate::leases::{self, Asked, Held};
use crate::words::Words;
use fast_cache_core::key::Key;
use fast_cache_store::codec::Portable;
use fast_cache_store::{Found, Inquired, Lease};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// How many others are waited for, one after the other: when a second one fails too, all go on at once.
const MOST_WAITS: u32 = 2;

/// An inquiry on its way.
pub(crate) struct Inquiring<R: Portable> {
    core: Arc<Core<R>>,
    key: Key,
    lead: bool,
    /// What was there at first, fresh or not.
    before: Option<Known>,
    begun: bool,
    waits: u32,
    /// The number among those who wait.
    waiting: Option<u64>,
}

/// What tells one answer for a key from the next.
type Known = (u64, i64);

impl<R: Portable> Inquiring<R> {
    pub(crate) fn new(core: Arc<Core<R>>, key: Key, lead: bool) -> Self {
        Self {
            core,
            key,
            lead,
            before: None,
            begun: false,
            waits: 0,
            waiting: None,
        }
    }

    /// Whether there is an answer that is worth a new lookup.
    fn is_there(&mut self, words: &Words) -> bool {
        let (found, _) = self.core.look(words, self.key.borrow());
        let known = found.as_ref().and_then(known);
        let new = self.begun && known.is_some() && known != self.before;
        if !self.begun {
            self.begun = true;
            self.before = known;
        }
        new || found.is_some_and(|found| self.core.answers(&found))
    }

    fn ask(&mut self, context: &Context<'_>) -> Poll<Inquired> {
        let Some(words) = self.core.caught_up().map(Arc::clone) else {
            return Poll::Ready(Inquired::Unknown);
        };
        if self.is_there(&words) {
            return Poll::Ready(Inquired::Found);
        }
        if !self.lead {
            return Poll::Ready(Inquired::Absent(None));
        }
        let digest = self.key.borrow().digest;
        let limit = self.core.options.lease_limit;
        match leases::acquire(&words, digest, limit) {
            Asked::Granted(word) => {
                let lease = Lease::new(Held::new(Arc::clone(&words), digest, word));
                // It may have been stored, and the lease ended, since it was looked for.
                if self.is_there(&words) {
                    return Poll::Ready(Inquired::Found);
                }
                Poll::Ready(Inquired::Absent(Some(lease)))
            }
            Asked::Held(word) => {
                if self.waits == MOST_WAITS {
                    return Poll::Ready(Inquired::Absent(None));
                }
                self.waits += 1;
                let waker = context.waker().clone();
                let watcher = &self.core.watcher;
                match watcher.wait(&words, limit, digest, word, waker) {
                    Some(number) => {
                        self.waiting = Some(number);
                        Poll::Pending
                    }
                    None => Poll::Ready(Inquired::Absent(None)),
                }
            }
            Asked::None => Poll::Ready(Inquired::Absent(None)),
        }
    }
}

impl<R: Portable> Future for Inquiring<R> {
    type Output = Inquired;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Inquired> {
        if let Some(number) = self.waiting {
            if self.core.watcher.waits(number, context.waker()) {
                return Poll::Pending;
            }
            self.waiting = None;
        }
        self.ask(context)
    }
}

impl<R: Portable> Drop for Inquiring<R> {
    fn drop(&mut self) {
        if let Some(number) = self.waiting
            && self.core.is_of_this_process()
        {
            self.core.watcher.leave(number);
        }
    }
}

fn known<R>(found: &Found<R>) -> Option<Known> {
    let stored = found.entry.response()?;
    Some((found.entry.birth(), stored.received.micros()))
}
