//! The folder: whose it is, who may write to it, and where it lies.

use crate::error::OpenError;
use crate::machine;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Makes the folder, for its owner alone, where it is not there; and checks it.
pub(crate) fn prepare(path: &Path) -> Result<PathBuf, OpenError> {
    let failed = |error: io::Error| OpenError::Failed(format!("{}: {error}", path.display()));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(failed)?;
    let path = path.canonicalize().map_err(failed)?;
    check(&path)?;
    Ok(path)
}

/// Checks a folder that is there.
pub(crate) fn check(path: &Path) -> Result<(), OpenError> {
    let failed = |error: io::Error| OpenError::Failed(format!("{}: {error}", path.display()));
    let refused = |why: &str| Err(OpenError::Refused(format!("{} {why}", path.display())));
    let folder = File::open(path).map_err(failed)?;
    let metadata = folder.metadata().map_err(failed)?;
    if !metadata.is_dir() {
        return refused("is not a folder");
    }
    if metadata.uid() != machine::user_id() {
        return refused(
            "belongs to another user, who could change what the cache answers; use a folder of your own",
        );
    }
    if metadata.mode() & 0o022 != 0 {
        return refused(
            "may be written to by others, who could change what the cache answers; take that right away with \
             `chmod go-w`",
        );
    }
    if let Some(name) = crate::filesystem::remote(&folder).map_err(failed)? {
        return refused(&format!(
            "lies on a network file system ({name}), where processes on other machines would damage it; use a local \
             folder",
        ));
    }
    Ok(())
}

/// A file that is locked while this lives.
#[derive(Debug)]
pub(crate) struct Locked(File);

/// How a file is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    /// Beside others that lock it so.
    Shared,
    /// Alone.
    Alone,
}

impl Locked {
    /// Opens or makes the file; without a lock yet.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        Ok(Self(file))
    }

    /// Takes the lock if it is free, in place of the one that is held; whether it was.
    pub(crate) fn try_lock(&self, lock: Lock) -> io::Result<bool> {
        let how = match lock {
            Lock::Shared => libc::LOCK_SH,
            Lock::Alone => libc::LOCK_EX,
        };
        // SAFETY: the descriptor is open.
        if unsafe { libc::flock(self.0.as_raw_fd(), how | libc::LOCK_NB) } == 0 {
            return Ok(true);
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EWOULDBLOCK | libc::EINTR) => Ok(false),
            _ => Err(error),
        }
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // Closing would not do: a child of a fork may have the file open as well, and with it the lock.
        // SAFETY: the descriptor is open.
        unsafe { libc::flock(self.0.as_raw_fd(), libc::LOCK_UN) };
    }
}
