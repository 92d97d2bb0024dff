//! What is to be done about an answer of the service inside, once it has come.

use crate::body::{CacheBody, Tee};
use crate::cache::Shared;
use crate::drops::{Done, Pending};
use crate::exchange::{Answer, Errand, Judgement};
use crate::outcome::CacheOutcome;
use fast_cache_store::{Elsewhere, Settling};
use http::response::Parts;
use http::{Response, StatusCode};
use http_body::Body;
use std::pin::Pin;
use std::sync::Arc;

/// What is to be done about an answer.
pub(crate) struct Task {
    shared: Arc<Shared>,
    /// It may be kept.
    errand: Option<Errand>,
    /// It drops this.
    pending: Option<Box<Pending>>,
}

/// What became of an answer.
pub(crate) enum Next<B: Body> {
    /// It goes out.
    Ready(Response<CacheBody<B>>),
    /// Its head waits for the first frame of its body.
    Hold(Held<B>),
}

/// A head that waits for the first frame of its body.
pub(crate) struct Held<B: Body> {
    head: Box<Parts>,
    tee: Pin<Box<Tee<B>>>,
    done: Option<Box<Done>>,
}

impl Task {
    pub(crate) fn of(
        shared: &Arc<Shared>,
        errand: Option<Errand>,
        pending: Option<Box<Pending>>,
    ) -> Option<Box<Self>> {
        (errand.is_some() || pending.is_some()).then(|| {
            Box::new(Self {
                shared: Arc::clone(shared),
                errand,
                pending,
            })
        })
    }

    /// The answer instead of an error of the service's.
    pub(crate) fn stand_in<B: Body>(self) -> Option<Response<CacheBody<B>>> {
        let answer = Answer::from(self.errand?.stand_in(None)?);
        Some(answer.into_response(CacheBody::stored))
    }

    /// What becomes of the service's answer, and what is to be awaited before that, where what it dropped does not hold for
    /// everybody yet who shares the store.
    pub(crate) fn answered_by<B: Body>(self, response: Response<B>) -> (Next<B>, Option<Settling>) {
        let shared = Arc::clone(&self.shared);
        let (next, dropped) = self.judged(response);
        let elsewhere = shared.store.elsewhere().filter(|_| dropped);
        (next, elsewhere.and_then(Elsewhere::settled))
    }

    /// What becomes of the service's answer, and whether it dropped anything.
    fn judged<B: Body>(mut self, response: Response<B>) -> (Next<B>, bool) {
        let (head, body) = response.into_parts();
        // A cache inside of this one has answered: no handler ran that could have changed anything.
        let was_cached = || {
            let said = head.extensions.get::<CacheOutcome>();
            said.is_some_and(|said| !said.was_forwarded())
        };
        let pending = self.pending.take().filter(|_| !was_cached());
        let done = pending.and_then(|pending| pending.carry_out(&self.shared, &head));
        let dropped = done.is_some();
        (self.recorded(head, body, done), dropped)
    }

    fn recorded<B: Body>(self, mut head: Parts, body: B, done: Option<Box<Done>>) -> Next<B> {
        let errand = self
            .errand
            .filter(|_| head.status != StatusCode::SWITCHING_PROTOCOLS);
        let Some(errand) = errand else {
            return passing(head, body, done);
        };
        match errand.judge(&head, body.size_hint().exact()) {
            Judgement::Instead(replied) => {
                if let Some(done) = done {
                    done.settle();
                }
                let answer = Answer::from(replied);
                Next::Ready(answer.into_response(CacheBody::stored))
            }
            Judgement::Pass(errand, reason) => {
                errand.say(&mut head.headers, &mut head.extensions, Err(reason));
                passing(head, body, done)
            }
            Judgement::Record(progress) if body.is_end_stream() => {
                // Nobody polls it.
                let holds_back = progress.holds_back();
                if holds_back {
                    progress.finish().say(&mut head);
                } else {
                    progress.say(&mut head);
                    drop(progress.finish());
                }
                passing(head, body, done)
            }
            Judgement::Record(progress) => {
                let holds_back = progress.holds_back();
                let mut tee = Box::pin(Tee::new(body, progress));
                if holds_back {
                    let head = Box::new(head);
                    return Next::Hold(Held { head, tee, done });
                }
                tee.as_mut().say(&mut head);
                let body = CacheBody::recording(tee).ending(done);
                Next::Ready(Response::from_parts(head, body))
            }
        }
    }
}

fn passing<B: Body>(head: Parts, body: B, done: Option<Box<Done>>) -> Next<B> {
    let body = CacheBody::passing(body).ending(done);
    Next::Ready(Response::from_parts(head, body))
}

impl<B: Body> Held<B> {
    /// The body, whose first frame is waited for.
    pub(crate) fn body(&mut self) -> Pin<&mut Tee<B>> {
        self.tee.as_mut()
    }

    /// The answer, once that has come.
    pub(crate) fn into_response(self) -> Response<CacheBody<B>> {
        let Self {
            mut head,
            mut tee,
            done,
        } = self;
        tee.as_mut().say(&mut head);
        Response::from_parts(*head, CacheBody::recording(tee).ending(done))
    }
}
