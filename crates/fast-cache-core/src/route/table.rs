//! The finished table and the search in it.

use super::asks::Asks;
use super::captures::{Captures, Matched, Resolution};
use super::edges::Edges;
use super::segment::Segments;
use super::template::{Convertor, Parameter};
use super::work::Work;
use regex::Regex;
use smallvec::SmallVec;
use std::ops::Range;

/// All routes of an application in the order of their declaration; see the [module](super) for the rules. Made by
/// [`TableBuilder`](super::TableBuilder).
#[derive(Debug)]
pub struct Table {
    pub(super) methods: Methods,
    pub(super) places: Box<[Place]>,
    pub(super) edges: Edges,
    pub(super) groups: Box<[Group]>,
    pub(super) affixes: Box<[Affix]>,
    pub(super) ends: Box<[End]>,
    pub(super) irregulars: Box<[IrregularEnd]>,
    pub(super) expressions: Box<[Regex]>,
    /// By position, which is the number of items declared before.
    pub(super) items: Box<[Item]>,
    pub(super) asks: Asks,
    /// One more than the segments of the longest template.
    pub(super) depth: usize,
}

impl Table {
    /// The first route, mount or unknown matcher that takes a request with this method and this path. The path is
    /// without `root_path`; it may be empty.
    ///
    /// Nothing is allocated, except in tables with templates of more than 22 segments, for more than 4 parameters,
    /// where more than 16 alternatives are open at once, and for templates that need a regular expression.
    pub fn resolve<'a>(&'a self, method: &str, path: &'a str) -> Resolution<'a> {
        let mut segments = Segments::of(path);
        if !segments.scan(self.depth + 1) {
            return Resolution::Ask;
        }
        let ask = self.asks.first(path);
        let mut best = ask;
        if path.is_empty() || path.starts_with('/') {
            best = self.search(
                self.methods.bit(method),
                &segments,
                ask,
                &mut Work::default(),
            );
        }
        if best == ask {
            return if ask == u32::MAX {
                Resolution::None
            } else {
                Resolution::Ask
            };
        }
        let item = &self.items[best as usize];
        match item.target {
            Some(target) => Resolution::Route(Matched {
                target,
                position: best,
                captures: self.captures(item, &segments),
            }),
            None => Resolution::Opaque,
        }
    }

    /// The position of the first item before `bound` that takes the request, or else `bound`.
    ///
    /// A place is entered only from its one parent, so at most once; one whose subtree starts at or after the best
    /// position so far, or has no route for the method, is not entered at all.
    pub(super) fn search(
        &self,
        method: u64,
        segments: &Segments<'_>,
        bound: u32,
        work: &mut Work,
    ) -> u32 {
        let mut best = bound;
        // Alternatives, what should be looked at first on top; the top itself is `next`.
        let mut pending: SmallVec<[Pending; 16]> = SmallVec::new();
        let mut next = Some(Pending::Place(0, 0));
        while let Some(current) = next.take().or_else(|| pending.pop()) {
            let (id, depth) = match current {
                Pending::Place(id, depth) => (id, depth),
                Pending::Irregulars(id, depth) => {
                    let place = &self.places[id as usize];
                    best =
                        self.irregular_of(place, method, segments.rest(depth as usize), best, work);
                    continue;
                }
            };
            let place = &self.places[id as usize];
            if place.first >= best || place.methods & method == 0 {
                continue;
            }
            work.places += 1;
            if segments.end_before(depth as usize) {
                best = best.min(self.end_of(place, method));
                continue;
            }
            let segment = segments.segment(depth as usize);
            let mut literal = self.edges.get(id, segment);
            let mut add = |pushed| {
                if let Some(below) = next.replace(pushed) {
                    pending.push(below);
                }
            };
            // What is added first is looked at last: expressions, then what was declared last.
            if !place.irregulars.is_empty() {
                add(Pending::Irregulars(id, depth));
            }
            for group in self.groups[range(&place.groups)].iter().rev() {
                if group.first >= best {
                    continue;
                }
                if group.convertor == Convertor::Path {
                    if let Some(child) = self.child(group, segments.rest(depth as usize)) {
                        work.places += 1;
                        best = best.min(self.end_of(&self.places[child as usize], method));
                    }
                    continue;
                }
                if let Some(child) =
                    literal.take_if(|child| self.places[*child as usize].first > group.first)
                {
                    add(Pending::Place(child, depth + 1));
                }
                if let Some(child) = self.child(group, segment) {
                    add(Pending::Place(child, depth + 1));
                }
            }
            if let Some(child) = literal {
                add(Pending::Place(child, depth + 1));
            }
        }
        best
    }

    fn end_of(&self, place: &Place, method: u64) -> u32 {
        let ends = &self.ends[range(&place.ends)];
        ends.iter()
            .find(|end| end.methods & method != 0)
            .map_or(u32::MAX, |end| end.position)
    }

