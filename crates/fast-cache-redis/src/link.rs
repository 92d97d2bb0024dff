//! From the hosts' threads to the thread behind the store.

use crate::fork;
use crate::keys::Keys;
use crate::options::RedisOptions;
use crate::replica::Node;
use crate::worker::{self, Granted};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

/// Bytes of entries that may be on their way to Redis; further ones stay in this process.
const MAX_UNWRITTEN: usize = 32 << 20;

/// How much longer than the timeout closing may take.
const CLOSING: Duration = Duration::from_secs(1);

/// What the thread is asked to do.
pub(crate) enum Command {
    Find(Find),
    Write(Write),
    /// Removes the entry with this digest.
    Remove(u128),
    /// There are drops to deliver.
    Deliver,
    /// Answers when the drops up to this ticket are delivered, or when nobody should wait any longer.
    Settle(u64, oneshot::Sender<()>),
    Release(Release),
    /// Delivers what it can, and ends.
    Close,
}

/// A lookup.
pub(crate) struct Find {
    pub(crate) digest: u128,
    /// Whether the lease is asked for as well.
    pub(crate) lead: bool,
    /// Whether the memory tier has the entry: then only the drops are asked for.
    pub(crate) is_near: bool,
    /// The fingerprint of a value that is of no use.
    pub(crate) useless: Option<Vec<u8>>,
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// What a lookup came to.
pub(crate) enum Answer {
    /// The value; whether it is of use is for the asker to say.
    Value(Vec<u8>),
    /// The memory tier's entry, if it is still there.
    Near,
    /// Nothing; with a lease.
    Absent(Option<Granted>),
    Unknown,
}

/// An entry on its way to Redis.
pub(crate) struct Write {
    pub(crate) digest: u128,
    pub(crate) frame: Vec<u8>,
    /// This process's time before its handler ran.
    pub(crate) birth: u64,
    pub(crate) live_for: Duration,
    /// The drops up to this ticket come first.
    pub(crate) after: u64,
}

/// The end of a lease.
pub(crate) struct Release {
    pub(crate) digest: u128,
    pub(crate) token: String,
    /// Whether nobody need wait for a lease of this key for a while.
    pub(crate) unshared: bool,
    /// What was written after the drops up to this ticket comes first.
    pub(crate) after: u64,
}

/// Where the connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Not asked for yet, or on its way for the first time.
    New = 0,
    Up = 1,
    /// Redis is in trouble: nobody waits for it.
    Down = 2,
}

/// What hosts' threads may know of the thread.
#[derive(Debug, Default)]
pub(crate) struct Status {
    /// The state, in the lowest bits, and above them the count of forks at which it was so.
    state: AtomicU32,
    unwritten: AtomicUsize,
    trouble: Mutex<Option<String>>,
}

impl Status {
    pub(crate) fn state(&self) -> State {
        let word = self.state.load(Ordering::Acquire);
        if word >> 2 != fork::forks() & (u32::MAX >> 2) {
            return State::New;
        }
        match word & 3 {
            0 => State::New,
            1 => State::Up,
            _ => State::Down,
        }
    }

    pub(crate) fn set(&self, state: State) {
        let word = fork::forks() << 2 | state as u32;
        self.state.store(word, Ordering::Release);
    }

    pub(crate) fn trouble(&self) -> Option<String> {
        let _passage = fork::pass();
        self.trouble.lock().clone()
    }

    pub(crate) fn set_trouble(&self, trouble: Option<String>) {
        let _passage = fork::pass();
        *self.trouble.lock() = trouble;
    }

    fn may_write(&self, bytes: usize) -> bool {
        let before = self.unwritten.fetch_add(bytes, Ordering::Relaxed);
        if before + bytes > MAX_UNWRITTEN {
            self.written(bytes);
            return false;
        }
        true
    }

    /// Bytes that are on their way.
    pub(crate) fn unwritten(&self) -> usize {
        self.unwritten.load(Ordering::Relaxed)
    }

