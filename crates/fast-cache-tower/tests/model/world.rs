//! The application of the model: what it answers, and what it knows of itself.

use crate::chance::Chance;
use bytes::Bytes;
use fast_cache_tower::store::{Clock, Timestamp};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

pub(crate) const ITEMS: usize = 3;
/// Bodies over this are not stored.
pub(crate) const LARGEST: usize = 512;

/// What everything in the model shares.
pub(crate) struct World {
    pub(crate) clock: Arc<Clock>,
    pub(crate) state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) chance: Chance,
    /// What stands in the database.
    pub(crate) versions: [u64; ITEMS],
    /// The least version that may be answered to a request that begins now: what was older was dropped.
    pub(crate) least: [u64; ITEMS],
    /// The least version that may be answered as fresh.
    pub(crate) least_fresh: [u64; ITEMS],
    /// When the answers were made, by the number of their call.
    pub(crate) made: HashMap<u64, Timestamp>,
    /// The calls that were made for each request.
    pub(crate) calls: HashMap<u64, u64>,
    pub(crate) number: u64,
    pub(crate) gates: Vec<Gate>,
    /// The application is having a bad time.
    pub(crate) failing: bool,
    /// Counts what begins and ends.
    pub(crate) ticks: u64,
    /// When the calls ended, by their number.
    pub(crate) ended: HashMap<u64, u64>,
    /// How many requests took the failure of another one.
    pub(crate) shared: u64,
}

/// Where an answer waits until it is let through.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<Mutex<(bool, Option<Waker>)>>);

impl Gate {
    pub(crate) fn open(&self) {
        let waker = {
            let mut gate = self.0.lock();
            gate.0 = true;
            gate.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn poll(&self, context: &Context<'_>) -> Poll<()> {
        let mut gate = self.0.lock();
        if gate.0 {
            return Poll::Ready(());
        }
        gate.1 = Some(context.waker().clone());
        Poll::Pending
    }

    pub(crate) async fn pass(self) {
        poll_fn(|context| self.poll(context)).await;
    }
}

/// How a call ends.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Whole,
    Raise,
    Error,
    PrivateError,
    Private,
    TooLarge,
    BreaksOff,
    Short,
}

impl State {
    /// Now and then a gate, at which something waits until a later step.
    pub(crate) fn gate(&mut self, one_in: u64) -> Option<Gate> {
        self.chance.one_in(one_in).then(|| {
            let gate = Gate::default();
            self.gates.push(gate.clone());
            gate
        })
    }

    fn end(&mut self) -> End {
        if self.failing {
            match self.chance.below(24) {
                0 => return End::Raise,
                1 => return End::PrivateError,
                2..=20 => return End::Error,
                _ => {}
            }
        }
        match self.chance.below(24) {
            0 | 1 => End::Raise,
            2 | 3 => End::Error,
            4 => End::Private,
            5 => End::TooLarge,
            6 => End::BreaksOff,
            7 => End::Short,
            _ => End::Whole,
        }
    }

    /// The moment, which is another one each time.
    pub(crate) fn tick(&mut self) -> u64 {
        self.ticks += 1;
        self.ticks
    }
}

impl World {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        let start = Timestamp::from_seconds(1_700_000_000);
        Arc::new(Self {
            clock: Arc::new(Clock::manual(start)),
            state: Mutex::new(State {
                chance: Chance(seed),
                versions: [0; ITEMS],
                least: [0; ITEMS],
                least_fresh: [0; ITEMS],
                made: HashMap::new(),
                calls: HashMap::new(),
                number: 0,
                gates: Vec::new(),
                failing: false,
                ticks: 0,
                ended: HashMap::new(),
                shared: 0,
            }),
        })
    }

    /// One call of the application.
    pub(crate) async fn answer(
        self: Arc<Self>,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Pieces>, Failure> {
        let path = request.uri().path().to_owned();
        let item: usize = path.rsplit('/').next().unwrap_or_default().parse()?;
        if request.method() == http::Method::POST {
            return self.write(item).await;
        }
        let line = |name: &str| {
            let value = request.headers().get(name);
            value.map_or(String::new(), |value| {
                value.to_str().unwrap_or_default().to_owned()
            })
        };
        let token: u64 = line("x-request").parse()?;
        let query = request.uri().query().unwrap_or_default();
        let (number, version, end, gates, exact) = {
            let mut state = self.state.lock();
            state.number += 1;
            *state.calls.entry(token).or_default() += 1;
            let gates = [state.gate(3), state.gate(8)];
            let (end, exact) = (state.end(), state.chance.one_in(2));
            (state.number, state.versions[item], end, gates, exact)
        };
        let [first, second] = gates;
        if let Some(gate) = first {
            gate.pass().await;
        }
        self.state.lock().made.insert(number, self.clock.now());
        let user = line("authorization");
        // Only one of the items comes in several languages.
        let language = if item == 0 {
            line("accept-language")
        } else {
            String::new()
        };
        let mut text = format!("{item}|{version}|{user}|{query}|{language}|{number}|");
        if end == End::TooLarge {
            text.push_str(&"x".repeat(LARGEST));
        }
        let mut response = Response::builder();
        if item == 0 {
            response = response.header("vary", "accept-language");
        }
        match end {
            End::Raise => return Err("it failed".into()),
            End::Error => response = response.status(503),
            End::PrivateError => {
                response = response.status(503).header("cache-control", "private");
            }
            End::Private => response = response.header("cache-control", "private"),
            _ => {}
        }
        let length = text.len() + usize::from(end == End::Short);
        if exact || end == End::Short {
            response = response.header("content-length", length);
        }
        let text = Bytes::from(text.into_bytes());
        Ok(response.body(Pieces {
            left: vec![text.slice(7..), text.slice(..7)],
            gate: second,
            breaks_off: end == End::BreaksOff,
            exact: exact && end != End::BreaksOff && end != End::Short,
            _call: Some(Call(Arc::clone(&self), number)),
        })?)
    }

    /// Changes an item, which drops what is stored of it, unless it fails.
    async fn write(self: Arc<Self>, item: usize) -> Result<Response<Pieces>, Failure> {
        let (gate, version) = {
            let mut state = self.state.lock();
            let fails = state.chance.one_in(6);
            if !fails {
                state.versions[item] += 1;
            }
            let version = (!fails).then_some(state.versions[item]);
            (state.gate(3), version)
        };
        if let Some(gate) = gate {
            gate.pass().await;
        }
        let Some(version) = version else {
            return Ok(Response::builder().status(500).body(Pieces::default())?);
        };
        let response = Response::builder().header("x-version", version);
        Ok(response.body(Pieces::default())?)
    }
}

/// A body in pieces, which may wait before its last one, or break off in its place.
#[derive(Default)]
pub(crate) struct Pieces {
    left: Vec<Bytes>,
    gate: Option<Gate>,
    breaks_off: bool,
    exact: bool,
    _call: Option<Call>,
}

/// A call, which has ended when this is dropped.
struct Call(Arc<World>, u64);

impl Drop for Call {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        let now = state.tick();
        state.ended.insert(self.1, now);
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        if self.left.len() == 1 {
            if let Some(gate) = &self.gate {
                std::task::ready!(gate.poll(context));
            }
            if self.breaks_off {
                self.left.clear();
                return Poll::Ready(Some(Err("it broke off".into())));
            }
        }
        Poll::Ready(self.left.pop().map(|piece| Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        if self.exact {
            SizeHint::with_exact(self.left.iter().map(|piece| piece.len() as u64).sum())
        } else {
            SizeHint::new()
        }
    }
}
