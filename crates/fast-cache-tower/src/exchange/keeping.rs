//! An answer whose body is being recorded, until it is whole and stored.

use super::errand::{Asking, Errand};
use crate::kept::{Kept, etag_value, kept_lines, lines};
use bytes::Bytes;
use fast_cache_core::exchange::{Record, Recording};
use fast_cache_core::fields::Line;
use fast_cache_core::purge::Label;
use fast_cache_core::reason::Reason;
use fast_cache_engine::failing::{Failed, Failing};
use fast_cache_engine::keeping;
use http::header::{ETAG, HeaderMap, TRAILER};
use http::response::Parts;
use smallvec::SmallVec;

/// The most memory that is taken in advance for a body.
const MOST_IN_ADVANCE: u64 = 64 << 10;

/// An answer on its way to being whole. Dropping it stores nothing.
pub(crate) struct InProgress {
    errand: Errand,
    asking: Box<Asking>,
    recording: Recording,
    varying: SmallVec<[Box<str>; 4]>,
    labels: Vec<Label>,
    headers: HeaderMap,
    body: Vec<u8>,
    /// Whether it is to be kept, as far as that is known from its head; a failure is recorded for those who wait alone.
    kept: Result<(), Reason>,
}

/// A recorded answer of which it is known what became of it.
pub(crate) struct Finished {
    errand: Errand,
    /// The entity tag that was made from the body; it is good for this answer even if that was not kept.
    etag: Option<u64>,
    kept: Result<(), Reason>,
}

impl Finished {
    /// Says in the head of the answer what happened.
    pub(crate) fn say(&self, head: &mut Parts) {
        if let Some(tag) = self.etag.and_then(etag_value) {
            head.headers.append(ETAG, tag);
        }
        let (headers, extensions) = (&mut head.headers, &mut head.extensions);
        self.errand.say(headers, extensions, self.kept);
    }
}

impl InProgress {
    pub(super) fn new(
        errand: Errand,
        asking: Box<Asking>,
        record: Record,
        labels: Vec<Label>,
        headers: HeaderMap,
        kept: Result<(), Reason>,
    ) -> Self {
        let length = record.recording.announced_length().unwrap_or(0);
        let capacity = usize::try_from(length.min(MOST_IN_ADVANCE)).unwrap_or(0);
        Self {
            errand,
            asking,
            recording: record.recording,
            varying: record.varying,
            labels,
            headers,
            body: Vec::with_capacity(capacity),
            kept,
        }
    }

    /// Whether the head waits for the body: an entity tag is made from it, and it says how long it is, and so mostly comes
    /// in one piece.
    pub(crate) fn holds_back(&self) -> bool {
        self.recording.wants_etag() && self.recording.announced_length().is_some()
    }

    /// Whether as much of the body has come as was announced, and no trailers are to follow.
    pub(crate) fn is_complete(&self) -> bool {
        !self.headers.contains_key(TRAILER)
            && self.recording.announced_length() == Some(self.body.len() as u64)
    }

    /// Takes note of a piece of the body.
    pub(crate) fn push(&mut self, data: &Bytes) -> Result<(), Reason> {
        self.recording.push(data.len())?;
        self.body.extend_from_slice(data);
        Ok(())
    }

    /// Says in the head of the answer that it is being stored, or why not.
    pub(crate) fn say(&self, head: &mut Parts) {
        let (headers, extensions) = (&mut head.headers, &mut head.extensions);
        self.errand.say(headers, extensions, self.kept);
    }

    /// Gives up.
    pub(crate) fn refuse(mut self, reason: Reason) -> Finished {
        let now = self.errand.shared.now();
        if self.kept.is_ok() {
            self.asking.land(Err(reason), now);
        } else {
            self.asking.land_failed(None, now);
        }
        Finished {
            errand: self.errand,
            etag: None,
            kept: Err(self.kept.err().unwrap_or(reason)),
        }
    }

    /// Stores the whole answer, or gives it to those who wait.
    pub(crate) fn finish(self) -> Finished {
        match self.kept {
            Ok(()) => self.store(),
            Err(reason) => self.share(reason),
        }
    }

    fn share(self, reason: Reason) -> Finished {
        let Self {
            errand,
            mut asking,
            recording,
            varying,
            labels,
            headers,
            body,
            ..
        } = self;
        let kept = Kept::from_elsewhere(kept_lines(&headers, None), Bytes::from(body));
        let birth = recording.birth();
        let failure = recording.finish(None, kept).and_then(|stored| {
            let lines: Vec<Line<'_>> = lines(&headers).collect();
            errand.keeping(&asking, |keeping| {
                keeping.share(Failing {
                    key: asking.key.clone(),
                    birth,
                    labels,
                    varying: &varying,
                    lines: &lines,
                    failed: Failed::Answered(stored),
                })
            })
        });
        asking.land_failed(failure.ok(), errand.shared.now());
        Finished {
            errand,
            etag: None,
            kept: Err(reason),
        }
    }

    fn store(self) -> Finished {
        let Self {
            errand,
            mut asking,
            recording,
            varying,
            labels,
            headers,
            body,
            ..
        } = self;
        let etag = recording.wants_etag().then(|| Recording::make_etag(&body));
        let counters = &errand.route.counters;
        let body = Bytes::from(body.into_boxed_slice());
        let kept = Kept::new(kept_lines(&headers, etag), body, counters);
        let weight = kept.weight();
        let birth = recording.birth();
        let stored = match recording.finish(etag, kept) {
            Ok(stored) => stored,
            Err(reason) => {
                asking.land(Err(reason), errand.shared.now());
                return Finished {
                    errand,
                    etag: None,
                    kept: Err(reason),
                };
            }
        };
        let lines: Vec<Line<'_>> = lines(&headers).collect();
        let kept = errand.keeping(&asking, |keeping| {
            keeping.keep(keeping::Kept {
                key: asking.key.clone(),
                birth,
                labels: &labels,
                varying: &varying,
                lines: &lines,
                stored,
                weight,
            })
        });
        if kept.is_ok() {
            counters.stored();
        }
        asking.land(kept, errand.shared.now());
        Finished { errand, etag, kept }
    }
}
