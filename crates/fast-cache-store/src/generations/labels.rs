//! Label generations in two fixed tables: the generation of a label is the lesser of its two slots.
//!
//! Labels that share both slots are dropped together, which costs a miss. A slot only grows, so nothing is ever missed.

use super::Generation;
use crate::entry::place_of;
use fast_cache_core::purge::Label;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Bytes of store for one slot in each table, so that the tables of one kind take at most a 32nd of the store.
const BYTES_PER_SLOT: usize = 512;
const MAX_SLOTS: usize = 1 << 16;

#[derive(Debug)]
pub(super) struct LabelTables {
    slots: usize,
    /// Hard, then soft; both rows of each in one allocation, made at the first drop that needs it.
    rows: [OnceLock<Box<[AtomicU64]>>; 2],
    accounted: [AtomicBool; 2],
}

impl LabelTables {
    pub(super) fn new(max_bytes: usize) -> Self {
        let slots = (max_bytes / BYTES_PER_SLOT).clamp(1, MAX_SLOTS);
        let slots = if slots.is_power_of_two() {
            slots
        } else {
            slots.next_power_of_two() / 2
        };
        Self {
            slots,
            rows: Default::default(),
            accounted: Default::default(),
        }
    }

    /// Bytes of the tables for drops of this kind; `None` if the caller has been told before.
    pub(super) fn growth(&self, soft: bool) -> Option<usize> {
        let accounted = &self.accounted[usize::from(soft)];
        if accounted.load(Ordering::Relaxed) || accounted.swap(true, Ordering::Relaxed) {
            return None;
        }
        Some(2 * self.slots * size_of::<AtomicU64>())
    }

    pub(super) fn raise(&self, label: Label, generation: u64, soft: bool) {
        let rows = self.rows[usize::from(soft)]
            .get_or_init(|| (0..2 * self.slots).map(|_| AtomicU64::new(0)).collect());
        for slot in self.slots_of(place_of(label)) {
            rows[slot].store(generation, Ordering::Relaxed);
        }
    }

    pub(super) fn generation(&self, place: u32) -> Generation {
        let [hard, soft] = [0, 1].map(|kind: usize| {
            self.rows[kind].get().map_or(0, |rows| {
                let [first, second] = self
                    .slots_of(place)
                    .map(|slot| rows[slot].load(Ordering::Relaxed));
                first.min(second)
            })
        });
        Generation { hard, soft }
    }

    fn slots_of(&self, place: u32) -> [usize; 2] {
        let place = place as usize;
        let mask = self.slots - 1;
        [place & mask, self.slots + ((place >> 16) & mask)]
    }
}

#[cfg(test)]
mod tests {
    use super::{LabelTables, MAX_SLOTS};
    use crate::entry::place_of;
    use fast_cache_core::purge::Label;

    #[test]
    fn a_dropped_label_is_never_missed() {
        for max_bytes in [0, 1_000, 100_000, 1 << 30] {
            let tables = LabelTables::new(max_bytes);
            for number in 0..500 {
                let label = Label::tag(&number.to_string());
                tables.raise(label, number + 1, number % 2 == 1);
                let generation = tables.generation(place_of(label));
                assert!([generation.hard, generation.soft][usize::from(number % 2 == 1)] > number);
            }
        }
    }

    #[test]
    fn other_labels_are_seldom_hit() {
        let tables = LabelTables::new(1 << 30);
        (0..1_000).for_each(|number| tables.raise(Label::tag(&number.to_string()), 1, false));
        let hit = (1_000..11_000).filter(|number| {
            tables
                .generation(place_of(Label::tag(&number.to_string())))
                .hard
                > 0
        });
        // Each row is 1.5 % full, so both slots of a stranger are taken twice in 10,000.
        assert!(hit.count() < 20);
    }

    #[test]
    fn size_follows_the_store_and_is_told_once() {
        for (max_bytes, slots) in [
            (0, 1),
            (511, 1),
            (1 << 17, 256),
            ((1 << 18) - 1, 256),
            (1 << 40, MAX_SLOTS),
        ] {
            let tables = LabelTables::new(max_bytes);
            assert_eq!(tables.growth(false), Some(slots * 16), "{max_bytes}");
            assert_eq!(tables.growth(false), None);
            assert_eq!(tables.growth(true), Some(slots * 16));
        }
    }
}
