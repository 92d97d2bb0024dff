//! Waiting for other processes' leases: one thread looks at the words while somebody waits, and wakes who may go on.

use crate::leases;
use crate::words::Words;
use parking_lot::{Condvar, Mutex};
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::{Duration, Instant};

/// How often the words are looked at, at first and at last.
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(10);

/// How long the thread stays when nobody waits.
const LINGER: Duration = Duration::from_secs(1);

/// Who waits for leases in this process.
#[derive(Default)]
pub(crate) struct Watcher {
    state: Mutex<State>,
    came: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<Waiting>,
    next: u64,
    running: bool,
}

struct Waiting {
    number: u64,
    digest: u128,
    seen: u64,
    waker: Waker,
}

impl Watcher {
    /// Wakes `waker` once the lease of a key, seen held by the word `seen`, may be over; the number to stop waiting
    /// with, or `None` where nobody would look.
    pub(crate) fn wait(
        self: &Arc<Self>,
        words: &Arc<Words>,
        limit: Duration,
        digest: u128,
        seen: u64,
        waker: Waker,
    ) -> Option<u64> {
        let mut state = self.state.lock();
        if !state.running {
            let (watcher, words) = (Arc::downgrade(self), Arc::clone(words));
            std::thread::Builder::new()
                .name("fast-cache-leases".to_owned())
                .spawn(move || watch(&watcher, &words, limit))
                .ok()?;
            state.running = true;
        }
        let number = state.next;
        state.next += 1;
        state.waiting.push(Waiting {
            number,
            digest,
            seen,
            waker,
        });
        drop(state);
        self.came.notify_one();
        Some(number)
    }

    /// Whether somebody who began to wait still does; with a new waker.
    pub(crate) fn waits(&self, number: u64, waker: &Waker) -> bool {
        let mut state = self.state.lock();
        let waiting = state
            .waiting
            .iter_mut()
            .find(|waiting| waiting.number == number);
        waiting
            .map(|waiting| waiting.waker.clone_from(waker))
            .is_some()
    }

    /// Stops waiting.
    pub(crate) fn leave(&self, number: u64) {
        let mut state = self.state.lock();
        let at = state
            .waiting
            .iter()
            .position(|waiting| waiting.number == number);
        let left = at.map(|at| state.waiting.swap_remove(at));
        drop(state);
        drop(left);
    }
}

fn watch(watcher: &Weak<Watcher>, words: &Words, limit: Duration) {
    let mut pause = SHORTEST;
    let mut owners_seen = Instant::now();
    let mut newest = 0;
    while let Some(watcher) = watcher.upgrade() {
        let look_at_owners = owners_seen.elapsed() >= LONGEST;
        if look_at_owners {
            owners_seen = Instant::now();
        }
        let mut woken = Vec::new();
        let mut state = watcher.state.lock();
        let mut at = 0;
        while at < state.waiting.len() {
            let one = &state.waiting[at];
            if leases::still_held(words, one.digest, one.seen, limit, look_at_owners) {
                at += 1;
            } else {
                woken.push(state.waiting.swap_remove(at));
            }
        }
        if state.next != newest {
            newest = state.next;
            pause = SHORTEST;
        }
        drop(state);
        // Wakers are the host's own code.
        woken.drain(..).for_each(|waiting| waiting.waker.wake());

        let mut state = watcher.state.lock();
        if state.waiting.is_empty() {
            let timed_out = watcher.came.wait_for(&mut state, LINGER).timed_out();
            if timed_out && state.waiting.is_empty() {
                state.running = false;
                return;
            }
        } else {
            watcher.came.wait_for(&mut state, pause);
            pause = (pause + pause / 4).min(LONGEST);
        }
    }
}
