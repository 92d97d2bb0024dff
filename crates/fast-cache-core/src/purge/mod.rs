//! What a drop covers.
//!
//! A store has a logical clock. A fetch takes its birth from it before the handler runs, and what it stores keeps
//! it. A drop only advances a generation, and an entry is dead when a generation that covers it is newer than its
//! birth; so a drop costs the same however much is stored, and an answer that was still being made when the drop came
//! is born dead.
//!
//! A drop covers paths ([`PathPattern`]), or what carries a [`Label`]: a tag, a route, a subtree of paths. Patterns
//! that are known when the application starts are registered with the store and then named by their [`PatternId`].

mod label;
mod path_pattern;

pub use label::{Label, MAX_SEGMENTS};
pub use path_pattern::{HostPattern, PathPattern};

/// The number a store gave to a registered pattern; it means nothing to another store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PatternId(u32);

impl PatternId {
    /// The pattern with this number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// One thing that a drop covers.
#[derive(Clone, Debug)]
pub enum Cover {
    /// Every path that a registered pattern matches. An id the store never gave covers everything.
    Registered(PatternId),
    /// Every path that a pattern made up at run time matches.
    Path(PathPattern),
    /// Every entry that carries a label.
    Label(Label),
    /// Every entry.
    Everything,
}

/// One drop: the union of what it covers.
///
/// ```
/// use fast_cache_core::purge::{PathPattern, Purge};
///
/// let purge = Purge::tag("user:7").and(Purge::path(PathPattern::glob("/users/*")));
/// assert_eq!(purge.covers.len(), 2);
/// assert!(!purge.soft);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Purge {
    /// What it covers; nothing at all is allowed, and drops nothing.
    pub covers: Vec<Cover>,
    /// Whether covered entries are marked stale instead of being gone.
    pub soft: bool,
}

impl Purge {
    /// A hard drop of one thing.
    pub fn of(cover: Cover) -> Self {
        Self {
            covers: vec![cover],
            soft: false,
        }
    }

    /// A hard drop of everything with this tag.
    pub fn tag(tag: &str) -> Self {
        Self::of(Cover::Label(Label::tag(tag)))
    }

    /// A hard drop of everything the route with this identity answered.
    pub fn endpoint(identity: &[u8]) -> Self {
        Self::of(Cover::Label(Label::endpoint(identity)))
    }

    /// A hard drop of this path and everything below it, at segment boundaries.
    pub fn subtree(path: &str) -> Self {
        Self::of(Cover::Label(Label::subtree(path)))
    }

    /// A hard drop of every path that `pattern` matches.
    pub fn path(pattern: PathPattern) -> Self {
        Self::of(Cover::Path(pattern))
    }

    /// A hard drop of every path that a registered pattern matches.
    pub fn registered(id: PatternId) -> Self {
        Self::of(Cover::Registered(id))
    }

    /// A hard drop of everything.
    pub fn everything() -> Self {
        Self::of(Cover::Everything)
    }

    /// The same drop, soft: covered entries become stale instead of gone.
    #[must_use]
    pub fn softly(mut self) -> Self {
        self.soft = true;
        self
    }

    /// This drop, covering what `other` covers as well. Soft only where both are.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.soft &= other.soft;
        self.covers.extend(other.covers);
        self
    }
}
