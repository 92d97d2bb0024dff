//! Inquiries and settling: futures that hosts poll on their own threads, where entries are read.

use crate::link::{Answer, Command, Find, Link, Release, State};
use crate::options::Now;
use crate::replica::Replica;
use crate::value;
use crate::worker::Granted;
use fast_cache_core::key::Key;
use fast_cache_core::stored::Stored;
use fast_cache_core::time::Timestamp;
use fast_cache_store::codec::Portable;
use fast_cache_store::{Inquired, Inquiry, Lease, LeaseEnd, Leased, LocalStore, Settling};
use std::borrow::Cow;
use std::sync::Arc;
use tokio::sync::oneshot;

/// How often a value may turn out to be of no use within one inquiry.
const MAX_ROUNDS: usize = 3;

pub(crate) fn inquire<R: Portable>(
    replica: Arc<Replica<R>>,
    link: Arc<Link>,
    key: Key,
    lead: bool,
    strict: bool,
    now: Option<Now>,
) -> Inquiry {
    let doubt = Doubt(strict.then(|| (Arc::clone(&replica), key.borrow().digest)));
    // The first question goes out now, not when the future is first polled.
    let is_near = strict && replica.near.get(key.borrow()).is_some();
    let answer = ask(&link, &key, lead, is_near, None);
    Box::pin(async move {
        let inquired = hear(&replica, &link, &key, lead, answer, now.as_deref()).await;
        if !matches!(inquired, Inquired::Unknown) {
            doubt.dispel();
        }
        inquired
    })
}

/// What is near under a key, while nobody knows whether a drop covers it: it goes, unless Redis has answered.
struct Doubt<R: Send + Sync>(Option<(Arc<Replica<R>>, u128)>);

impl<R: Send + Sync> Doubt<R> {
    fn dispel(mut self) {
        self.0 = None;
    }
}

impl<R: Send + Sync> Drop for Doubt<R> {
    fn drop(&mut self) {
        if let Some((replica, digest)) = self.0.take()
            && replica.is_trusted()
        {
            replica.near.forget_digest(digest);
        }
    }
}

/// Waits for the answers, and asks again where one is of no use.
async fn hear<R: Portable>(
    replica: &Arc<Replica<R>>,
    link: &Arc<Link>,
    key: &Key,
    lead: bool,
    first: Option<oneshot::Receiver<Answer>>,
    now: Option<&(dyn Fn() -> Timestamp + Send + Sync)>,
) -> Inquired {
    let mut next = first;
    for _ in 0..MAX_ROUNDS {
        let Some(answer) = next else {
            break;
        };
        let useless = match answer.await.unwrap_or(Answer::Unknown) {
            Answer::Unknown => return Inquired::Unknown,
            Answer::Absent(lease) => return absent(replica, link, key, lease),
            Answer::Near if replica.near.get(key.borrow()).is_some() => return Inquired::Found,
            Answer::Near => None,
            Answer::Value(value) => {
                // What is past its lifetime is near now, for whoever may use it, but somebody has to make a new one.
                let is_fresh = take_in(replica, key, &value, now);
                if is_fresh == Some(true) || (is_fresh.is_some() && !lead) {
                    return Inquired::Found;
                }
                let length = value.len().min(value::FINGERPRINT);
                Some(value[..length].to_vec())
            }
        };
        if !lead && useless.is_some() {
            return Inquired::Absent(None);
        }
        next = ask(link, key, lead, false, useless);
    }
    Inquired::Unknown
}

/// The future of drops that are not delivered yet.
pub(crate) fn settle<R: Portable>(replica: &Replica<R>, link: &Link) -> Option<Settling> {
    let (newest, settled) = replica.tickets();
    if newest == settled || link.status.state() == State::Down {
        return None;
    }
    let (sender, receiver) = oneshot::channel();
    link.send(Command::Settle(newest, sender))?;
    Some(Box::pin(async move {
        let _ = receiver.await;
    }))
}

fn ask(
    link: &Link,
    key: &Key,
    lead: bool,
    is_near: bool,
    useless: Option<Vec<u8>>,
) -> Option<oneshot::Receiver<Answer>> {
    if link.status.state() == State::Down {
        return None;
    }
    let (answer, receiver) = oneshot::channel();
    link.send(Command::Find(Find {
        digest: key.borrow().digest,
        lead,
        is_near,
        useless,
        answer,
    }))?;
    Some(receiver)
}

/// Puts what Redis has into the memory tier, unless it is damaged, another key's, or dropped; whether it is within its
/// lifetime, as far as that can be told.
fn take_in<R: Portable>(
    replica: &Replica<R>,
    key: &Key,
    value: &[u8],
    now: Option<&(dyn Fn() -> Timestamp + Send + Sync)>,
) -> Option<bool> {
    let (birth, frame): (_, Cow<'_, [u8]>) = value::read(value)?;
    let mut entry = value::entry(&frame, key.borrow().bytes)?;
    entry.birth = replica.local_birth(birth)?;
    let labels = entry.labels();
    let put = entry.to_put(key.borrow().digest, &labels)?;
    let found = replica.near.take_in(put).ok()?;
    let stored = found.entry.response();
    let is_fresh = |stored: &Stored<R>| {
        let ends = stored.made().plus(stored.lifetime);
        !found.soft && now.is_none_or(|now| now() < ends)
    };
    Some(stored.is_none_or(is_fresh))
}

fn absent<R: Portable>(
    replica: &Arc<Replica<R>>,
    link: &Arc<Link>,
    key: &Key,
    lease: Option<Granted>,
) -> Inquired {
    Inquired::Absent(lease.and_then(Granted::take).map(|token| {
        Lease::new(Holding {
            replica: Arc::clone(replica),
            link: Arc::clone(link),
            digest: key.borrow().digest,
            token,
        })
    }))
}

struct Holding<R> {
    replica: Arc<Replica<R>>,
    link: Arc<Link>,
    digest: u128,
    token: String,
}

impl<R: Portable> Leased for Holding<R> {
    fn end(self: Box<Self>, how: LeaseEnd) {
        let (newest, _) = self.replica.tickets();
        self.link.send(Command::Release(Release {
            digest: self.digest,
            token: self.token,
            unshared: how == LeaseEnd::Unshared,
            after: newest,
        }));
    }
}
