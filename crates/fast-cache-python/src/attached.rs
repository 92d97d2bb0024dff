//! What the interpreter's lock guards: whoever holds it needs no second one, and pays for none.

use pyo3::prelude::*;
use std::cell::{Cell, UnsafeCell};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

/// A value for one at a time of those who are attached to the interpreter. Nobody waits for it.
#[derive(Debug)]
pub(crate) struct Attached<T> {
    is_taken: Cell<bool>,
    value: UnsafeCell<T>,
}

// SAFETY: flag and value are only touched by who is attached to an interpreter with a lock (the module says that it
// needs one), which `Python` and the lifetime of `Taken` prove, so never by two threads at once; and the lock orders what one
// thread has done before what the next one does. The flag keeps two of one thread, or one who has detached meanwhile,
// apart.
unsafe impl<T: Send> Sync for Attached<T> {}

impl<T> Attached<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            is_taken: Cell::new(false),
            value: UnsafeCell::new(value),
        }
    }

    /// The value, unless somebody is at it.
    #[inline]
    pub(crate) fn take<'a, 'py: 'a>(&'a self, _attached: Python<'py>) -> Option<Taken<'a, T>> {
        if self.is_taken.replace(true) {
            return None;
        }
        Some(Taken {
            cell: self,
            attached: PhantomData,
        })
    }
}

/// A value that is taken until this is dropped. It stays with its thread.
pub(crate) struct Taken<'a, T> {
    cell: &'a Attached<T>,
    attached: PhantomData<Python<'a>>,
}

impl<T> Deref for Taken<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the flag says that this is the only one.
        unsafe { &*self.cell.value.get() }
    }
}

impl<T> DerefMut for Taken<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the flag says that this is the only one.
        unsafe { &mut *self.cell.value.get() }
    }
}

impl<T> Drop for Taken<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.cell.is_taken.set(false);
    }
}
