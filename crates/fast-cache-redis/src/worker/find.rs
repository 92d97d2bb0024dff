//! Lookups, and the leases that go with them.

use super::session::Session;
use super::write::Granted;
use super::{Worker, log};
use crate::link::{Answer, Find};
use crate::scripts::{Call, FIND};
use redis::{ErrorKind, RedisError, RedisResult, ServerErrorKind, Value, cmd, from_redis_value};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::spawn_local;
use tokio::time::{Instant, timeout, timeout_at};

/// Pauses between two looks at a lease that somebody else holds: the first, and the longest.
const FIRST_LOOK: Duration = Duration::from_millis(2);
const LONGEST_LOOK: Duration = Duration::from_millis(20);

/// A look at the clock of the namespace: ready when every drop is applied that was made before it.
#[derive(Clone)]
pub(super) struct Clock(watch::Receiver<Option<bool>>);

impl Clock {
    pub(super) fn look(worker: &Rc<Worker>) -> Self {
        let (sender, receiver) = watch::channel(None);
        let worker = Rc::clone(worker);
        spawn_local(async move {
            let limit = worker.work.options.timeout;
            let seen = timeout(limit, look(&worker)).await;
            sender.send_replace(Some(seen.ok().flatten().is_some()));
        });
        Self(receiver)
    }

    /// Whether the look succeeded.
    async fn seen(mut self) -> bool {
        let seen = self.0.wait_for(Option::is_some).await;
        seen.is_ok_and(|seen| *seen == Some(true))
    }
}

async fn look(worker: &Worker) -> Option<()> {
    let session = worker.session_soon().await?;
    let mut question = cmd("HMGET");
    question.arg(&worker.work.keys.head).arg("i").arg("g");
    let answer = session.links.control.run(&question).await.ok()?;
    let (incarnation, generation): (Option<String>, Option<u64>) = from_redis_value(answer).ok()?;
    let incarnation = incarnation.and_then(|text| u64::from_str_radix(&text, 16).ok());
    if incarnation != Some(session.incarnation.get()) {
        session.break_off("Redis has lost what it knew");
        return None;
    }
    log::catch_up(worker, &session, Some(generation?))
        .await
        .ok()
}

/// What one question came to.
enum Reply {
    Value(Vec<u8>),
    /// The lease is ours.
    Leased,
    /// Somebody has the lease.
    Held,
    /// Nobody need wait for anybody.
    Nothing,
}

pub(super) async fn find(worker: Rc<Worker>, mut find: Find, clock: Option<Clock>) {
    let mut pause = FIRST_LOOK;
    let mut lease = find.lead.then(|| Granted::new(&worker, find.digest));
    let token = lease.as_ref().map(Granted::token).unwrap_or_default();
    let useless = find.useless.take();
    loop {
        let answer = match ask(&worker, &find, &token, useless.as_deref(), clock.clone()).await {
            None => {
                // The lease may be given all the same, too late: it goes back.
                let _ = find.answer.send(Answer::Unknown);
                return;
            }
            Some(None) => Answer::Near,
            Some(Some(Reply::Value(value))) => Answer::Value(value),
            Some(Some(Reply::Nothing)) => Answer::Absent(None),
            Some(Some(Reply::Leased)) => Answer::Absent(lease.take()),
            Some(Some(Reply::Held)) => {
                if timeout(pause, find.answer.closed()).await.is_ok() {
                    lease.and_then(Granted::take);
                    return;
                }
                // What is useless stays so; another value is another answer.
                pause = (pause * 3 / 2).min(LONGEST_LOOK);
                continue;
            }
        };
        // It was not given.
        lease.and_then(Granted::take);
        let _ = find.answer.send(answer);
        return;
    }
}

/// One question, answered in time or not at all; `Some(None)` where the memory tier has the answer.
async fn ask(
    worker: &Worker,
    find: &Find,
    token: &str,
    useless: Option<&[u8]>,
    clock: Option<Clock>,
) -> Option<Option<Reply>> {
    let limit = Instant::now() + worker.work.options.timeout;
    let session = timeout_at(limit, worker.session_soon()).await.ok()??;
    let reply = if find.is_near {
        Ok(Ok(None))
    } else {
        let asked = fetch(worker, &session, find, token, useless);
        timeout_at(limit, asked).await.map(|reply| reply.map(Some))
    };
    match reply {
        Ok(Ok(reply)) => {
            if let Some(clock) = clock
                && timeout_at(limit, clock.seen()).await != Ok(true)
            {
                session.failed("Redis answers too late");
                return None;
            }
            session.answered();
            Some(reply)
        }
        Ok(Err(error)) if error.is_unrecoverable_error() => {
            session.break_off(&error.to_string());
            None
        }
        Ok(Err(error)) => {
            session.failed(&error.to_string());
            None
        }
        Err(_) => {
            session.failed("Redis answers too late");
            None
        }
    }
}

async fn fetch(
    worker: &Worker,
    session: &Session,
    find: &Find,
    token: &str,
    useless: Option<&[u8]>,
) -> RedisResult<Reply> {
    let Worker { work, .. } = worker;
    let entry = work.keys.entry(find.digest);
    let value = if find.lead {
        let lease = work.keys.lease(find.digest);
        let call = Call::new(&FIND, &[&entry, &lease])
            .arg(token)
            .arg(work.options.lease.as_millis().max(1).to_string())
            .arg(u8::from(useless.is_some()))
            .arg(useless.unwrap_or_default());
        session.links.data.call(&call).await?
    } else {
        match session.links.data.run(cmd("GET").arg(&entry)).await {
            Err(error) if is_foreign(&error) => Value::Nil,
            outcome => outcome?,
        }
    };
    Ok(match value {
        Value::BulkString(value) => Reply::Value(value),
        Value::Int(1) => Reply::Leased,
        Value::Int(0) => Reply::Held,
        _ => Reply::Nothing,
    })
}

/// Whether something else than an entry stands there.
fn is_foreign(error: &RedisError) -> bool {
    error.code() == Some("WRONGTYPE")
        || error.kind() == ErrorKind::Server(ServerErrorKind::ResponseError)
            && error
                .detail()
                .is_some_and(|detail| detail.contains("WRONGTYPE"))
}
