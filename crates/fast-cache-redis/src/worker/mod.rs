//! The thread behind a store: one connection, one log, and every command of the process.
//!
//! | file | what |
//! |---|---|
//! | `mod` | taking commands; one session after the other, with a pause between those that fail |
//! | `session` | from a connection to a memory tier that can be trusted; when it no longer can be |
//! | `log` | reading and writing the log of drops, one at a time |
//! | `find` | lookups and leases |
//! | `write` | entries and the ends of leases, in their order |
//!
//! Everything here runs on one thread, in turns.

mod find;
mod log;
mod session;
mod write;

pub(crate) use write::Granted;

use crate::connect::PATIENCE;
use crate::keys::Keys;
use crate::link::{Command, State, Status};
use crate::options::{Coherence, RedisOptions};
use crate::replica::Node;
use session::Session;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex, Notify, Semaphore, watch};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{sleep, timeout};

/// The longest that the memory tier is used without a word from Redis: a quarter of it between two heartbeats, and the
/// rest to wait for the answer.
pub const MAX_SILENCE: Duration = Duration::from_secs(1);

/// Commands that are taken at once.
const BATCH: usize = 256;

/// Pauses between attempts to connect: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// What the thread works on.
pub(crate) struct Work {
    pub(crate) node: Arc<dyn Node>,
    pub(crate) options: Arc<RedisOptions>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) status: Arc<Status>,
}

/// How far things have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Progress {
    state: State,
    /// The ticket up to which drops are delivered.
    settled: u64,
}

struct Worker {
    work: Work,
    session: RefCell<Option<Rc<Session>>>,
    progress: watch::Sender<Progress>,
    /// Held by whoever reads or writes the log.
    log: Mutex<()>,
    /// There are drops to deliver.
    undelivered: Notify,
    writes: UnboundedSender<write::Ordered>,
    /// Room for entries on the connection.
    room: Arc<Semaphore>,
    tokens: Cell<u64>,
}

/// Runs until it is told to close.
pub(crate) fn run(work: Work, commands: UnboundedReceiver<Command>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_keep_alive(Duration::from_millis(100))
        .build();
    match runtime {
        Ok(runtime) => {
            LocalSet::new().block_on(&runtime, serve(work, commands));
            // A name that is still being looked up is not waited for.
            runtime.shutdown_background();
        }
        Err(error) => {
            work.status.set_trouble(Some(error.to_string()));
            work.status.set(State::Down);
        }
    }
}

/// A number that nobody else has, in all likelihood.
pub(crate) fn random() -> u64 {
    let mut bytes = [0; 8];
    if getrandom::fill(&mut bytes).is_err() {
        // Only chance collisions are at stake.
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = now.map_or(0, |now| now.as_nanos());
        return xxhash_rust::xxh3::xxh3_64_with_seed(&now.to_le_bytes(), std::process::id().into());
    }
    u64::from_le_bytes(bytes)
}

async fn serve(work: Work, mut commands: UnboundedReceiver<Command>) {
    let (writes, ordered) = unbounded_channel();
    let progress = Progress {
        state: State::New,
        settled: work.node.settled(),
    };
    let worker = Rc::new(Worker {
        work,
        session: RefCell::new(None),
        progress: watch::channel(progress).0,
        log: Mutex::new(()),
        undelivered: Notify::new(),
        writes,
        room: Arc::new(Semaphore::new(write::ROOM)),
        tokens: Cell::new(0),
    });
    let supervisor = spawn_local(supervise(Rc::clone(&worker)));
    let sending = spawn_local(write::in_order(Rc::clone(&worker), ordered));
    let mut batch = Vec::with_capacity(BATCH);
    'serving: while commands.recv_many(&mut batch, BATCH).await > 0 {
        // One look at the clock serves all lookups that began before it.
        let mut clock = None;
        for command in batch.drain(..) {
            match command {
                Command::Find(find) => {
                    let clock = worker.is_strict().then(|| {
                        clock
                            .get_or_insert_with(|| find::Clock::look(&worker))
                            .clone()
                    });
                    spawn_local(find::find(Rc::clone(&worker), find, clock));
                }
                Command::Write(write) => worker.enqueue(write::Ordered::Write(write)),
                Command::Release(release) => worker.enqueue(write::Ordered::Release(release)),
                Command::Remove(digest) => worker.enqueue(write::Ordered::Remove(digest)),
                Command::Deliver => worker.undelivered.notify_one(),
                Command::Settle(ticket, answer) => {
                    let worker = Rc::clone(&worker);
                    spawn_local(async move {
                        let limit = worker.work.options.timeout;
                        let _ = timeout(limit, worker.settled(ticket)).await;
                        let _ = answer.send(());
                    });
                }
                Command::Close => break 'serving,
            }
        }
    }
    worker.work.node.trust(false);
    let _ = timeout(worker.work.options.timeout, worker.finish()).await;
    supervisor.abort();
    sending.abort();
    worker.session.replace(None);
}

