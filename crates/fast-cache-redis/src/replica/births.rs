//! The two clocks: what the logical time of this process is in the namespace's, and the other way round.
//!
//! The near tier has a clock of its own, since a drop must act at once, before the namespace's clock is known. Each
//! drop of the namespace, once it is applied here, is a pair of both times. Where a time lies between two pairs, the
//! older one is taken: an entry that counts as older than it is may be dropped without need, and is never kept against
//! one.

use std::collections::VecDeque;

/// Stretches that are remembered. What is older counts as older than everything that is known.
const MAX_RUNS: usize = 4096;

/// A stretch in which both clocks went in step.
#[derive(Clone, Copy, Debug)]
struct Run {
    local: u64,
    server: u64,
    length: u64,
}

/// Pairs of times, in the order of both.
#[derive(Debug)]
pub(super) struct Births {
    runs: VecDeque<Run>,
}

impl Births {
    /// From here on: nothing that was born before `local` is older than the beginning of the namespace's clock.
    pub(super) fn new(local: u64) -> Self {
        let mut births = Self {
            runs: VecDeque::new(),
        };
        births.push(local, 0);
        births
    }

    /// The namespace's time up to which every drop is applied here.
    pub(super) fn applied(&self) -> u64 {
        self.runs
            .back()
            .map_or(0, |run| run.server + run.length - 1)
    }

    /// This process's time when that was so.
    pub(super) fn applied_at(&self) -> u64 {
        self.runs.back().map_or(0, |run| run.local + run.length - 1)
    }

    /// At `local`, every drop up to `server` is applied. Both are newer than what was noted before.
    pub(super) fn note(&mut self, local: u64, server: u64) {
        debug_assert!(local > self.applied_at() && server > self.applied());
        if let Some(run) = self.runs.back_mut()
            && run.local + run.length == local
            && run.server + run.length == server
        {
            run.length += 1;
            return;
        }
        self.push(local, server);
        if self.runs.len() > MAX_RUNS {
            self.runs.pop_front();
        }
    }

    /// The namespace's time for a birth in this process: every drop up to it was applied when the birth was taken.
    /// `None` where that is not known any more.
    pub(super) fn server_of(&self, local: u64) -> Option<u64> {
        let after = self.runs.partition_point(|run| run.local <= local);
        let run = self.runs.get(after.checked_sub(1)?)?;
        Some(run.server + (local - run.local).min(run.length - 1))
    }

    /// This process's time for a birth in the namespace's: whatever was dropped after the birth was dropped after that.
    pub(super) fn local_of(&self, server: u64) -> u64 {
        let after = self.runs.partition_point(|run| run.server <= server);
        let run = after.checked_sub(1).and_then(|index| self.runs.get(index));
        run.map_or(0, |run| {
            run.local + (server - run.server).min(run.length - 1)
        })
    }

    fn push(&mut self, local: u64, server: u64) {
        self.runs.push_back(Run {
            local,
            server,
            length: 1,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{Births, MAX_RUNS};
    use proptest::prelude::*;

    #[test]
    fn what_is_forgotten_counts_as_old() {
        let mut births = Births::new(10);
        for step in 1..=2 * MAX_RUNS as u64 {
            births.note(10 + 2 * step, step);
        }
        assert_eq!(births.server_of(12), None);
        assert_eq!(births.local_of(1), 0);
        let last = 2 * MAX_RUNS as u64;
        assert_eq!(births.server_of(u64::MAX), Some(last));
        assert_eq!(births.local_of(u64::MAX), 10 + 2 * last);
    }

    #[test]
    fn a_stretch_takes_one_place() {
        let mut births = Births::new(1);
        for step in 1..100_000 {
            births.note(1 + step, step);
        }
        assert_eq!(births.runs.len(), 1);
        assert_eq!(births.server_of(501), Some(500));
        assert_eq!(births.local_of(500), 501);
    }

    proptest! {
        #[test]
        fn between_two_pairs_the_older_one_is_taken(
            steps in prop::collection::vec((1..4_u64, 1..4_u64), 0..40),
            asked in 0..200_u64,
        ) {
            let mut births = Births::new(5);
            let mut pairs = vec![(5, 0)];
            for (local, server) in steps {
                let (last_local, last_server) = pairs[pairs.len() - 1];
                pairs.push((last_local + local, last_server + server));
                births.note(last_local + local, last_server + server);
            }
            let server = pairs.iter().filter(|(local, _)| *local <= asked).map(|pair| pair.1).max();
            prop_assert_eq!(births.server_of(asked), server);
            let local = pairs.iter().filter(|(_, server)| *server <= asked).map(|pair| pair.0).max();
            prop_assert_eq!(Some(births.local_of(asked)), local);
            prop_assert_eq!(births.applied(), pairs[pairs.len() - 1].1);
            prop_assert_eq!(births.applied_at(), pairs[pairs.len() - 1].0);
        }
    }
}
