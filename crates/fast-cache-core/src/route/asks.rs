//! The matchers only the framework can run, by the literal text their paths begin with.

/// Which of the unknown matchers that could fit a path stands first.
#[derive(Debug)]
pub(super) struct Asks {
    /// The first position of a matcher that could fit any path; `u32::MAX` if there is none.
    any: u32,
    /// The others, sorted by prefix, each prefix once.
    entries: Box<[Entry]>,
}

#[derive(Debug)]
struct Entry {
    prefix: Box<str>,
    /// The first position of this prefix and of all shorter ones it begins with.
    first: u32,
    /// The longest other entry this one begins with.
    parent: Option<usize>,
}

impl Asks {
    /// From prefixes and their positions.
    pub(super) fn new(mut asks: Vec<(Box<str>, u32)>) -> Self {
        asks.sort_unstable();
        asks.dedup_by(|later, earlier| later.0 == earlier.0);
        let any = asks
            .first()
            .filter(|(prefix, _)| prefix.is_empty())
            .map_or(u32::MAX, |(_, position)| *position);
        let mut entries: Vec<Entry> = Vec::with_capacity(asks.len());
        for (prefix, position) in asks.into_iter().filter(|(prefix, _)| !prefix.is_empty()) {
            let mut parent = entries.len().checked_sub(1);
            while let Some(index) =
                parent.filter(|&index| !prefix.starts_with(&*entries[index].prefix))
            {
                parent = entries[index].parent;
            }
            let first = parent.map_or(position, |index| position.min(entries[index].first));
            entries.push(Entry {
                prefix,
                first,
                parent,
            });
        }
        Self {
            any,
            entries: entries.into(),
        }
    }

    /// The position of the first matcher that could fit `path`; `u32::MAX` if there is none.
    pub(super) fn first(&self, path: &str) -> u32 {
        // Everything `path` begins with sorts before it, and is the greatest such entry or one that entry begins with.
        let mut candidate = self
            .entries
            .partition_point(|entry| &*entry.prefix <= path)
            .checked_sub(1);
        while let Some(index) = candidate {
            let entry = &self.entries[index];
            if path.starts_with(&*entry.prefix) {
                return self.any.min(entry.first);
            }
            candidate = entry.parent;
        }
        self.any
    }
}

#[cfg(test)]
mod tests {
    use super::Asks;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_first_that_fits_is_found(
            prefixes in proptest::collection::vec("[ab/é]{0,4}", 0..12),
            path in "[ab/é]{0,6}",
        ) {
            let numbered = prefixes.iter().zip(0..).map(|(prefix, position)| (prefix.as_str().into(), position));
            let expected = prefixes.iter().zip(0..).find(|(prefix, _)| path.starts_with(prefix.as_str()));
            let found = Asks::new(numbered.collect()).first(&path);
            prop_assert_eq!(found, expected.map_or(u32::MAX, |(_, position)| position));
        }
    }
}