/// Keeps a session up.
async fn supervise(worker: Rc<Worker>) {
    let status = &worker.work.status;
    let mut failures = 0;
    loop {
        match session::establish(&worker).await {
            Ok(session) => {
                failures = 0;
                status.set_trouble(None);
                status.set(State::Up);
                worker.session.replace(Some(Rc::clone(&session)));
                worker.progressed(State::Up);
                let trouble = session::attend(&worker, &session).await;
                status.set_trouble(Some(trouble));
                worker.session.replace(None);
            }
            Err(error) => {
                failures += 1;
                status.set_trouble(Some(error.to_string()));
            }
        }
        status.set(State::Down);
        worker.progressed(State::Down);
        sleep(pause(failures)).await;
    }
}

/// The pause after so many failures in a row: nodes that lost their server together do not come back together.
fn pause(failures: u32) -> Duration {
    let longest = LONGEST_PAUSE.min(FIRST_PAUSE * 2_u32.saturating_pow(failures.min(8)));
    let share = u32::try_from(random() % 1000).unwrap_or(0);
    longest / 2 + longest / 2 * share / 1000
}

impl Worker {
    fn is_strict(&self) -> bool {
        self.work.options.coherence == Coherence::Strict
    }

    /// The session, if there is one.
    fn session(&self) -> Option<Rc<Session>> {
        let session = self.session.borrow();
        session
            .as_ref()
            .filter(|session| session.is_alive())
            .cloned()
    }

    /// The session, if there is one within this time.
    async fn session_within(&self, limit: Duration) -> Option<Rc<Session>> {
        let mut progress = self.progress.subscribe();
        let soon = async {
            loop {
                if let Some(session) = self.session() {
                    return Some(session);
                }
                progress.changed().await.ok()?;
            }
        };
        timeout(limit, soon).await.ok().flatten()
    }

    /// The session; while the first is being made, it is waited for.
    async fn session_soon(&self) -> Option<Rc<Session>> {
        if self.progress.borrow().state == State::New {
            let mut progress = self.progress.subscribe();
            let _ = progress.wait_for(|now| now.state != State::New).await;
        }
        self.session()
    }

    fn progressed(&self, state: State) {
        self.progress.send_replace(Progress {
            state,
            settled: self.work.node.settled(),
        });
    }

    /// Ready when the drops up to this ticket are delivered, or when there is nobody to deliver them to; whether they
    /// are.
    async fn settled(&self, ticket: u64) -> bool {
        if self.progress.borrow().settled >= ticket {
            return true;
        }
        let mut progress = self.progress.subscribe();
        let now = progress
            .wait_for(|now| now.settled >= ticket || now.state == State::Down)
            .await;
        now.is_ok_and(|now| now.settled >= ticket)
    }

    fn enqueue(&self, ordered: write::Ordered) {
        let _ = self.writes.send(ordered);
    }

    /// Delivers what waits.
    async fn finish(&self) {
        if let Some(session) = self.session() {
            let _ = log::deliver(self, &session).await;
        }
        while self.session().is_some() && self.work.status.unwritten() > 0 {
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// A token for a lease that nobody else has.
    fn token(&self) -> String {
        let number = self.tokens.get() + 1;
        self.tokens.set(number);
        format!("{:016x}{number:x}", self.work.node.name())
    }

    /// What takes longer than a connection may take has failed.
    async fn patiently<T>(
        &self,
        work: impl Future<Output = redis::RedisResult<T>>,
    ) -> redis::RedisResult<T> {
        timeout(PATIENCE, work).await.unwrap_or_else(|_| {
            let slow = std::io::Error::from(std::io::ErrorKind::TimedOut);
            Err(slow.into())
        })
    }
}
