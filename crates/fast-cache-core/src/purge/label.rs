//! Labels: what an entry may be dropped by, beside its path.

use crate::reason::Reason;
use siphasher::sip::SipHasher13;
use std::hash::Hasher;

/// The most path segments below which an entry can still carry a label for each subtree it lies in.
pub const MAX_SEGMENTS: usize = 32;

/// A tag, a route, a subtree of paths, a URI or a group of an origin's responses, as 64 bits.
///
/// The same text gives the same label in every process, on every machine and in every version; it is not a secret and
/// not a defence against crafted collisions, which cost their author's victims no more than a miss. Labels of different
/// kinds are never the same by having the same text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(u64);

impl Label {
    /// The label of a tag.
    pub fn tag(tag: &str) -> Self {
        let mut hasher = hasher(Domain::Tag);
        hasher.write(tag.as_bytes());
        Self(hasher.finish())
    }

    /// The label of a route, by its identity.
    pub fn endpoint(identity: &[u8]) -> Self {
        let mut hasher = hasher(Domain::Endpoint);
        hasher.write(identity);
        Self(hasher.finish())
    }

    /// The label of a path and everything below it. Empty segments do not count: `/users/7`, `/users/7/` and
    /// `/users//7` name one subtree, so a drop can cover too much by a slash but never too little.
    pub fn subtree(path: &str) -> Self {
        let mut hasher = hasher(Domain::Subtree);
        segments(path).for_each(|segment| write_segment(&mut hasher, segment));
        Self(hasher.finish())
    }

    /// Adds the label of every subtree in which `path` lies, from `/` to `path` itself, to `labels`.
    ///
    /// ```
    /// use fast_cache_core::purge::Label;
    ///
    /// let mut labels = Vec::new();
    /// Label::subtrees("/users/7/posts", &mut labels).unwrap();
    /// assert!(labels.contains(&Label::subtree("/users/7")));
    /// assert!(!labels.contains(&Label::subtree("/users/70")));
    /// ```
    ///
    /// # Errors
    ///
    /// [`Reason::Tags`] where the path has more than [`MAX_SEGMENTS`] segments; the answer must then not be stored,
    /// as a drop could miss it. `labels` is left as it was.
    pub fn subtrees(path: &str, labels: &mut Vec<Self>) -> Result<(), Reason> {
        let before = labels.len();
        let mut hasher = hasher(Domain::Subtree);
        labels.push(Self(hasher.finish()));
        for (index, segment) in segments(path).enumerate() {
            if index == MAX_SEGMENTS {
                labels.truncate(before);
                return Err(Reason::Tags);
            }
            write_segment(&mut hasher, segment);
            labels.push(Self(hasher.finish()));
        }
        Ok(())
    }

    /// The label of a URI, by its parts as [`Target`](crate::rules::invalidation::Target) spells them.
    pub fn target(scheme: &[u8], authority: &[u8], path: &[u8], query: &[u8]) -> Self {
        Self::of_parts(Domain::Target, [scheme, authority, path, query])
    }

    /// The label of all URIs that differ in their queries alone.
    pub fn target_path(scheme: &[u8], authority: &[u8], path: &[u8]) -> Self {
        Self::of_parts(Domain::TargetPath, [scheme, authority, path])
    }

    /// The label of a group of an origin's responses
    /// ([RFC 9875 §2.1](https://www.rfc-editor.org/rfc/rfc9875#section-2.1)).
    pub fn group(scheme: &[u8], authority: &[u8], name: &str) -> Self {
        Self::of_parts(Domain::Group, [scheme, authority, name.as_bytes()])
    }

    /// The label with these bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The label's bits, evenly distributed.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Each part has its length before it, so that no two sequences of parts are one text.
    fn of_parts<const COUNT: usize>(domain: Domain, parts: [&[u8]; COUNT]) -> Self {
        let mut hasher = hasher(domain);
        for part in parts {
            hasher.write(&(part.len() as u64).to_le_bytes());
            hasher.write(part);
        }
        Self(hasher.finish())
    }
}

#[derive(Clone, Copy)]
enum Domain {
    Tag = 1,
    Endpoint = 2,
    Subtree = 3,
    Target = 4,
    TargetPath = 5,
    Group = 6,
}

