//! Where there is no shared store: files that are mapped, locked and removed while they are in use are Unix's.

use crate::error::OpenError;
use crate::lookups::Lookups;
use crate::{Options, SECRET};
use fast_cache_core::key::KeyRef;
use fast_cache_core::purge::{Label, PathPattern, PatternId, Purge};
use fast_cache_core::reason::Reason;
use fast_cache_core::time::Timestamp;
use fast_cache_store::codec::Portable;
use fast_cache_store::{Counters, Cursor, Found, LocalStore, Page, Put, Walk};
use std::convert::Infallible;
use std::marker::PhantomData;
use std::path::Path;
use std::time::Duration;

/// A store that all processes of one machine share; there is none on this system.
#[derive(Debug)]
pub struct SharedStore<R>(Infallible, PhantomData<fn() -> R>);

impl<R: Portable> SharedStore<R> {
    /// Refuses.
    ///
    /// # Errors
    ///
    /// Always [`OpenError::Refused`].
    pub fn open(folder: &Path, _: Options) -> Result<Self, OpenError> {
        Err(OpenError::Refused(format!(
            "{} cannot be shared: the shared store needs Unix",
            folder.display()
        )))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        match self.0 {}
    }

    /// What keys and credentials are to be hashed with.
    pub fn secret(&self) -> &[u8; SECRET] {
        match self.0 {}
    }

    /// What keeps the store from working.
    pub fn trouble(&self) -> Option<String> {
        match self.0 {}
    }

    /// What lookups came to.
    pub fn lookups(&self) -> Lookups {
        match self.0 {}
    }

    /// For how long a sweep has worked while writers had to wait.
    pub fn longest_hold(&self) -> Duration {
        match self.0 {}
    }
}

impl<R: Portable> LocalStore<R> for SharedStore<R> {
    fn birth(&self) -> u64 {
        match self.0 {}
    }

    fn get(&self, _: KeyRef<'_>) -> Option<Found<R>> {
        match self.0 {}
    }

    fn put(&self, _: Put<'_, R>) -> Result<(), Reason> {
        match self.0 {}
    }

    fn remove(&self, _: KeyRef<'_>) -> bool {
        match self.0 {}
    }

    fn register(&self, _: PathPattern) -> PatternId {
        match self.0 {}
    }

    fn purge(&self, _: &Purge) -> Option<Walk> {
        match self.0 {}
    }

    fn standing(&self, _: u64, _: &str, _: &[Label]) -> Option<bool> {
        match self.0 {}
    }

    fn resolve(&self, _: &mut Walk, _: usize) -> bool {
        match self.0 {}
    }

    fn sweep(&self, _: usize, _: Timestamp) -> usize {
        match self.0 {}
    }

    fn page(&self, _: Cursor, _: usize) -> Page<R> {
        match self.0 {}
    }

    fn clear(&self) {
        match self.0 {}
    }

    fn close(&self) {
        match self.0 {}
    }

    fn len(&self) -> usize {
        match self.0 {}
    }

    fn bytes(&self) -> usize {
        match self.0 {}
    }

    fn counters(&self) -> Counters {
        match self.0 {}
    }
}
