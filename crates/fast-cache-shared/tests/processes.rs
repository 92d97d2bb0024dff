//! Four processes under load: drops from all of them, and kills.
#![allow(clippy::disallowed_macros, reason = "long runs tell what they saw")]

mod support;

use fast_cache_core::purge::{Label, PathPattern, PatternId, Purge};
use fast_cache_core::time::Timestamp;
use fast_cache_shared::{Options, SharedStore};
use fast_cache_store::{Content, Inquired, LeaseEnd, LocalStore, Put};
use std::path::Path;
use std::time::Duration;
use support::board::{self, Board, Draws, Process, until};
use support::{LIMITS, key, response, waiting};

const WORKERS: usize = 4;
const KEYS: usize = 64;

/// Places on the board: what the database says of each key, up to what each key's drops are done, and the rest.
const DATABASE: usize = 0;
const DROPPED: usize = DATABASE + KEYS;
const REQUESTS: usize = DROPPED + KEYS;
const LAST_REQUEST: usize = REQUESTS + 1;
const STOP: usize = REQUESTS + 2;
const FOUND: usize = REQUESTS + 3;
const DROPS: usize = REQUESTS + 4;
const LONGEST_WAIT: usize = REQUESTS + 5;
const LED: usize = REQUESTS + 6;
const PROGRESS: usize = REQUESTS + 8;

const LEASE_LIMIT: Duration = Duration::from_secs(15);

/// How long a process may seem to stand still on a busy machine.
const STALL: Duration = Duration::from_secs(10);

fn open(folder: &Path) -> SharedStore<u64> {
    let mut options = Options::new(LIMITS, Timestamp::default);
    options.lease_limit = LEASE_LIMIT;
    SharedStore::open(&folder.join("store"), options).expect("a folder of one's own")
}

fn path(number: usize) -> String {
    format!("/items/{number}")
}

struct Worker {
    store: SharedStore<u64>,
    board: Board,
    draws: Draws,
    pattern: PatternId,
    leads: bool,
}

impl Worker {
    fn new(folder: &Path, number: usize, leads: bool) -> Self {
        let store = open(folder);
        Self {
            pattern: store.register(PathPattern::glob("/items/*")),
            store,
            board: Board::open(folder),
            draws: Draws(number as u64 * 7919 + u64::from(std::process::id())),
            leads,
        }
    }

    /// A write to the database and its drop; or a lookup, and on a miss the handler and its answer.
    fn step(&mut self) {
        let number = usize::try_from(self.draws.below(KEYS as u64)).expect("small");
        if self.draws.below(50) == 0 {
            self.write(number);
        } else {
            self.read(number);
        }
    }

    fn write(&mut self, number: usize) {
        let written = self.board.add(DATABASE + number, 1);
        let path = path(number);
        let purge = match self.draws.below(60) {
            0 => Purge::everything(),
            1..=2 => Purge::registered(self.pattern),
            3..=19 => Purge::tag(&path),
            20..=39 => Purge::subtree(&path),
            40..=49 => Purge::path(PathPattern::glob(&path)),
            _ => Purge::path(PathPattern::prefix(&path)),
        };
        let _ = self.store.purge(&purge);
        self.board.raise(DROPPED + number, written);
        self.board.add(DROPS, 1);
    }

    fn read(&mut self, number: usize) {
        let at_least = self.board.read(DROPPED + number);
        if let Some(found) = self.look(number) {
            assert!(
                found >= at_least,
                "key {number} gave {found} after the drop that followed write {at_least}"
            );
            self.board.add(FOUND, 1);
            return;
        }
        let lease = if self.leads && self.draws.below(4) == 0 {
            let inquiry = self
                .store
                .elsewhere()
                .expect("it is shared")
                .inquire(key(&path(number)), true);
            let (inquired, waited) = waiting::wait(inquiry, 2 * LEASE_LIMIT);
            let waited = u64::try_from(waited.as_micros()).expect("not long");
            self.board.raise(LONGEST_WAIT, waited);
            match inquired {
                Inquired::Found => return,
                Inquired::Absent(lease) => lease,
                Inquired::Unknown => panic!("{:?}", self.store.trouble()),
            }
        } else {
            None
        };
        self.fill(number);
        if let Some(lease) = lease {
            self.board.add(LED, 1);
            lease.end(LeaseEnd::Stored);
        }
    }

    fn look(&self, number: usize) -> Option<u64> {
        let key = key(&path(number));
        let found = self.store.get(key.borrow())?;
        assert_eq!(found.entry.key(), key.borrow().bytes, "another key's entry");
        let value = found.entry.response().expect("a response").representation;
        assert_eq!(value >> 32, number as u64, "another key's answer");
        let value = value & 0xffff_ffff;
        assert!(
            value <= self.board.read(DATABASE + number),
            "an answer nobody gave"
        );
        Some(value)
    }