    fn irregular_of(
        &self,
        place: &Place,
        method: u64,
        rest: &str,
        best: u32,
        work: &mut Work,
    ) -> u32 {
        let ends = self.irregulars[range(&place.irregulars)]
            .iter()
            .take_while(|end| end.position < best);
        for end in ends.filter(|end| end.methods & method != 0) {
            if end.may_fit(rest) {
                work.expressions += 1;
                if self.expressions[end.expression as usize].is_match(rest) {
                    return end.position;
                }
            }
        }
        best
    }

    /// The place below `group` for `text`: a segment, or all that is left of the path.
    fn child(&self, group: &Group, text: &str) -> Option<u32> {
        let (prefix_length, suffix_length) =
            (group.prefix_length as usize, group.suffix_length as usize);
        let end = text.len().checked_sub(suffix_length)?;
        if !group.convertor.accepts(text.get(prefix_length..end)?) {
            return None;
        }
        let affixes = &self.affixes[range(&group.affixes)];
        if prefix_length == 0 && suffix_length == 0 {
            return affixes.first().map(|affix| affix.child);
        }
        let around = (&text[..prefix_length], &text[end..]);
        let found =
            affixes.binary_search_by(|affix| affix.text.split_at(prefix_length).cmp(&around));
        found.ok().map(|index| affixes[index].child)
    }

    fn captures<'a>(&'a self, item: &'a Item, segments: &Segments<'a>) -> Captures<'a> {
        let mut values = SmallVec::new();
        for span in &item.spans {
            let text = if span.to_end {
                segments.rest(span.depth)
            } else {
                segments.segment(span.depth)
            };
            values.push(&text[span.prefix..text.len() - span.suffix]);
        }
        if let Some((depth, expression)) = item.irregular {
            let found = self.expressions[expression as usize].captures(segments.rest(depth));
            values.extend(
                found
                    .iter()
                    .flat_map(|found| found.iter().skip(1).flatten())
                    .map(|value| value.as_str()),
            );
        }
        Captures {
            parameters: &item.parameters,
            values,
        }
    }
}

/// What a search still has to look at, with its depth.
#[derive(Clone, Copy)]
enum Pending {
    Place(u32, u32),
    /// The irregular items of a place that was entered.
    Irregulars(u32, u32),
}

/// A range of one of the table's arrays.
pub(super) type Span32 = Range<u32>;

fn range(range: &Span32) -> Range<usize> {
    range.start as usize..range.end as usize
}

/// A place in the tree: a way to match the first segments of a path.
#[derive(Debug)]
pub(super) struct Place {
    /// The first position in the subtree.
    pub(super) first: u32,
    /// The methods of the subtree.
    pub(super) methods: u64,
    /// Items whose template ends here, in order.
    pub(super) ends: Span32,
    /// Steps with a parameter, by their first position.
    pub(super) groups: Span32,
    /// Items whose template goes on irregularly, in order.
    pub(super) irregulars: Span32,
}

/// Steps below one place with the same convertor and as much text around the parameter.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) convertor: Convertor,
    pub(super) prefix_length: u32,
    pub(super) suffix_length: u32,
    /// The first position below any of them.
    pub(super) first: u32,
    /// Sorted by prefix and suffix.
    pub(super) affixes: Span32,
}

#[derive(Debug)]
pub(super) struct Affix {
    /// Prefix and suffix, whose lengths the group knows.
    pub(super) text: Box<str>,
    pub(super) child: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) methods: u64,
    pub(super) position: u32,
}

#[derive(Debug)]
pub(super) struct IrregularEnd {
    pub(super) methods: u64,
    pub(super) position: u32,
    pub(super) expression: u32,
    pub(super) prefix: Box<str>,
    pub(super) suffix: Box<str>,
}

impl IrregularEnd {
    /// Whether the literal text at both ends is there. Empty text is not compared: some C libraries take a hundred
    /// nanoseconds to compare nothing with the address an empty box has.
    fn may_fit(&self, rest: &str) -> bool {
        (self.prefix.is_empty() || rest.starts_with(&*self.prefix))
            && (self.suffix.is_empty() || rest.ends_with(&*self.suffix))
    }
}

/// One declared item, as its captures need it.
#[derive(Debug, Default)]
pub(super) struct Item {
    /// `None` for a mount.
    pub(super) target: Option<u32>,
    pub(super) parameters: Box<[Parameter]>,
    pub(super) spans: Box<[CaptureSpan]>,
    /// Depth and expression of an irregular rest.
    pub(super) irregular: Option<(usize, u32)>,
}

/// Where a parameter's value stands: in a segment, without the text around it.
#[derive(Debug)]
pub(super) struct CaptureSpan {
    pub(super) depth: usize,
    pub(super) prefix: usize,
    pub(super) suffix: usize,
    /// The value is taken from all that is left of the path, not from the segment.
    pub(super) to_end: bool,
}

/// The methods that routes name, a bit each; the last bit is for all others.
#[derive(Debug, Default)]
pub(super) struct Methods {
    pub(super) names: Vec<Box<str>>,
}

impl Methods {
    pub(super) const OTHER: u64 = 1 << 63;

    pub(super) fn bit(&self, method: &str) -> u64 {
        self.names
            .iter()
            .position(|name| &**name == method)
            .map_or(Self::OTHER, |index| 1 << index)
    }
}
