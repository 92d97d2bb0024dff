//! Whole exchanges: bytes make a policy, requests, answers, drops and moves of the clock, and every answer that comes
//! from the cache is held to a plain account of what it was made from.

mod account;
mod form;
mod host;
mod storing;
mod told;
mod wire;

use crate::choices::Choices;
use account::{Drop, Dropped};
use fast_cache_core::key::inputs::{CookieInputs, HeaderInputs, Inputs};
use fast_cache_core::key::{Identity, Secret};
use fast_cache_core::policy::{Credential, HttpOptions, Lifetime, Policy, Statuses};
use fast_cache_core::purge::{Cover, Label, PathPattern, Purge};
use fast_cache_core::time::Timestamp;
use fast_cache_engine::clock::Clock;
use fast_cache_store::{Limits, LocalStore, MemoryStore};
use host::{Host, Pending};
use std::time::Duration;
use wire::{Origin, PATHS, TAGS, Wire};

/// The most requests that are with the application at once.
const MOST_PENDING: usize = 3;

pub(crate) fn play(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let mut host = host(&mut choices);
    let mut pending: Vec<Pending> = Vec::new();
    let mut number = 0;
    while !choices.is_done() && number < 80 {
        number += 1;
        match choices.below(12) {
            0..=6 => {
                let wire = Wire::chosen(&mut choices, host.clock.now());
                let Some(asked) = host.ask(wire) else {
                    continue;
                };
                let confirms = asked.may_be_confirmed();
                if choices.one_in(5) && pending.len() < MOST_PENDING {
                    pending.push(asked);
                } else {
                    host.advance(&mut choices, 4);
                    let origin = Origin::chosen(&mut choices, host.clock.now(), number, confirms);
                    host.answer(&asked, &origin);
                }
            }
            7 if !pending.is_empty() => {
                let asked = pending.remove(choices.below(pending.len()));
                // Some never come back.
                if !choices.one_in(8) {
                    let confirms = asked.may_be_confirmed();
                    let origin = Origin::chosen(&mut choices, host.clock.now(), number, confirms);
                    host.answer(&asked, &origin);
                }
            }
            7 | 8 => host.advance(&mut choices, 12),
            9 | 10 => host.drop_some(&mut choices),
            _ => {
                host.store.sweep(4, host.clock.now());
            }
        }
    }
}

fn host(choices: &mut Choices<'_>) -> Host {
    let seconds =
        |choices: &mut Choices<'_>| Duration::from_secs(choices.of(&[0, 0, 10, 60, 1 << 31]));
    let credentials = [
        Credential::NotShared,
        Credential::Ignored,
        Credential::InKey,
    ];
    let lifetime = match choices.below(4) {
        0 => Lifetime::Fixed(Duration::from_secs(choices.of(&[60, 1, 300]))),
        _ => Lifetime::Response,
    };
    let policy = Policy {
        early_refresh: None,
        jitter: 0.0,
        follower_timeout: None,
        lifetime,
        stale_while_revalidate: seconds(choices),
        stale_if_error: seconds(choices),
        public: choices.one_in(8),
        etag: !choices.one_in(4),
        client_directives: !choices.one_in(4),
        authorization: choices.of(&credentials),
        cookies: choices.of(&credentials),
        reads_body: false,
        statuses: choices.of(&[Statuses::FINAL, Statuses::FINAL, Statuses::default()]),
        max_body_size: choices.of(&[1 << 20, 20]),
        canonical: Box::default(),
        options: HttpOptions {
            heuristics: choices.one_in(2),
            cdn_cache_control: choices.one_in(2),
            stale_on_error: choices.one_in(3),
            normalize_language: choices.one_in(2),
        },
    };
    let mut named: Vec<Box<str>> = Vec::new();
    if choices.one_in(4) {
        named.push("x-a".into());
    }
    if policy.authorization == Credential::InKey {
        named.insert(0, "authorization".into());
    }
    let mut cookies: Vec<Box<str>> = Vec::new();
    if policy.cookies == Credential::InKey {
        cookies.push("a".into());
    }
    let inputs = Inputs {
        headers: HeaderInputs {
            named: named.into(),
            ..HeaderInputs::default()
        },
        cookies: CookieInputs {
            named: cookies.into(),
        },
        ..Inputs::default()
    };
    let limits = Limits {
        max_entries: choices.of(&[1000, 1000, 4]),
        max_bytes: 1 << 20,
    };
    Host {
        store: MemoryStore::new(limits),
        clock: Clock::manual(Timestamp::from_seconds(1_700_000_000)),
        identity: Identity::of_route("", "GET", "", "/{path:path}", &inputs),
        policy,
        inputs,
        secret: Secret::from_bytes(&[7; 48]),
        drops: Vec::new(),
        events: 0,
    }
}

impl Host {
    /// Moves the clock on, or, rarely, back; one of the first `kinds` of moves.
    fn advance(&mut self, choices: &mut Choices<'_>, kinds: usize) {
        let moves: [(u64, bool); 12] = [
            (0, false),
            (0, false),
            (500, false),
            (3_000, false),
            (7_000, false),
            (20_000, false),
            (45_000, false),
            (61_000, false),
            (400_000, false),
            (1 << 40, false),
            (500, true),
            (30_000, true),
        ];
        let (millis, back) = choices.of(&moves[..kinds]);
        self.clock.advance(Duration::from_millis(millis), back);
    }

    fn drop_some(&mut self, choices: &mut Choices<'_>) {
        let (cover, what) = match choices.below(6) {
            0 => (Cover::Everything, Dropped::Everything),
            1 | 2 => {
                let path = choices.of(PATHS);
                (Cover::Label(Label::subtree(path)), Dropped::Subtree(path))
            }
            3 => {
                let text = choices.of(&["/a", "/ab", "/a/"]);
                (
                    Cover::Path(PathPattern::prefix(text)),
                    Dropped::Prefix(text),
                )
            }
            _ => {
                let tag = choices.of(TAGS);
                (Cover::Label(Label::tag(tag)), Dropped::Tag(tag))
            }
        };
        let mut purge = Purge::of(cover);
        purge.soft = choices.one_in(3);
        let drop = Drop {
            event: self.events + 1,
            soft: purge.soft,
            what,
        };
        self.drop(&purge, [drop]);
    }
}
