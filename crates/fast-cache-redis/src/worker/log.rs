//! The log of drops: read and written by one at a time, so that places are known in order.

use super::Worker;
use super::session::{HEAD_LIVES, Session};
use crate::replica::Record;
use crate::scripts::{Call, DROP, READ};
use redis::{RedisError, RedisResult, Value, cmd, from_redis_value};

/// Drops that are read at once.
const PAGE: usize = 1000;

/// Drops that are delivered at once.
const DELIVERY: usize = 256;

/// Drops that the log keeps. Who was away for longer drops everything.
const LENGTH: usize = 100_000;

/// Why nothing more can be done in a session.
pub(super) enum Broken {
    /// The incarnation is another, or has lost drops.
    Changed,
    Failed(RedisError),
}

impl<E: Into<RedisError>> From<E> for Broken {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Applies what others have dropped; does nothing if all drops up to `least` are applied.
pub(super) async fn catch_up(
    worker: &Worker,
    session: &Session,
    least: Option<u64>,
) -> Result<(), Broken> {
    let Worker { work, .. } = worker;
    let _turn = worker.log.lock().await;
    loop {
        let (_, applied) = work.node.applied();
        if least.is_some_and(|least| least <= applied) {
            return Ok(());
        }
        let call = Call::new(&READ, &[&work.keys.head, &work.keys.log])
            .arg(format!("{:016x}", session.incarnation.get()))
            .arg(applied)
            .arg(PAGE);
        let reply = session.timely(session.links.control.call(&call)).await?;
        let (generation, entries): (i64, Vec<Value>) = from_redis_value(reply)?;
        let generation = u64::try_from(generation).map_err(|_| Broken::Changed)?;
        if generation < applied {
            return Err(Broken::Changed);
        }
        let complete = entries.len() < PAGE;
        let records = entries.into_iter().map(record);
        let records = records.collect::<Option<Vec<_>>>().ok_or(Broken::Changed)?;
        work.node.apply(records, generation, complete);
        settle(worker);
        if complete {
            return Ok(());
        }
    }
}

/// Tells the namespace of this node's drops.
pub(super) async fn deliver(worker: &Worker, session: &Session) -> Result<(), Broken> {
    let Worker { work, .. } = worker;
    loop {
        let turn = worker.log.lock().await;
        let own = work.node.undelivered(DELIVERY);
        if own.is_empty() {
            return Ok(());
        }
        let mut call = Call::new(&DROP, &[&work.keys.head, &work.keys.log])
            .arg(format!("{:016x}", session.incarnation.get()))
            .arg(format!("{:016x}", work.node.name()))
            .arg(HEAD_LIVES.as_millis().to_string())
            .arg(LENGTH);
        for own in &own {
            call = call
                .arg(own.number)
                .arg(u8::from(own.soft))
                .arg(&own.cover[..]);
        }
        let reply = session.timely(session.links.control.call(&call)).await;
        let generation: i64 = from_redis_value(reply_or_clear(worker, session, reply).await?)?;
        let generation = u64::try_from(generation).map_err(|_| Broken::Changed)?;
        let in_place = work.node.delivered(own.len(), generation);
        drop(turn);
        if in_place {
            settle(worker);
        } else {
            catch_up(worker, session, Some(generation)).await?;
        }
    }
}

/// A full server takes no drops. Then the head goes, which drops everything for everybody, and the log, which is part of
/// what it is full of.
async fn reply_or_clear(
    worker: &Worker,
    session: &Session,
    reply: RedisResult<Value>,
) -> Result<Value, Broken> {
    match reply {
        Err(error) if is_full(&error) => {
            let mut unlink = cmd("UNLINK");
            unlink
                .arg(&worker.work.keys.head)
                .arg(&worker.work.keys.log);
            session.timely(session.links.control.run(&unlink)).await?;
            Err(Broken::Failed(error))
        }
        reply => Ok(reply?),
    }
}

pub(super) fn is_full(error: &RedisError) -> bool {
    error.code() == Some("OOM") || error.detail().is_some_and(|detail| detail.contains("OOM "))
}

fn settle(worker: &Worker) {
    let settled = worker.work.node.settled();
    worker.progress.send_if_modified(|progress| {
        let news = progress.settled != settled;
        progress.settled = settled;
        news
    });
}

/// A drop as the log has it. One that cannot be read makes the log worthless.
fn record(entry: Value) -> Option<Record> {
    let (id, fields): (String, Vec<(String, Vec<u8>)>) = from_redis_value(entry).ok()?;
    let field = |name: &str| {
        let mut fields = fields.iter();
        fields
            .find(|(field, _)| field == name)
            .map(|(_, value)| &value[..])
    };
    let text = |name: &str| std::str::from_utf8(field(name)?).ok();
    Some(Record {
        generation: id.strip_suffix("-0")?.parse().ok()?,
        node: u64::from_str_radix(text("n")?, 16).ok()?,
        number: text("q")?.parse().ok()?,
        soft: text("s")? == "1",
        cover: field("c")?.to_vec(),
    })
}
