//! Transactions: what is read lives as long as the transaction, or until it writes.

use super::env::{Db, Env};
use super::error::{Result, check, found};
use lmdb_master_sys as ffi;
use std::marker::PhantomData;
use std::ops::{ControlFlow, Deref};
use std::ptr::{self, NonNull};

/// What can be read in any transaction.
pub(crate) struct Txn<'e> {
    raw: NonNull<ffi::MDB_txn>,
    env: PhantomData<&'e Env>,
}

/// A transaction that reads what was there when it began.
pub(crate) struct Reading<'e> {
    txn: Txn<'e>,
    env: &'e Env,
}

/// The transaction that writes. Dropping it undoes what it wrote. It belongs to its thread, as LMDB's lock does.
pub(crate) struct Writing<'e> {
    txn: Txn<'e>,
    finished: bool,
}

impl Txn<'_> {
    /// The value under a key.
    pub(crate) fn get(&self, db: Db, key: &[u8]) -> Result<Option<&[u8]>> {
        let mut key = val(key);
        let mut data = val(&[]);
        // SAFETY: the transaction is open, and LMDB only reads the key.
        let code = unsafe { ffi::mdb_get(self.raw(), db.0, &raw mut key, &raw mut data) };
        // SAFETY: see `bytes`; the borrow of `self` ends before this transaction writes.
        Ok(found(code)?.then(|| unsafe { bytes(&data) }))
    }

    /// Hands the pairs from a key on to `visit`, in order, until it breaks.
    pub(crate) fn scan(
        &self,
        db: Db,
        from: &[u8],
        mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<()> {
        let cursor = Cursor::open(self, db)?;
        let mut at = cursor.step(from, ffi::MDB_SET_RANGE)?;
        while let Some((key, value)) = at {
            if visit(key, value).is_break() {
                break;
            }
            at = cursor.step(&[], ffi::MDB_NEXT)?;
        }
        Ok(())
    }

    /// The first pair at or after a key.
    pub(crate) fn first(&self, db: Db, from: &[u8]) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        let mut first = None;
        self.scan(db, from, |key, value| {
            first = Some((key.to_vec(), value.to_vec()));
            ControlFlow::Break(())
        })?;
        Ok(first)
    }

    pub(super) fn raw(&self) -> *mut ffi::MDB_txn {
        self.raw.as_ptr()
    }
}

impl<'e> Reading<'e> {
    pub(super) fn new(env: &'e Env, raw: NonNull<ffi::MDB_txn>) -> Self {
        let txn = Txn {
            raw,
            env: PhantomData,
        };
        Self { txn, env }
    }
}

impl<'e> Deref for Reading<'e> {
    type Target = Txn<'e>;

    fn deref(&self) -> &Txn<'e> {
        &self.txn
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.env.finish(self.txn.raw);
    }
}

impl<'e> Writing<'e> {
    pub(super) fn new(_: &'e Env, raw: NonNull<ffi::MDB_txn>) -> Self {
        let txn = Txn {
            raw,
            env: PhantomData,
        };
        Self {
            txn,
            finished: false,
        }
    }

    /// Writes a value.
    pub(crate) fn put(&mut self, db: Db, key: &[u8], value: &[u8]) -> Result<()> {
        let (mut key, mut data) = (val(key), val(value));
        // SAFETY: the transaction is open; LMDB copies key and value. `&mut self` ends what was read before.
        check(unsafe { ffi::mdb_put(self.raw(), db.0, &raw mut key, &raw mut data, 0) })
    }

    /// Writes a value in two parts.
    pub(crate) fn put_parts(&mut self, db: Db, key: &[u8], parts: [&[u8]; 2]) -> Result<()> {
        let mut key = val(key);
        let mut data = ffi::MDB_val {
            mv_size: parts[0].len() + parts[1].len(),
            mv_data: ptr::null_mut(),
        };
        let flags = ffi::MDB_RESERVE;
        // SAFETY: the transaction is open. With `MDB_RESERVE`, LMDB gives as many bytes as were asked for, to be
        // written before anything else is done; all of them are.
        unsafe {
            check(ffi::mdb_put(
                self.raw(),
                db.0,
                &raw mut key,
                &raw mut data,
                flags,
            ))?;
            let to = data.mv_data.cast::<u8>();
            ptr::copy_nonoverlapping(parts[0].as_ptr(), to, parts[0].len());
            ptr::copy_nonoverlapping(parts[1].as_ptr(), to.add(parts[0].len()), parts[1].len());
        }
        Ok(())
    }

