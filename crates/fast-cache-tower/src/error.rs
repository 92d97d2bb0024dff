//! What can go wrong.

use std::fmt;

/// A drop could not be carried out everywhere.
///
/// Stores of this process never fail; those that others share may.
#[derive(Debug)]
#[non_exhaustive]
pub enum PurgeError {}

impl fmt::Display for PurgeError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl std::error::Error for PurgeError {}
