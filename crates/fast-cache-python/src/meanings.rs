//! What header names mean to routes whose endpoints can read any header: told once, then remembered, as clients send the
//! same few names again and again.

use fast_cache_core::exchange::matters;
use fast_cache_core::key::inputs::{Bearing, Inputs};

/// Places in the table; a power of two.
const PLACES: usize = 1024;

/// How header lines of one name bear on requests for one route.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meaning {
    /// They bear on the lookup.
    pub(crate) matters: bool,
    /// How they bear on the key.
    pub(crate) bearing: Bearing,
}

impl Meaning {
    #[inline]
    fn of(inputs: &Inputs, name: &[u8]) -> Self {
        let matters = matters(inputs, name);
        let bearing = if matters {
            inputs.bearing(name)
        } else {
            Bearing::None
        };
        Self { matters, bearing }
    }
}

/// The meanings of names that were seen; of two that fall on one place, the last one is remembered.
#[derive(Debug)]
pub(crate) struct Meanings(Box<[Known]>);

#[derive(Clone, Copy, Debug)]
struct Known {
    spelled: Spelled,
    meaning: Meaning,
}

/// A name of 4 to 32 bytes, and for which route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Spelled {
    /// The length, and the number of the route.
    tag: u64,
    /// The bytes at both ends, which may overlap.
    ends: [u64; 2],
    /// Those next to them, of a name of more than 16 bytes; these may overlap too.
    middle: [u64; 2],
}

impl Default for Meanings {
    fn default() -> Self {
        let nothing = Known {
            spelled: Spelled::default(),
            meaning: Meaning {
                matters: true,
                bearing: Bearing::Concealed,
            },
        };
        Self(vec![nothing; PLACES].into())
    }
}

impl Meanings {
    /// What a name means to the route with this index and these inputs.
    #[inline]
    pub(crate) fn of(&mut self, route: usize, inputs: &Inputs, name: &[u8]) -> Meaning {
        if !inputs.headers.others {
            // Few names can matter; telling takes no longer than remembering.
            return Meaning::of(inputs, name);
        }
        let Some(spelled) = Spelled::of(route, name) else {
            return Meaning::of(inputs, name);
        };
        let known = &mut self.0[spelled.place()];
        if known.spelled != spelled {
            *known = Known {
                spelled,
                meaning: Meaning::of(inputs, name),
            };
        }
        known.meaning
    }
}

impl Spelled {
    /// `None` for a name that is too short or too long.
    #[inline]
    fn of(route: usize, name: &[u8]) -> Option<Self> {
        let length = name.len();
        let mut middle = [0; 2];
        let ends = if length >= 8 {
            if length > 16 {
                if length > 32 {
                    return None;
                }
                middle = [ends(&name[8..])?[0], ends(&name[..length - 8])?[1]];
            }
            ends(name)?
        } else {
            let (first, last) = (name.first_chunk()?, name.last_chunk()?);
            [u32::from_le_bytes(*first), u32::from_le_bytes(*last)].map(u64::from)
        };
        let tag = (length | (route << 6)) as u64;
        Some(Self { tag, ends, middle })
    }

    #[inline]
    fn place(&self) -> usize {
        let [first, last] = self.ends;
        let mixed = (first ^ last.rotate_left(23) ^ self.tag.rotate_left(48))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // The high bits are the well mixed ones.
        (mixed >> 32) as usize % PLACES
    }
}

/// The first and the last eight bytes; of fewer than eight, nothing is known.
#[inline]
fn ends(part: &[u8]) -> Option<[u64; 2]> {
    let (first, last) = (part.first_chunk()?, part.last_chunk()?);
    Some([u64::from_le_bytes(*first), u64::from_le_bytes(*last)])
}
