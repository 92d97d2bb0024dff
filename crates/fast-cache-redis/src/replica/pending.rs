//! This node's own drops: those that the namespace does not know yet, and those it was told of lately.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Drops that wait for a server. When there are more, one drop of everything stands for them all.
const MAX_WAITING: usize = 4096;

/// How long a drop that a server took is remembered, in case that this server turns out to have been deposed.
const REMEMBERED: Duration = Duration::from_secs(60);
const MAX_REMEMBERED: usize = 1024;

/// A drop of this node.
#[derive(Clone, Debug)]
pub(crate) struct Own {
    /// Its number in the log of the namespace, beside the node's.
    pub(crate) number: u64,
    /// What somebody may be waiting for: all drops up to it.
    ticket: u64,
    /// The time of this process at which it was done here.
    pub(super) local: u64,
    pub(crate) soft: bool,
    /// What it covers, encoded.
    pub(crate) cover: Arc<[u8]>,
}

#[derive(Debug, Default)]
pub(super) struct Pending {
    waiting: VecDeque<Own>,
    delivered: VecDeque<(Instant, Own)>,
    /// When a delivered drop was forgotten too early.
    forgotten: Option<Instant>,
    numbers: u64,
    tickets: u64,
    settled: u64,
}

impl Pending {
    /// The ticket of the newest drop.
    pub(super) fn newest(&self) -> u64 {
        self.tickets
    }

    /// All drops up to this ticket are delivered.
    pub(super) fn settled(&self) -> u64 {
        self.settled
    }

    /// Whether no more drops can be taken one by one.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_WAITING
    }

    pub(super) fn push(&mut self, local: u64, soft: bool, cover: Arc<[u8]>) {
        self.tickets += 1;
        self.numbers += 1;
        self.waiting.push_back(Own {
            number: self.numbers,
            ticket: self.tickets,
            local,
            soft,
            cover,
        });
    }

    /// One drop stands for all that wait.
    pub(super) fn fold(&mut self, local: u64, everything: Arc<[u8]>) {
        self.waiting.clear();
        self.push(local, false, everything);
    }

    /// The time of this process at which the oldest waiting drop was done.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.waiting.front().map(|own| own.local)
    }

    /// The oldest waiting drops, to be delivered.
    pub(super) fn first(&self, most: usize) -> Vec<Own> {
        self.waiting.iter().take(most).cloned().collect()
    }

    /// The oldest waiting drop, if it has this number, is delivered.
    pub(super) fn deliver(&mut self, number: u64, now: Instant) -> Option<Own> {
        if self.waiting.front()?.number != number {
            return None;
        }
        let own = self.waiting.pop_front()?;
        self.settled = self.settled.max(own.ticket);
        self.delivered.push_back((now, own.clone()));
        while let Some((at, _)) = self.delivered.front() {
            let recent = is_recent(*at, now);
            if recent && self.delivered.len() <= MAX_REMEMBERED {
                break;
            }
            self.delivered.pop_front();
            if recent {
                self.forgotten = Some(now);
            }
        }
        Some(own)
    }

    /// What was delivered lately may have been told to a server that the others had left: it waits again, before the
    /// rest. `redo` does each drop here once more, and says when that was.
    pub(super) fn renew(
        &mut self,
        now: Instant,
        everything: Arc<[u8]>,
        mut redo: impl FnMut(&[u8], bool) -> u64,
    ) {
        let mut again = VecDeque::new();
        let delivered = std::mem::take(&mut self.delivered);
        if self.forgotten.take().is_some_and(|at| is_recent(at, now)) {
            again.push_back(Own {
                number: 0,
                ticket: 0,
                local: 0,
                soft: false,
                cover: everything,
            });
        } else {
            let recent = delivered.into_iter().filter(|(at, _)| is_recent(*at, now));
            again.extend(recent.map(|(_, own)| own));
        }
        again.append(&mut self.waiting);
        for own in &mut again {
            self.numbers += 1;
            own.number = self.numbers;
            own.local = redo(&own.cover, own.soft);
        }
        self.waiting = again;
    }
}

fn is_recent(at: Instant, now: Instant) -> bool {
    now.duration_since(at) <= REMEMBERED
}

#[cfg(test)]
mod tests {
    use super::{MAX_REMEMBERED, Pending, REMEMBERED};
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    fn cover(byte: u8) -> Arc<[u8]> {
        Arc::new([byte])
    }

    fn covers(pending: &Pending) -> Vec<u8> {
        let first = pending.first(usize::MAX);
        first.iter().map(|own| own.cover[0]).collect()
    }

    #[test]
    fn drops_are_delivered_in_their_order() {
        let (mut pending, now) = (Pending::default(), Instant::now());
        pending.push(7, false, cover(1));
        pending.push(8, true, cover(2));
        let [first, second] = [0, 1].map(|index| pending.first(2)[index].number);
        assert!(pending.deliver(second, now).is_none());
        assert_eq!(pending.oldest(), Some(7));
        assert!(pending.deliver(first, now).is_some());
        assert_eq!((pending.settled(), pending.newest()), (1, 2));
        assert!(pending.deliver(second, now).is_some());
        assert_eq!((pending.settled(), pending.oldest()), (2, None));
    }

    #[test]
    fn what_was_delivered_lately_is_delivered_again() {
        let (mut pending, now) = (Pending::default(), Instant::now());
        for byte in 1..=3 {
            pending.push(byte.into(), false, cover(byte));
        }
        let numbers: Vec<_> = pending.first(2).iter().map(|own| own.number).collect();
        pending.deliver(numbers[0], now);
        pending.deliver(numbers[1], now + REMEMBERED + Duration::from_secs(1));
        let later = now + REMEMBERED + Duration::from_secs(2);
        pending.renew(later, cover(0), |_, _| 50);
        assert_eq!(covers(&pending), [2, 3]);
        assert_eq!(pending.oldest(), Some(50));
        assert_eq!(pending.settled(), 2);
        let first = pending.first(1)[0].number;
        assert!(!numbers.contains(&first));
        pending.deliver(first, later);
        assert_eq!(pending.settled(), 2, "nobody waited for it again");
    }

    #[test]
    fn when_too_much_was_delivered_everything_is_dropped() {
        let (mut pending, now) = (Pending::default(), Instant::now());
        for _ in 0..=MAX_REMEMBERED {
            pending.push(1, false, cover(1));
            pending.deliver(pending.first(1)[0].number, now);
        }
        pending.push(1, false, cover(2));
        pending.renew(now, cover(0), |_, _| 9);
        assert_eq!(covers(&pending), [0, 2]);
    }

    #[test]
    fn one_drop_stands_for_many() {
        let mut pending = Pending::default();
        while !pending.is_full() {
            pending.push(1, true, cover(1));
        }
        pending.fold(2, cover(0));
        assert_eq!((covers(&pending), pending.oldest()), (vec![0], Some(2)));
    }
}
