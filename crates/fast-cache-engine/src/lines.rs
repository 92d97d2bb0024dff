//! A request's header lines, which are seldom needed once its key is made.

use fast_cache_core::fields::Line;
use std::fmt;

/// Header lines, read already or only where somebody asks for them.
#[derive(Clone, Copy)]
pub enum Lines<'a> {
    /// These.
    Read(&'a [Line<'a>]),
    /// Those that this gives.
    Unread(&'a dyn Unread),
}

/// Header lines that are read where somebody asks for them.
pub trait Unread {
    /// The lines, in order.
    fn read(&self) -> &[Line<'_>];
}

impl<'a> Lines<'a> {
    /// The lines, in order.
    pub fn get(self) -> &'a [Line<'a>] {
        match self {
            Self::Read(lines) => lines,
            Self::Unread(unread) => unread.read(),
        }
    }
}

impl fmt::Debug for Lines<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(lines) => formatter.debug_tuple("Read").field(lines).finish(),
            Self::Unread(_) => formatter.write_str("Unread"),
        }
    }
}