/// Keys are part of the format: stores that are shared between processes hold labels.
fn hasher(domain: Domain) -> SipHasher13 {
    SipHasher13::new_with_keys(0x6661_7374_2d63_6163, domain as u64)
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

/// A segment holds no slash, so a slash before each keeps the encoding injective.
fn write_segment(hasher: &mut SipHasher13, segment: &str) {
    hasher.write(b"/");
    hasher.write(segment.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::{Label, MAX_SEGMENTS};
    use crate::reason::Reason;

    fn subtrees(path: &str) -> Vec<Label> {
        let mut labels = Vec::new();
        Label::subtrees(path, &mut labels).expect("not too deep");
        labels
    }

    #[test]
    fn a_path_lies_in_every_subtree_above_it() {
        assert_eq!(
            subtrees("/a/b/c"),
            ["/", "/a", "/a/b", "/a/b/c"].map(Label::subtree)
        );
        assert_eq!(subtrees("/"), [Label::subtree("/")]);
        assert_eq!(subtrees(""), [Label::subtree("/")]);
    }

    #[test]
    fn slashes_never_hide_a_path_from_a_drop() {
        for path in [
            "/users/7",
            "/users/7/",
            "/users//7",
            "//users/7",
            "users/7",
            "/users/7/posts",
            "/users/7//",
        ] {
            for target in ["/users/7", "/users/7/", "/users//7", "/users", "/"] {
                assert!(
                    subtrees(path).contains(&Label::subtree(target)),
                    "{target} should cover {path}"
                );
            }
        }
    }

    #[test]
    fn subtrees_end_at_segments() {
        for path in [
            "/users/70",
            "/users-archive/7",
            "/users/7.json",
            "/Users/7",
            "/users%2F7",
        ] {
            assert!(
                !subtrees(path).contains(&Label::subtree("/users/7")),
                "/users/7 should not cover {path}"
            );
        }
    }

    #[test]
    fn a_path_too_deep_to_label_is_refused_whole() {
        assert_eq!(subtrees(&"/x".repeat(MAX_SEGMENTS)).len(), MAX_SEGMENTS + 1);
        let mut labels = vec![Label::tag("kept")];
        let deep = "/x".repeat(MAX_SEGMENTS + 1);
        assert_eq!(Label::subtrees(&deep, &mut labels), Err(Reason::Tags));
        assert_eq!(labels, [Label::tag("kept")]);
    }

    #[test]
    fn kinds_of_label_never_meet() {
        assert_ne!(Label::tag("/a"), Label::subtree("/a"));
        assert_ne!(Label::tag("/a"), Label::endpoint(b"/a"));
        assert_ne!(Label::subtree("/a"), Label::endpoint(b"/a"));
        let path = Label::target_path(b"http", b"a", b"/a");
        assert_ne!(path, Label::group(b"http", b"a", "/a"));
        assert_ne!(path, Label::target(b"http", b"a", b"/a", b""));
    }

    #[test]
    fn parts_never_run_together() {
        let target = Label::target(b"http", b"a", b"/b", b"c");
        assert_ne!(target, Label::target(b"http", b"a", b"/bc", b""));
        assert_ne!(target, Label::target(b"http", b"a/b", b"", b"c"));
        assert_ne!(
            Label::group(b"http", b"a", "b"),
            Label::group(b"http", b"ab", "")
        );
    }

    #[test]
    fn labels_are_the_same_everywhere() {
        assert_eq!(Label::tag("user:7").bits(), TAG);
        assert_eq!(Label::endpoint(b"GET /users/{id}").bits(), ENDPOINT);
        assert_eq!(Label::subtree("/users/7").bits(), SUBTREE);
        let target = Label::target(b"https", b"example.com", b"/users/7", b"full=1");
        assert_eq!(target.bits(), TARGET);
        let path = Label::target_path(b"https", b"example.com", b"/users/7");
        assert_eq!(path.bits(), TARGET_PATH);
        assert_eq!(
            Label::group(b"https", b"example.com", "users").bits(),
            GROUP
        );
    }

    const TAG: u64 = 0xfe32_9d82_c00b_a04d;
    const ENDPOINT: u64 = 0x9433_472c_94fa_535c;
    const SUBTREE: u64 = 0x10aa_8a28_2517_cc09;
    const TARGET: u64 = 0x1b5d_1aeb_eb66_5389;
    const TARGET_PATH: u64 = 0x9311_392f_42af_20d0;
    const GROUP: u64 = 0x5b61_7f84_92c6_5813;
}
