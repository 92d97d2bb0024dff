//! What the host stores: answers of the application, and stored ones that it has confirmed.

use super::account::{Account, How};
use super::host::{Host, Kept, Pending};
use super::told;
use super::wire::{Origin, Wire};
use crate::choices::Pair;
use crate::fields::lines;
use fast_cache_core::exchange::{Client, Freshened, Freshening, Record, Recording};
use fast_cache_core::fields::{Line, validators};
use fast_cache_core::key::Key;
use fast_cache_core::key::search::Searched;
use fast_cache_core::purge::Label;
use fast_cache_core::reason::Reason;
use fast_cache_core::request::Method;
use fast_cache_core::rules::freshening::Source;
use fast_cache_core::rules::kept_fields::KeptFields;
use fast_cache_core::rules::request::Noted;
use fast_cache_core::stored::Stored;
use fast_cache_engine::held::{forget, is_current, merge};
use fast_cache_engine::keeping::{self as engine, Keeping};
use fast_cache_engine::lines::Lines;
use fast_cache_store::Entry;
use std::convert::Infallible;
use std::sync::Arc;

impl Host {
    pub(super) fn record(
        &self,
        pending: &Pending,
        key: &Key,
        record: Record,
        origin: &Origin,
        update: &[Line<'_>],
    ) -> Result<(), Reason> {
        let Record {
            varying,
            mut recording,
        } = record;
        assert_eq!(pending.wire.method, "GET");
        let body = &origin.body;
        for piece in body.chunks(16) {
            recording.push(piece.len())?;
        }
        if origin.breaks_off {
            return Err(Reason::Incomplete);
        }
        let etag = recording.wants_etag().then(|| Recording::make_etag(body));
        let made = etag.map(|hash| {
            (
                b"etag".to_vec(),
                validators::format_generated(hash).to_vec(),
            )
        });
        let keeps = KeptFields::of(update);
        let kept = origin
            .lines
            .iter()
            .filter(|(name, _)| keeps.keeps(name))
            .cloned();
        let lines: Vec<Pair> = kept.chain(made.clone()).collect();
        let mut expected = told::kept(&origin.lines);
        expected.extend(made);
        let account = Account {
            request: pending.wire.clone(),
            born: pending.born,
            requested: pending.requested,
            received: self.clock.now(),
            dated: origin.lines.clone(),
            judged: origin.lines.clone(),
            expected,
        };
        let birth = recording.birth();
        let kept = Kept {
            lines,
            body: body.clone(),
            account,
        };
        let stored = recording.finish(etag, kept)?;
        self.commit(&pending.wire, key.clone(), birth, &varying, stored)
    }

    pub(super) fn freshen(
        &self,
        pending: &Pending,
        key: &Key,
        freshening: Freshening,
        held: &Arc<Entry<Kept>>,
        update: &[Line<'_>],
        answers: bool,
    ) {
        let old = held.response().expect("a response");
        let pairs = |all: &[Line<'_>]| -> Vec<Pair> {
            all.iter()
                .map(|line| (line.name.to_vec(), line.value.to_vec()))
                .collect()
        };
        let expected = told::confirmed(&old.representation.account.expected, &pairs(update));
        let account = Account {
            request: pending.wire.clone(),
            born: pending.born,
            requested: pending.requested,
            received: self.clock.now(),
            dated: pairs(update),
            judged: expected.clone(),
            expected,
        };
        let birth = freshening.birth();
        let before = &old.representation.lines;
        let represent = |sources: &[Source]| {
            let line = |source: &Source| match source {
                Source::Stored(index) => before[*index].clone(),
                Source::Update(index) => pairs(&update[*index..=*index]).remove(0),
            };
            Ok::<_, Infallible>(Kept {
                lines: sources.iter().map(line).collect(),
                body: old.representation.body.clone(),
                account,
            })
        };
        let Ok(Freshened { stored, kept }) = merge(
            freshening,
            (old, &lines(before)),
            update,
            &self.policy,
            &self.inputs,
            represent,
        );
        if answers {
            let all = lines(&pending.wire.lines);
            let client = Client::of(&all, Method::Get, &self.policy);
            self.check(
                &pending.wire,
                &stored,
                &client.serve(&stored, self.clock.now()),
                How::Confirmed,
            );
        }
        match kept {
            Ok(varying) if answers || is_current(&self.store, &self.secret, held) => {
                // That it could not be kept is no fault.
                let _ = self.commit(&pending.wire, key.clone(), birth, &varying, stored);
            }
            Ok(_) => {}
            Err(_) => forget(&self.store, &self.secret, held),
        }
    }

    fn commit(
        &self,
        wire: &Wire,
        key: Key,
        birth: u64,
        varying: &[Box<str>],
        stored: Stored<Kept>,
    ) -> Result<(), Reason> {
        let kept = stored.representation.lines.clone();
        let (kept, all) = (lines(&kept), lines(&wire.lines));
        let request = wire.request(&all);
        let asked = self.policy.is_http().then(|| Searched {
            identity: &self.identity,
            inputs: &self.inputs,
            secret: &self.secret,
            request: &request,
            host: Noted::from_lines(&all).host,
        });
        let keeping = Keeping {
            store: &self.store,
            secret: &self.secret,
            policy: &self.policy,
            endpoint: Label::endpoint(b"endpoint"),
            tags: &[],
            path: request.route_path(),
            lines: Lines::Read(&all),
            asked,
            searches: true,
        };
        keeping.keep(engine::Kept {
            key,
            birth,
            labels: &keeping.labels(&kept)?,
            varying,
            lines: &kept,
            weight: stored.representation.body.len() + 64 * kept.len(),
            stored,
        })
    }
}
