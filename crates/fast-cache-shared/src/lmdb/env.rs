//! The environment: the files, their mapping, and the transactions that read.

use super::error::{Error, Result, check};
use super::txn::{Reading, Writing};
use crate::forks;
use lmdb_master_sys as ffi;
use parking_lot::Mutex;
use std::ffi::{CStr, CString, c_uint};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::{self, NonNull};

/// Readers at once, over all processes: each takes 64 bytes of a file.
const MAX_READERS: c_uint = 1022;

/// Transactions that each process keeps ready for reading.
const MOST_READY: usize = 64;

/// A database by its number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Db(pub(super) ffi::MDB_dbi);

/// An open environment of this process. In a child of a fork it must not be touched, and is leaked.
pub(crate) struct Env {
    pub(super) raw: NonNull<ffi::MDB_env>,
    /// Transactions that have a place among the readers, and read nothing now.
    ready: Mutex<Vec<NonNull<ffi::MDB_txn>>>,
    forks: u32,
    page_size: u32,
}

// SAFETY: LMDB's environments may be used from several threads; with `MDB_NOTLS` so may transactions that read, one
// thread at a time, which the mutex around those that are ready and `Reading` see to.
unsafe impl Send for Env {}
// SAFETY: as above.
unsafe impl Sync for Env {}

impl Env {
    /// Opens or makes the files in a folder. It must not be open in this process already.
    pub(crate) fn open(folder: &Path, map_size: usize, databases: u32) -> Result<Self> {
        let path = CString::new(folder.as_os_str().as_bytes()).map_err(|_| Error::BAD_NAME)?;
        let mut raw = ptr::null_mut();
        // SAFETY: LMDB writes the new environment to `raw`.
        check(unsafe { ffi::mdb_env_create(&raw mut raw) })?;
        let raw = NonNull::new(raw).ok_or(Error::CORRUPTED)?;
        let mut env = Self {
            raw,
            ready: Mutex::default(),
            forks: forks::count(),
            page_size: 0,
        };
        // Nothing is synced: after the machine went down the files are made anew. The mapping is for reading, so that
        // no stray write of this process can reach it, and a full disk is an error and no signal.
        let flags = ffi::MDB_NOSYNC | ffi::MDB_NOTLS | ffi::MDB_NOMEMINIT | ffi::MDB_NORDAHEAD;
        let mut stat = ffi::MDB_stat::default_zeroed();
        // SAFETY: the environment is ours and not open yet; path and numbers are plain values. Where opening fails,
        // the environment is closed with `env`, as LMDB demands.
        unsafe {
            check(ffi::mdb_env_set_mapsize(raw.as_ptr(), map_size))?;
            check(ffi::mdb_env_set_maxreaders(raw.as_ptr(), MAX_READERS))?;
            check(ffi::mdb_env_set_maxdbs(raw.as_ptr(), databases))?;
            check(ffi::mdb_env_open(raw.as_ptr(), path.as_ptr(), flags, 0o600))?;
            check(ffi::mdb_env_stat(raw.as_ptr(), &raw mut stat))?;
        }
        env.page_size = stat.ms_psize;
        Ok(env)
    }

    /// Bytes of the lock file for all readers.
    pub(crate) fn lock_file_size() -> u64 {
        u64::from(MAX_READERS + 4) * 64
    }

    /// Opens or makes a database. Once for each, before anything else is done with it.
    pub(crate) fn database(&self, name: Option<&CStr>) -> Result<Db> {
        let writing = self.write()?;
        let mut db = 0;
        let name = name.map_or(ptr::null(), CStr::as_ptr);
        // SAFETY: the transaction is open, the name ends with a zero or is null.
        check(unsafe { ffi::mdb_dbi_open(writing.raw(), name, ffi::MDB_CREATE, &raw mut db) })?;
        writing.commit()?;
        Ok(Db(db))
    }

