//! The head of the application's answer: what becomes of it.

use super::errand::{Asking, Errand};
use super::keeping::InProgress;
use super::replying::Replied;
use crate::kept::lines;
use crate::prepared::MOST_LINES;
use fast_cache_core::exchange::{Head, Judged, Record};
use fast_cache_core::fields::Line;
use fast_cache_core::reason::Reason;
use fast_cache_core::rules::storing::is_event_stream;
use fast_cache_engine::keeping::Keeping;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::response::Parts;

/// What becomes of the application's answer.
pub(crate) enum Judgement {
    /// Its body is recorded.
    Record(Box<InProgress>),
    /// It is passed on and not kept.
    Pass(Errand, Reason),
    /// A stored response is the answer instead.
    Instead(Replied),
}

impl Errand {
    /// Judges the head of an answer. `exact` is the length of its body, where the body itself tells.
    pub(crate) fn judge(mut self, head: &Parts, exact: Option<u64>) -> Judgement {
        let Some(mut asking) = self.asking.take() else {
            let reason = self.reason;
            return Judgement::Pass(self, reason);
        };
        if head.headers.len() > MOST_LINES {
            return self.pass(asking, Reason::TooLarge);
        }
        let digits = exact.map(|length| length.to_string());
        let mut lines: Vec<Line<'_>> = lines(&head.headers).collect();
        let is_framed = [CONTENT_LENGTH, TRANSFER_ENCODING]
            .iter()
            .any(|name| head.headers.contains_key(name));
        // Servers announce the length of such a body.
        if let Some(digits) = digits.as_ref().filter(|_| !is_framed) {
            lines.push(Line::new(b"content-length", digits.as_bytes()));
        }
        let plan = &self.route.plan;
        let found = asking.held.as_ref();
        let answered = Head {
            status: head.status.as_u16(),
            lines: &lines,
        };
        let judged = asking.fetch.on_response(
            &answered,
            &plan.policy,
            &plan.inputs,
            found.and_then(|entry| entry.response()),
            || found.is_some_and(|entry| self.is_current(entry)),
            self.shared.now(),
        );
        let shared = match &judged {
            Judged::Fail(failed) if asking.shares_failures() => {
                failed.share(&answered, &plan.policy, &plan.inputs).ok()
            }
            _ => None,
        };
        // A length that only the body tells stands in no line.
        lines.truncate(head.headers.len());
        match judged {
            Judged::Record(record) => {
                match self.keeping(&asking, |keeping| keeping.labels(&lines)) {
                    Ok(labels) => {
                        // It may never end: nobody should wait for it to be whole.
                        if is_event_stream(&lines) {
                            asking.land(Err(Reason::Unrepeatable), self.shared.now());
                        }
                        let headers = head.headers.clone();
                        let progress =
                            InProgress::new(self, asking, record, labels, headers, Ok(()));
                        Judgement::Record(Box::new(progress))
                    }
                    Err(reason) => self.pass(asking, reason),
                }
            }
            Judged::Fail(failed) => self.fail(asking, failed.reason(), shared, &lines, head),
            Judged::Pass(reason) => self.pass(asking, reason),
            Judged::StandIn => self.judge_failure(asking, head),
            // Only we have asked for a 304, so the client never sees it as it is.
            Judged::Freshen(freshening) => match self.freshen(&asking, freshening, &head.headers) {
                Some(replied) => {
                    asking.land(Ok(()), self.shared.now());
                    Judgement::Instead(replied)
                }
                None => Judgement::Pass(self, Reason::MalformedResponse),
            },
            Judged::Update(freshening) => {
                let reason = self.update_from_head(&asking, freshening, &head.headers);
                self.pass(asking, reason.unwrap_or(Reason::Method))
            }
        }
    }

    fn pass(self, mut asking: Box<Asking>, reason: Reason) -> Judgement {
        asking.land(Err(reason), self.shared.now());
        Judgement::Pass(self, reason)
    }

    /// A failure is passed on, and recorded where those who wait may take it: else another request may fare better.
    fn fail(
        self,
        mut asking: Box<Asking>,
        reason: Reason,
        shared: Option<Record>,
        lines: &[Line<'_>],
        head: &Parts,
    ) -> Judgement {
        let shared = shared.filter(|_| !is_event_stream(lines));
        let labels = |keeping: &Keeping<'_, _>| keeping.labels(lines);
        if let Some(record) = shared
            && let Ok(labels) = self.keeping(&asking, labels)
        {
            let headers = head.headers.clone();
            let kept = Err(reason);
            let progress = InProgress::new(self, asking, record, labels, headers, kept);
            return Judgement::Record(Box::new(progress));
        }
        asking.land_failed(None, self.shared.now());
        Judgement::Pass(self, reason)
    }

    fn judge_failure(mut self, asking: Box<Asking>, head: &Parts) -> Judgement {
        self.asking = Some(asking);
        match self.stand_in(Some(head.status.as_u16())) {
            Some(replied) => Judgement::Instead(replied),
            None => Judgement::Pass(self, Reason::Status),
        }
    }
}
