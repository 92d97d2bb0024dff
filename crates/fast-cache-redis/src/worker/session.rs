//! A session: from a connection to a memory tier that can be trusted, until it no longer can.

use super::log::{self, Broken};
use super::{MAX_SILENCE, Worker};
use crate::connect::{Hearer, Links, PATIENCE, connect};
use crate::link::{State, Status};
use crate::replica::Node;
use crate::scripts::{Call, OPEN};
use parking_lot::Mutex;
use redis::{ErrorKind, PushInfo, PushKind, RedisError, RedisResult, cmd, from_redis_value};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};

/// How long head and log stay when nobody has anything to do with them: longer than any entry.
pub(super) const HEAD_LIVES: Duration = Duration::from_secs(14 * 24 * 3600);

/// The time between two heartbeats.
const BEAT: Duration = Duration::from_millis(250);

/// How often head and log are kept from dying.
const RENEWAL: Duration = Duration::from_secs(3600);

/// Lookups that fail, with none answered between, before the server counts as away.
const MAX_FAILURES: u32 = 3;

/// Questions before a server counts as too slow.
const MAX_PROBES: usize = 5;

/// How often an incarnation may end before anything could be read of it.
const MAX_INCARNATIONS: usize = 4;

pub(super) struct Session {
    pub(super) links: Links,
    pub(super) incarnation: Cell<u64>,
    signals: Arc<Signals>,
    /// How many lookups failed since one was answered, and since when.
    failures: Cell<u32>,
    failing_since: Cell<Option<Instant>>,
    /// For how long all must fail.
    patience: Duration,
    /// How long reading or writing the log may take at a time.
    limit: Cell<Duration>,
}

impl Session {
    pub(super) fn is_alive(&self) -> bool {
        self.signals.alive.load(Ordering::Acquire)
    }

    /// Ends the session: nothing is answered from here on until there is another.
    pub(super) fn break_off(&self, trouble: &str) {
        self.signals.break_off(trouble);
    }

    /// What takes too long has failed.
    pub(super) async fn timely<T>(
        &self,
        work: impl Future<Output = RedisResult<T>>,
    ) -> RedisResult<T> {
        timeout(self.limit.get(), work).await.unwrap_or_else(|_| {
            let slow = std::io::Error::from(std::io::ErrorKind::TimedOut);
            Err(slow.into())
        })
    }

    /// A lookup came back.
    pub(super) fn answered(&self) {
        self.failures.set(0);
        self.failing_since.set(None);
    }

    /// A lookup did not come back in time, or with an error. Many that fail at once are one failure: the server may
    /// have been busy for a moment.
    pub(super) fn failed(&self, trouble: &str) {
        let since = self.failing_since.get().unwrap_or_else(Instant::now);
        self.failing_since.set(Some(since));
        self.failures.set(self.failures.get() + 1);
        if self.failures.get() >= MAX_FAILURES && since.elapsed() >= self.patience {
            self.break_off(trouble);
        }
    }
}

/// What the connection tells, on whichever thread.
struct Signals {
    alive: AtomicBool,
    changed: Notify,
    broken: Notify,
    trouble: Mutex<String>,
    node: Arc<dyn Node>,
    status: Arc<Status>,
}

impl Signals {
    fn hear(&self, push: &PushInfo) {
        match push.kind {
            PushKind::Invalidate => self.changed.notify_one(),
            PushKind::Disconnection => self.break_off("the connection was lost"),
            _ => (),
        }
    }

    fn break_off(&self, trouble: &str) {
        if self.alive.swap(false, Ordering::AcqRel) {
            self.node.trust(false);
            self.status.set(State::Down);
            trouble.clone_into(&mut self.trouble.lock());
            self.broken.notify_one();
        }
    }
}

/// Connects, catches up, delivers what waits, and trusts the memory tier from then on.
pub(super) async fn establish(worker: &Rc<Worker>) -> RedisResult<Rc<Session>> {
    let work = &worker.work;
    let signals = Arc::new(Signals {
        alive: AtomicBool::new(true),
        changed: Notify::new(),
        broken: Notify::new(),
        trouble: Mutex::default(),
        node: Arc::clone(&work.node),
        status: Arc::clone(&work.status),
    });
    let heard = Arc::clone(&signals);
    let hearer: Hearer = Arc::new(move |push| heard.hear(&push));
    let links = worker.patiently(connect(&work.options, &hearer)).await?;
    let session = Rc::new(Session {
        links,
        incarnation: Cell::new(0),
        signals,
        failures: Cell::new(0),
        failing_since: Cell::new(None),
        patience: work.options.timeout,
        limit: Cell::new(PATIENCE),
    });
    // First the pushes, then what they would have told before.
    let mut tracking = cmd("CLIENT");
    tracking
        .arg("TRACKING")
        .arg("ON")
        .arg("BCAST")
        .arg("NOLOOP");
    tracking.arg("PREFIX").arg(&work.keys.control);
    let control = &session.links.control;
    worker.patiently(control.run(&tracking)).await?;
    let run_id = worker.patiently(run_id(&session)).await?;
    for _ in 0..MAX_INCARNATIONS {
        open(worker, &session, &run_id).await?;
        match catch_up_and_deliver(worker, &session).await {
            Ok(()) => {
                probe(worker, &session).await?;
                session.limit.set(MAX_SILENCE.saturating_sub(BEAT));
                work.node.trust(true);
                if session.is_alive() {
                    return Ok(session);
                }
                work.node.trust(false);
                return Err(unsteady());
            }
            Err(Broken::Changed) => (),
            Err(Broken::Failed(error)) => return Err(error),
        }
    }
    Err(unsteady())
}

