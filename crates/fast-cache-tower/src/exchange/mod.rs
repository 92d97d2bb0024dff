//! One request and its answer: the calls into the core, in their order.
//!
//! | file | what |
//! |---|---|
//! | `visit` | the request: looked up, answered or forwarded |
//! | `errand` | the request on its way to the application |
//! | `forwarding` | the request that goes on to the application |
//! | `judging` | the head of the application's answer |
//! | `freshening` | a confirmation of what is stored |
//! | `keeping` | a whole answer, stored |
//! | `joining` | what a request does about others for the same key |
//! | `waiting` | what a request takes of one that it has waited for |
//! | `answer` | an answer from the cache, until it is a response |
//! | `replying` | the same, in other forms than as a whole |
//! | `memo` | what a thread keeps from one request to the next |
//! | `recent` | the keys of recent requests |
//! | `values` | what many answers have in common |

mod answer;
mod errand;
mod forwarding;
mod freshening;
mod joining;
mod judging;
mod keeping;
mod memo;
mod recent;
mod replying;
mod values;
mod visit;
mod waiting;

pub(crate) use answer::Answer;
pub(crate) use errand::Errand;
pub(crate) use judging::Judgement;
pub(crate) use keeping::{Finished, InProgress};
pub(crate) use visit::{Step, Visit};
