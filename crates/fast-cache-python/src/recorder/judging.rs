//! The head of a response: whether it may be kept, and under which labels.

use super::{Errand, Held, InProgress, item};
use crate::application::Cached;
use crate::client::{handled_exception, has_session};
use crate::lines::HeaderLines;
use crate::names;
use fast_cache_core::exchange::{Fetch, Head, Judged, Record};
use fast_cache_core::fields::Line;
use fast_cache_core::key::Key;
use fast_cache_core::reason::Reason;
use fast_cache_core::rules::storing::is_event_stream;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use smallvec::SmallVec;

/// What becomes of a response.
pub(super) enum Judgement {
    /// Its body is recorded.
    Record(Box<InProgress>),
    /// It is passed on and not kept.
    Pass(Reason),
    /// It is passed on and not kept, being a failure: those who wait may take what is recorded of it, else another request
    /// may fare better.
    Failed(Reason, Option<Box<InProgress>>),
    /// A stored response is the answer instead: its messages.
    Instead(Py<PyDict>, Py<PyDict>, Why),
}

/// Why a stored response is the answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Why {
    /// It was confirmed; whether it was stored anew.
    Confirmed(Result<(), Reason>),
    /// The application has failed.
    Failed,
}

impl Errand {
    /// Judges the head of the response. With `refused`, nothing of it is kept.
    pub(super) fn judge(
        &self,
        py: Python<'_>,
        message: &Bound<'_, PyDict>,
        fetch: Fetch,
        key: Key,
        refused: Option<Reason>,
    ) -> Judgement {
        let Some(cached) = &self.application.get().routes[self.route].cached else {
            return Judgement::Pass(Reason::Method);
        };
        let status =
            item(message, names::status(py)).and_then(|status| status.extract::<u16>().ok());
        let headers = match item(message, names::headers(py)) {
            Some(headers) => HeaderLines::from_any(&headers),
            None => Some(HeaderLines::from_snapshot(&PyTuple::empty(py))),
        };
        let (Some(status), Some(headers)) = (status, headers) else {
            let confirms = status == Some(304) && fetch.validates();
            let as_it_was = || self.as_it_was(py, Reason::MalformedResponse);
            return confirms.then(as_it_was).flatten().map_or(
                Judgement::Pass(Reason::MalformedResponse),
                |(start, body)| {
                    let why = Why::Confirmed(Err(Reason::MalformedResponse));
                    Judgement::Instead(start, body, why)
                },
            );
        };
        let lines = headers.lines();
        let head = Head {
            status,
            lines: &lines,
        };
        let allowed = refused.map_or_else(|| self.is_as_predicted(py, message), Err);
        let found = self.held.as_ref();
        let judged = fetch.on_response(
            &head,
            &cached.policy,
            &cached.inputs,
            found.and_then(Held::stored),
            || found.is_some_and(|found| self.is_current(found)),
            self.store.get().now(),
        );
        let record = match judged {
            Judged::Record(record) => record,
            Judged::Fail(failed) => {
                let shared = (self.shares_failures() && !self.hand_out)
                    .then(|| {
                        allowed?;
                        let record = failed.share(&head, &cached.policy, &cached.inputs)?;
                        let only = self.shared_only_as(py, cached, &head)?;
                        let progress =
                            self.in_progress(py, cached, key, record, (&headers, &lines))?;
                        Ok::<_, Reason>(Box::new(InProgress { only, ..*progress }))
                    })
                    .and_then(Result::ok)
                    .filter(|progress| !progress.is_event_stream);
                return Judgement::Failed(failed.reason(), shared);
            }
            Judged::Pass(reason) => return Judgement::Pass(allowed.err().unwrap_or(reason)),
            Judged::StandIn => {
                return match self.stand_in(py, &fetch, Some(status)) {
                    Some((start, body)) => Judgement::Instead(start, body, Why::Failed),
                    None => Judgement::Pass(Reason::Status),
                };
            }
            // Only we have asked for a 304, so the client never sees it as it is.
            Judged::Freshen(freshening) => {
                let refused = allowed.and_then(|()| self.is_impersonal(py, cached)).err();
                return match self.freshen(py, key, freshening, &headers, refused) {
                    Some(((start, body), kept)) => {
                        Judgement::Instead(start, body, Why::Confirmed(kept))
                    }
                    None => Judgement::Pass(Reason::MalformedResponse),
                };
            }
            Judged::Update(freshening) => {
                let refused = allowed.and_then(|()| self.is_impersonal(py, cached)).err();
                let outdated = || self.update_from_head(py, key, freshening, &headers);
                return Judgement::Pass(refused.or_else(outdated).unwrap_or(Reason::Method));
            }
        };
        allowed
            .and_then(|()| self.is_impersonal(py, cached))
            .and_then(|()| self.in_progress(py, cached, key, record, (&headers, &lines)))
            .map_or_else(Judgement::Pass, Judgement::Record)
    }

