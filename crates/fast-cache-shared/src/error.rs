//! Why a folder is not used.

use std::fmt;

/// Why a folder is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// The folder must not be used: it is another one's, others may write to it, or it lies on another machine. In
    /// words.
    Refused(String),
    /// The system says no, for now. In words.
    Failed(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Refused(words) | Self::Failed(words)) = self;
        formatter.write_str(words)
    }
}

impl std::error::Error for OpenError {}
