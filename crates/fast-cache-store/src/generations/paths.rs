//! Drops by path: registered patterns with a generation each, and a log of drops by patterns made up at run time.

use super::{Generation, Judging};
use crate::entry::Entry;
use fast_cache_core::purge::{HostPattern, PathPattern, PatternId};
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

/// How many drops by made-up patterns are remembered one by one.
const MAX_LOGGED: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Paths {
    /// Shared with whoever tries them all on a path.
    patterns: Arc<Vec<PathPattern>>,
    registered: Vec<Registered>,
    ids: HashMap<PathPattern, u32>,
    /// By generation. Of one pattern only the newest hard and the newest soft drop stand here.
    log: BTreeMap<u64, Logged>,
    newest: HashMap<(PathPattern, bool), u64>,
    /// The newest drops that fell out of the log.
    floor: Generation,
}

#[derive(Debug)]
struct Registered {
    generation: Generation,
    /// Whether there may be entries on which the pattern was not tried.
    late: bool,
}

#[derive(Debug)]
struct Logged {
    pattern: PathPattern,
    soft: bool,
}

impl Paths {
    pub(super) fn patterns(&self) -> Arc<Vec<PathPattern>> {
        Arc::clone(&self.patterns)
    }

    pub(super) fn register(&mut self, pattern: PathPattern) -> PatternId {
        if let Some(id) = self.ids.get(&pattern) {
            return PatternId::new(*id);
        }
        let id = u32::try_from(self.registered.len()).unwrap_or(u32::MAX);
        self.registered.push(Registered {
            generation: Generation::default(),
            late: true,
        });
        Arc::make_mut(&mut self.patterns).push(pattern.clone());
        self.ids.insert(pattern, id);
        PatternId::new(id)
    }

    pub(super) fn nothing_is_older_than(&mut self, id: PatternId) {
        if let Some(registered) = self.registered.get_mut(id.get() as usize) {
            registered.late = false;
        }
    }

    /// Drops by a registered pattern; whether a walk is needed, or `None` for an id that was never given.
    pub(super) fn drop_registered(
        &mut self,
        id: PatternId,
        generation: u64,
        soft: bool,
    ) -> Option<bool> {
        let index = id.get() as usize;
        let registered = self.registered.get_mut(index)?;
        registered.generation.raise(generation, soft);
        Some(registered.late && matches!(self.patterns.get(index), Some(PathPattern::Host(_))))
    }

    /// Drops by any pattern; whether a walk is needed.
    pub(super) fn drop_path(&mut self, pattern: &PathPattern, generation: u64, soft: bool) -> bool {
        if let Some(id) = self.ids.get(pattern) {
            return self
                .drop_registered(PatternId::new(*id), generation, soft)
                .unwrap_or(true);
        }
        if let Some(older) = self.newest.insert((pattern.clone(), soft), generation) {
            self.log.remove(&older);
        }
        self.log.insert(
            generation,
            Logged {
                pattern: pattern.clone(),
                soft,
            },
        );
        while self.log.len() > MAX_LOGGED {
            if let Some((generation, Logged { pattern, soft })) = self.log.pop_first() {
                self.newest.remove(&(pattern, soft));
                self.floor.raise(generation, soft);
            }
        }
        matches!(pattern, PathPattern::Host(_))
    }

    /// Judges by path. A host pattern that should be tried is handed to `untried` with what it dropped.
    /// Of the log, only the newest `most_logged` drops are tried.
    pub(super) fn judge<R>(
        &self,
        entry: &Entry<R>,
        judging: &mut Judging,
        most_logged: usize,
        mut untried: impl FnMut(&Arc<dyn HostPattern>, Generation),
    ) {
        judging.covered_by(self.floor);
        for id in entry.patterns() {
            match self.registered.get(id as usize) {
                Some(registered) => judging.covered_by(registered.generation),
                None => judging.dead = true,
            }
        }
        if judging.dead {
            return;
        }
        let since = judging.since;
        let seen = (entry.patterns_seen() as usize).min(self.registered.len());
        let late = self.patterns[seen..]
            .iter()
            .zip(self.registered[seen..].iter().map(|late| late.generation));
        let mut tried = 0;
        let logged = self
            .log
            .range((Bound::Excluded(since), Bound::Unbounded))
            .rev()
            .take(most_logged)
            .map(|(generation, logged)| {
                tried += 1;
                let mut covered = Generation::default();
                covered.raise(*generation, logged.soft);
                (&logged.pattern, covered)
            });
        for (pattern, generation) in late.chain(logged) {
            if generation.hard <= since && generation.soft <= since {
                continue;
            }
            match pattern {
                PathPattern::Host(pattern) => untried(pattern, generation),
                pattern if pattern.matches(entry.path()) => judging.covered_by(generation),
                _ => (),
            }
            if judging.dead {
                return;
            }
        }
        judging.unfinished = tried == most_logged;
    }
}
