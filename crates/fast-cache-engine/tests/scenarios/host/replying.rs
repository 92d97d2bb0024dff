//! An answer from the cache, and what the cache says of answers.

use super::{Host, Kept, borrowed};
use crate::wire::Answer;
use fast_cache_core::exchange::{BodyOf, LineOf, Outcome, Piece, Serve, compose};
use fast_cache_core::fields::Line;
use fast_cache_core::fields::cache_status::{self, Forward};
use fast_cache_core::reason::Reason;
use fast_cache_core::stored::Stored;
use std::ops::Range;

/// A number that clients of a true host cannot know.
const SEED: u64 = 0x5EED;

/// How an answer came about.
#[derive(Clone, Copy)]
pub(super) enum Came {
    /// It was found.
    Found,
    /// The endpoint, asked for this reason, confirmed it; whether it was stored anew.
    Confirmed(Reason, Result<(), Reason>),
    /// The endpoint, asked for this reason, failed, with this status if it gave one.
    InsteadOfFailure(Reason, Option<u16>),
}

impl Host {
    /// The answer with `stored` to a request with the lines `request`.
    pub(super) fn reply(
        &self,
        request: &[Line<'_>],
        stored: &Stored<Kept>,
        serve: &Serve,
        came: Came,
    ) -> Answer {
        let kept = &stored.representation;
        let layout = compose(serve.form, stored, &borrowed(&kept.lines), request, SEED);
        let lines = layout.lines.iter().map(|source| match source {
            LineOf::Stored(index) => kept.lines[*index].clone(),
            LineOf::Made(name, value) => (name.as_bytes().to_vec(), value.clone()),
        });
        let age = (b"age".to_vec(), serve.age.to_string().into_bytes());
        let mut answer = Answer {
            status: layout.status,
            lines: lines.chain([age]).collect(),
            body: body(&layout.body, &kept.body),
            ..Answer::default()
        };
        let (outcome, member) = match came {
            Came::Found => {
                let mut member = Vec::new();
                cache_status::hit(&mut member, &self.name, serve.ttl);
                let outcome = if serve.stale {
                    Outcome::Stale
                } else {
                    Outcome::Hit
                };
                (outcome, member)
            }
            Came::Confirmed(why, kept) => {
                let why = cache_status::forward_for(why);
                let member = self.member(why, Some(304), kept.is_ok(), kept.err());
                (Outcome::Revalidated, member)
            }
            Came::InsteadOfFailure(why, status) => {
                let why = cache_status::forward_for(why);
                let member = self.member(why, status, false, Some(Reason::StandIn));
                (Outcome::Stale, member)
            }
        };
        answer.outcome = Some(outcome);
        answer.cache_status = member;
        answer
    }

    /// The answer to a request that takes only what is stored.
    pub(super) fn gateway_timeout(&self) -> Answer {
        let mut answer = Answer::of_framework(504);
        answer
            .lines
            .push((b"content-length".to_vec(), b"0".to_vec()));
        answer.outcome = Some(Outcome::Miss);
        cache_status::neither(&mut answer.cache_status, &self.name, Reason::OnlyIfCached);
        answer
    }

    /// Says of the endpoint's answer why it was asked for and whether it was kept.
    pub(super) fn explain(
        &self,
        answer: &mut Answer,
        why: Reason,
        outcome: Outcome,
        kept: Result<(), Reason>,
    ) {
        let (outcome, why) = outcome.settled(why, kept);
        let forward = cache_status::forward_for(why);
        let explained = matches!(forward, Forward::Bypass | Forward::Request).then_some(why);
        let detail = kept.err().or(explained);
        answer.outcome = Some(outcome);
        answer.cache_status = self.member(forward, None, kept.is_ok(), detail);
    }

    fn member(
        &self,
        why: Forward,
        status: Option<u16>,
        stored: bool,
        detail: Option<Reason>,
    ) -> Vec<u8> {
        let mut member = Vec::new();
        cache_status::forward(&mut member, &self.name, why, status, stored, detail);
        member
    }
}

fn body(body: &BodyOf, stored: &[u8]) -> Vec<u8> {
    let cut = |range: &Range<u64>| {
        let at = |place: u64| usize::try_from(place).expect("a place in the body");
        stored[at(range.start)..at(range.end)].to_vec()
    };
    match body {
        BodyOf::Nothing => Vec::new(),
        BodyOf::Whole => stored.to_vec(),
        BodyOf::Pieces(pieces) => pieces
            .iter()
            .flat_map(|piece| match piece {
                Piece::Made(made) => made.clone(),
                Piece::Stored(range) => cut(range),
            })
            .collect(),
    }
}