    /// Bytes of a page.
    pub(crate) fn page_size(&self) -> usize {
        self.page_size as usize
    }

    /// Bytes of the data file that are in use, as the newest transaction has it.
    pub(crate) fn size(&self) -> Result<u64> {
        let mut info = ffi::MDB_envinfo::default_zeroed();
        // SAFETY: the environment is open.
        check(unsafe { ffi::mdb_env_info(self.raw.as_ptr(), &raw mut info) })?;
        Ok((info.me_last_pgno as u64 + 1) * u64::from(self.page_size))
    }

    /// Frees the places of readers that died.
    pub(crate) fn clear_stale_readers(&self) -> Result<()> {
        let mut dead = 0;
        // SAFETY: the environment is open.
        check(unsafe { ffi::mdb_reader_check(self.raw.as_ptr(), &raw mut dead) })
    }

    /// Begins to read what is there now.
    pub(crate) fn read(&self) -> Result<Reading<'_>> {
        let ready = self.ready.lock().pop();
        let raw = if let Some(raw) = ready {
            // SAFETY: the transaction was reset, and nobody else has it.
            if let Err(error) = check(unsafe { ffi::mdb_txn_renew(raw.as_ptr()) }) {
                // SAFETY: as above; it is not used again.
                unsafe { ffi::mdb_txn_abort(raw.as_ptr()) };
                return Err(error);
            }
            raw
        } else {
            match self.begin(ffi::MDB_RDONLY) {
                Err(error) if error.is_readers_full() => {
                    self.clear_stale_readers()?;
                    self.begin(ffi::MDB_RDONLY)?
                }
                begun => begun?,
            }
        };
        Ok(Reading::new(self, raw))
    }

    /// Begins to write, once nobody else does.
    pub(crate) fn write(&self) -> Result<Writing<'_>> {
        Ok(Writing::new(self, self.begin(0)?))
    }

    fn begin(&self, flags: c_uint) -> Result<NonNull<ffi::MDB_txn>> {
        let mut raw = ptr::null_mut();
        // SAFETY: the environment is open, and LMDB writes the transaction to `raw`.
        check(unsafe {
            ffi::mdb_txn_begin(self.raw.as_ptr(), ptr::null_mut(), flags, &raw mut raw)
        })?;
        NonNull::new(raw).ok_or(Error::CORRUPTED)
    }

    /// Takes back a transaction that was begun by [`Self::read`].
    pub(super) fn finish(&self, raw: NonNull<ffi::MDB_txn>) {
        let mut ready = self.ready.lock();
        if ready.len() < MOST_READY {
            // SAFETY: it reads, is open, and nobody uses it any more.
            unsafe { ffi::mdb_txn_reset(raw.as_ptr()) };
            ready.push(raw);
        } else {
            drop(ready);
            // SAFETY: as above.
            unsafe { ffi::mdb_txn_abort(raw.as_ptr()) };
        }
    }
}

impl Drop for Env {
    fn drop(&mut self) {
        if self.forks != forks::count() {
            return;
        }
        for raw in self.ready.get_mut().drain(..) {
            // SAFETY: it was reset, and nobody has it.
            unsafe { ffi::mdb_txn_abort(raw.as_ptr()) };
        }
        // SAFETY: transactions borrow the environment, so there is none left; nor is anybody else to use it.
        unsafe { ffi::mdb_env_close(self.raw.as_ptr()) };
    }
}

/// Plain records that LMDB fills.
trait Zeroed: Copy {
    fn default_zeroed() -> Self;
}

impl Zeroed for ffi::MDB_stat {
    fn default_zeroed() -> Self {
        // SAFETY: a record of integers, for which zero is a value.
        unsafe { std::mem::zeroed() }
    }
}

impl Zeroed for ffi::MDB_envinfo {
    fn default_zeroed() -> Self {
        // SAFETY: a record of integers and one pointer, for which zero is a value.
        unsafe { std::mem::zeroed() }
    }
}
