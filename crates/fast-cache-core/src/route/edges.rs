//! Literal segments: one hash table for the whole tree, so that a step costs the same however many children a place
//! has.

use foldhash::fast::FixedState;
use std::hash::{BuildHasher, Hasher};

/// From a place and a literal segment to the place below.
#[derive(Debug)]
pub(super) struct Edges {
    /// A power of two of slots, at most half of them taken.
    slots: Box<[Slot]>,
    texts: Box<str>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    tag: u32,
    parent: u32,
    /// Never 0 in a slot that is taken: the root is nobody's child.
    child: u32,
    start: u32,
    length: u32,
}

impl Edges {
    /// From parents, segments and children; no pair of parent and segment stands twice.
    pub(super) fn new<'s>(edges: impl ExactSizeIterator<Item = (u32, &'s str, u32)>) -> Self {
        let mut slots =
            vec![Slot::default(); (edges.len() * 2).max(2).next_power_of_two()].into_boxed_slice();
        let mut texts = String::new();
        let mask = slots.len() - 1;
        for (parent, segment, child) in edges {
            let (mut index, tag) = place(parent, segment, mask);
            while slots[index].child != 0 {
                index = (index + 1) & mask;
            }
            let (start, length) = (offset(texts.len()), offset(segment.len()));
            slots[index] = Slot {
                tag,
                parent,
                child,
                start,
                length,
            };
            texts.push_str(segment);
        }
        Self {
            slots,
            texts: texts.into(),
        }
    }

    /// The place below `parent` for `segment`.
    #[inline]
    pub(super) fn get(&self, parent: u32, segment: &str) -> Option<u32> {
        let mask = self.slots.len() - 1;
        let (mut index, tag) = place(parent, segment, mask);
        loop {
            let slot = &self.slots[index];
            if slot.child == 0 {
                return None;
            }
            if slot.tag == tag && slot.parent == parent && self.text(slot) == segment.as_bytes() {
                return Some(slot.child);
            }
            index = (index + 1) & mask;
        }
    }

    #[inline]
    fn text(&self, slot: &Slot) -> &[u8] {
        &self.texts.as_bytes()[slot.start as usize..][..slot.length as usize]
    }
}

/// The slot to begin with, and a tag that tells most segments apart.
#[inline]
#[allow(
    clippy::cast_possible_truncation,
    reason = "both halves of a hash are hashes"
)]
fn place(parent: u32, segment: &str, mask: usize) -> (usize, u32) {
    let mut hasher = FixedState::with_seed(u64::from(parent)).build_hasher();
    hasher.write(segment.as_bytes());
    let hash = hasher.finish();
    (hash as usize & mask, (hash >> 32) as u32)
}

/// An offset into the texts. Four gigabytes of templates do not fit beside the routes they belong to.
pub(super) fn offset(length: usize) -> u32 {
    u32::try_from(length).expect("the templates of a table are shorter than 4 GiB")
}

#[cfg(test)]
mod tests {
    use super::Edges;

    #[test]
    fn every_edge_is_found_and_no_other() {
        let segments: Vec<String> = (0..1_000)
            .map(|number| format!("segment-{number}"))
            .collect();
        for count in [0, 1, 2, 3, 500, 1_000] {
            let edges: Vec<_> = segments
                .iter()
                .zip(1..)
                .take(count)
                .map(|(text, id)| (id % 7, &**text, id))
                .collect();
            let table = Edges::new(edges.iter().copied());
            for &(parent, segment, child) in &edges {
                assert_eq!(table.get(parent, segment), Some(child));
                assert_eq!(table.get(parent + 7, segment), None);
                assert_eq!(table.get(parent, &segment[1..]), None);
            }
        }
        let empty = Edges::new([(0, "", 1)].into_iter());
        assert_eq!(
            (empty.get(0, ""), empty.get(1, ""), empty.get(0, "a")),
            (Some(1), None, None)
        );
    }
}
