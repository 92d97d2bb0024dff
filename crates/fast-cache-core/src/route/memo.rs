//! A memo of recent answers of one table, for the few paths that most requests ask for.
//!
//! It only ever repeats what the table said, and never grows. Longer paths, and answers other than a route, are not
//! remembered.

use super::captures::{Captures, Matched, Resolution};
use super::table::Table;
use foldhash::fast::FixedState;
use smallvec::SmallVec;
use std::hash::BuildHasher;
use std::sync::Mutex;

const PLACES: usize = 256;
const MAX_LENGTH: usize = 64;
const MAX_VALUES: usize = 4;

/// A memo for one [`Table`]; never hand it to another.
#[derive(Debug)]
pub struct Memo {
    places: Box<[Mutex<Option<Remembered>>]>,
}

#[derive(Clone, Copy, Debug)]
struct Remembered {
    method: u64,
    position: u32,
    length: u8,
    values: u8,
    /// Where each value starts in the path, and where it ends.
    spans: [(u8, u8); MAX_VALUES],
    path: [u8; MAX_LENGTH],
}

impl Default for Memo {
    fn default() -> Self {
        Self {
            places: (0..PLACES).map(|_| Mutex::new(None)).collect(),
        }
    }
}

impl Table {
    /// The same as [`Table::resolve`], faster for a path that was asked for before.
    ///
    /// ```
    /// use fast_cache_core::route::{Memo, TableBuilder};
    ///
    /// let mut builder = TableBuilder::new();
    /// builder.route("/users/{user_id}", Some(&["GET"]), 1)?;
    /// let (table, memo) = (builder.build(), Memo::default());
    /// for _ in 0..2 {
    ///     let found = table.resolve_remembering(&memo, "GET", "/users/7");
    ///     assert_eq!(found, table.resolve("GET", "/users/7"));
    /// }
    /// # Ok::<(), fast_cache_core::route::PatternError>(())
    /// ```
    pub fn resolve_remembering<'a>(
        &'a self,
        memo: &Memo,
        method: &str,
        path: &'a str,
    ) -> Resolution<'a> {
        if path.len() > MAX_LENGTH {
            return self.resolve(method, path);
        }
        let bit = self.methods.bit(method);
        let hash = FixedState::default().hash_one(path.as_bytes());
        #[allow(clippy::cast_possible_truncation, reason = "any bits will do")]
        let place = &memo.places[(hash as usize) % PLACES];
        // Never waits: without the memo the table is asked.
        let Ok(mut place) = place.try_lock() else {
            return self.resolve(method, path);
        };
        if let Some(known) = &*place
            && known.method == bit
            && known.path.get(..known.length.into()) == Some(path.as_bytes())
            && let Some(resolution) = self.repeat(known, path)
        {
            return resolution;
        }
        let resolution = self.resolve(method, path);
        if let Resolution::Route(matched) = &resolution {
            *place = remembered(bit, matched, path);
        }
        resolution
    }

    fn repeat<'a>(&'a self, known: &Remembered, path: &'a str) -> Option<Resolution<'a>> {
        let item = self.items.get(known.position as usize)?;
        let mut values = SmallVec::new();
        for (start, end) in known.spans.get(..known.values.into())? {
            values.push(path.get(usize::from(*start)..usize::from(*end))?);
        }
        Some(Resolution::Route(Matched {
            target: item.target?,
            position: known.position,
            captures: Captures {
                parameters: &item.parameters,
                values,
            },
        }))
    }
}

/// What is remembered of an answer; `None` where it has too many values.
fn remembered(method: u64, matched: &Matched<'_>, path: &str) -> Option<Remembered> {
    let values = matched.captures.values();
    let mut spans = [(0, 0); MAX_VALUES];
    if values.len() > MAX_VALUES {
        return None;
    }
    for (span, value) in spans.iter_mut().zip(values) {
        // Values are slices of the path.
        let start = (value.as_ptr() as usize).checked_sub(path.as_ptr() as usize)?;
        *span = (
            u8::try_from(start).ok()?,
            u8::try_from(start + value.len()).ok()?,
        );
    }
    let mut bytes = [0; MAX_LENGTH];
    bytes
        .get_mut(..path.len())?
        .copy_from_slice(path.as_bytes());
    Some(Remembered {
        method,
        position: matched.position,
        length: u8::try_from(path.len()).ok()?,
        values: u8::try_from(values.len()).ok()?,
        spans,
        path: bytes,
    })
}