    fn in_progress(
        &self,
        py: Python<'_>,
        cached: &Cached,
        key: Key,
        record: Record,
        (headers, lines): (&HeaderLines<'_>, &[Line<'_>]),
    ) -> Result<Box<InProgress>, Reason> {
        Ok(Box::new(InProgress {
            key,
            recording: record.recording,
            varying: record.varying,
            labels: self.keeping(py, cached, |keeping| keeping.labels(lines))?,
            is_event_stream: is_event_stream(lines),
            headers: headers.pairs().clone().unbind(),
            chunks: SmallVec::new(),
            held: None,
            refused: None,
            failure: None,
            only: None,
        }))
    }

    /// Whether the framework took the route that was predicted, and the response is one that can be repeated.
    fn is_as_predicted(&self, py: Python<'_>, message: &Bound<'_, PyDict>) -> Result<(), Reason> {
        self.took_the_predicted_route(py)?;
        let trailers = item(message, names::trailers(py));
        if trailers.is_some_and(|trailers| trailers.is_truthy().unwrap_or(true)) {
            return Err(Reason::Unrepeatable);
        }
        Ok(())
    }

    /// Whether the framework took the route that was predicted.
    pub(super) fn took_the_predicted_route(&self, py: Python<'_>) -> Result<(), Reason> {
        let application = self.application.get();
        if let Some(expected) = &application.routes[self.route].endpoint {
            let taken = self
                .scope
                .bind(py)
                .get_item(names::endpoint(py))
                .ok()
                .flatten();
            match taken {
                Some(taken) if taken.is(expected) => {}
                Some(_) => {
                    application.distrust(self.route);
                    return Err(Reason::RouteMismatch);
                }
                // Something before the router has answered: that says nothing of the prediction.
                None => return Err(Reason::RouteMismatch),
            }
        }
        Ok(())
    }

    /// Whether nothing has answered that knows more of the client than the key does.
    fn is_impersonal(&self, py: Python<'_>, cached: &Cached) -> Result<(), Reason> {
        if handled_exception(py).is_some() {
            return Err(Reason::ExceptionHandler);
        }
        self.has_no_session(py, cached)
    }

    /// Whether nothing in a session, which the key does not hold, may have shaped what came of the request.
    pub(super) fn has_no_session(&self, py: Python<'_>, cached: &Cached) -> Result<(), Reason> {
        if cached.raw && has_session(self.scope.bind(py)) {
            return Err(Reason::SetCookie);
        }
        Ok(())
    }

    /// The body without which a failure is not shared, where there is one. What a framework's own exception handler answers is
    /// the exception's alone, and its answer to what nobody handles says nothing of anybody; any other handler may know
    /// more of the client than the key does.
    fn shared_only_as(
        &self,
        py: Python<'_>,
        cached: &Cached,
        head: &Head<'_>,
    ) -> Result<Option<&'static [u8]>, Reason> {
        self.has_no_session(py, cached)?;
        let Some(handled) = handled_exception(py) else {
            return Ok(None);
        };
        let is_own = || {
            let failures = py.import("fast_cache_middleware.failures")?;
            let arguments = (self.scope.bind(py), handled);
            failures
                .call_method1("is_handled_by_the_framework", arguments)?
                .is_truthy()
        };
        if is_own().unwrap_or(false) {
            return Ok(None);
        }
        let says_nothing = |line: &Line<'_>| {
            line.is("content-length")
                || (line.is("content-type") && line.value == b"text/plain; charset=utf-8")
        };
        if head.status == 500 && head.lines.iter().all(says_nothing) {
            return Ok(Some(b"Internal Server Error"));
        }
        Err(Reason::ExceptionHandler)
    }
}
