//! What every host does around an exchange: tell the time, find, keep, confirm, drop, count, and say what happened.
//!
//! The rules are the core's and the keeping is the store's; this crate only puts them in order, so that no host has to.

pub mod clock;
pub mod commit;
pub mod draws;
pub mod drops;
pub mod explain;
pub mod failing;
pub mod find;
pub mod flight;
pub mod held;
pub mod keeping;
pub mod lines;
pub mod observe;
pub mod refreshes;
pub mod said;
mod sync;
pub mod waiting;
