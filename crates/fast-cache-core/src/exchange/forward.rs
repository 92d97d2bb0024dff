//! The way to the application.

use super::fetch::Fetch;
use crate::reason::Reason;
use crate::time::Timestamp;

/// A request on its way to the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent facts of one request"
)]
pub struct Forward {
    /// Why it was not answered from the cache.
    pub reason: Reason,
    /// The application is asked to confirm what is stored, with the lines of
    /// [`Validators`](crate::rules::validation::Validators).
    pub validates: bool,
    /// The lines of the request that are [`replaced`](crate::rules::validation::replaced) are left out: the application
    /// is asked to confirm what is stored, or nobody waits for the part or the `304` that the client asked for.
    pub unconditional: bool,
    pub(super) only_shared: bool,
    pub(super) head: bool,
    pub(super) ranged: bool,
    /// What was found may take part in the answer.
    pub(super) has_stored: bool,
    pub(super) requested: Timestamp,
}

impl Forward {
    /// Goes on to the application. `birth` is the store's logical time, taken before the handler runs; `draw` are random
    /// bits, for the policy's jitter.
    pub fn fetch(self, birth: u64, draw: u64) -> Fetch {
        Fetch::new(birth, draw, self)
    }

    /// Whether the answer may be one for others who ask for the same at this moment, so that one of them may wait for
    /// another.
    pub fn may_be_shared(&self) -> bool {
        let looked_up_in_vain = matches!(
            self.reason,
            Reason::Absent | Reason::VaryMismatch | Reason::Expired | Reason::SoftDropped
        );
        looked_up_in_vain && !(self.only_shared || self.head || self.ranged)
    }

    /// Whether a stored answer might have done, had there been one: the request did not skip the lookup.
    pub fn looked_up(&self) -> bool {
        self.reason != Reason::RequestNoCache
    }

    /// Whether what was found is wanted again when the application has answered.
    pub fn wants_stored(&self) -> bool {
        self.has_stored
    }
}
