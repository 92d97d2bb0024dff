//! What recent requests came to, so that the next one like them need not be looked at as closely.
//!
//! Two small tables, never grown. A *way* says which route takes a method and a path. A *hit* holds the key that was made
//! of all the rest. Both are compared in full; the hash only says where to look. Nothing is kept that a key would
//! conceal.

use crate::attached::{Attached, Taken};
use crate::meanings::Meanings;
use fast_cache_core::key::Key;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Places in each table.
const PLACES: usize = 256;
/// The longest parts that are kept, in bytes.
const MAX_LENGTH: usize = 1024;
/// So many other requests in a row take a place from one that was seen again.
const STAYING: u8 = 3;

/// The recent requests of one analysed application.
#[derive(Debug)]
pub(crate) struct Recent(Attached<Tables>);

/// Both tables, and what header names mean.
#[derive(Debug)]
pub(crate) struct Tables {
    ways: Box<[Option<Place<Way>>]>,
    hits: Box<[Option<Place<Hit>>]>,
    meanings: Meanings,
    next_number: u64,
}

/// Where a method and a path lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leads {
    /// To this route, which is cached.
    Cached(usize),
    /// Past the cache, by way of this route where there is one.
    Past(Option<usize>),
}

/// What is known of a method and a path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) leads: Leads,
    /// No other way ever has this number.
    number: u64,
    hash: u64,
}

/// What is known of a request that was answered from the cache.
#[derive(Debug)]
pub(crate) struct Hit {
    pub(crate) key: Key,
    /// The path parameters, to be copied.
    pub(crate) path_params: Py<PyDict>,
    way: u64,
}

/// What a table holds in one place.
#[derive(Debug)]
pub(crate) struct Place<T> {
    parts: Parts,
    staying: u8,
    value: T,
}

impl Default for Recent {
    fn default() -> Self {
        Self(Attached::new(Tables {
            ways: (0..PLACES).map(|_| None).collect(),
            hits: (0..PLACES).map(|_| None).collect(),
            meanings: Meanings::default(),
            next_number: 0,
        }))
    }
}

impl Recent {
    /// The tables, unless somebody is at them: nobody waits.
    #[inline]
    pub(crate) fn tables<'a, 'py: 'a>(&'a self, py: Python<'py>) -> Option<Taken<'a, Tables>> {
        self.0.take(py)
    }

    /// Remembers where a method and a path lead.
    pub(crate) fn remember_way(&self, py: Python<'_>, target: [&str; 3], leads: Leads) {
        let Some(mut tables) = self.tables(py) else {
            return;
        };
        let hash = hash(target[1].as_bytes());
        let number = tables.next_number;
        let place = &mut tables.ways[place_of(hash)];
        let same = |known: &Place<Way>| known.parts.are(target) && known.value.leads == leads;
        if place.as_ref().is_some_and(same) || !gives_way(place) {
            return;
        }
        let Some(parts) = Parts::of(&target.map(str::as_bytes)) else {
            return;
        };
        *place = Some(Place {
            parts,
            staying: 0,
            value: Way {
                leads,
                number,
                hash,
            },
        });
        tables.next_number += 1;
    }

    /// Remembers the key of a request. `make` gives all that it was made of beside the way, the key and the path parameters;
    /// it is not called where there is no room.
    pub(crate) fn remember_hit<'a>(
        &self,
        py: Python<'_>,
        target: [&str; 3],
        query: &[u8],
        make: impl FnOnce() -> Option<(Vec<&'a [u8]>, Key, Py<PyDict>)>,
    ) {
        let Some((way, index)) = self.room_for(py, target, query) else {
            return;
        };
        // Not under the lock: making objects may run Python code.
        let Some((parts, key, path_params)) = make() else {
            return;
        };
        let Some(parts) = Parts::of(&parts) else {
            return;
        };
        let place = Place {
            parts,
            staying: 0,
            value: Hit {
                key,
                path_params,
                way,
            },
        };
        let before = self
            .tables(py)
            .and_then(|mut tables| tables.hits[index].replace(place));
        drop(before);
    }

