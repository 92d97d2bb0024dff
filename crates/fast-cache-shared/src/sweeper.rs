//! The thread that sweeps, when no other process does.

use crate::core::Core;
use crate::machine;
use crate::sweeping::{self, Step};
use crate::words::Words;
use fast_cache_core::time::Timestamp;
use fast_cache_store::codec::{self, Portable};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// Entries that are looked at between two pauses.
const STEPS: usize = 256;

/// The pause while there is something to do, and while there is not.
const SHORT: Duration = Duration::from_millis(5);
const LONG: Duration = Duration::from_millis(500);

/// How long the others wait before one takes over from a process that has stopped sweeping; in ticks.
const TERM: u64 = 300;

/// How often the places of dead readers are looked for.
const READERS: Duration = Duration::from_secs(5);

impl<R: Portable> Core<R> {
    /// Starts the sweeper, unless it was.
    pub(crate) fn start_sweeper(self: &Arc<Self>) {
        if !self.options.sweeper || self.sweeping.swap(true, Ordering::Relaxed) {
            return;
        }
        let core = Arc::downgrade(self);
        // Without a thread, entries make room when it is needed, and not before.
        let _ = std::thread::Builder::new()
            .name("fast-cache-sweeper".to_owned())
            .spawn(move || run(&core));
    }

    /// Looks at up to `steps` entries, going round at most once; how many were taken out. Host patterns run only with
    /// `run_host`.
    pub(crate) fn sweep(&self, steps: usize, now: Timestamp, run_host: bool) -> usize {
        let mut removed = 0;
        let mut left = steps;
        let mut ends = 0;
        while left > 0 && ends < 2 {
            if self.caught_up().is_none() {
                break;
            }
            let Some(step) = self.sweep_step(left, now, run_host) else {
                break;
            };
            removed += step.removed;
            left -= step.looked.min(left);
            ends += usize::from(step.next.is_none());
        }
        removed
    }

    fn sweep_step(&self, steps: usize, now: Timestamp, run_host: bool) -> Option<Step> {
        let map = self.map()?;
        let from = *self.sweep_at.lock();
        let step = sweeping::step(&map, from, steps, |head, frame| {
            if now.micros() > head.gone_after {
                return true;
            }
            // What was born after the last drop needs no reading.
            if head.birth >= fast_cache_store::LocalStore::birth(&self.near) {
                return false;
            }
            match codec::decode(frame) {
                Some(frame) => {
                    frame.is_response()
                        && self
                            .near
                            .covers(head.birth, frame.path, &frame.labels(), run_host)
                }
                None => true,
            }
        });
        let step = self.or_trouble(step)?;
        *self.sweep_at.lock() = step.next.unwrap_or_default();
        Some(step)
    }
}

fn run<R: Portable>(core: &Weak<Core<R>>) {
    let mut readers_seen = Instant::now();
    loop {
        let pause = {
            let Some(core) = core.upgrade() else { return };
            if core.is_off() {
                return;
            }
            // Behind, it finds fewer; the host's own code is for the host's own threads.
            let _ = core.catch_up(false);
            let map = core.map().filter(|map| is_ours(&map.words));
            if let Some(map) = map {
                if readers_seen.elapsed() > READERS {
                    readers_seen = Instant::now();
                    core.or_trouble(map.clear_stale_readers());
                }
                let now = (core.options.now)();
                match core.sweep_step(STEPS, now, false) {
                    Some(step) if step.removed > 0 => SHORT,
                    Some(step) if step.next.is_some() => SHORT * 4,
                    _ => LONG,
                }
            } else {
                LONG
            }
        };
        std::thread::park_timeout(pause);
    }
}

/// Whether it is this process that sweeps: nobody else does, or who did is gone.
fn is_ours(words: &Words) -> bool {
    let now = machine::ticks();
    let word = words.sweeper();
    let current = word.load(Ordering::Relaxed);
    let (process, until) = (current >> 32, current & 0xffff_ffff);
    let us = u64::from(machine::process_id());
    let over = now & 0xffff_ffff > until || until - (now & 0xffff_ffff) > TERM;
    if process != us && !over {
        return false;
    }
    let new = us << 32 | ((now + TERM) & 0xffff_ffff);
    word.compare_exchange(current, new, Ordering::Relaxed, Ordering::Relaxed)
        .is_ok()
}
