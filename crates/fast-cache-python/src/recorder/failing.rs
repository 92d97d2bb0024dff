//! A failure: a stale answer stands in for it, or it is given to those who wait, where they may take it.

use super::keeping::whole;
use super::{Errand, InProgress, Recorder, State};
use crate::failing::{Failure, Raised};
use crate::lines::HeaderLines;
use crate::receive::Received;
use crate::representation::{Representation, kept_lines};
use fast_cache_core::key::Key;
use fast_cache_core::reason::Reason;
use fast_cache_engine::failing::{Failed, Failing};
use pyo3::prelude::*;
use pyo3::types::PyDict;

impl Recorder {
    /// The application has raised. If it had not begun to answer, that may be the answer of those who wait; else it may be
    /// for its own client's sake, say one that has left.
    pub(crate) fn failed(&mut self, py: Python<'_>, error: &PyErr, received: &Received) {
        let State::Waiting(Some((fetch, key))) = &self.state else {
            return;
        };
        let is_refused = self.refused.is_some() || received.refusal().is_some();
        let failure = (self.errand.shares_failures() && !is_refused)
            .then(|| self.errand.raised(py, key.clone(), fetch.birth(), error));
        self.errand.land_failed(failure.and_then(Result::ok));
    }

    /// The messages of a stale answer, where the application has failed before it answered and one may stand in.
    pub(crate) fn stand_in(&mut self, py: Python<'_>) -> Option<(Py<PyDict>, Py<PyDict>)> {
        let State::Waiting(Some((fetch, _))) = &self.state else {
            return None;
        };
        let messages = self.errand.stand_in(py, fetch, None)?;
        self.errand.land_stood_in();
        self.state = State::Answered;
        Some(messages)
    }

    /// Gives a whole answer to those who wait.
    pub(super) fn share(&mut self, py: Python<'_>, progress: InProgress) {
        let failure = self.errand.answered(py, progress).ok();
        self.errand.land_failed(failure);
    }
}

impl Errand {
    fn raised(
        &self,
        py: Python<'_>,
        key: Key,
        birth: u64,
        error: &PyErr,
    ) -> Result<Failure, Reason> {
        // What was raised before the router, or by another route, is not this one's.
        self.took_the_predicted_route(py)?;
        let cached = self.cached().ok_or(Reason::Method)?;
        self.has_no_session(py, cached)?;
        let raised = Raised::of(py, error).map_err(|_| Reason::Unrepeatable)?;
        self.keeping(py, cached, |keeping| {
            keeping.share(Failing {
                key,
                birth,
                labels: keeping.labels(&[])?,
                varying: &[],
                lines: &[],
                failed: Failed::Raised(raised),
            })
        })
    }

    fn answered(&self, py: Python<'_>, progress: InProgress) -> Result<Failure, Reason> {
        let cached = self.cached().ok_or(Reason::Method)?;
        let headers = HeaderLines::from_snapshot(progress.headers.bind(py));
        let lines = headers.lines();
        let (kept, weight) =
            kept_lines(py, headers.pairs(), &lines, None).map_err(|_| Reason::MalformedResponse)?;
        let body = whole(py, &progress.chunks);
        if progress.only.is_some_and(|only| only != body.as_bytes()) {
            return Err(Reason::ExceptionHandler);
        }
        let representation = Representation::new(kept.unbind(), body.unbind(), None, weight);
        let birth = progress.recording.birth();
        let stored = progress.recording.finish(None, representation)?;
        self.keeping(py, cached, |keeping| {
            keeping.share(Failing {
                key: progress.key,
                birth,
                labels: progress.labels,
                varying: &progress.varying,
                lines: &lines,
                failed: Failed::Answered(stored),
            })
        })
    }
}
