//! One request and its answer: the calls into the core, in their order.
//!
//! | file | what |
//! |---|---|
//! | `visit` | the request: looked up, answered or forwarded |
//! | `errand` | the request on its way to the application |
//! | `judging` | the head of the application's answer |
//! | `freshening` | a confirmation of what is stored |
//! | `keeping` | a whole answer, stored |
//! | `replying` | an answer from the cache |
//! | `joining` | what a request does about others for the same key |
//! | `waiting` | what a request takes of one that it has waited for |
//! | `values` | what many answers have in common |

mod errand;
mod freshening;
mod joining;
mod judging;
mod keeping;
mod replying;
mod values;
mod visit;
mod waiting;

pub(crate) use errand::Errand;
pub(crate) use judging::Judgement;
pub(crate) use keeping::{Finished, InProgress};
pub(crate) use replying::Replied;
pub(crate) use visit::{Step, Visit};
