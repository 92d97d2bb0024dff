//! A whole answer, stored.

use super::asking::Errand;
use super::{Host, Kept, borrowed, owned};
use crate::corpus::Ends;
use crate::wire::Answer;
use fast_cache_core::exchange::{Record, Recording};
use fast_cache_core::fields::no_vary_search::SearchVariance;
use fast_cache_core::fields::{Line, validators, values};
use fast_cache_core::purge::Label;
use fast_cache_core::reason::Reason;
use fast_cache_core::rules::invalidation::{Target, carried};
use fast_cache_core::rules::kept_fields::KeptFields;
use fast_cache_core::rules::request::Noted;
use fast_cache_core::rules::tagging::collect_tags;
use fast_cache_core::stored::Stored;
use fast_cache_engine::commit::{Commit, commit, remember_rule};
use fast_cache_engine::lines::Lines;

impl Host {
    /// Records the endpoint's answer, which has these lines; what the client is told of it.
    pub(super) fn record(
        &self,
        errand: &Errand<'_>,
        record: Record,
        lines: &[Line<'_>],
        answer: &mut Answer,
    ) -> Result<(), Reason> {
        let labels = labels(errand, lines)?;
        // As in any host: the head waits for the body only where it is known to come in one piece.
        let waits = record.recording.wants_etag() && record.recording.announced_length().is_some();
        let finished = self.finish(errand, record, &labels, lines);
        if !waits {
            return Ok(());
        }
        if let Some(hash) = finished? {
            let tag = validators::format_generated(hash).to_vec();
            answer.lines.push((b"etag".to_vec(), tag));
        }
        Ok(())
    }

    /// Takes the body and commits: the entity tag that was made.
    fn finish(
        &self,
        errand: &Errand<'_>,
        record: Record,
        labels: &[Label],
        lines: &[Line<'_>],
    ) -> Result<Option<u64>, Reason> {
        let Record {
            varying,
            mut recording,
        } = record;
        let origin = errand.visit.origin.expect("what is recorded was answered");
        for piece in origin.pieces() {
            recording.push(piece.len())?;
        }
        if origin.ends != Ends::Whole {
            return Err(Reason::Incomplete);
        }
        let body = origin.pieces().concat();
        let etag = recording.wants_etag().then(|| Recording::make_etag(&body));
        let kept = KeptFields::of(lines);
        let kept_lines = lines.iter().filter(|line| kept.keeps(line.name)).map(owned);
        let made = etag.map(|hash| {
            let tag = validators::format_generated(hash).to_vec();
            (b"etag".to_vec(), tag)
        });
        let birth = recording.birth();
        let representation = Kept {
            lines: kept_lines.chain(made).collect(),
            body,
        };
        let stored = recording.finish(etag, representation)?;
        self.commit(errand, birth, labels, &varying, stored)?;
        Ok(etag)
    }

    /// Stores an answer.
    pub(super) fn commit(
        &self,
        errand: &Errand<'_>,
        birth: u64,
        labels: &[Label],
        varying: &[Box<str>],
        stored: Stored<Kept>,
    ) -> Result<(), Reason> {
        let (visit, cached) = (errand.visit, errand.cached);
        let request = visit.wire.request(visit.lines);
        let path = request.route_path();
        let kept = borrowed(&stored.representation.lines);
        let content_language = values(&kept, "content-language").next().map(<[u8]>::to_vec);
        let variance = SearchVariance::parse(&kept);
        let mut key = errand.key.clone();
        if cached.searches() && !variance.is_default() {
            let searched = visit.searched(cached, &errand.identity, &self.secret, &request);
            let rules = searched.rules_key();
            remember_rule(&self.store, key.borrow(), rules, birth, path, &variance)?;
            key = searched.key(&variance);
        }
        let put = Commit {
            key,
            birth,
            path,
            labels,
            varying,
            lines: Lines::Read(visit.lines),
            normalize_language: visit.selecting(cached).normalize_language,
            content_language: content_language.as_deref(),
            weight: stored.representation.body.len(),
            stored,
        };
        commit(&self.store, &self.secret, put)
    }
}

/// What an answer with these lines can be dropped by.
pub(super) fn labels(errand: &Errand<'_>, lines: &[Line<'_>]) -> Result<Vec<Label>, Reason> {
    let (visit, cached) = (errand.visit, errand.cached);
    let request = visit.wire.request(visit.lines);
    let tags = cached.tags.iter();
    let tags = tags.filter_map(|tag| tag.fill(|name| visit.parameter(name)));
    let tags: Vec<String> = tags.collect();
    let tags = collect_tags(tags.iter().map(String::as_str), lines)?;
    let mut labels = vec![cached.label];
    Label::subtrees(request.route_path(), &mut labels)?;
    labels.extend(tags.iter().map(|tag| Label::tag(tag)));
    if cached.policy.is_http() {
        let target = Target::of(&request, Noted::from_lines(visit.lines).host);
        labels.extend(carried(&target, &SearchVariance::parse(lines), lines)?);
    }
    Ok(labels)
}
