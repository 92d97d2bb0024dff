//! Generations: which drops cover which entries.
//!
//! There is one logical clock. Drops take turns (the write lock over [`Paths`]); the drop with generation `g`, one more
//! than the clock, first writes `g` into every slot that it covers and then sets the clock to `g`. An entry's birth is
//! the clock before its handler ran. An entry is dead when a covering slot is newer than its birth.
//!
//! **A lookup that starts after a drop returned never returns an entry that the drop covers and whose birth lies
//! before it.** The drop set the clock to `g` (`SeqCst`) before it returned, so the lookup reads a clock of at least
//! `g` (`SeqCst`), and with that every slot that was written for `g` or earlier: drops take turns, so the clock's
//! release covers the slots of all earlier ones as well. The lookup then compares slots with the entry's birth, or
//! trusts the entry's memo (see below). It makes no difference when the entry was stored: the clock is read after the
//! entry was found, so an entry stored before, during or after the drop is judged by it all the same. That is all that
//! the invariant needs; that a put refuses an answer which is dead already only saves memory.
//!
//! **The memo.** Whoever has judged an entry alive with the clock at `c` notes `c` in the entry; with no drop since, a
//! hit reads the clock and the memo and is done. The claim in a memo is true for good (slots of generation `c` or less
//! never change again, save for growing), and it is carried by the number itself, so relaxed order is enough. It also
//! means that a drop is tried on an entry once, so drops by made-up patterns can stand in a log: a lookup tries the
//! ones that are newer than the memo. The log is bounded; what falls out of it raises a floor, and an entry whose memo
//! is older than the floor is dead.
//!
//! **A fill that starts while a drop is under way** takes the old clock for its birth, and is dead if covered. That
//! costs a miss and is never wrong.
//!
//! **Host patterns** run when an entry is put or walked over, with no lock held. On a hit, an entry on which such a
//! pattern should be tried first is *unresolved*: not found, but kept.
//!
//! Lock order: a shard of the memory store, then the paths. Neither is held while foreign code runs, be it a host
//! pattern or the drop of a representation.

mod labels;
mod paths;

use crate::entry::{Entry, Known};
use fast_cache_core::purge::{Cover, HostPattern, PathPattern, PatternId, Purge};
use labels::LabelTables;
use parking_lot::RwLock;
use paths::Paths;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many logged drops [`Generations::judge_briefly`] tries.
const BRIEFLY: usize = 16;

/// Whether an entry may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It outlived every drop, some of which may have been soft.
    Alive { soft: bool },
    /// A pattern that only the host can run was never tried on it.
    Unresolved,
    /// A hard drop covers it.
    Dead,
}

/// The newest generation of something, for hard and for soft drops.
#[derive(Clone, Copy, Debug, Default)]
struct Generation {
    hard: u64,
    soft: u64,
}

impl Generation {
    fn raise(&mut self, generation: u64, soft: bool) {
        let slot = if soft { &mut self.soft } else { &mut self.hard };
        *slot = generation.max(*slot);
    }
}

/// A judgement in the making.
struct Judging {
    since: u64,
    soft: bool,
    dead: bool,
    /// Some drops were too old to be tried.
    unfinished: bool,
}

impl Judging {
    fn covered_by(&mut self, generation: Generation) {
        self.dead |= generation.hard > self.since;
        self.soft |= generation.soft > self.since;
    }
}

/// A store's clock and everything that its drops have written.
#[derive(Debug)]
pub(crate) struct Generations {
    clock: AtomicU64,
    /// The newest drop of everything.
    everything: [AtomicU64; 2],
    /// The newest drop by any label.
    any_label: AtomicU64,
    /// The newest drop by any path pattern.
    any_path: AtomicU64,
    labels: LabelTables,
    paths: RwLock<Paths>,
}

