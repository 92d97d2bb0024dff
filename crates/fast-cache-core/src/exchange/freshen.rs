//! From the application's confirmation to a stored response that is fresh again.

use super::fetch::last_modified;
use super::forward::Forward;
use crate::fields::Line;
use crate::key::inputs::Inputs;
use crate::policy::Policy;
use crate::reason::Reason;
use crate::rules::freshness::{Arrival, freshness};
use crate::rules::governing::{Governing, governing};
use crate::rules::storing::{is_of_use, may_store};
use crate::rules::validation::{Agreement, agreement, confirms_another};
use crate::rules::varying::varying_names;
use crate::stored::{Stored, Traits};
use crate::time::Timestamp;
use smallvec::SmallVec;

/// A confirmation of what is stored ([RFC 9111 §4.3.4](https://www.rfc-editor.org/rfc/rfc9111#section-4.3.4)).
#[derive(Clone, Copy, Debug)]
pub struct Freshening {
    birth: u64,
    draw: u64,
    forward: Forward,
    received: Timestamp,
}

/// A stored response as a confirmation has changed it.
#[derive(Debug)]
pub struct Freshened<R> {
    /// The response.
    pub stored: Stored<R>,
    /// Whether it is to be stored in place of the old one, and if so, which request headers select it; or why what is
    /// stored has to go.
    pub kept: Result<SmallVec<[Box<str>; 4]>, Reason>,
}

impl Freshening {
    pub(super) fn new(birth: u64, draw: u64, forward: Forward, received: Timestamp) -> Self {
        Self {
            birth,
            draw,
            forward,
            received,
        }
    }

    /// The store's logical time from before the handler ran.
    pub fn birth(&self) -> u64 {
        self.birth
    }

    /// What the answer to `HEAD` tells of the stored response
    /// ([RFC 9111 §4.3.5](https://www.rfc-editor.org/rfc/rfc9111#section-4.3.5)). `stored` and `update` are the lines of
    /// either. A `200` says that a stored redirection or error is the answer no longer, whatever they have in common.
    pub fn agreement<R>(
        &self,
        held: &Stored<R>,
        stored: &[Line<'_>],
        update: &[Line<'_>],
    ) -> Agreement {
        if held.status == 200 {
            agreement(stored, held.body_length, update)
        } else {
            Agreement::Outdated
        }
    }

    /// The stored response, confirmed. `update` are the lines of the confirmation, `merged` those that
    /// [`freshened`](crate::rules::freshening::freshened) makes of both; `representation` holds them.
    pub fn finish<R>(
        self,
        held: &Stored<R>,
        update: &[Line<'_>],
        merged: &[Line<'_>],
        policy: &Policy,
        inputs: &Inputs,
        representation: R,
    ) -> Freshened<R> {
        let now = self.received;
        let Governing {
            directives,
            targeted,
        } = governing(held.status, merged, policy);
        let only_shared = self.forward.only_shared;
        let traits = may_store(held.status, merged, &directives, policy, only_shared);
        let arrival = Arrival {
            status: held.status,
            lines: merged,
            age_lines: update,
            directives: &directives,
            targeted,
            requested: self.forward.requested,
            received: now,
            draw: self.draw,
        };
        // A response that may not be kept is served this once, and never stale.
        let lasting = traits.unwrap_or(Traits {
            always_validate: true,
            ..held.traits
        });
        let freshness = freshness(&arrival, policy, lasting);
        let stored = Stored {
            received: now,
            initial_age: freshness.initial_age,
            // To confirm a response is less work than to make the next one.
            took: arrival.took().max(held.took),
            lifetime: freshness.lifetime,
            stale_while_revalidate: freshness.stale_while_revalidate,
            stale_if_error: freshness.stale_if_error,
            status: held.status,
            traits: lasting,
            etag: held.etag.clone(),
            last_modified: last_modified(merged, now),
            body_length: held.body_length,
            representation,
        };
        let validates = stored.can_be_validated();
        let kept = traits
            .and_then(|traits| {
                is_of_use(
                    held.status,
                    &freshness,
                    &directives,
                    traits,
                    validates,
                    policy,
                )
            })
            .and_then(|()| {
                if confirms_another(&held.etag, update) {
                    Err(Reason::Outdated)
                } else {
                    varying_names(merged, inputs)
                }
            });
        Freshened { stored, kept }
    }
}
