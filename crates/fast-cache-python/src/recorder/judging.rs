//! The head of a response: whether it may be kept, and under which labels.

use super::{Errand, InProgress, item};
use crate::application::Cached;
use crate::client::{has_session, is_handling_exception};
use crate::lines::HeaderLines;
use crate::names;
use fast_cache_core::exchange::{Fetch, Head};
use fast_cache_core::fields::Line;
use fast_cache_core::key::Key;
use fast_cache_core::purge::Label;
use fast_cache_core::reason::Reason;
use fast_cache_core::rules::tagging::collect_tags;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use smallvec::SmallVec;

impl Errand {
    /// Judges the head of the response.
    pub(super) fn judge(
        &self,
        py: Python<'_>,
        message: &Bound<'_, PyDict>,
        fetch: Fetch,
        key: Key,
    ) -> Result<Box<InProgress>, Reason> {
        let application = self.application.get();
        let route = &application.routes[self.route];
        let Some(cached) = &route.cached else {
            return Err(Reason::Method);
        };
        if let Some(expected) = &route.endpoint {
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
        if item(message, names::trailers(py))
            .is_some_and(|trailers| trailers.is_truthy().unwrap_or(true))
        {
            return Err(Reason::Unrepeatable);
        }
        let status =
            item(message, names::status(py)).and_then(|status| status.extract::<u16>().ok());
        let status = status.ok_or(Reason::MalformedResponse)?;
        let headers = match item(message, names::headers(py)) {
            Some(headers) => HeaderLines::from_any(&headers).ok_or(Reason::MalformedResponse)?,
            None => HeaderLines::from_snapshot(&PyTuple::empty(py)),
        };
        let lines = headers.lines();
        let head = Head {
            status,
            lines: &lines,
        };
        let record = fetch.on_response(
            &head,
            &cached.policy,
            &cached.inputs,
            self.store.get().now(),
        )?;
        if is_handling_exception(py) {
            return Err(Reason::ExceptionHandler);
        }
        if cached.raw && has_session(self.scope.bind(py)) {
            return Err(Reason::SetCookie);
        }
        let labels = self.labels(cached, &lines)?;
        Ok(Box::new(InProgress {
            key,
            recording: record.recording,
            varying: record.varying,
            labels,
            headers: headers.pairs().clone().unbind(),
            chunks: SmallVec::new(),
            held: None,
            refused: None,
        }))
    }

    fn labels(&self, cached: &Cached, lines: &[Line<'_>]) -> Result<Vec<Label>, Reason> {
        let tags = collect_tags(self.tags.iter().map(String::as_str), lines)?;
        let mut labels = Vec::with_capacity(tags.len() + 6);
        labels.push(cached.endpoint_label);
        Label::subtrees(&self.path, &mut labels)?;
        labels.extend(tags.iter().map(|tag| Label::tag(tag)));
        Ok(labels)
    }
}
