//! A whole response: committed, or handed out for a custom storage to keep.

use super::{Errand, InProgress, Recorder};
use crate::answer::empty;
use crate::lines::HeaderLines;
use crate::representation::{Representation, body_weight, kept_lines};
use fast_cache_core::exchange::Recording;
use fast_cache_core::key::{Key, variant_key};
use fast_cache_core::purge::Label;
use fast_cache_core::reason::Reason;
use fast_cache_core::stored::Stored;
use fast_cache_engine::commit::union;
use fast_cache_engine::keeping::Kept;
use fast_cache_store::{Content, LocalStore, Put, Variants};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use smallvec::SmallVec;
use std::sync::Arc;

/// What a custom storage is to keep.
pub(crate) struct Finished {
    pub(crate) stored: Stored<Representation>,
    pub(crate) labels: Vec<Label>,
    pub(crate) birth: u64,
    /// The primary key.
    pub(crate) key: Key,
    /// The key of the variant, where the response varies.
    pub(crate) storage_key: Key,
    pub(crate) varying: SmallVec<[Box<str>; 4]>,
    pub(crate) normalize_language: bool,
    pub(crate) weight: usize,
}

impl Recorder {
    /// Commits a whole response, or gives a failure to those who wait. The header line with the entity tag that was made
    /// from it is good for this answer even if it was not kept.
    pub(super) fn finish<'py>(
        &mut self,
        py: Python<'py>,
        progress: InProgress,
    ) -> (Option<Bound<'py, PyTuple>>, Result<(), Reason>) {
        if let Some(reason) = progress.failure {
            self.share(py, progress);
            return (None, Err(reason));
        }
        let InProgress {
            key,
            recording,
            varying,
            labels,
            headers,
            chunks,
            ..
        } = progress;
        let body = whole(py, &chunks);
        let etag = recording
            .wants_etag()
            .then(|| Recording::make_etag(body.as_bytes()));
        let headers = HeaderLines::from_snapshot(headers.bind(py));
        let response_lines = headers.lines();
        let Ok((lines, line_weight)) = kept_lines(py, headers.pairs(), &response_lines, etag)
        else {
            return (None, Err(Reason::MalformedResponse));
        };
        let birth = recording.birth();
        let etag_line = etag.and_then(|_| last(&lines));
        let weight = line_weight + body_weight(body.as_bytes().len());
        let counters = Arc::clone(self.errand.counters());
        let representation = Representation::new(
            lines.unbind(),
            body.unbind(),
            Some(Arc::clone(&counters)),
            weight,
        );
        let mut stored = match recording.finish(etag, representation) {
            Ok(stored) => stored,
            Err(reason) => return (None, Err(reason)),
        };
        stored.lifetime = stored.lifetime.min(self.errand.store.get().longest);
        let Some(cached) = self.errand.cached() else {
            return (etag_line, Err(Reason::Method));
        };
        if self.errand.hand_out {
            let lines = &response_lines;
            let key = self
                .errand
                .keeping(py, cached, |keeping| keeping.kept_under(key, birth, lines));
            let storage_key = self.errand.storage_key(py, &key, &varying, birth);
            self.finished = Some(Finished {
                stored,
                labels,
                birth,
                key,
                storage_key,
                varying,
                normalize_language: cached.policy.options.normalize_language,
                weight,
            });
            return (etag_line, Ok(()));
        }
        let kept = self.errand.keeping(py, cached, |keeping| {
            keeping.keep(Kept {
                key,
                birth,
                labels: &labels,
                varying: &varying,
                lines: &response_lines,
                stored,
                weight,
            })
        });
        if kept.is_ok() {
            counters.stored();
        }
        self.errand.land(kept);
        (etag_line, kept)
    }
}

impl Errand {
    /// The key under which a custom storage keeps the response. Which headers select among its variants is remembered
    /// in this process.
    fn storage_key(&self, py: Python<'_>, primary: &Key, varying: &[Box<str>], birth: u64) -> Key {
        let store = self.store.get();
        let known = store.store.get(primary.borrow());
        let known = known
            .as_ref()
            .and_then(|found| match found.entry.content() {
                Content::Variants(variants) => Some(&*variants.names),
                Content::Response(_) | Content::Searches(_) => None,
            });
        let names = union(known.unwrap_or_default(), varying);
        if names.is_empty() {
            return primary.clone();
        }
        let request = HeaderLines::from_snapshot(self.headers.bind(py));
        let mut buffer = Vec::new();
        let key = variant_key(
            primary.borrow().bytes,
            &names,
            &store.secret,
            &request.lines(),
            &mut buffer,
        );
        let key = key.to_owned();
        let content = Content::Variants(Variants { names });
        let path = &*self.path;
        // Not remembering only costs a miss.
        let _ = store.store.put(Put {
            key: primary.clone(),
            birth,
            path,
            labels: &[],
            content,
            weight: 0,
        });
        key
    }
}

fn last<'py>(lines: &Bound<'py, PyTuple>) -> Option<Bound<'py, PyTuple>> {
    let last = lines.len().checked_sub(1)?;
    lines.get_item(last).ok()?.cast_into().ok()
}

/// All chunks in one.
pub(super) fn whole<'py>(py: Python<'py>, chunks: &[Py<PyBytes>]) -> Bound<'py, PyBytes> {
    match chunks {
        [] => empty(py).clone(),
        [only] => only.bind(py).clone(),
        [first, last] if last.as_bytes(py).is_empty() => first.bind(py).clone(),
        many => PyBytes::new(
            py,
            &many
                .iter()
                .map(|chunk| chunk.as_bytes(py))
                .collect::<Vec<_>>()
                .concat(),
        ),
    }
}
