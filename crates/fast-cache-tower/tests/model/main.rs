//! The whole layer against a naive model: random requests, writes, drops, moves of the clock, failures, cancellations and
//! concurrent fills, in every order that a seed gives.
//!
//! What must hold: never an answer that is older than a finished drop, never another client's, never stale but where it may
//! be, one call for a request, whole bodies only, and nobody waits for ever. `FAST_CACHE_STEPS` says how many steps are taken,
//! `FAST_CACHE_SEED` where they begin.
#![cfg(feature = "tokio")]

mod chance;
mod client;
mod world;

use bytes::Bytes;
use chance::Chance;
use client::{Read, Site, UnderWay, WAYS, policy, write};
use fast_cache_store::fault::Forgetful;
use fast_cache_tower::store::{Limits, MemoryStore};
use fast_cache_tower::{Cache, CacheLayer, Drops, PathPattern, Purge};
use http::{Method, Request};
use http_body_util::Full;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tower::{Layer, service_fn};
use world::{ITEMS, World};

const STEPS_BY_DEFAULT: u64 = 40_000;
const STEPS_OF_A_RUN: u64 = 250;

/// One run: a cache, its application, and the requests that are under way.
struct Run {
    chance: Chance,
    world: Arc<World>,
    cache: Cache,
    site: Site,
    under_way: Vec<UnderWay>,
    token: u64,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut chance = Chance(seed);
        let world = World::new(chance.bits());
        let limits = Limits {
            // Some runs evict all the time.
            max_entries: chance.of(&[4, 1000]),
            max_bytes: 1 << 20,
        };
        let builder = Cache::builder()
            .secret([7; 48])
            .clock(Arc::clone(&world.clock));
        let store = MemoryStore::new(limits);
        let cache = if chance.one_in(3) {
            builder
                .store(Forgetful::new(store, chance.bits(), 20))
                .build()
        } else {
            builder.store(store).build()
        };
        let mut policy = policy();
        if chance.one_in(2) {
            policy = policy.early_refresh(1.0).jitter(0.5);
        }
        let mut layer = CacheLayer::new(cache.clone()).rule("/items/{item}", policy);
        for way in WAYS {
            let drops = match way {
                "tag" => Drops::new().tag("item:{item}"),
                "path" => Drops::new().path("/items/{item}"),
                "prefix" => Drops::new().path("/items/"),
                "glob" => Drops::new().path("/it*"),
                "route" => Drops::new().route("/items/{item}"),
                _ => Drops::new().tag("item:{item}").softly(),
            };
            layer = layer.drops([Method::POST], &format!("/{way}/{{item}}"), drops);
        }
        let application = Arc::clone(&world);
        let handler = service_fn(move |request: Request<Full<Bytes>>| {
            Arc::clone(&application).answer(request)
        });
        Self {
            chance,
            site: Site::new(layer.layer(handler)),
            world,
            cache,
            under_way: Vec::new(),
            token: 0,
        }
    }

    async fn step(&mut self) {
        match self.chance.below(24) {
            0..=9 => {
                let read = self.read();
                self.begin(read);
            }
            10 => {
                let (way, item) = (self.chance.of(&WAYS), self.chance.index(ITEMS));
                self.under_way
                    .push(write(&self.world, &self.site, way, item));
            }
            11 => self.purge().await,
            12 => {
                let seconds = self.chance.of(&[1, 1, 10, 29, 59, 60, 80]);
                self.world
                    .clock
                    .advance(Duration::from_secs(seconds), false);
            }
            13 => self.cancel(),
            15 if self.chance.one_in(4) => {
                let mut state = self.world.state.lock();
                state.failing = !state.failing;
            }
            14 | 15 => self.let_through(),
            16 if self.chance.one_in(20) => {
                // Whoever has waited until now waits no longer.
                tokio::time::advance(Duration::from_secs(11)).await;
            }
            16 | 17 => tokio::task::yield_now().await,
            _ => self.go_on().await,
        }
        if self.under_way.len() > 12 {
            self.let_through();
            self.go_on().await;
        }
    }

    fn read(&mut self) -> Read {
        let (pause, failing) = {
            let mut state = self.world.state.lock();
            (state.gate(8), state.failing)
        };
        let chance = &mut self.chance;
        let mut read = Read {
            item: chance.index(ITEMS),
            user: chance.of(&["", "", "", "alice", "bob"]),
            query: chance.of(&["", "", "", "q=1"]),
            language: chance.of(&["", "de"]),
            afresh: chance.one_in(12),
            head: chance.one_in(12),
            pause,
        };
        if failing && !chance.one_in(4) {
            // Many for the same, so that some wait for two failures.
            (read.item, read.user, read.query) = (chance.index(2), "", "");
        }
        read
    }

    fn begin(&mut self, read: Read) {
        self.token += 1;
        let under_way = read.send(&self.world, &self.site, self.token);
        self.under_way.push(under_way);
    }

    /// A drop from code.
    async fn purge(&mut self) {
        let (way, item) = (self.chance.of(&WAYS), self.chance.index(ITEMS));
        let version = {
            let mut state = self.world.state.lock();
            state.versions[item] += 1;
            state.versions[item]
        };
        if self.chance.one_in(10) {
            self.cache.clear();
            self.world.state.lock().dropped("route", item, version);
            return;
        }
        let purge = match way {
            "tag" => Purge::tag(&format!("item:{item}")),
            "path" => Purge::subtree(&format!("/items/{item}")),
            "prefix" => Purge::path(PathPattern::prefix("/items/")),
            "glob" => Purge::path(PathPattern::glob("/it*")),
            "route" => self.cache.route("/items/{item}"),
            _ => Purge::tag(&format!("item:{item}")).softly(),
        };
        self.cache
            .purge(purge)
            .await
            .expect("a store of this process");
        self.world.state.lock().dropped(way, item, version);
    }

    /// A client leaves.
    fn cancel(&mut self) {
        if !self.under_way.is_empty() {
            let index = self.chance.index(self.under_way.len());
            drop(self.under_way.swap_remove(index));
        }
    }

    /// Opens one of the gates.
    fn let_through(&mut self) {
        let gate = {
            let mut state = self.world.state.lock();
            let gates = state.gates.len();
            (gates > 0).then(|| state.gates.swap_remove(self.chance.index(gates)))
        };
        if let Some(gate) = gate {
            gate.open();
        }
    }

    /// Lets one of the requests go on as far as it gets.
    async fn go_on(&mut self) {
        if self.under_way.is_empty() {
            return;
        }
        let index = self.chance.index(self.under_way.len());
        let under_way = &mut self.under_way[index];
        let ended = poll_fn(|context| Poll::Ready(under_way.as_mut().poll(context).is_ready()));
        if ended.await {
            drop(self.under_way.swap_remove(index));
        }
    }

    /// Everybody comes to an end, and what is stored then is right.
    async fn end(mut self) {
        for _ in 0..100 {
            while !self.world.state.lock().gates.is_empty() {
                self.let_through();
            }
            for _ in 0..self.under_way.len() {
                self.go_on().await;
            }
            tokio::task::yield_now().await;
        }
        for round in 0..2000 {
            if self.under_way.is_empty() {
                break;
            }
            assert!(round < 1999, "{} wait for ever", self.under_way.len());
            while !self.world.state.lock().gates.is_empty() {
                self.let_through();
            }
            self.go_on().await;
            tokio::task::yield_now().await;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a test runs")]
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

#[expect(clippy::disallowed_macros, reason = "shown if it fails")]
#[tokio::test(start_paused = true)]
async fn never_an_answer_that_is_older_than_a_finished_drop() {
    let steps = number("FAST_CACHE_STEPS", STEPS_BY_DEFAULT);
    let seed = number("FAST_CACHE_SEED", 1);
    let (mut stats, mut shared) = ([0; 5], 0);
    for run in 0..steps.div_ceil(STEPS_OF_A_RUN) {
        let seed = seed.wrapping_add(run);
        println!("FAST_CACHE_SEED={seed} FAST_CACHE_STEPS={STEPS_OF_A_RUN}");
        let mut run = Run::new(seed);
        for _ in 0..STEPS_OF_A_RUN {
            run.step().await;
        }
        let said = run.cache.stats();
        let counts = [
            said.hits,
            said.stale,
            said.misses,
            said.stores,
            said.evictions,
        ];
        for (sum, count) in stats.iter_mut().zip(counts) {
            *sum += count;
        }
        let world = Arc::clone(&run.world);
        run.end().await;
        shared += world.state.lock().shared;
    }
    println!("hits, stale, misses, stores, evictions: {stats:?}; failures shared: {shared}");
    assert!(shared > steps / 1000, "{shared} failures shared");
    assert!(stats.iter().all(|count| *count > steps / 1000), "{stats:?}");
}
