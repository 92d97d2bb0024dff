//! Entries, removals and the ends of leases, each sent in its turn: a lease ends after what was made under it is there.

use super::Worker;
use crate::link::{Release, Write};
use crate::scripts::{Call, RELEASE};
use crate::value;
use redis::{Cmd, ErrorKind, RedisResult, ServerErrorKind, Value, cmd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::spawn_local;

/// For how long nobody waits for a lease of a key whose answers are not for others.
const UNSHARED: Duration = Duration::from_secs(5);

/// Kilobytes of entries on the connection at a time. Lookups and heartbeats take the same way, and do not wait behind
/// more than that.
pub(super) const ROOM: usize = 1024;

pub(super) enum Ordered {
    Write(Write),
    Release(Release),
    Remove(u128),
}

/// A lease that was asked for, on its way to who wants it: it is given back where nobody takes it.
pub(crate) struct Granted {
    release: Option<Release>,
    writes: UnboundedSender<Ordered>,
}

impl Granted {
    /// Before it is asked for: the answer may be lost.
    pub(super) fn new(worker: &Worker, digest: u128) -> Self {
        let release = Release {
            digest,
            token: worker.token(),
            unshared: false,
            after: 0,
        };
        Self {
            release: Some(release),
            writes: worker.writes.clone(),
        }
    }

    pub(super) fn token(&self) -> String {
        let release = self.release.as_ref();
        release.map_or_else(String::new, |release| release.token.clone())
    }

    /// The token, for who gives the lease back from here on; also where it was not given at all.
    pub(crate) fn take(mut self) -> Option<String> {
        self.release.take().map(|release| release.token)
    }
}

impl Drop for Granted {
    fn drop(&mut self) {
        if let Some(release) = self.release.take() {
            let _ = self.writes.send(Ordered::Release(release));
        }
    }
}

/// Sends them one after the other, without waiting for answers.
pub(super) async fn in_order(worker: Rc<Worker>, mut ordered: UnboundedReceiver<Ordered>) {
    while let Some(ordered) = ordered.recv().await {
        match ordered {
            Ordered::Write(write) => {
                // An answer made after a drop of this node is younger than the drop only for who knows its place.
                if worker.settled(write.after).await
                    && let Some(room) = room_for(&worker, &write).await
                {
                    spawn_local(store(Rc::clone(&worker), write, room));
                } else {
                    worker.work.status.written(write.frame.len());
                }
            }
            Ordered::Release(release) => {
                worker.settled(release.after).await;
                let lives = if release.unshared {
                    UNSHARED.as_millis()
                } else {
                    0
                };
                let call = Call::new(&RELEASE, &[&worker.work.keys.lease(release.digest)])
                    .arg(release.token)
                    .arg(lives.to_string());
                spawn_local(release_lease(Rc::clone(&worker), call));
            }
            Ordered::Remove(digest) => {
                let mut unlink = cmd("UNLINK");
                unlink.arg(worker.work.keys.entry(digest));
                spawn_local(remove(Rc::clone(&worker), unlink));
            }
        }
    }
}

/// Room on the connection, once there is some.
async fn room_for(worker: &Worker, write: &Write) -> Option<OwnedSemaphorePermit> {
    let kilobytes = u32::try_from((write.frame.len() >> 10).clamp(1, ROOM)).ok()?;
    let room = Arc::clone(&worker.room);
    room.acquire_many_owned(kilobytes).await.ok()
}

async fn store(worker: Rc<Worker>, write: Write, _room: OwnedSemaphorePermit) {
    let Worker { work, .. } = &*worker;
    if let Some(birth) = work.node.birth_of(write.birth)
        && let Some(session) = worker.session()
        && session.incarnation.get() == birth.incarnation
    {
        let value = value::write(&write.frame, birth, work.options.compress_from);
        let mut set = cmd("SET");
        set.arg(work.keys.entry(write.digest)).arg(value);
        set.arg("PX")
            .arg(write.live_for.as_millis().max(1).to_string());
        let outcome = worker.patiently(session.links.data.run(&set)).await;
        turn_away(&worker, &outcome);
    }
    work.status.written(write.frame.len());
}

async fn release_lease(worker: Rc<Worker>, call: Call) {
    // While the connection is away nobody else can release it, and it may outlast that.
    let limit = worker.work.options.lease;
    if let Some(session) = worker.session_within(limit).await {
        let outcome = worker.patiently(session.links.data.call(&call)).await;
        turn_away(&worker, &outcome);
    }
}

async fn remove(worker: Rc<Worker>, unlink: Cmd) {
    if let Some(session) = worker.session() {
        let outcome = worker.patiently(session.links.data.run(&unlink)).await;
        turn_away(&worker, &outcome);
    }
}

/// A server that became a replica is not the one to talk to.
fn turn_away(worker: &Worker, outcome: &RedisResult<Value>) {
    if let Err(error) = outcome
        && error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
        && let Some(session) = worker.session()
    {
        session.break_off("the server became a replica");
    }
}