    /// The number of a way, and the place of a hit on it where that is to be had.
    fn room_for(&self, py: Python<'_>, target: [&str; 3], query: &[u8]) -> Option<(u64, usize)> {
        let mut tables = self.tables(py)?;
        let way = tables.way(target)?;
        let index = place_of(way.hash ^ hash(query));
        gives_way(&mut tables.hits[index]).then_some((way.number, index))
    }
}

impl Tables {
    /// The way of a method and a path.
    #[inline]
    pub(crate) fn way(&mut self, target: [&str; 3]) -> Option<Way> {
        let [method, path, root_path] = target;
        let hash = hash(path.as_bytes());
        let place = self.ways[place_of(hash)].as_mut()?;
        if place.value.hash != hash || !place.parts.are([method, path, root_path]) {
            return None;
        }
        place.staying = STAYING;
        Some(place.value)
    }

    /// What may be the hit of a request on this way with this query: its parts tell. And what header names mean.
    #[inline]
    pub(crate) fn hit(
        &mut self,
        way: Way,
        query: &[u8],
    ) -> Option<(&mut Place<Hit>, &mut Meanings)> {
        let place = self.hits[place_of(way.hash ^ hash(query))].as_mut()?;
        (place.value.way == way.number).then_some((place, &mut self.meanings))
    }
}

impl Place<Hit> {
    /// All that its key was made of beside the way.
    #[inline]
    pub(crate) fn parts(&self) -> Unread<'_> {
        Unread(&self.parts.0)
    }

    /// The hit, once its parts were found to be the same.
    #[inline]
    pub(crate) fn seen_again(&mut self) -> &Hit {
        self.staying = STAYING;
        &self.value
    }
}

/// Whether a place may be taken; one that is not loses a bit of its hold.
fn gives_way<T>(place: &mut Option<Place<T>>) -> bool {
    match place {
        Some(known) if known.staying > 0 => {
            known.staying -= 1;
            false
        }
        _ => true,
    }
}

/// Byte strings in a row, each with its length before it.
#[derive(Debug)]
struct Parts(Box<[u8]>);

impl Parts {
    /// `None` where they are too long to be kept.
    fn of(parts: &[&[u8]]) -> Option<Self> {
        let length = parts.iter().map(|part| part.len()).sum::<usize>();
        if length > MAX_LENGTH {
            return None;
        }
        let mut bytes = Vec::with_capacity(length + 4 * parts.len());
        for part in parts {
            bytes.extend_from_slice(&u32::try_from(part.len()).ok()?.to_le_bytes());
            bytes.extend_from_slice(part);
        }
        Some(Self(bytes.into_boxed_slice()))
    }

    #[inline]
    fn are(&self, [method, path, root_path]: [&str; 3]) -> bool {
        let mut unread = Unread(&self.0);
        unread.is_next(method.as_bytes())
            && unread.is_next(path.as_bytes())
            && unread.is_next(root_path.as_bytes())
            && unread.is_done()
    }
}

/// The parts that were not compared yet.
pub(crate) struct Unread<'a>(&'a [u8]);

impl Unread<'_> {
    /// Whether the next part is this one.
    #[inline]
    pub(crate) fn is_next(&mut self, part: &[u8]) -> bool {
        let Some((length, rest)) = self.0.split_first_chunk() else {
            return false;
        };
        let Some((next, rest)) = rest.split_at_checked(u32::from_le_bytes(*length) as usize) else {
            return false;
        };
        self.0 = rest;
        next == part
    }

    /// Whether there are no more parts.
    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        self.0.is_empty()
    }
}

/// Where to look. Not a good hash: whoever makes requests that fall on one place only makes them as slow as new ones.
#[inline]
fn hash(bytes: &[u8]) -> u64 {
    let mix =
        |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    let (words, tail) = bytes.as_chunks();
    let mut hash = bytes.len() as u64;
    for word in words {
        hash = mix(hash, u64::from_le_bytes(*word));
    }
    if tail.is_empty() {
        return hash;
    }
    let mut last = [0; 8];
    last[..tail.len()].copy_from_slice(tail);
    mix(hash, u64::from_le_bytes(last))
}

#[inline]
fn place_of(hash: u64) -> usize {
    // The high bits are the well mixed ones.
    (hash >> 32) as usize % PLACES
}
