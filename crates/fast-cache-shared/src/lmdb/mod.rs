//! LMDB, as far as it is used here: one environment, transactions, byte strings.
//!
//! The bindings are used without a layer between: those there are keep a list of open environments for the whole
//! process, which a child of a fork inherits and must not use.

mod env;
mod error;
mod txn;

pub(crate) use env::{Db, Env};
pub(crate) use error::{Error, Result};
pub(crate) use txn::{Reading, Txn, Writing};
