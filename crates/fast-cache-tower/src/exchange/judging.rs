//! The head of the application's answer: what becomes of it.

use super::errand::{Asking, Errand};
use super::keeping::InProgress;
use super::replying::Replied;
use crate::kept::lines;
use fast_cache_core::exchange::{Head, Judged};
use fast_cache_core::fields::Line;
use fast_cache_core::reason::Reason;
use fast_cache_core::rules::storing::is_event_stream;
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
        let judged = asking.fetch.on_response(
            &Head {
                status: head.status.as_u16(),
                lines: &lines,
            },
            &plan.policy,
            &plan.inputs,
            found.and_then(|entry| entry.response()),
            || found.is_some_and(|entry| self.is_current(entry)),
            self.shared.now(),
        );
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
                        let progress = InProgress::new(self, asking, record, labels, headers);
                        Judgement::Record(Box::new(progress))
                    }
                    Err(reason) => self.pass(asking, reason),
                }
            }
            // Another request may fare better: the permit is dropped.
            Judged::Fail(reason) => Judgement::Pass(self, reason),
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

    fn judge_failure(mut self, asking: Box<Asking>, head: &Parts) -> Judgement {
        self.asking = Some(asking);
        match self.stand_in(Some(head.status.as_u16())) {
            Some(replied) => {
                let now = self.shared.now();
                if let Some(asking) = &mut self.asking {
                    asking.land(Ok(()), now);
                }
                Judgement::Instead(replied)
            }
            None => Judgement::Pass(self, Reason::Status),
        }
    }
}
