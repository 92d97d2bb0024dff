//! What LMDB says when it says no.

use lmdb_master_sys as ffi;
use std::ffi::{CStr, c_int};
use std::fmt;

/// A code that LMDB, or the system below it, gave.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Error(c_int);

pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// What was read is not what was written.
    pub(crate) const CORRUPTED: Self = Self(ffi::MDB_CORRUPTED);

    /// A name that no file can have.
    pub(crate) const BAD_NAME: Self = Self(libc::EINVAL);

    /// The map has no free page.
    pub(crate) fn is_map_full(self) -> bool {
        matches!(self.0, ffi::MDB_MAP_FULL | ffi::MDB_TXN_FULL)
    }

    /// The table of readers has no free place.
    pub(crate) fn is_readers_full(self) -> bool {
        self.0 == ffi::MDB_READERS_FULL
    }

    /// The files are not LMDB's, of another version of it, or damaged.
    pub(crate) fn is_damage(self) -> bool {
        matches!(
            self.0,
            ffi::MDB_CORRUPTED
                | ffi::MDB_PAGE_NOTFOUND
                | ffi::MDB_PANIC
                | ffi::MDB_INVALID
                | ffi::MDB_VERSION_MISMATCH
                | ffi::MDB_INCOMPATIBLE
                | ffi::MDB_BAD_TXN
                | ffi::MDB_PROBLEM
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: LMDB returns a string that lives as long as the program, or the system's own for its codes.
        let text = unsafe { CStr::from_ptr(ffi::mdb_strerror(self.0)) };
        formatter.write_str(&text.to_string_lossy())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({self})", self.0)
    }
}

/// Turns a code into a result.
pub(super) fn check(code: c_int) -> Result<()> {
    if code == ffi::MDB_SUCCESS {
        Ok(())
    } else {
        Err(Error(code))
    }
}

/// Turns a code into a result, where nothing to be found is no error; whether something was.
pub(super) fn found(code: c_int) -> Result<bool> {
    match code {
        ffi::MDB_NOTFOUND => Ok(false),
        code => check(code).map(|()| true),
    }
}