/// Attends to a session until it breaks; what the matter was.
pub(super) async fn attend(worker: &Rc<Worker>, session: &Rc<Session>) -> String {
    let tasks = [
        spawn_local(follow(Rc::clone(worker), Rc::clone(session))),
        spawn_local(deliver(Rc::clone(worker), Rc::clone(session))),
        spawn_local(beat(Rc::clone(worker), Rc::clone(session))),
        spawn_local(renew(Rc::clone(worker), Rc::clone(session))),
    ];
    session.signals.broken.notified().await;
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    session.signals.trouble.lock().clone()
}

async fn run_id(session: &Session) -> RedisResult<String> {
    let info: String =
        from_redis_value(session.links.control.run(cmd("INFO").arg("server")).await?)?;
    let line = info.lines().find_map(|line| line.strip_prefix("run_id:"));
    let missing = || RedisError::from((ErrorKind::Client, "INFO names no run_id"));
    line.map(|id| id.trim().to_owned()).ok_or_else(missing)
}

/// Finds out the incarnation, and begins a new one where the server is not the one it was made on, or has lost
/// something.
async fn open(worker: &Worker, session: &Session, run_id: &str) -> RedisResult<()> {
    let Worker { work, .. } = worker;
    let (known, applied) = work.node.applied();
    let call = Call::new(&OPEN, &[&work.keys.head, &work.keys.log])
        .arg(run_id)
        .arg(format!("{:016x}", super::random()))
        .arg(HEAD_LIVES.as_millis().to_string())
        .arg(known.map_or(String::new(), |known| format!("{known:016x}")))
        .arg(applied);
    let reply = worker.patiently(session.links.control.call(&call)).await?;
    let (incarnation, _): (String, String) = from_redis_value(reply)?;
    let foreign = |_| RedisError::from((ErrorKind::Parse, "the head of the namespace is damaged"));
    let incarnation = u64::from_str_radix(&incarnation, 16).map_err(foreign)?;
    session.incarnation.set(incarnation);
    if known != Some(incarnation) {
        work.node.begin(incarnation);
    }
    Ok(())
}

async fn catch_up_and_deliver(worker: &Worker, session: &Session) -> Result<(), Broken> {
    log::catch_up(worker, session, None).await?;
    log::deliver(worker, session).await?;
    log::catch_up(worker, session, None).await
}

/// A server that answers too late each time is of no use.
async fn probe(worker: &Worker, session: &Session) -> RedisResult<()> {
    let ping = cmd("PING");
    for _ in 0..MAX_PROBES {
        let answer = session.links.control.run(&ping);
        if let Ok(answer) = timeout(worker.work.options.timeout, answer).await {
            return answer.map(drop);
        }
    }
    Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into())
}

/// Reads the log whenever something is pushed.
async fn follow(worker: Rc<Worker>, session: Rc<Session>) {
    loop {
        session.signals.changed.notified().await;
        attentively(&session, log::catch_up(&worker, &session, None)).await;
    }
}

/// Delivers drops whenever there are any.
async fn deliver(worker: Rc<Worker>, session: Rc<Session>) {
    loop {
        attentively(&session, log::deliver(&worker, &session)).await;
        worker.undelivered.notified().await;
    }
}

/// Asks for drops even if nothing is pushed: then nobody pushes any more.
async fn beat(worker: Rc<Worker>, session: Rc<Session>) {
    loop {
        sleep(BEAT).await;
        attentively(&session, log::catch_up(&worker, &session, None)).await;
    }
}

async fn renew(worker: Rc<Worker>, session: Rc<Session>) {
    let keys = &worker.work.keys;
    loop {
        sleep(RENEWAL).await;
        for key in [&keys.head, &keys.log] {
            let lives = HEAD_LIVES.as_millis().to_string();
            let mut expire = cmd("PEXPIRE");
            expire.arg(key).arg(lives);
            let _ = worker.patiently(session.links.control.run(&expire)).await;
        }
    }
}

/// What is not answered in time, or with an error, ends the session.
async fn attentively(session: &Session, work: impl Future<Output = Result<(), Broken>>) {
    match work.await {
        Ok(()) => session.answered(),
        Err(Broken::Changed) => session.break_off("Redis has lost what it knew"),
        Err(Broken::Failed(error)) => session.break_off(&error.to_string()),
    }
}

fn unsteady() -> RedisError {
    RedisError::from((ErrorKind::Client, "Redis changes while it is read"))
}