    /// Removes a pair; whether there was one.
    pub(crate) fn delete(&mut self, db: Db, key: &[u8]) -> Result<bool> {
        let mut key = val(key);
        // SAFETY: the transaction is open, and LMDB only reads the key.
        found(unsafe { ffi::mdb_del(self.raw(), db.0, &raw mut key, ptr::null_mut()) })
    }

    /// Removes all pairs.
    pub(crate) fn empty(&mut self, db: Db) -> Result<()> {
        // SAFETY: the transaction is open; the database stays.
        check(unsafe { ffi::mdb_drop(self.raw(), db.0, 0) })
    }

    /// Makes what was written visible.
    pub(crate) fn commit(mut self) -> Result<()> {
        self.finished = true;
        // SAFETY: the transaction is open, and LMDB frees it whatever comes of it; `finished` keeps it from being
        // freed again.
        check(unsafe { ffi::mdb_txn_commit(self.raw()) })
    }
}

impl<'e> Deref for Writing<'e> {
    type Target = Txn<'e>;

    fn deref(&self) -> &Txn<'e> {
        &self.txn
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if !self.finished {
            // SAFETY: the transaction is open, and not used again.
            unsafe { ffi::mdb_txn_abort(self.raw()) };
        }
    }
}

struct Cursor<'t>(NonNull<ffi::MDB_cursor>, PhantomData<&'t ()>);

impl<'t> Cursor<'t> {
    fn open(txn: &'t Txn<'_>, db: Db) -> Result<Self> {
        let mut raw = ptr::null_mut();
        // SAFETY: the transaction is open, and LMDB writes the cursor to `raw`.
        check(unsafe { ffi::mdb_cursor_open(txn.raw(), db.0, &raw mut raw) })?;
        let raw = NonNull::new(raw).ok_or(super::Error::CORRUPTED)?;
        Ok(Self(raw, PhantomData))
    }

    fn step(&self, key: &[u8], step: ffi::MDB_cursor_op) -> Result<Option<(&'t [u8], &'t [u8])>> {
        let (mut key, mut data) = (val(key), val(&[]));
        // An empty key is before all others, and LMDB takes none.
        let step = if step == ffi::MDB_SET_RANGE && key.mv_size == 0 {
            ffi::MDB_FIRST
        } else {
            step
        };
        // SAFETY: the cursor is open; LMDB only reads the key that it is given.
        let code =
            unsafe { ffi::mdb_cursor_get(self.0.as_ptr(), &raw mut key, &raw mut data, step) };
        // SAFETY: see `bytes`; nothing is written while the transaction is borrowed.
        Ok(found(code)?.then(|| unsafe { (bytes(&key), bytes(&data)) }))
    }
}

impl Drop for Cursor<'_> {
    fn drop(&mut self) {
        // SAFETY: the cursor is open, and its transaction is borrowed, so open as well.
        unsafe { ffi::mdb_cursor_close(self.0.as_ptr()) };
    }
}

fn val(bytes: &[u8]) -> ffi::MDB_val {
    ffi::MDB_val {
        mv_size: bytes.len(),
        mv_data: bytes.as_ptr().cast_mut().cast(),
    }
}

/// The bytes that LMDB points at.
///
/// # Safety
///
/// `val` was filled by LMDB, and is not used after the transaction's end or its next write.
unsafe fn bytes<'a>(val: &ffi::MDB_val) -> &'a [u8] {
    if val.mv_size == 0 {
        return &[];
    }
    // SAFETY: LMDB points at as many bytes of its map, or of a page of the transaction.
    unsafe { std::slice::from_raw_parts(val.mv_data.cast(), val.mv_size) }
}
