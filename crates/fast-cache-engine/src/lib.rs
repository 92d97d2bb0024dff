//! What every host does around an exchange: tell the time, find, commit and count.
//!
//! The rules are the core's and the keeping is the store's; this crate only puts them in order, so that no host has to.

pub mod clock;
pub mod commit;
pub mod find;
pub mod flight;
pub mod observe;