    /// What a handler does: its birth is taken before it reads.
    fn fill(&self, number: usize) {
        let birth = self.store.birth();
        let value = (number as u64) << 32 | self.board.read(DATABASE + number);
        let path = path(number);
        let mut labels = vec![Label::tag(&path)];
        Label::subtrees(&path, &mut labels).expect("a short path");
        let _ = self.store.put(Put {
            key: key(&path),
            birth,
            path: &path,
            labels: &labels,
            content: Content::Response(response(value, Timestamp::default())),
            weight: 0,
        });
    }
}

fn finish(workers: Vec<Process>) {
    for mut worker in workers {
        let status = worker.wait().expect("it was started");
        assert!(status.success(), "a worker failed: {status}");
    }
}

#[test]
#[ignore = "one of the processes of `no_answer_is_older_than_a_finished_drop`"]
fn a_worker_that_drops() {
    let Some((folder, number)) = board::part() else {
        return;
    };
    let mut worker = Worker::new(&folder, number, false);
    let last = worker.board.read(LAST_REQUEST);
    while worker.board.add(REQUESTS, 1) <= last {
        worker.step();
    }
}

/// `FAST_CACHE_REQUESTS=1000000` for long.
#[test]
fn no_answer_is_older_than_a_finished_drop() {
    let folder = tempfile::tempdir().expect("a folder");
    let board = Board::open(folder.path());
    let requests = board::number("FAST_CACHE_REQUESTS", 20_000);
    board.write(LAST_REQUEST, requests);
    let start = |number| board::start("a_worker_that_drops", folder.path(), number);
    finish((0..WORKERS).map(start).collect());
    let (found, drops) = (board.read(FOUND), board.read(DROPS));
    println!("{requests} requests: {found} answered by the store, {drops} drops");
    assert!(
        found > requests / 4,
        "there was something to be wrong about"
    );
    assert!(drops > requests / 100);
    assert_eq!(open(folder.path()).trouble(), None);
}

#[test]
#[ignore = "one of the processes of `killed_workers_leave_everything_in_order`"]
fn a_worker_that_is_killed() {
    let Some((folder, number)) = board::part() else {
        return;
    };
    let mut worker = Worker::new(&folder, number, true);
    while worker.board.read(STOP) == 0 {
        worker.step();
        worker.board.add(PROGRESS + number, 1);
    }
    assert_eq!(worker.store.trouble(), None);
}

/// `FAST_CACHE_KILLS=100` for long.
#[test]
fn killed_workers_leave_everything_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let board = Board::open(folder.path());
    let start = |number| board::start("a_worker_that_is_killed", folder.path(), number);
    let mut workers: Vec<_> = (0..WORKERS).map(start).collect();
    let mut draws = Draws(1);
    let mut longest = Duration::ZERO;
    for round in 0..board::number("FAST_CACHE_KILLS", 12) {
        let victim = usize::try_from(draws.below(WORKERS as u64)).expect("small");
        // A moment somewhere in its work.
        let moment = board.read(PROGRESS + victim) + draws.below(300);
        until("work", STALL, || board.read(PROGRESS + victim) >= moment);
        workers[victim].kill().expect("it runs");
        let status = workers[victim].wait().expect("it was started");
        assert!(
            !status.success() && status.code().is_none(),
            "round {round}: {status}"
        );
        let others = (0..WORKERS).filter(|other| *other != victim);
        let before: Vec<_> = others
            .map(|other| (other, board.read(PROGRESS + other)))
            .collect();
        for (other, before) in before {
            let waited = until("a survivor's work", STALL, || {
                board.read(PROGRESS + other) > before + 20
            });
            longest = longest.max(waited);
        }
        workers[victim] = start(victim);
    }
    board.write(STOP, 1);
    finish(workers);

    let mut worker = Worker::new(folder.path(), 9, true);
    assert!(board.read(LED) > 0 && board.read(FOUND) > 0);
    let mut leases = Duration::ZERO;
    for number in 0..KEYS {
        let _ = worker.look(number);
        worker.store.remove(key(&path(number)).borrow());
        let elsewhere = worker.store.elsewhere().expect("it is shared");
        let (inquired, waited) =
            waiting::wait(elsewhere.inquire(key(&path(number)), true), LEASE_LIMIT);
        assert!(
            matches!(inquired, Inquired::Absent(Some(_))),
            "a lease is stuck"
        );
        drop(inquired);
        leases = leases.max(waited);
        worker.read(number);
    }
    let longest_wait = Duration::from_micros(board.read(LONGEST_WAIT));
    println!(
        "survivors went on after {longest:?} at most, the longest wait for a lease was {longest_wait:?}, leases of \
         the dead were free after {leases:?}; {} answered by the store, {} drops, {} leases",
        board.read(FOUND),
        board.read(DROPS),
        board.read(LED),
    );
    assert!(
        longest_wait <= LEASE_LIMIT,
        "nobody waits for longer than a lease may last"
    );
    assert_eq!(worker.store.trouble(), None);
}