    pub(crate) fn written(&self, bytes: usize) {
        self.unwritten.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The way to the thread, which begins when it is first needed, in each process.
pub(crate) struct Link {
    pub(crate) node: Arc<dyn Node>,
    pub(crate) options: Arc<RedisOptions>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) status: Arc<Status>,
    thread: Mutex<Thread>,
}

enum Thread {
    None,
    Running(Running),
    Closed,
}

struct Running {
    forks: u32,
    commands: UnboundedSender<Command>,
    ended: Receiver<()>,
    handle: JoinHandle<()>,
}

impl Link {
    pub(crate) fn new(node: Arc<dyn Node>, options: RedisOptions) -> Self {
        Self {
            node,
            keys: Arc::new(Keys::new(&options.namespace)),
            options: Arc::new(options),
            status: Arc::default(),
            thread: Mutex::new(Thread::None),
        }
    }

    /// Hands a command over; `None` where there is no thread and can be none.
    pub(crate) fn send(&self, command: Command) -> Option<()> {
        self.commands()?.send(command).ok()
    }

    /// Hands an entry over, if there is room.
    pub(crate) fn write(&self, write: Write) {
        // First the thread: one that is begun after a fork begins to count anew.
        let Some(commands) = self.commands() else {
            return;
        };
        let bytes = write.frame.len();
        if self.status.state() == State::Down || !self.status.may_write(bytes) {
            return;
        }
        if commands.send(Command::Write(write)).is_err() {
            self.status.written(bytes);
        }
    }

    /// The way to the thread, which is begun if there is none.
    pub(crate) fn commands(&self) -> Option<UnboundedSender<Command>> {
        fork::watch();
        let _passage = fork::pass();
        let mut thread = self.thread.lock();
        match &*thread {
            Thread::Closed => return None,
            Thread::Running(running) if running.forks == fork::forks() => {
                return Some(running.commands.clone());
            }
            Thread::None | Thread::Running(_) => (),
        }
        let inherited = std::mem::replace(&mut *thread, Thread::Closed);
        if let Thread::Running(_) = inherited {
            // It belongs to the parent, with all that it points to.
            std::mem::forget(inherited);
            self.status.unwritten.store(0, Ordering::Relaxed);
        }
        self.status.set(State::New);
        self.node.rename(worker::random());
        let (commands, receiver) = tokio::sync::mpsc::unbounded_channel();
        let (end, ended) = std::sync::mpsc::channel();
        let work = worker::Work {
            node: Arc::clone(&self.node),
            options: Arc::clone(&self.options),
            keys: Arc::clone(&self.keys),
            status: Arc::clone(&self.status),
        };
        let handle = std::thread::Builder::new()
            .name("fast-cache-redis".to_owned())
            .spawn(move || {
                worker::run(work, receiver);
                let _ = end.send(());
            })
            .inspect_err(|error| self.status.set_trouble(Some(error.to_string())))
            .ok();
        let Some(handle) = handle else {
            self.status.set(State::Down);
            *thread = Thread::None;
            return None;
        };
        *thread = Thread::Running(Running {
            forks: fork::forks(),
            commands: commands.clone(),
            ended,
            handle,
        });
        Some(commands)
    }

    /// Ends the thread, for good. With `wait`, it has ended on return, unless it takes longer than it may.
    pub(crate) fn close(&self, wait: bool) {
        let thread = {
            let _passage = fork::pass();
            std::mem::replace(&mut *self.thread.lock(), Thread::Closed)
        };
        self.status.set(State::Down);
        let Thread::Running(running) = thread else {
            return;
        };
        if running.forks != fork::forks() {
            std::mem::forget(running);
            return;
        }
        let _ = running.commands.send(Command::Close);
        if wait {
            let patience = self.options.timeout.saturating_add(CLOSING);
            if running.ended.recv_timeout(patience).is_ok() {
                let _ = running.handle.join();
            }
        }
    }
}
