//! What was found before the application was asked, and may take part in its answer.

use fast_cache_core::exchange::{Freshened, Freshening};
use fast_cache_core::fields::Line;
use fast_cache_core::key::inputs::Inputs;
use fast_cache_core::key::{KeyRef, Secret};
use fast_cache_core::policy::Policy;
use fast_cache_core::rules::freshening::{Source, freshened};
use fast_cache_core::stored::Stored;
use fast_cache_store::{Entry, LocalStore};
use std::sync::Arc;

/// Whether an entry is still to be found: no drop has covered it, and nothing took its place.
pub fn is_current<R>(
    store: &(impl LocalStore<R> + ?Sized),
    secret: &Secret,
    entry: &Arc<Entry<R>>,
) -> bool {
    let found = store.get(key_of(secret, entry));
    found.is_some_and(|found| Arc::ptr_eq(&found.entry, entry))
}

/// Removes an entry from the store, unless something took its place.
pub fn forget<R>(store: &(impl LocalStore<R> + ?Sized), secret: &Secret, entry: &Arc<Entry<R>>) {
    if is_current(store, secret, entry) {
        store.remove(key_of(secret, entry));
    }
}

/// The stored response `old` with the lines of a confirmation, `update`. `represent` makes the representation from
/// the sources of its lines.
///
/// # Errors
///
/// What `represent` failed with.
pub fn merge<R, E>(
    freshening: Freshening,
    (old, lines): (&Stored<R>, &[Line<'_>]),
    update: &[Line<'_>],
    policy: &Policy,
    inputs: &Inputs,
    represent: impl FnOnce(&[Source]) -> Result<R, E>,
) -> Result<Freshened<R>, E> {
    let sources = freshened(lines, update);
    let merged: Vec<Line<'_>> = sources
        .iter()
        .map(|source| match source {
            Source::Stored(index) => lines[*index],
            Source::Update(index) => update[*index],
        })
        .collect();
    let representation = represent(&sources)?;
    Ok(freshening.finish(old, update, &merged, policy, inputs, representation))
}

fn key_of<'a, R>(secret: &Secret, entry: &'a Entry<R>) -> KeyRef<'a> {
    let bytes = entry.key();
    KeyRef {
        digest: secret.digest(bytes),
        bytes,
    }
}