impl Generations {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self {
            clock: AtomicU64::new(1),
            everything: Default::default(),
            any_label: AtomicU64::new(0),
            any_path: AtomicU64::new(0),
            labels: LabelTables::new(max_bytes),
            paths: RwLock::default(),
        }
    }

    pub(crate) fn clock(&self) -> u64 {
        self.clock.load(Ordering::SeqCst)
    }

    /// Judges an entry on a hit: two loads where nothing was dropped since it was last judged.
    #[inline]
    pub(crate) fn judge<R>(&self, entry: &Entry<R>) -> Verdict {
        // The clock first: what is known may then be of a later time, which is just as good.
        let clock = self.clock();
        let known = entry.memo().read();
        if known.since < clock && entry.response().is_some() {
            return self.judge_anew(entry, clock, known);
        }
        if known.dead {
            Verdict::Dead
        } else {
            Verdict::Alive { soft: known.soft }
        }
    }

    /// Judges an entry and runs host patterns where they were never tried. No lock may be held.
    pub(crate) fn settle<R>(&self, entry: &Entry<R>) -> Verdict {
        let clock = self.clock();
        let known = entry.memo().read();
        let verdict = self.judge(entry);
        if verdict != Verdict::Unresolved {
            return verdict;
        }
        let mut untried = Vec::new();
        let mut judging = self.try_all(entry, known, usize::MAX, |pattern, generation| {
            untried.push((Arc::clone(pattern), generation));
        });
        for (pattern, generation) in untried {
            if !judging.dead && pattern.matches(entry.path()) {
                judging.covered_by(generation);
            }
        }
        conclude(entry, clock, &judging)
    }

    #[cold]
    fn judge_anew<R>(&self, entry: &Entry<R>, clock: u64, known: Known) -> Verdict {
        let mut resolved = true;
        let judging = self.try_all(entry, known, usize::MAX, |_, _| resolved = false);
        if resolved || judging.dead {
            conclude(entry, clock, &judging)
        } else {
            Verdict::Unresolved
        }
    }

    /// Judges an entry without going far back in the log: constant work. Dead is dead, but what is not known to be alive
    /// stays unresolved.
    pub(crate) fn judge_briefly<R>(&self, entry: &Entry<R>) -> Verdict {
        let clock = self.clock();
        let known = entry.memo().read();
        if known.dead || entry.response().is_none() || known.since >= clock {
            return self.judge(entry);
        }
        let mut resolved = true;
        let judging = self.try_all(entry, known, BRIEFLY, |_, _| resolved = false);
        if judging.dead || (resolved && !judging.unfinished) {
            conclude(entry, clock, &judging)
        } else {
            Verdict::Unresolved
        }
    }

    /// Tries every drop on an entry since the time up to which that was done before, except that host patterns are
    /// handed to `untried`. Of the log, only the newest `most_logged` drops are tried.
    fn try_all<R>(
        &self,
        entry: &Entry<R>,
        known: Known,
        most_logged: usize,
        untried: impl FnMut(&Arc<dyn HostPattern>, Generation),
    ) -> Judging {
        let mut judging = Judging {
            since: known.since,
            soft: known.soft,
            dead: false,
            unfinished: false,
        };
        let [hard, soft] = [0, 1].map(|kind: usize| self.everything[kind].load(Ordering::Relaxed));
        judging.covered_by(Generation { hard, soft });
        if !judging.dead && self.any_label.load(Ordering::Relaxed) > judging.since {
            entry
                .places()
                .for_each(|place| judging.covered_by(self.labels.generation(place)));
        }
        if !judging.dead && self.any_path.load(Ordering::Relaxed) > judging.since {
            self.paths
                .read()
                .judge(entry, &mut judging, most_logged, untried);
        }
        judging
    }

    /// The registered patterns that match a path, and how many were tried. Runs host patterns; no lock may be held.
    pub(crate) fn matching(&self, path: &str) -> (Vec<u32>, u32) {
        let patterns = self.paths.read().patterns();
        let mut matching = Vec::new();
        let mut seen = 0;
        for pattern in patterns.iter() {
            if pattern.matches(path) {
                matching.push(seen);
            }
            seen += 1;
        }
        (matching, seen)
    }

    pub(crate) fn register(&self, pattern: PathPattern) -> PatternId {
        self.paths.write().register(pattern)
    }

    /// The store holds no entry on which the pattern was not tried, nor ever will.
    pub(crate) fn nothing_is_older_than(&self, id: PatternId) {
        self.paths.write().nothing_is_older_than(id);
    }

    /// Bytes that [`apply`](Self::apply) of this drop will allocate for good.
    pub(crate) fn growth(&self, purge: &Purge) -> Option<usize> {
        let by_label = purge
            .covers
            .iter()
            .any(|cover| matches!(cover, Cover::Label(_)));
        if by_label {
            self.labels.growth(purge.soft)
        } else {
            None
        }
    }

    /// Drops; whether a walk is needed.
    pub(crate) fn apply(&self, purge: &Purge) -> bool {
        if purge.covers.is_empty() {
            return false;
        }
        let mut paths = self.paths.write();
        let mut walk = false;
        let mut generation = self.clock.load(Ordering::Relaxed);
        for cover in &purge.covers {
            // One generation for each cover: the log has one place for each.
            generation += 1;
            walk |= self.write(&mut paths, cover, generation, purge.soft);
        }
        self.clock.store(generation, Ordering::SeqCst);
        walk
    }

    /// Drops what another store with the same clock has dropped at `generation`; whether a walk is needed. What is no
    /// newer than the clock was done before.
    pub(crate) fn replay(&self, cover: &Cover, soft: bool, generation: u64) -> bool {
        let mut paths = self.paths.write();
        if generation <= self.clock.load(Ordering::Relaxed) {
            return false;
        }
        let walk = self.write(&mut paths, cover, generation, soft);
        self.clock.store(generation, Ordering::SeqCst);
        walk
    }

    /// The registered pattern with this id.
    pub(crate) fn pattern(&self, id: PatternId) -> Option<PathPattern> {
        let index = usize::try_from(id.get()).ok()?;
        self.paths.read().patterns().get(index).cloned()
    }

    /// Writes the generation into every slot that the cover stands for; whether a walk is needed.
    fn write(&self, paths: &mut Paths, cover: &Cover, generation: u64, soft: bool) -> bool {
        match cover {
            Cover::Everything => self.drop_everything(generation, soft),
            Cover::Label(label) => {
                self.labels.raise(*label, generation, soft);
                self.any_label.store(generation, Ordering::Relaxed);
            }
            Cover::Path(pattern) => {
                self.any_path.store(generation, Ordering::Relaxed);
                return paths.drop_path(pattern, generation, soft);
            }
            Cover::Registered(id) => match paths.drop_registered(*id, generation, soft) {
                Some(needs_walk) => {
                    self.any_path.store(generation, Ordering::Relaxed);
                    return needs_walk;
                }
                None => self.drop_everything(generation, soft),
            },
        }
        false
    }

    fn drop_everything(&self, generation: u64, soft: bool) {
        self.everything[usize::from(soft)].store(generation, Ordering::Relaxed);
    }
}

fn conclude<R>(entry: &Entry<R>, clock: u64, judging: &Judging) -> Verdict {
    if judging.dead {
        entry.memo().condemn();
        return Verdict::Dead;
    }
    entry.memo().outlived(clock, judging.soft);
    Verdict::Alive { soft: judging.soft }
}
